(async () => {
  const main = document.querySelector("main");
  const words = JSON.parse(main.dataset.words);
  const parts = location.pathname.split("/");
  const at = parts.findIndex((part) => Object.hasOwn(words, part));
  const root = at < 0 ? null : parts.slice(0, at).join("/") + "/";
  const tag = at < 0 ? Object.keys(words)[0] : parts[at];
  const rest = parts.slice(at + 1).map(decodeURIComponent);
  const said = document.getElementById("said");

  const say = (key) => {
    document.documentElement.lang = words[tag].lang;
    document.querySelector("h1").textContent = words[tag].site_name;
    said.textContent = words[tag][key];
  };

  const showWays = () => {
    const ways = document.getElementById("ways");
    const links = ways.querySelectorAll("a");
    if (root !== null) for (const link of links) link.href = root + link.getAttribute("href").replace(/^.*?([^/]+\/(?:archive\/)?index\.html)$/, "$1");
    ways.hidden = root === null && ways.hidden;
  };

  const indexOf = (id) => (id.includes("/") ? `${id.replace("/", "-").slice(0, -3)}` : `${id.slice(0, 4)}-${id.slice(5, 7)}`);

  const placeOfPaper = async (id) => {
    if (!/^(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?\/\d{7})$/.test(id)) return null;
    const answer = await fetch(`${root}ids/${indexOf(id)}.json`);
    const days = answer.ok && (await answer.json())[id];
    return days ? `${root}${tag}/${days.split(" ").at(-1)}/index.html#p-${id.replace("/", "-")}` : null;
  };

  /** A category's export of a day, cut from that of all papers and saved; whether there is one. */
  const saveExport = async (day, category, kind) => {
    const texts = await Promise.all(["jsonl", kind].map(async (one) => {
      const answer = await fetch(`${root}${tag}/${day}/all.${one}`);
      return answer.ok ? answer.text() : "";
    }));
    const papers = texts[0].split("\n").filter(Boolean).map((line) => ({ line, ...JSON.parse(line) }));
    const own = papers.filter(({ categories }) => categories.some((one) => one === category || one.startsWith(`${category}.`)));
    const ids = new Set(own.map((one) => one.arxiv_id));
    const entries = texts[1].split(/\n(?=@)/).filter((entry) => ids.has(/^\s*eprint\s*=\s*\{([^}]*)\}/m.exec(entry)?.[1].replace(/v\d+$/, "")));
    const text = (kind === "bib" ? entries : own.map(({ line }) => line)).join("\n");
    if (!text) return false;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text.trimEnd()}\n`]));
    link.download = link.textContent = `${category}.${kind}`;
    said.replaceChildren(link);
    link.click();
    return true;
  };

  const place = async () => {
    if (root === null) return null;
    if (rest[0] === "paper") return placeOfPaper(rest.slice(1).filter((part) => part !== "" && part !== "index.html").join("/").replace(/v\d+$/, ""));
    const [, category, kind] = (/^\d{4}-\d\d-\d\d$/.test(rest[0]) && /^([\w-]+(?:\.[A-Za-z-]+)?)\.(html|bib|jsonl)$/.exec(rest[1] ?? "")) || [];
    if (!category || category === "index") return null;
    return kind === "html" ? `${root}${tag}/${rest[0]}/index.html?category=${category}` : saveExport(rest[0], category, kind);
  };

  say("finding");
  try {
    const found = await place();
    if (found === true) return;
    if (found) return location.replace(found);
  } catch {}
  say("not_found");
  showWays();
})();

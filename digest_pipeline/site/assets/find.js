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

  const place = async () => {
    if (root === null) return null;
    if (rest[0] === "paper") return placeOfPaper(rest.slice(1).filter((part) => part !== "" && part !== "index.html").join("/").replace(/v\d+$/, ""));
    const category = /^\d{4}-\d\d-\d\d$/.test(rest[0]) && /^([\w-]+(?:\.[\w-]+)?)\.html$/.exec(rest[1] ?? "");
    return category && category[1] !== "index" ? `${root}${tag}/${rest[0]}/index.html?category=${category[1]}` : null;
  };

  say("finding");
  try {
    const found = await place();
    if (found) return location.replace(found);
  } catch {}
  say("not_found");
  showWays();
})();

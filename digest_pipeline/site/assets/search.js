// The search page: asks the Pagefind bundles beside the page and shows what they answer. No other request.
// Everything from an index is put into the page as text, never as markup.
(() => {
  "use strict";
  const form = document.getElementById("search");
  if (!form) return;
  const query = document.getElementById("query");
  const category = document.getElementById("category");
  const order = document.getElementById("order");
  const status = document.getElementById("search-status");
  const list = document.getElementById("search-results");
  const more = document.getElementById("search-more");
  const words = form.dataset;
  const root = words.root;
  const PAGE_SIZE = 20;
  let engines = null;
  let turn = 0; // a later search makes an earlier one's answers void
  let waiting = [];

  // `2404.01438v2` → `240401438`, `hep-ex/0406020` → `hepex0406020`: as ids stand in the index
  const asIndexed = (text) =>
    text
      .replace(/(?:arxiv:)?(\d{4})\.(\d{4,5})(?:v\d+)?(?!\d)/gi, "$1$2")
      .replace(/\b([a-z]+(?:-[a-z]+)*)(?:\.([a-z]{2}))?\/(\d{7})(?:v\d+)?\b/gi, (_, archive, part, number) =>
        (archive.replace(/-/g, "") + (part || "") + number).toLowerCase());

  // Each bundle brings its own program, on the page's own thread: in one shared worker, two bundles' results get mixed up.
  async function load() {
    return Promise.all(words.bundles.split(" ").filter(Boolean).map(async (name) => {
      const base = new URL(name + "/", document.baseURI).pathname;
      const pagefind = await import(base + "pagefind.js");
      return pagefind.createInstance({ basePath: base, excerptLength: 40, noWorker: true });
    }));
  }

  async function search() {
    const mine = ++turn;
    const text = query.value.trim();
    remember(text);
    list.replaceChildren();
    more.hidden = true;
    waiting = [];
    if (!text) { status.textContent = ""; return; }
    if (location.protocol === "file:") { status.textContent = words.needsServer; return; }
    status.textContent = words.searching;
    try {
      engines = engines || load();
      const options = { filters: category.value ? { category: [category.value] } : {}, sort: order.value ? { day: "desc" } : {} };
      const answers = await Promise.all((await engines).map((engine) => engine.search(asIndexed(text), options)));
      if (mine !== turn) return;
      waiting = answers.flatMap((answer) => answer.results); // bundles stand newest first, so sorting by day holds across them
      if (!order.value) waiting.sort((a, b) => b.score - a.score);
      status.textContent = waiting.length ? words.found.replace("{count}", String(waiting.length)) : words.none;
      await show(mine);
    } catch (error) {
      if (mine !== turn) return;
      engines = null;
      status.textContent = words.failed;
      console.error(error);
    }
  }

  const shown = new Set();
  async function show(mine) {
    if (!list.children.length) shown.clear();
    const found = await Promise.all(waiting.splice(0, PAGE_SIZE).map((result) => result.data()));
    if (mine !== turn) return;
    for (const paper of found) {
      if (shown.has(paper.meta.page)) continue; // announced in two months
      shown.add(paper.meta.page);
      list.append(item(paper));
    }
    more.hidden = !waiting.length;
  }

  function item(paper) {
    const one = document.createElement("li");
    const heading = one.appendChild(document.createElement("h2"));
    const anchor = heading.appendChild(document.createElement("a"));
    anchor.href = root + paper.meta.page;
    anchor.textContent = paper.meta.title;
    if (paper.meta.original) {
      const original = one.appendChild(document.createElement("p"));
      original.className = "original";
      original.lang = "en";
      original.textContent = paper.meta.original;
    }
    const facts = one.appendChild(document.createElement("p"));
    facts.className = "muted";
    facts.textContent = [paper.meta.authors, paper.meta.day, "arXiv:" + paper.meta.id].filter(Boolean).join(" · ");
    const excerpt = one.appendChild(document.createElement("p"));
    const parsed = new DOMParser().parseFromString(paper.excerpt, "text/html"); // inert: nothing in it loads or runs
    for (const node of parsed.body.childNodes) {
      const part = node.nodeName === "MARK" ? document.createElement("mark") : document.createElement("span");
      part.textContent = node.textContent;
      excerpt.append(part);
    }
    return one;
  }

  function remember(text) {
    const values = new URLSearchParams();
    if (text) values.set("q", text);
    if (category.value) values.set("c", category.value);
    if (order.value) values.set("o", order.value);
    const after = values.toString();
    history.replaceState(null, "", after ? "?" + after : location.pathname);
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  category.addEventListener("change", search);
  order.addEventListener("change", search);
  more.addEventListener("click", async () => {
    const before = list.children.length;
    await show(turn);
    const next = list.children[before];
    if (next) next.querySelector("a").focus();
  });

  const given = new URLSearchParams(location.search);
  query.value = given.get("q") || "";
  if ([...category.options].some((option) => option.value === given.get("c"))) category.value = given.get("c");
  if (given.get("o") === "day") order.value = "day";
  query.focus();
  if (location.protocol === "file:") status.textContent = words.needsServer;
  if (query.value) search();
})();

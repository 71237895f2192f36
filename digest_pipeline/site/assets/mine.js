// What a reader marks: stars, papers read, papers hidden; kept in this browser and nowhere else.
//
// Without this file, or where the browser keeps nothing (storage switched off), the page is what it is without any marks.
"use strict";

window.digest ??= {};

(() => {
  const KEY = "digest.mine";
  const list = document.getElementById("papers");
  const header = document.querySelector(".day-header");
  if (!list || !header || !digest.rows) return;
  try {
    localStorage.setItem(`${KEY}.probe`, "1");
    localStorage.removeItem(`${KEY}.probe`);
  } catch {
    return;
  }
  const words = JSON.parse(list.dataset.mine);
  const rows = digest.rows;
  const idOf = (row) => row.dataset.arxivId;
  const titleOf = (row) => row.querySelector("h3 a").textContent;
  const categoriesOf = (row) => row.querySelector(".cats").textContent.split(" ");

  // -- what is kept: { stars: { id: { title, categories, terms, bibtex } }, read: { id: 1 }, hidden: { id: 1 } } --

  const read = () => {
    try {
      const { stars = {}, read = {}, hidden = {} } = JSON.parse(localStorage.getItem(KEY)) ?? {};
      return { stars, read, hidden };
    } catch {
      return { stars: {}, read: {}, hidden: {} };
    }
  };
  let mine = read();

  /** Changes what is kept, after what another tab wrote meanwhile; a browser that is full says so. */
  const change = (edit) => {
    mine = read();
    edit(mine);
    try {
      localStorage.setItem(KEY, JSON.stringify(mine));
    } catch (error) {
      say(String(error.message ?? error));
    }
    showMarks();
  };

  const flip = (group, id, value) => change((kept) => (Object.hasOwn(kept[group], id) ? delete kept[group][id] : (kept[group][id] = value)));

  // -- the words of the day's papers --

  const terms = new Map();
  let loading = null;

  /** Called by `terms/<day>.js`. */
  digest.addTerms = (papers) => {
    for (const [id, text] of Object.entries(papers)) terms.set(id, text);
  };

  const loadTerms = () =>
    (loading ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = list.dataset.terms;
      script.onload = script.onerror = resolve; // without words the categories rank alone
      document.head.append(script);
    }));

  const star = async (row) => {
    const id = idOf(row);
    flip("stars", id, { title: titleOf(row), categories: categoriesOf(row), terms: "", bibtex: "" });
    if (!Object.hasOwn(mine.stars, id)) return;
    await loadTerms();
    const details = await digest.details(row).catch(() => ({ bibtex: "" }));
    change((kept) => kept.stars[id] && Object.assign(kept.stars[id], { terms: terms.get(id) ?? "", bibtex: details.bibtex }));
  };

  const act = {
    star,
    read: (row) => flip("read", idOf(row), 1),
    hide: (row) => flip("hidden", idOf(row), 1),
  };
  const GROUP = { star: "stars", read: "read", hide: "hidden" };
  const SIGN = { star: ["☆", "★"], read: ["○", "●"], hide: ["–", "+"] };

  // -- buttons: made when a row comes into sight, for hundreds of rows stand on a page --

  const addButtons = (row) => {
    if (row.querySelector(".mine")) return;
    const group = document.createElement("span");
    group.className = "mine";
    for (const name of Object.keys(act)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = name;
      button.title = words[name];
      button.setAttribute("aria-label", words[name]);
      button.addEventListener("click", () => act[name](row));
      group.append(button);
    }
    row.querySelector(".meta").append(group);
    showRow(row);
  };

  const showRow = (row) => {
    const id = idOf(row);
    for (const [name, group] of Object.entries(GROUP)) {
      const has = Object.hasOwn(mine[group], id);
      row.classList.toggle(`is-${name}`, has);
      const button = row.querySelector(`.mine .${name}`);
      if (!button) continue;
      button.textContent = SIGN[name][Number(has)];
      button.setAttribute("aria-pressed", String(has));
    }
  };

  const isMarked = (row) => Object.values(GROUP).some((group) => Object.hasOwn(mine[group], idOf(row)));

  const showMarks = (changed = rows) => {
    changed.forEach(showRow);
    const count = Object.keys(mine.stars).length;
    for (const button of bar.querySelectorAll(".save")) button.disabled = count === 0;
    if (location.search) digest.narrow?.();
  };

  // -- the bar: for me first, unread, starred, hidden; save and load --

  const bar = document.createElement("div");
  bar.className = "mine-bar";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const say = (text) => (said.textContent = text);

  const addBarButton = (text, name, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    button.append(document.createElement("span"));
    button.firstChild.textContent = text;
    button.addEventListener("click", action);
    bar.append(button);
    return button;
  };

  Object.assign((digest.fields ??= {}), {
    mine: (row, value) => {
      const id = idOf(row);
      if (value === "hidden") return Object.hasOwn(mine.hidden, id);
      return value === "starred" ? Object.hasOwn(mine.stars, id) : value !== "unread" || !Object.hasOwn(mine.read, id);
    },
  });

  const chosen = () => new URLSearchParams(location.search).get("mine");
  const filters = ["unread", "starred", "hidden"].map((name) =>
    addBarButton(words[name], "filter", () => digest.choose({ mine: chosen() === name ? null : name })),
  );
  const showChoice = () => {
    const choice = chosen();
    ["unread", "starred", "hidden"].forEach((name, at) => filters[at].setAttribute("aria-pressed", String(choice === name)));
    list.classList.toggle("with-hidden", choice === "hidden");
  };
  const narrow = digest.narrow;
  digest.narrow = () => {
    narrow?.();
    showChoice();
  };
  addEventListener("popstate", showChoice);

  // -- for me first: rows change their place, and go back --

  const places = rows.map((row) => [row, row.parentNode]);
  const mineSection = document.createElement("section");
  mineSection.className = "group for-me";
  const toggle = addBarButton(words.first, "first", () => (list.classList.contains("ranked") ? restore() : rank()));
  const chips = header.querySelector(".chips") ?? document.createElement("div");
  chips.className = "chips";
  const first = document.createElement("li");
  first.append(toggle);
  if (!chips.firstChild) chips.append(document.createElement("ul"));
  chips.querySelector("ul").prepend(first);
  chips.append(bar);

  const restore = () => {
    for (const [row, section] of places) section.append(row);
    for (const why of list.querySelectorAll(".why-mine")) why.remove();
    mineSection.remove();
    list.classList.remove("ranked");
    toggle.setAttribute("aria-pressed", "false");
    say("");
  };

  const rank = async () => {
    const stars = Object.entries(mine.stars).map(([id, one]) => ({ id, terms: digest.decodeTerms(one.terms ?? ""), categories: one.categories ?? [] }));
    if (stars.length === 0) return say(words.none);
    await loadTerms();
    const papers = rows.map((row) => ({ id: idOf(row), terms: digest.decodeTerms(terms.get(idOf(row)) ?? ""), categories: categoriesOf(row) }));
    const byId = new Map(rows.map((row) => [idOf(row), row]));
    for (const { id, like } of digest.rankByStars(papers, stars)) {
      const row = byId.get(id);
      const title = mine.stars[like]?.title;
      if (title && like !== id) {
        const why = document.createElement("span");
        why.className = "why-mine";
        why.textContent = words.like.replace("{title}", title);
        row.querySelector(".meta").append(why);
      }
      mineSection.append(row);
    }
    list.prepend(mineSection);
    list.classList.add("ranked");
    toggle.setAttribute("aria-pressed", "true");
  };
  toggle.setAttribute("aria-pressed", "false");

  // -- saving and loading --

  const download = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const bibtexOf = ([id, one]) => one.bibtex || `@misc{arxiv-${id.replace("/", "-")},\n  title = {${one.title ?? id}},\n  eprint = {${id}},\n  archivePrefix = {arXiv}\n}`;
  const SAVED = {
    "stars.bib": ["application/x-bibtex", () => Object.entries(mine.stars).map(bibtexOf).join("\n\n") + "\n"],
    "stars.txt": ["text/plain", () => Object.keys(mine.stars).join("\n") + "\n"],
    "stars.json": [
      "application/json",
      () => JSON.stringify({ starred: Object.entries(mine.stars).map(([arxiv_id, one]) => ({ arxiv_id, ...one })), read: Object.keys(mine.read), hidden: Object.keys(mine.hidden) }, null, 1),
    ],
  };
  const menu = document.createElement("details");
  menu.className = "mine-files";
  const summary = document.createElement("summary");
  summary.textContent = `${words.export} / ${words.load}`;
  menu.append(summary);
  bar.append(menu);
  const inMenu = (button) => menu.append(button);
  for (const [name, [type, text]] of Object.entries(SAVED)) inMenu(addBarButton(name, "save", () => download(name, type, text())));

  const ID = /^(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?\/\d{7})$/;

  /** Stars of a saved file: our JSON, or ids, one a line. Throws where there is none. */
  const starsIn = (text) => {
    if (!text.trimStart().startsWith("{")) return { starred: text.split(/\s+/).filter((id) => ID.test(id)).map((arxiv_id) => ({ arxiv_id })), read: [], hidden: [] };
    const { starred = [], read = [], hidden = [] } = JSON.parse(text);
    return { starred: starred.filter((one) => ID.test(one.arxiv_id)), read: read.filter((id) => ID.test(id)), hidden: hidden.filter((id) => ID.test(id)) };
  };

  const load = document.createElement("input");
  load.type = "file";
  load.accept = ".json,.txt";
  load.className = "unseen";
  load.tabIndex = -1;
  load.setAttribute("aria-label", words.load);
  load.addEventListener("change", async () => {
    const [file] = load.files;
    if (!file) return;
    try {
      const found = starsIn(await file.text());
      if (found.starred.length + found.read.length + found.hidden.length === 0) throw new Error("empty");
      change((kept) => {
        for (const { arxiv_id: id, title = "", categories = [], terms: own = "", bibtex = "" } of found.starred)
          kept.stars[id] ??= { title: String(title), categories: [].concat(categories).map(String), terms: String(own), bibtex: String(bibtex) };
        for (const id of found.read) kept.read[id] = 1;
        for (const id of found.hidden) kept.hidden[id] = 1;
      });
      await complete();
      say(words.loaded.replace("{count}", found.starred.length));
    } catch {
      say(words.unreadable);
    }
    load.value = "";
  });
  inMenu(addBarButton(words.load, "load", () => load.click()));
  menu.append(load);
  bar.append(said);

  /** Stars that came as ids get their words where this day has the paper. */
  const complete = async () => {
    const bare = rows.filter((row) => mine.stars[idOf(row)] && !mine.stars[idOf(row)].terms);
    if (bare.length === 0) return;
    await loadTerms();
    change((kept) => {
      for (const row of bare) Object.assign(kept.stars[idOf(row)] ?? {}, { title: titleOf(row), categories: categoriesOf(row), terms: terms.get(idOf(row)) ?? "" });
    });
  };

  // -- keys, other tabs, the first look --

  const withRow = (action) => () => {
    const row = digest.currentRow?.();
    if (row) action(row);
  };
  Object.assign((digest.keys ??= {}), { s: withRow(act.star), r: withRow(act.read), x: withRow(act.hide) });
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    mine = read();
    showMarks();
  });

  if (!chips.isConnected) header.querySelector(".narrowed").before(chips);
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        sight.unobserve(target);
        addButtons(target);
      }
    },
    { rootMargin: "800px" },
  );
  for (const row of rows) sight.observe(row);
  list.addEventListener("focusin", (event) => {
    const row = event.target.closest("article.paper");
    if (row) addButtons(row);
  });
  showMarks(rows.filter(isMarked));
  showChoice();
})();

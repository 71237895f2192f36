// The search page: asks the index (search-index.js), and shows the sentence that matched.
// No other request. Everything from an index is put into the page as text, never as markup.
(() => {
  "use strict";

  const { RUN, Index, fetched, gunzipped, isRunTerm, normalized, phrasesOf, pieces } = window.digestSearch;

  // -- the sentence that matched --------------------------------------------------------------------

  const wholeWord = (text) => pieces(text).map((one) => one.term);
  const matches = (words, phrases) => phrases.some((phrase) => words.some((word, n) => begins(words, n, phrase)));
  const begins = (words, n, phrase) =>
    phrase.every((want, k) => {
      const have = words[n + k];
      if (have === undefined) return false;
      return isRunTerm(want) ? have.includes(want) : have === want;
    });

  const wanted = (asked) => asked.filter((one) => one.parts.length && !one.id).map((one) => one.parts.map((part) => part.term));

  /** A whole text as [[text, is it a match?]]. */
  const whole = (text, asked) => (matches(wholeWord(text), wanted(asked)) ? marked(text, wanted(asked).flat()) : [[text, false]]);

  /** The first sentence of a text that holds a phrase, likewise; null where none does. */
  function excerpt(text, asked) {
    for (const sentence of text.split(/(?<=[。！？；])|(?<=[.!?;])\s+/u)) {
      if (matches(wholeWord(sentence), wanted(asked))) return marked(sentence.trim(), wanted(asked).flat());
    }
    return null;
  }

  function marked(sentence, terms) {
    const parts = [];
    let end = 0;
    const tokens = new RegExp(`[${RUN}]+|(?:(?![${RUN}])[\\p{L}\\p{N}\\p{M}])+`, "gu");
    const put = (text, is) => { if (text) parts.push([text, is]); };
    for (const match of sentence.matchAll(tokens)) {
      const plain = normalized(match[0]);
      for (const want of terms) {
        const at = isRunTerm(want) && plain.length === match[0].length ? plain.indexOf(want) : plain === want ? 0 : -1;
        if (at < 0) continue;
        put(sentence.slice(end, match.index + at), false);
        end = match.index + at + (isRunTerm(want) ? want.length : match[0].length);
        put(sentence.slice(match.index + at, end), true);
        break;
      }
    }
    put(sentence.slice(end), false);
    return parts;
  }

  // -- the page -----------------------------------------------------------------------------------

  const form = document.getElementById("search");
  if (!form) return;
  const query = document.getElementById("query");
  const category = document.getElementById("category");
  const order = document.getElementById("order");
  const status = document.getElementById("search-status");
  const list = document.getElementById("search-results");
  const more = document.getElementById("search-more");
  const words = form.dataset;
  const PAGE_SIZE = 20;
  const LONG_TLDR = 120; // of a longer one, only the sentence that matched
  let index = new Index("");
  let turn = 0; // a later search makes an earlier one's answers void
  let waiting = [];
  let asked = [];

  async function search() {
    const mine = ++turn;
    const question = query.value.trim();
    remember(question);
    list.replaceChildren();
    delete list.dataset.total;
    more.hidden = true;
    waiting = [];
    asked = phrasesOf(question);
    if (!asked.length) { status.textContent = question ? words.none : ""; return; }
    if (location.protocol === "file:") { status.textContent = words.needsServer; return; }
    status.textContent = words.searching;
    try {
      let found = await answered(asked);
      let said = words.found;
      if (!found.length) {
        const mended = await withoutMistakes(asked);
        if (mended) {
          asked = mended;
          found = await answered(asked);
          said = `${words.instead.replace("{given}", question).replace("{used}", asked.map((one) => one.text).join(" "))} ${words.found}`;
        }
      }
      if (mine !== turn) return;
      waiting = order.value ? found : [0, 1, 2, 3].flatMap((rank) => found.filter((one) => one.rank === rank));
      list.dataset.total = String(waiting.length);
      status.textContent = waiting.length ? said.replace("{count}", String(waiting.length)) : words.none;
      await show(mine);
    } catch (error) {
      if (mine !== turn) return;
      status.textContent = words.failed;
      console.error(error);
    }
  }

  /** Once more with a fresh index where a file is gone: the site was built again since the page was opened. */
  async function answered(phrases) {
    try {
      return await index.search(phrases, category.value);
    } catch {
      index = new Index("");
      return index.search(phrases, category.value);
    }
  }

  /** The question with the unknown Latin words changed into known ones; null where nothing near is known. */
  async function withoutMistakes(phrases) {
    let changed = false;
    const mended = await Promise.all(phrases.map(async (phrase) => {
      const only = phrase.parts.length === 1 && !phrase.id ? phrase.parts[0] : null;
      if (!only || only.isRun || !/^[a-z]{4,}$/.test(only.term) || (await answered([phrase])).length) return phrase;
      const near = await index.nearest(only.term);
      if (!near) return phrase;
      changed = true;
      return { text: near, parts: [{ ...only, term: near }] };
    }));
    return changed ? mended : null;
  }

  async function show(mine) {
    const batch = waiting.splice(0, PAGE_SIZE);
    const records = await Promise.all(batch.map((one) => one.segment.record(one.paper)));
    if (mine !== turn) return;
    batch.forEach((one, n) => list.append(item(one, records[n])));
    more.hidden = !waiting.length;
  }

  const element = (parent, name, text = "", className = "") => {
    const made = parent.appendChild(document.createElement(name));
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  function item(found, [title, original, tldr, authors, place]) {
    const one = document.createElement("li");
    one.dataset.arxivId = found.id;
    const anchor = element(element(one, "h2"), "a");
    anchor.href = `../${found.day}/index.html#p-${found.id.replace("/", "-")}`;
    put(anchor, whole(title, asked));
    if (original) {
      const line = element(one, "p", "", "original");
      line.lang = "en";
      put(line, whole(original, asked));
    }
    put(element(one, "p", "", "muted"), whole([authors, found.day, `arXiv:${found.id}`].filter(Boolean).join(" · "), asked));
    const sentence = element(one, "p", "", "excerpt");
    const short = (tldr.length > LONG_TLDR && excerpt(tldr, asked)) || whole(tldr, asked);
    put(sentence, short);
    if (!short.some(([, isMatch]) => isMatch)) sentenceOfAbstract(found, place, sentence);
    return one;
  }

  const put = (parent, parts) => {
    parent.replaceChildren(...parts.map(([text, isMatch]) => {
      const part = document.createElement(isMatch ? "mark" : "span");
      part.textContent = text;
      return part;
    }));
  };

  const abstracts = new Map(); // address of a file → what it holds

  /** The papers of a file of abstracts: base64 of gzip of JSON between its quotation marks. */
  async function papersIn(answer) {
    const bytes = Uint8Array.from(atob((await answer.text()).split('"')[1]), (letter) => letter.charCodeAt(0));
    return gunzipped(bytes).json();
  }

  /** The abstract lies in the file that the day's page opens rows from; where the match is not in it either, the TL;DR stays. */
  async function sentenceOfAbstract(found, place, line) {
    if (!found.isInAbstract) return;
    const file = `../${found.day}/abstracts-${String(Math.floor(place / Number(words.detailsPapers))).padStart(2, "0")}.js`;
    try {
      if (!abstracts.has(file)) abstracts.set(file, fetched(file).then(papersIn));
      const held = (await abstracts.get(file))[found.id];
      if (!held) return;
      const parsed = new DOMParser().parseFromString(held[0], "text/html"); // inert: nothing in it loads or runs
      for (const math of parsed.querySelectorAll("math")) math.replaceWith(math.querySelector("annotation")?.textContent ?? math.textContent);
      for (const block of parsed.body.querySelectorAll("p, li, dd")) {
        const parts = excerpt(block.textContent.replace(/\s+/g, " "), asked);
        if (parts) { put(line, parts); line.lang = block.closest("[lang]")?.lang ?? ""; return; }
      }
    } catch (error) {
      console.warn(error); // the result stands without its sentence
    }
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
  else index.open().catch(() => {}); // the next question tries again, and says so
  if (query.value) search();
})();

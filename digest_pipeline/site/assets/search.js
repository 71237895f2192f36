// The search page: reads the index beside it (digest_pipeline/site/search/), answers, and shows the sentence that matched.
// No other request. Everything from an index is put into the page as text, never as markup.
(() => {
  "use strict";

  // -- words: the same rules as search/segmentation.py --------------------------------------------

  const RUN = "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\u30fc";
  const TOKEN = new RegExp(`(?<run>[${RUN}]+)|(?:(?![${RUN}])[\\p{L}\\p{N}\\p{M}])+`, "gu");
  const NO_GAP = /^[\s\-\u2010-\u2015'\u2019_/]*$/u;
  const BARE = { ø: "o", ł: "l", đ: "d", ı: "i", æ: "ae", œ: "oe", ß: "ss" };

  const normalized = (text) =>
    text.normalize("NFKC").toLowerCase().replace(/[øłđıæœß]/g, (one) => BARE[one]).normalize("NFC")
      .replace(/[\u00c0-\u024f\u0370-\u04ff\u1e00-\u1fff]/g, (one) => one.normalize("NFD")[0]).replace(/[\u0300-\u036f]/g, "");

  /** [{ term, at, isRun }]: whole runs, not pairs; `at` is the position of the first character or word. */
  const pieces = (text) => {
    const line = normalized(text);
    const found = [];
    let position = 0, end = 0, afterRun = false;
    for (const match of line.matchAll(TOKEN)) {
      const isRun = match.groups.run !== undefined;
      if (end && (!NO_GAP.test(line.slice(end, match.index)) || (isRun && afterRun))) position += 1;
      const term = isRun ? [...match[0]] : match[0];
      found.push({ term: match[0], at: position, isRun });
      position += isRun ? term.length : 1;
      end = match.index + match[0].length;
      afterRun = isRun;
    }
    return found;
  };

  /** What must be looked up for a run: pairs that cover it, [{ term, at }]; one character alone is the beginning of a pair. */
  const pairs = ({ term, at }) => {
    const characters = [...term];
    if (characters.length === 1) return [{ term, at, isStart: true }];
    const starts = [];
    for (let i = 0; i + 2 <= characters.length; i += 2) starts.push(i);
    if (starts.at(-1) + 2 < characters.length) starts.push(characters.length - 2);
    return starts.map((i) => ({ term: characters[i] + characters[i + 1], at: at + i }));
  };

  const ID = /^(?:arxiv:)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?\/\d{7})(?:v\d+)?$/i;

  /** The phrases that a question asks for, all of them required: what stands in quotation marks, and each word between spaces. */
  const phrasesOf = (question) => {
    const phrases = [];
    const [, family, given] = /^\s*([^,"]+),\s*([^,"]+)$/.exec(question) ?? []; // `Bengio, Yoshua`
    for (const [, quoted, word] of (family ? `${given} ${family}` : question).matchAll(/["“”„«»「」『』]([^"“”„«»「」『』]+)["“”„«»「」『』]|([^\s"“”„«»「」『』]+)/gu)) {
      const text = quoted ?? word;
      const id = ID.exec(text.trim());
      const parts = pieces(text);
      if (id) phrases.push({ text, id: id[1].toLowerCase(), parts });
      else if (parts.length) phrases.push({ text, parts });
    }
    return phrases;
  };

  // -- the index ----------------------------------------------------------------------------------

  const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let i = 0; i < 8; i++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const crc32 = (text) => {
    let crc = 0xffffffff;
    for (const byte of new TextEncoder().encode(text)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  };
  const isRunTerm = (term) => new RegExp(`^[${RUN}]`, "u").test(term);

  async function fetched(url, cache = "default") {
    const answer = await fetch(url, { cache });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer;
  }
  /** As the file was before compression; a server may have unpacked it already. */
  async function unpacked(url) {
    const bytes = new Uint8Array(await (await fetched(url)).arrayBuffer());
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipped(bytes) : new Response(bytes);
  }
  const gunzipped = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));

  class Segment {
    constructor(base, stored, settings) {
      Object.assign(this, stored);
      this.base = `${base}${stored.name}/`;
      this.settings = settings;
      this.shardFiles = new Map();
      this.recordFiles = new Map();
      this.dayOf = new Array(stored.papers).fill(""); // "" : of a day that was indexed anew elsewhere
      for (const [day, [first, count]] of Object.entries(stored.days)) this.dayOf.fill(day, first, first + count);
    }

    papersFile() {
      this.papersLoaded ??= unpacked(`${this.base}papers.bin`).then((one) => one.json());
      return this.papersLoaded;
    }

    once(cache, key, load) {
      if (!cache.has(key)) cache.set(key, load().catch((error) => { cache.delete(key); throw error; }));
      return cache.get(key);
    }

    shard(term) {
      const number = crc32(isRunTerm(term) ? [...term][0] : term) % this.shards;
      return this.once(this.shardFiles, number, async () => {
        const name = `p-${String(number).padStart(3, "0")}.bin`;
        return shardLists(new Uint8Array(await (await unpacked(this.base + name)).arrayBuffer()));
      });
    }

    record(paper) {
      const { recordsInAFile } = this.settings;
      const number = Math.floor(paper / recordsInAFile);
      const name = `r-${String(number).padStart(3, "0")}.bin`;
      return this.once(this.recordFiles, number, async () => (await unpacked(this.base + name)).json())
        .then((records) => records[paper % recordsInAFile]);
    }

    /** Paper → positions, ascending, of one term. */
    async places({ term, isStart }) {
      const lists = await this.shard(term);
      if (!isStart) return decoded(lists.get(term));
      const all = new Map();
      for (const [other, bytes] of lists) {
        if (!other.startsWith(term)) continue;
        for (const [paper, places] of decoded(bytes)) all.set(paper, (all.get(paper) ?? []).concat(places));
      }
      for (const places of all.values()) places.sort((a, b) => a - b);
      return all;
    }

    /** Paper → positions at which the whole phrase begins. */
    async phrase(parts) {
      const wanted = parts.flatMap((part) => (part.isRun ? pairs(part) : [{ term: part.term, at: part.at }]));
      const lists = await Promise.all(wanted.map((one) => this.places(one)));
      const order = wanted.map((one, n) => ({ at: one.at, list: lists[n] })).sort((a, b) => a.list.size - b.list.size);
      let found = new Map();
      for (const [paper, places] of order[0].list) found.set(paper, places.map((place) => place - order[0].at));
      for (const { at, list } of order.slice(1)) {
        const both = new Map();
        for (const [paper, starts] of found) {
          const here = list.get(paper);
          if (!here) continue;
          const set = new Set(here);
          const kept = starts.filter((start) => set.has(start + at));
          if (kept.length) both.set(paper, kept);
        }
        found = both;
      }
      return found;
    }
  }

  function shardLists(bytes) {
    let at = 0;
    const number = () => {
      let value = 0, shift = 0;
      while (bytes[at] > 127) { value |= (bytes[at++] & 127) << shift; shift += 7; }
      return value | (bytes[at++] << shift);
    };
    const length = number();
    const text = new TextDecoder().decode(bytes.subarray(at, at + length));
    at += length;
    const terms = length ? text.split("\n") : [];
    const sizes = terms.map(() => { const size = number(); number(); return size; });
    return new Map(terms.map((term, n) => [term, bytes.subarray(at, (at += sizes[n]))]));
  }

  function decoded(bytes) {
    const found = new Map();
    if (!bytes) return found;
    let at = 0, paper = 0;
    const number = () => {
      let value = 0, shift = 0;
      while (bytes[at] > 127) { value |= (bytes[at++] & 127) << shift; shift += 7; }
      return value | (bytes[at++] << shift);
    };
    while (at < bytes.length) {
      const head = number();
      paper += head >>> 1;
      const count = head & 1 ? number() : 1;
      const places = new Array(count);
      let place = 0;
      for (let n = 0; n < count; n++) places[n] = place += number();
      found.set(paper, places);
    }
    return found;
  }

  const AUTHOR_STEP = 16; // as in search/segments.py
  const REVERSED = 3;

  // -- answering ----------------------------------------------------------------------------------

  class Index {
    constructor(base) { this.base = base; }

    open() {
      this.opened ??= this.load().catch((error) => { this.opened = null; throw error; });
      return this.opened;
    }

    async load() {
      const settings = await (await fetched(`${this.base}index.json`, "no-cache")).json(); // the files that it names never change
      this.fields = Object.entries(settings.fields);
      this.segments = settings.segments.map((stored) => new Segment(this.base, stored, settings));
      await Promise.all(this.segments.map((segment) => segment.papersFile()));
    }

    /** [{ segment, paper, id, day, rank, starts }], a paper once, with its newest day; not in order yet.
     *  Names are taken in the order in which they were given, and in any other only where nobody is called so. */
    async search(phrases, category) {
      await this.open();
      const parts = await Promise.all(this.segments.map((segment) => this.searchSegment(segment, phrases, category)));
      const newest = new Map();
      for (const one of parts.flat()) {
        const known = newest.get(one.id);
        if (!known || known.day < one.day) newest.set(one.id, one);
      }
      const found = [...newest.values()];
      return found.some((one) => one.rank === 0) ? found.filter((one) => one.rank < REVERSED) : found;
    }

    async searchSegment(segment, phrases, category) {
      const { ids, combinations, categories } = await segment.papersFile();
      const maps = await Promise.all(phrases.map((one) => (one.id ? byId(ids, one.id) : segment.phrase(one.parts))));
      const [first, ...others] = [...maps].sort((a, b) => a.size - b.size);
      const found = [];
      for (const paper of first.keys()) {
        if (!segment.dayOf[paper] || !others.every((map) => map.has(paper))) continue;
        if (category && !combinations[categories[paper]].includes(category)) continue;
        const starts = maps.map((map) => map.get(paper));
        const rank = this.rank(phrases, starts);
        if (rank !== null) found.push({ segment, paper, id: ids[paper], day: segment.dayOf[paper], rank, starts });
      }
      return found;
    }

    /** 0: the whole question is one author's name; 1: everything stands in a title; 2: anywhere; 3: as 0, in another order;
     *  null: words that stand in different people's names only. */
    rank(phrases, starts) {
      const asked = phrases.map((one, n) => ({ one, places: starts[n] })).filter(({ one }) => !one.id);
      if (!asked.length) return 0;
      const onlyNames = asked.filter(({ places }) => places.every((place) => this.fieldOf(place) === "authors"));
      const inNames = (list) => list.map(({ places }) => places.filter((place) => this.fieldOf(place) === "authors"));
      const inOneName = (list) => {
        const [first, ...others] = inNames(list).map((places) => new Set(places.map((place) => Math.floor(place / AUTHOR_STEP))));
        return [...first].some((name) => others.every((set) => set.has(name)));
      };
      const inOrder = (list) => {
        const [first, ...others] = inNames(list);
        return first.some((place) => {
          let at = place;
          return others.every((places) => {
            const next = places.find((other) => other > at && Math.floor(other / AUTHOR_STEP) === Math.floor(place / AUTHOR_STEP));
            at = next ?? at;
            return next !== undefined;
          });
        });
      };
      if (onlyNames.length > 1 && !inOneName(onlyNames)) return null;
      const words = asked.reduce((sum, { one }) => sum + one.parts.length, 0);
      if (words > 1 && inOneName(asked)) return inOrder(asked) ? 0 : onlyNames.length ? REVERSED : 2;
      return asked.every(({ places }) => places.some((place) => ["title", "original_title"].includes(this.fieldOf(place)))) ? 1 : 2;
    }

    fieldOf(place) {
      return this.fields.findLast(([, start]) => start <= place)[0];
    }

    /** The word in the newest segments that is nearest to a mistyped one; "" where none is near. */
    async nearest(word) {
      const most = word.length < 8 ? 1 : 2;
      let best = { word: "", steps: most, weight: 0 };
      for (const segment of this.segments.slice(-4)) {
        const lines = (await segment.once(segment.recordFiles, "words", async () => (await unpacked(`${segment.base}words.bin`)).text())).split("\n");
        for (const line of lines) {
          const [other, weight] = line.split(" ");
          if (Math.abs(other.length - word.length) > most) continue;
          const steps = distance(word, other, most);
          if (steps < best.steps || (steps === best.steps && steps <= most && Number(weight) > best.weight)) best = { word: other, steps, weight: Number(weight) };
        }
      }
      return best.word;
    }
  }

  const byId = (ids, wanted) => {
    const found = new Map();
    ids.forEach((id, paper) => { if (id.toLowerCase() === wanted) found.set(paper, []); });
    return found;
  };

  /** Insertions, deletions, changes and swaps of neighbours from one word to the other; more than `most` is `most` + 1. */
  function distance(a, b, most) {
    let before = [], row = Array.from({ length: b.length + 1 }, (_, n) => n);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      if (Math.min(...next) > most) return most + 1;
      [before, row] = [row, next];
    }
    return row[b.length];
  }

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

  window.digestSearch = { pieces, normalized, distance };
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
      const byDay = (a, b) => (a.day < b.day ? 1 : a.day > b.day ? -1 : a.id < b.id ? 1 : -1);
      waiting = found.sort((a, b) => (order.value ? 0 : a.rank - b.rank) || byDay(a, b));
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
    const short = whole(tldr, asked);
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
    const fields = new Set(found.starts.flat().map((start) => index.fieldOf(start)));
    if (!fields.has("abstract") && !fields.has("original_abstract")) return;
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

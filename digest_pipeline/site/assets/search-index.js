// Search: cuts questions into words, reads the index beside the page (digest_pipeline/site/search/), answers. search.js shows it.
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

  // -- files --------------------------------------------------------------------------------------

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
  const gunzipped = (bytes) => {
    const { readable, writable } = new DecompressionStream("gzip");
    const writer = writable.getWriter();
    writer.write(bytes).catch(() => {}); // a torn file is said by the side that reads
    writer.close().catch(() => {});
    return new Response(readable);
  };

  function once(cache, key, load) {
    if (!cache.has(key)) cache.set(key, load().catch((error) => { cache.delete(key); throw error; }));
    return cache.get(key);
  }

  /** The lists of one file, as bytes; a list is decoded only where it is asked for. */
  class Shard {
    constructor(bytes) {
      let at = 0;
      const number = () => {
        let value = 0, shift = 0;
        while (bytes[at] > 127) { value |= (bytes[at++] & 127) << shift; shift += 7; }
        return value | (bytes[at++] << shift);
      };
      const length = number();
      this.terms = length ? new TextDecoder().decode(bytes.subarray(at, at + length)).split("\n") : [];
      at += length;
      this.starts = new Uint32Array(this.terms.length + 1);
      for (let n = 1; n < this.starts.length; n++) { this.starts[n] = this.starts[n - 1] + number(); number(); }
      this.held = bytes.subarray(at);
    }

    list(n) {
      return this.held.subarray(this.starts[n], this.starts[n + 1]);
    }

    /** The lists of a term, or of all that begin with it. */
    lists({ term, isStart }) {
      if (isStart) return this.terms.flatMap((other, n) => (other.startsWith(term) ? [this.list(n)] : []));
      const n = this.terms.indexOf(term);
      return n < 0 ? [] : [this.list(n)];
    }
  }

  // -- answering ----------------------------------------------------------------------------------

  const AUTHOR_STEP = 16; // as in search/segments.py
  const TITLE = 2, ABSTRACT = 4, NAME = 8, ELSEWHERE = 16; // where a phrase stands in a paper; with 1, that it does
  const NAMED = 0, TITLED = 1, ANYWHERE = 2, REVERSED = 3, NOT = 255; // ranks
  const nameOf = (place) => Math.floor(place / AUTHOR_STEP);

  /** Where one phrase stands: for each paper of a segment its flags, and the places within names. */
  class Hits {
    constructor(papers, { tldr, abstract, authors }) {
      this.flags = new Uint8Array(papers);
      this.names = new Map();
      Object.assign(this, { tldr, abstract, authors });
    }

    add(paper, place) {
      this.flags[paper] |= 1 | (place < this.tldr ? TITLE : place < this.abstract ? ELSEWHERE : place < this.authors ? ABSTRACT : NAME);
      if (place < this.authors) return;
      const places = this.names.get(paper);
      if (places) places.push(place);
      else this.names.set(paper, [place]);
    }
  }

  /** { papers, places }: one entry a place, in order. Numbers are read in place, without a call for each, as a frequent word has a great many. */
  function decoded(bytes) {
    const end = bytes.length; // a place takes a byte at least
    const papers = new Int32Array(end), places = new Int32Array(end);
    let at = 0, paper = 0, size = 0;
    while (at < end) {
      let byte = bytes[at++], value = byte & 127;
      for (let shift = 7; byte > 127; shift += 7) { byte = bytes[at++]; value |= (byte & 127) << shift; }
      paper += value >>> 1;
      let count = 1, place = 0;
      if (value & 1) {
        byte = bytes[at++];
        count = byte & 127;
        for (let shift = 7; byte > 127; shift += 7) { byte = bytes[at++]; count |= (byte & 127) << shift; }
      }
      while (count--) {
        byte = bytes[at++];
        value = byte & 127;
        for (let shift = 7; byte > 127; shift += 7) { byte = bytes[at++]; value |= (byte & 127) << shift; }
        papers[size] = paper;
        places[size++] = place += value;
      }
    }
    return { papers: papers.subarray(0, size), places: places.subarray(0, size) };
  }

  const PLACES = 2 ** 21; // a place is less

  /** The lists as one: paper × PLACES + place, ascending. */
  function keysOf(lists) {
    const all = lists.map(decoded);
    const keys = new Float64Array(all.reduce((sum, one) => sum + one.papers.length, 0));
    let count = 0;
    for (const { papers, places } of all) {
      for (let n = 0; n < papers.length; n++) keys[count++] = papers[n] * PLACES + places[n];
    }
    return lists.length > 1 ? keys.sort() : keys;
  }

  /** Those of `found` that have a place of `keys` `distance` further on. */
  function followed(found, keys, distance) {
    let count = 0, at = 0;
    for (const start of found) {
      const wanted = start + distance;
      while (at < keys.length && keys[at] < wanted) at++;
      if (keys[at] === wanted) found[count++] = start;
    }
    return found.subarray(0, count);
  }

  class Segment {
    constructor(base, stored, settings) {
      Object.assign(this, stored);
      this.base = `${base}${stored.name}/`;
      this.settings = settings;
      this.files = new Map();
    }

    paperData() {
      return once(this.files, "papers", async () => (await unpacked(`${this.base}papers.bin`)).json());
    }

    words() {
      return once(this.files, "words", async () => (await (await unpacked(`${this.base}words.bin`)).text()).split("\n"));
    }

    file(letter, number, read) {
      const name = `${letter}-${String(number).padStart(3, "0")}.bin`;
      return once(this.files, name, async () => read(await unpacked(this.base + name)));
    }

    shard(term) {
      const number = crc32(isRunTerm(term) ? [...term][0] : term) % this.shards;
      return this.file("p", number, async (one) => new Shard(new Uint8Array(await one.arrayBuffer())));
    }

    async record(paper) {
      const { recordsInAFile: size } = this.settings;
      return (await this.file("r", Math.floor(paper / size), (one) => one.json()))[paper % size];
    }

    async hits({ id, parts }) {
      const hits = new Hits(this.papers, this.settings.fields);
      if (id) {
        (await this.paperData()).ids.forEach((own, paper) => { if (own.toLowerCase() === id) hits.flags[paper] = 1; });
        return hits;
      }
      const terms = parts.flatMap((part) => (part.isRun ? pairs(part) : [part]));
      const lists = await Promise.all(terms.map(async (one) => (await this.shard(one.term)).lists(one)));
      if (terms.length === 1) {
        for (const { papers, places } of lists[0].map(decoded)) {
          for (let n = 0; n < papers.length; n++) hits.add(papers[n], places[n]);
        }
        return hits;
      }
      const size = (n) => lists[n].reduce((sum, one) => sum + one.length, 0);
      const [rarest, ...others] = [...terms.keys()].sort((a, b) => size(a) - size(b));
      let found = keysOf(lists[rarest]);
      for (const other of others) {
        if (!found.length) break;
        found = followed(found, keysOf(lists[other]), terms[other].at - terms[rarest].at);
      }
      for (const key of found) hits.add(Math.floor(key / PLACES), (key % PLACES) - terms[rarest].at);
      return hits;
    }

    /** The phrases' hits, and the rank of each paper that has all of them, NOT of the others. */
    async answer(phrases, category) {
      const { combinations, categories } = await this.paperData();
      const hits = await Promise.all(phrases.map((one) => this.hits(one)));
      const isWanted = combinations.map((own) => !category || own.includes(category));
      const ranks = new Uint8Array(this.papers).fill(NOT);
      for (let paper = 0; paper < this.papers; paper++) {
        if (hits.every((one) => one.flags[paper]) && isWanted[categories[paper]]) ranks[paper] = rank(phrases, hits, paper);
      }
      return { hits, ranks };
    }
  }

  /** NAMED: the whole question is one author's name; TITLED: everything stands in a title; REVERSED: as NAMED, in another order;
   *  NOT: words that stand in different people's names only. */
  function rank(phrases, all, paper) {
    const asked = all.filter((_, n) => !phrases[n].id);
    if (!asked.length) return NAMED;
    const words = phrases.reduce((sum, one) => sum + (one.id ? 0 : one.parts.length), 0);
    if (words > 1) {
      const onlyNames = asked.filter((one) => one.flags[paper] === (1 | NAME));
      if (onlyNames.length > 1 && !inOneName(onlyNames, paper)) return NOT;
      if (inOneName(asked, paper)) return inOrder(asked, paper) ? NAMED : onlyNames.length ? REVERSED : ANYWHERE;
    }
    return asked.every((one) => one.flags[paper] & TITLE) ? TITLED : ANYWHERE;
  }

  const inOneName = (asked, paper) => {
    if (!asked.every((one) => one.flags[paper] & NAME)) return false;
    const [first, ...others] = asked.map((one) => new Set(one.names.get(paper).map(nameOf)));
    return [...first].some((name) => others.every((set) => set.has(name)));
  };
  const inOrder = (asked, paper) => {
    const [first, ...others] = asked.map((one) => one.names.get(paper));
    return first.some((place) => {
      let at = place;
      return others.every((places) => {
        const next = places.find((other) => other > at && nameOf(other) === nameOf(place));
        at = next ?? at;
        return next !== undefined;
      });
    });
  };

  class Index {
    constructor(base) { this.base = base; }

    open() {
      this.opened ??= this.load().catch((error) => { this.opened = null; throw error; });
      return this.opened;
    }

    async load() {
      const settings = await (await fetched(`${this.base}index.json`, "no-cache")).json(); // the files that it names never change
      this.segments = settings.segments.map((stored) => new Segment(this.base, stored, settings));
      this.days = this.segments.flatMap((segment, n) => Object.entries(segment.days).map(([day, [first, count]]) => ({ day, n, first, count })));
      this.days.sort((a, b) => (a.day < b.day ? 1 : -1));
      await Promise.all(this.segments.map((segment) => segment.paperData()));
    }

    /** [{ segment, paper, id, day, rank, isInAbstract }], a paper once, with its newest day; newest first.
     *  Names are taken in the order in which they were given, and in any other only where nobody is called so. */
    async search(phrases, category) {
      await this.open();
      const answers = await Promise.all(this.segments.map((segment) => segment.answer(phrases, category)));
      const all = await Promise.all(this.segments.map((segment) => segment.paperData()));
      const seen = new Set();
      const found = [];
      for (const { day, n, first, count } of this.days) {
        const { hits, ranks } = answers[n];
        for (let paper = first + count - 1; paper >= first; paper--) { // within a day, ids ascend
          if (ranks[paper] === NOT) continue;
          const id = all[n].ids[paper];
          if (seen.has(id)) continue;
          seen.add(id);
          found.push({ segment: this.segments[n], paper, id, day, rank: ranks[paper], isInAbstract: hits.some((one) => one.flags[paper] & ABSTRACT) });
        }
      }
      return found.some((one) => one.rank === NAMED) ? found.filter((one) => one.rank < REVERSED) : found;
    }

    /** The word in the newest segments that is nearest to a mistyped one; "" where none is near. */
    async nearest(word) {
      const most = word.length < 8 ? 1 : 2;
      let best = { word: "", steps: most, weight: 0 };
      for (const segment of this.segments.slice(-4)) {
        for (const line of await segment.words()) {
          const [other, weight] = line.split(" ");
          if (Math.abs(other.length - word.length) > most) continue;
          const steps = distance(word, other, most);
          if (steps < best.steps || (steps === best.steps && steps <= most && Number(weight) > best.weight)) best = { word: other, steps, weight: Number(weight) };
        }
      }
      return best.word;
    }
  }

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

  window.digestSearch = { RUN, Index, distance, fetched, gunzipped, isRunTerm, normalized, phrasesOf, pieces };
})();

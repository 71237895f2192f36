// A day in the order of a reader's stars, on the reader's machine: nothing is asked, nothing is sent.
//
// A paper is known by its categories and by its thirty-two most telling words, each as a number of sixteen bits (`terms/<day>.js`).
// Two things speak for it: categories that stars have more often than the day's papers have, and words shared with the stars, which
// count the more the more the stars are alike. The same is said, with more words, in docs/ranking.md.
"use strict";

window.digest ??= {};

(() => {
  const TEXT_WEIGHT = 0.75;
  const TYPICAL_CLOSENESS = 2; // of stars too few to measure it on
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  /** The words' numbers of a paper, from the file's base64. */
  digest.decodeTerms = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const numbers = new Set();
    for (let at = 0; at + 1 < bytes.length; at += 2) numbers.add(bytes[at] | (bytes[at + 1] << 8));
    return numbers;
  };

  const likenessOf = (papers) => {
    const counts = new Map();
    for (const { terms } of papers) for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
    const weight = (term) => Math.log((papers.length + 1) / ((counts.get(term) ?? 0) + 1)) ** 2;
    const norms = new Map();
    const norm = (terms) => {
      if (!norms.has(terms)) norms.set(terms, Math.sqrt([...terms].reduce((sum, term) => sum + weight(term), 0)) || 1);
      return norms.get(terms);
    };
    return (one, other) => {
      let shared = 0;
      for (const term of one) if (other.has(term)) shared += weight(term);
      return shared / (norm(one) * norm(other));
    };
  };

  const categoryScore = (papers, stars) => {
    const share = (list, category) => list.filter(({ categories }) => categories.includes(category)).length;
    const odds = new Map();
    for (const category of new Set([...papers, ...stars].flatMap((one) => one.categories))) {
      const all = (share(papers, category) + 0.5) / (papers.length + 1);
      const mine = clamp((share(stars, category) + all) / (stars.length + 1), 0.001, 0.98);
      odds.set(category, [Math.log(mine / all), Math.log((1 - mine) / (1 - all))]);
    }
    return (paper) => [...odds].reduce((sum, [category, [within, without]]) => sum + (paper.categories.includes(category) ? within : without), 0);
  };

  /**
   * Papers and stars as { id, terms: Set of numbers, categories }; the papers best first, each as { id, score, like }, where `like`
   * is the id of the star nearest to it, or null. Equal scores keep the papers' order.
   */
  digest.rankByStars = (papers, stars) => {
    const likeness = likenessOf(papers);
    const to = papers.map((paper) => stars.map((star) => likeness(paper.terms, star.terms)));
    const text = to.map(mean);
    const middle = mean(text);
    const spread = Math.sqrt(mean(text.map((value) => (value - middle) ** 2))) || 1;
    const among = stars.length < 2 ? [] : stars.map((star) => mean(stars.filter((one) => one !== star).map((one) => likeness(star.terms, one.terms))));
    const measured = among.reduce((sum, value) => sum + (value - middle) / spread, 0);
    const closeness = (measured + 2 * TYPICAL_CLOSENESS) / (among.length + 2);
    const weight = clamp(TEXT_WEIGHT * clamp(closeness, 0, 8), 0.3, 6);
    const ofCategories = categoryScore(papers, stars);
    return papers
      .map((paper, at) => {
        const best = to[at].indexOf(Math.max(...to[at]));
        return { id: paper.id, score: ofCategories(paper) + (weight * (text[at] - middle)) / spread, like: to[at][best] > 0 ? stars[best].id : null };
      })
      .sort((one, other) => other.score - one.score);
  };
})();

// Keys for readers who like them: j and k go to the next and previous paper, o opens its abstract, / searches.
// Every page works without this file. It stores nothing and asks nobody.
"use strict";

window.digest ??= {};

(() => {
  let current = null;

  const visible = () => [...document.querySelectorAll("article.paper")].filter((row) => row.offsetParent !== null);
  const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;
  const atReader = (rows) => rows.findIndex((row) => row.getBoundingClientRect().bottom > 80);
  const titleOf = (row) => row.querySelector("h3 a");

  const mark = (row) => {
    current?.classList.remove("current");
    current = row;
    current?.classList.add("current");
  };

  const go = (step) => {
    const rows = visible();
    if (rows.length === 0) return;
    const at = rows.indexOf(current);
    const next = at < 0 ? Math.max(atReader(rows) + (step < 0 ? -1 : 0), 0) : Math.min(Math.max(at + step, 0), rows.length - 1);
    mark(rows[next]);
    current.scrollIntoView({ block: "nearest" });
    titleOf(current).focus({ preventScroll: true });
  };

  /** The row that keys act upon: the one walked to, else the first one in sight. */
  digest.currentRow = () => {
    if (current?.offsetParent) return current;
    const rows = visible();
    return rows[Math.max(atReader(rows), 0)];
  };

  const open = () => {
    const row = digest.currentRow();
    if (!row) return;
    mark(row);
    if (digest.toggle) digest.toggle(row);
    else titleOf(row).click();
  };

  const search = () => {
    const field = document.querySelector("input[type=search]");
    if (field) field.focus();
    else document.getElementById("to-search")?.click();
  };

  /** Key → action; other scripts add theirs. */
  digest.keys = { j: () => go(1), k: () => go(-1), o: open, "/": search };

  document.addEventListener("keydown", (event) => {
    const action = Object.hasOwn(digest.keys, event.key) && digest.keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("article.paper");
    if (row && row !== current) mark(null), (current = row);
  });
})();

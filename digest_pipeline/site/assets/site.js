// Keys for readers who like them: j and k go to the next and previous paper, o opens its abstract, / searches.
// On a long page the abstract is behind a link; o follows it.
// Every page works without this file. It stores nothing and asks nobody.
"use strict";

(() => {
  const papers = () => [...document.querySelectorAll("article.paper:not(.alone)")];
  let current = null;

  const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

  const atReader = () => papers().findIndex((paper) => paper.getBoundingClientRect().bottom > 80);

  const go = (step) => {
    const all = papers();
    if (all.length === 0) return;
    const at = all.indexOf(current);
    const next = at < 0 ? Math.max(atReader() + (step < 0 ? -1 : 0), 0) : Math.min(Math.max(at + step, 0), all.length - 1);
    current?.classList.remove("current");
    current = all[next];
    current.classList.add("current");
    current.scrollIntoView({ block: "start" });
    current.focus({ preventScroll: true });
  };

  const openAbstract = () => {
    const paper = current ?? papers()[Math.max(atReader(), 0)];
    const abstract = paper?.querySelector("details.abstract");
    if (abstract) abstract.open = !abstract.open;
    else paper?.querySelector("a.to-abstract")?.click();
  };

  const search = () => {
    const field = document.querySelector("input[type=search]");
    if (field) field.focus();
    else document.getElementById("to-search")?.click();
  };

  const keys = { j: () => go(1), k: () => go(-1), o: openAbstract, "/": search };

  document.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("focusin", (event) => {
    const paper = event.target.closest?.("article.paper:not(.alone)");
    if (!paper || paper === current) return;
    current?.classList.remove("current");
    current = paper;
  });
})();

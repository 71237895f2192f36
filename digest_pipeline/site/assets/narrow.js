// One page a day: a category, an announce type, a watch list narrow it in place, `?category=cs.CL&type=new`, an address to share.
// Without this file the links above the papers lead to the place where a category begins.
"use strict";

window.digest ??= {};

(() => {
  const list = document.getElementById("papers");
  const said = document.querySelector(".narrowed");
  if (!list || !said) return;
  const rows = [...list.querySelectorAll("article.paper")];
  const sections = [...list.querySelectorAll("section.group")].map((section) => {
    const shown = section.querySelector("h2 .n");
    return { section, shown, rows: [...section.querySelectorAll("article.paper")], whole: shown.textContent };
  });
  const chips = [...document.querySelectorAll(".chips a")];

  const lists = (row) => row.querySelector(".cats").textContent.split(" ");
  const fallsUnder = (own, category) => own === category || own.startsWith(`${category}.`);

  /** Field of the address → whether a row is shown for its value. Other scripts add theirs and call `digest.narrow()`. */
  digest.fields = {
    category: (row, value) => lists(row).some((own) => fallsUnder(own, value)),
    type: (row, value) => (row.dataset.type ?? "new") === value,
    watch: (row, value) => (row.dataset.watch ?? "").split(" ").includes(value),
  };

  const chosen = () => [...new URLSearchParams(location.search)].filter(([field, value]) => value && Object.hasOwn(digest.fields, field));

  /** Shows what the address asks for. */
  digest.narrow = () => {
    const choice = chosen();
    let count = 0;
    for (const row of rows) {
      row.hidden = !choice.every(([field, value]) => digest.fields[field](row, value));
      count += !row.hidden;
    }
    for (const one of sections) {
      const left = one.rows.filter((row) => !row.hidden).length;
      one.section.hidden = left === 0;
      one.shown.textContent = choice.length ? String(left) : one.whole;
    }
    list.classList.toggle("is-narrowed", choice.length > 0);
    for (const chip of chips) {
      const isChosen = [...new URLSearchParams(chip.search)].every(([field, value]) => choice.some(([f, v]) => f === field && v === value));
      if (isChosen) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
    say(choice, count);
  };

  const say = (choice, count) => {
    said.replaceChildren();
    if (choice.length === 0) return;
    const all = document.createElement("a");
    all.href = location.pathname;
    all.textContent = said.dataset.showAll;
    said.append(`${choice.map(([, value]) => value).join(" · ")} — `, said.dataset.shown.replace("{shown}", count).replace("{total}", rows.length), " ", all);
  };

  const go = (query) => {
    const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
    if (location.protocol === "file:") return location.assign(address); // there the address cannot be changed in place
    history.pushState(null, "", address);
    digest.narrow();
  };

  /** Changes fields of the address: `digest.choose({ category: "cs.CL" })`; null takes one away. */
  digest.choose = (changes) => {
    const query = new URLSearchParams(location.search);
    for (const [field, value] of Object.entries(changes)) value === null ? query.delete(field) : query.set(field, value);
    go(query);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".chips a, .narrowed a, section.group > h2 a.n");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.matches(".narrowed a")) return go(new URLSearchParams());
    const [[field, value]] = new URLSearchParams(link.search);
    digest.choose({ [field]: link.getAttribute("aria-current") ? null : value });
  });

  list.addEventListener("digest:arrive", (event) => {
    if (event.target.hidden) go(new URLSearchParams());
  });
  addEventListener("popstate", digest.narrow);
  if (location.search) digest.narrow();
})();

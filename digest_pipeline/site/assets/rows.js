// The rows of a day: a click on a title opens the paper in place, its abstract beside the translation; copies BibTeX; prints.
//
// The abstracts lie in files of some fifty papers beside the page and are fetched when one of them is wanted. They are scripts
// that call `digest.addDetails`, not JSON, so that pages opened from a disk have them too: there browsers refuse `fetch`.
// Without this file a title leads to arXiv. It stores nothing but, in this tab's history, which rows are open.
"use strict";

window.digest ??= {};

(() => {
  const list = document.getElementById("papers");
  if (!list) return;
  const rows = [...list.querySelectorAll("article.paper")];
  const numbers = new Map(rows.map((row, number) => [row, number]));
  const words = list.dataset;
  const details = new Map(); // arXiv id → { html, bibtex }
  const files = new Map(); // address → promise of having it

  /** Rows in the order in which the page was made. */
  digest.rows = rows;

  // -- laying out: rows off the screen have guessed heights (style.css) until the browser has time for them, or somebody goes anywhere --

  let drawn = 0;

  const draw = (end) => {
    for (; drawn < Math.min(end, rows.length); drawn += 1) rows[drawn].classList.add("drawn");
  };

  /** Every height is true from here on: places on the page can be gone to. */
  const drawAll = () => draw(rows.length);

  const drawSome = () => {
    draw(drawn + 24); // a twentieth of a second on a slow phone: nothing waits for it
    if (drawn < rows.length) soon(drawSome);
  };
  const soon = (work) => (window.requestIdleCallback ?? setTimeout)(work);
  soon(drawSome);
  for (const kind of ["click", "keydown"]) addEventListener(kind, drawAll, { capture: true, once: true });

  const arriving = [];

  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const papers = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
    for (const [id, [html, bibtex]] of Object.entries(papers)) details.set(id, { html, bibtex });
  };

  /** Called by the files of abstracts, which are packed. */
  digest.addDetails = (packed) => arriving.push(unpack(packed));

  const fileOf = (row) =>
    row.dataset.details ?? `${words.details}${String(Math.floor(numbers.get(row) / Number(words.detailsPapers))).padStart(2, "0")}.js`;

  const load = (file) => {
    if (!files.has(file)) {
      const loading = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = file;
        script.onload = () => Promise.all(arriving).then(resolve, reject);
        script.onerror = () => reject(new Error(file));
        document.head.append(script);
      });
      loading.catch(() => files.delete(file)); // the next click tries again
      files.set(file, loading);
    }
    return files.get(file);
  };

  /** Promise of { html, bibtex } of a row's paper. */
  const wanted = async (row) => {
    const id = row.dataset.arxivId;
    if (!details.has(id)) await load(fileOf(row));
    if (!details.has(id)) throw new Error(id); // the page is older than the file beside it
    return details.get(id);
  };

  /** For other scripts: promise of { html, bibtex } of a row's paper. */
  digest.details = wanted;

  // -- opening --

  const titleOf = (row) => row.querySelector("h3 a");
  const isOpen = (row) => row.classList.contains("open");

  const boxOf = (row) => {
    let box = row.querySelector(".details");
    if (!box) {
      box = document.createElement("div");
      box.className = "details";
      box.id = `${row.id}-details`;
      row.append(box);
      titleOf(row).setAttribute("aria-controls", box.id);
    }
    return box;
  };

  const failed = (row) => {
    const box = boxOf(row);
    const link = document.createElement("a");
    link.href = `https://arxiv.org/abs/${row.dataset.arxivId}`;
    link.textContent = "arXiv";
    box.className = "details failed";
    box.setAttribute("role", "alert");
    box.replaceChildren(words.openFailed, " ", link);
  };

  digest.open = async (row) => {
    row.classList.add("open");
    titleOf(row).setAttribute("aria-expanded", "true");
    try {
      const { html } = await wanted(row);
      if (!row.querySelector(".details:not(.failed)")) {
        row.querySelector(".details")?.remove();
        boxOf(row).innerHTML = html;
      }
    } catch {
      failed(row);
    }
    remember();
  };

  digest.close = (row) => {
    row.classList.remove("open");
    titleOf(row).setAttribute("aria-expanded", "false");
    remember();
  };

  digest.toggle = (row) => (isOpen(row) ? digest.close(row) : digest.open(row));

  const isPlain = (event) => event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

  list.addEventListener("click", (event) => {
    const row = event.target.closest("article.paper");
    if (!row || !isPlain(event)) return;
    const control = event.target.closest("a, button, summary, .details");
    if (control?.matches("h3 a")) event.preventDefault();
    else if (control || !getSelection().isCollapsed) return;
    digest.toggle(row);
  });

  // The abstract is on its way before the finger is up again.
  list.addEventListener("pointerover", (event) => {
    const row = event.target.closest("h3 a")?.closest("article.paper");
    if (row && event.pointerType === "mouse") wanted(row).catch(() => {});
  });

  for (const row of rows) titleOf(row).setAttribute("aria-expanded", "false");

  // -- BibTeX --

  const put = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea"); // plain http and files have no clipboard of their own
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) throw new Error("copy");
  };

  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  list.before(status);

  list.addEventListener("click", async (event) => {
    const button = event.target.closest(".meta > button:not([class])");
    if (!button) return;
    let said = words.copied;
    try {
      await put((await wanted(button.closest("article.paper"))).bibtex);
    } catch {
      said = words.notCopied;
    }
    button.textContent = status.textContent = said;
    setTimeout(() => (button.textContent = "BibTeX"), 2000);
    button.focus();
  });

  // -- printing: rows as they stand; with abstracts on wish --

  document.querySelector(".print-abstracts")?.addEventListener("click", async () => {
    const closed = rows.filter((row) => !isOpen(row) && !row.hidden);
    await Promise.all(closed.map((row) => digest.open(row)));
    print();
    closed.forEach(digest.close);
  });

  // -- going back: rows that were open are open again before the place on the page is found --

  let pending = 0;

  const keep = () => {
    const open = rows.filter(isOpen).map((row) => row.dataset.arxivId);
    history.replaceState({ ...history.state, open, y: scrollY }, "");
  };

  /** Soon, not at once: browsers count these. */
  const remember = () => {
    clearTimeout(pending);
    pending = setTimeout(keep, 100);
  };

  addEventListener("scroll", remember);
  addEventListener("pagehide", keep);

  const restore = async () => {
    const { open, y } = history.state;
    const ids = new Set(open);
    drawAll();
    await Promise.all(rows.filter((row) => ids.has(row.dataset.arxivId)).map((row) => digest.open(row)));
    scrollTo(0, y);
  };

  // -- arriving at a paper: its row is open --

  const arrive = async () => {
    const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    const row = rows.find((one) => one === place);
    if (!row) return drawAll(), place.scrollIntoView();
    row.dispatchEvent(new CustomEvent("digest:arrive", { bubbles: true }));
    drawAll();
    row.scrollIntoView();
    titleOf(row).focus({ preventScroll: true });
    keep();
    let isMoved = false;
    for (const kind of ["wheel", "touchmove", "keydown"]) addEventListener(kind, () => (isMoved = true), { once: true });
    await digest.open(row);
    if (!isMoved) row.scrollIntoView(); // at the end of the page there is room only now
  };

  // An address that was never seen before; going back to one, the browser finds the place itself.
  addEventListener("hashchange", () => history.state ?? arrive());
  addEventListener("DOMContentLoaded", () => {
    const [entry] = performance.getEntriesByType("navigation");
    if (entry?.type !== "navigate" && history.state?.open) restore();
    else arrive();
  });
})();

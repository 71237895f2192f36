"""The search index: bytes and files a paper, a new day on top, and what a browser needs for a question.

Data: invented papers whose words are drawn from a vocabulary with the frequencies of real text (Zipf), in Chinese and English.
The browser half needs Chromium and playwright (`make test-slow` installs them); without them it is left out, and says so.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from _pytest.outcomes import Skipped

from benchmarks.table import PeakMemory, print_result, progress
from digest_pipeline.models import AnnounceType, DigestEntry, Evidence, Paper, Summary, SummaryStatus
from digest_pipeline.site import paths, render
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.site.search import SearchOutcome, search_page_values, update_search
from digest_pipeline.site.serve import site_server
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.site_days import listing_days

SIZES = (3_000, 100_000)
QUICK_SIZES = (300,)
PAPERS_A_DAY = 200
FIRST = date(2024, 6, 3)
CATEGORIES = ("cs.CL", "cs.AI", "cs.CV")
ZH = load_language("zh")
HAN = [chr(0x4E00 + n) for n in range(3_000)]
_CHANCE = random.Random(7)  # noqa: S311
HAN_WORDS = [_CHANCE.choice(HAN[:60])] + ["".join(_CHANCE.sample(HAN, _CHANCE.choice((1, 2, 2, 2, 3)))) for _ in range(8_000)]
WORDS = ["".join(_CHANCE.choices("abcdefghijklmnoprstuvwy", k=_CHANCE.randint(2, 10))) for _ in range(12_000)]
"""The most frequent first; the share of the nth is as in real text, 1 ÷ (n + 10)."""
_SHARES = list(itertools.accumulate(1 / (n + 10) for n in range(len(WORDS))))
QUESTIONS = (
    HAN_WORDS[40],
    HAN_WORDS[30] + HAN_WORDS[31],
    HAN_WORDS[0],
    WORDS[40],
    WORDS[0],
    f'"{WORDS[1]} {WORDS[3]}"',
    f"{HAN_WORDS[90]} {WORDS[60]}",
    "Number77 Example",
)


def an_entry(arxiv_id: str, day: date, chance: random.Random) -> DigestEntry:
    def han(count: int) -> str:
        return "".join(chance.choices(HAN_WORDS, cum_weights=_SHARES[: len(HAN_WORDS)], k=count))

    def english(count: int) -> str:
        return " ".join(chance.choices(WORDS, cum_weights=_SHARES, k=count))

    authors = tuple(f"Number{chance.randrange(5_000)} Example" for _ in range(5))
    paper = Paper(
        arxiv_id,
        1,
        AnnounceType.NEW,
        "cs.CL",
        ("cs.CL", "cs.AI"),
        english(11),
        english(190),
        authors,
        ("",) * 5,
        None,
        None,
        None,
        None,
        None,
        day,
        Evidence.RSS,
    )
    texts = (han(12), "。".join(han(24) for _ in range(8)), han(32), "")
    return DigestEntry(paper, Summary(arxiv_id, 1, "zh", *texts, SummaryStatus.TRANSLATED, (), "m", "", 900, 700, None, False))


def entries_of(day: date, count: int) -> Sequence[DigestEntry]:
    chance = random.Random(day.isoformat())  # noqa: S311
    return [an_entry(f"{day:%y%m}.{day.day:02}{number:03}", day, chance) for number in range(count)]


def measured(size: int, folder: Path) -> list[object]:
    """One row of the table."""
    storage = Storage(folder)
    *days, small, large = listing_days(FIRST, -(-size // PAPERS_A_DAY) + 2)
    counts = dict.fromkeys(days, PAPERS_A_DAY)

    def update() -> float:
        started = time.perf_counter()
        update_search(storage, ZH, dict.fromkeys(counts, "1"), lambda day: entries_of(day, counts[day]), CATEGORIES)
        return time.perf_counter() - started

    with PeakMemory() as memory:
        whole = update()
        counts[small] = 20
        of_20 = update()
        counts[large] = 600
        of_600 = update()
    files = [file for file in (folder / "site/zh/search").rglob("*") if file.is_file()]
    papers = sum(counts.values())
    start = sum(file.stat().st_size for file in files if file.name in ("index.json", "papers.bin"))
    row = [f"{papers:,}", f"{sum(file.stat().st_size for file in files) / papers:,.0f}", f"{len(files) / papers:.2f}"]
    row += [f"{1e3 * whole / (papers - 620):.1f}", f"{of_20:.2f}", f"{of_600:.1f}", f"{start / 1e3:,.0f}"]
    return [*row, *in_browser(storage, folder), f"{memory.grown_megabytes:.0f}"]


def in_browser(storage: Storage, folder: Path) -> list[object]:
    """[median, worst] ms until the first results of a question stand on the page; "–" without a browser."""
    try:
        from digest_pipeline_tests.support.browser import chromium
    except Skipped as missing:
        progress(str(missing))
        return ["–", "–"]
    renderer = render.Renderer(SiteOptions(languages=("zh",), categories=CATEGORIES))
    values: dict[str, Any] = search_page_values(SearchOutcome(), ZH, CATEGORIES)
    storage.write_bytes(f"site/{paths.search_page('zh')}", renderer.page("search", paths.search_page("zh"), ZH, place=paths.search_page, **values))
    storage.write_bytes("site/index.html", b"<!DOCTYPE html>")
    for name in render.ASSETS:
        storage.write_bytes(f"site/assets/{name}", render.asset(name))
    with site_server(folder / "site") as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/zh/search/index.html")
        page.wait_for_load_state("networkidle")
        milliseconds = sorted(page.evaluate(_ASK, question) for question in QUESTIONS)
        server.shutdown()
    return [f"{milliseconds[len(milliseconds) // 2]:.0f}", f"{milliseconds[-1]:.0f}"]


_ASK = """async (question) => {
  const list = document.getElementById("search-results");
  document.getElementById("query").value = question;
  const started = performance.now();
  document.getElementById("search").requestSubmit();
  while (list.dataset.total === undefined || (Number(list.dataset.total) && !list.children.length)) await new Promise((done) => setTimeout(done, 2));
  return performance.now() - started;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description="The search index against number of papers.")
    parser.add_argument("sizes", nargs="*", type=int, metavar="PAPERS", help="numbers of papers to measure")
    parser.add_argument("--quick", action="store_true", help="few papers only")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES):
        progress(f"search over {size:,} papers")
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(size, Path(folder)))
    print_result(
        "Search",
        [
            "papers",
            "bytes a paper",
            "files a paper",
            "ms to index a paper",
            "s for a new day of 20",
            "s for one of 600",
            "kB first load",
            "ms a question",
            "ms the worst",
            "memory, MB",
        ],
        rows,
        notes=[
            "Goals: a first load of at most 1,000 kB, a question in at most 300 ms, a new day of 20 papers in at most 0.5 s whatever lies behind it.",
            "A question is one of a word, a compound, the most frequent word of each script, a phrase, two words of both scripts and an author's name; each is asked once.",
        ],
    )


if __name__ == "__main__":
    main()

"""The site: what a build costs after 10, 100 and 1,000 days, what it weighs, and what a long day's page asks of a browser.

Data: invented days of real shape (a third cross-lists, an eighth second versions of the day before, mathematics). Each figure
stands beside its goal. The browser half needs Chromium and playwright; without them it is left out, and says so.
"""

from __future__ import annotations

import argparse
import gzip
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from _pytest.outcomes import Skipped

from benchmarks.table import PeakMemory, growth, print_result, progress
from digest_pipeline.site import paths
from digest_pipeline.site.build import SiteOptions, SiteReport, build_site
from digest_pipeline.site.serve import site_server
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import CATEGORIES, generated_papers, listing_days, write_day, write_generated_days

SIZES = ((10, 20), (100, 20), (1_000, 20), (300, 300))
"""(days, papers a day)."""
QUICK_SIZES = ((3, 20), (10, 20))
LONG_DAY = 622
FIRST = date(2022, 1, 3)
OPTIONS = SiteOptions(languages=("zh",), categories=CATEGORIES)
SLOWER = 4
"""The processor of a browser's measurement is so many times slower."""


def build(storage: Storage, today: date) -> SiteReport:
    return build_site(storage, OPTIONS, now=lambda: datetime(today.year, today.month, today.day, 16, tzinfo=UTC))


def weight(storage: Storage) -> tuple[int, int]:
    """(bytes, files) of the site without its feeds."""
    site = storage.local_path("site")
    files = [file for file in site.rglob("*") if file.is_file() and "feeds" not in file.parts]
    return sum(file.stat().st_size for file in files), len(files)


def measured(count: int, papers: int, folder: Path) -> list[object]:
    """One row of the table of builds."""
    storage = Storage(folder)
    *days, small, large = listing_days(FIRST, count + 2)
    write_generated_days(storage, days, papers)
    before = generated_papers(days[-1], papers)
    with PeakMemory() as memory:
        whole = build(storage, days[-1])
        size, files = weight(storage)
        nothing = build(storage, days[-1])
        write_day(storage, small, generated_papers(small, 20, replaced=before[papers // 8 :][:2]))
        of_20 = build(storage, small)
        write_day(storage, large, generated_papers(large, 600, replaced=before[-5:]))
        of_600 = build(storage, large)
    return [
        f"{count:,} × {papers}",
        f"{whole.seconds:.1f}",
        f"{1e3 * whole.seconds / (count * papers):.1f}",
        f"{nothing.seconds:.2f}",
        nothing.files_written,
        f"{of_20.seconds:.2f}",
        f"{of_600.seconds:.1f}",
        f"{size / count / papers / 1e3:.1f}",
        f"{files / count / papers:.2f}",
        f"{memory.grown_megabytes:.0f}",
    ]


def page_rows(folder: Path) -> list[list[object]]:
    """(figure, wide, phone, goal) of the page of one long day."""
    storage = Storage(folder)
    day = listing_days(FIRST, 1)[0]
    write_day(storage, day, generated_papers(day, LONG_DAY))
    build(storage, day)
    page = storage.read_bytes(f"site/{paths.day_page('zh', day)}")
    rows: list[list[object]] = [
        ["page, kB", f"{len(page) / 1e3:.0f}", "", "450"],
        ["compressed, kB", f"{len(gzip.compress(page)) / 1e3:.0f}", "", "130"],
    ]
    try:
        from digest_pipeline_tests.support.browser import chromium
    except Skipped as missing:
        progress(str(missing))
        return rows
    with site_server(folder / "site") as server, chromium() as browser:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/{paths.day_page('zh', day)}"
        seen = [in_browser(browser, address, *size) for size in ((1440, 900), (360, 740))]
        rows += [[name, *(one[name] for one in seen), goal] for name, goal in GOALS.items()]
        rows += printed(browser, address)
        server.shutdown()
        thread.join()
    return rows


GOALS = {
    "elements": "9,000",
    "first paint, ms": "500",
    "all work done, ms": "1,000",
    "a row opens, ms after its data": "100",
    "papers on the first screen": "first",
    "papers on a screen": "≥ 9, ≥ 4",
}
_LONG_TASKS = "window.ends = [0]; new PerformanceObserver((list) => list.getEntries().forEach((one) => ends.push(one.startTime + one.duration))).observe({ type: 'longtask', buffered: true })"
_WHOLE_ROWS = "[...document.querySelectorAll('article.paper')].map((row) => row.getBoundingClientRect()).filter((at) => at.top >= 0 && at.bottom <= innerHeight).length"
_OPEN = """async () => {
  await digest.details(digest.rows[0]);
  const started = performance.now();
  await digest.open(digest.rows[0]);
  digest.rows[0].getBoundingClientRect();
  const taken = performance.now() - started;
  digest.close(digest.rows[0]);
  return taken;
}"""


def in_browser(browser: Any, address: str, width: int, height: int) -> dict[str, object]:
    """The best of three visits, each with an empty cache, with a processor `SLOWER` times slower."""
    best: dict[str, float] = {}
    for _ in range(3):
        page = browser.new_context(viewport={"width": width, "height": height}).new_page()
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(_LONG_TASKS)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        found = {
            "elements": page.evaluate("document.getElementsByTagName('*').length"),
            "first paint, ms": page.evaluate("performance.getEntriesByName('first-paint')[0].startTime"),
            "all work done, ms": page.evaluate("Math.max(...ends, performance.getEntriesByType('navigation')[0].loadEventEnd)"),
            "papers on the first screen": page.evaluate(_WHOLE_ROWS),
            "a row opens, ms after its data": page.evaluate(_OPEN),
        }
        page.evaluate("document.querySelectorAll('article.paper')[200].scrollIntoView()")
        found["papers on a screen"] = page.evaluate(_WHOLE_ROWS)
        best = {name: min(value, best.get(name, value)) for name, value in found.items()}
        page.context.close()
    return {name: f"{value:,.0f}" for name, value in best.items()}


def printed(browser: Any, address: str) -> list[list[object]]:
    page = browser.new_page()
    page.goto(address)
    started = time.perf_counter()
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    return [["printed, pages of A4", pages, "", "60"], ["printed, s", f"{time.perf_counter() - started:.1f}", "", "5"]]


def print_builds(sizes: Sequence[tuple[int, int]]) -> None:
    rows = []
    for count, papers in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(count, papers, Path(folder)))
            progress(f"site: {count} days of {papers} papers")
    alike = [(count, row) for (count, papers), row in zip(sizes, rows, strict=True) if papers == sizes[0][1]]
    counts = [count for count, _ in alike]
    print_result(
        "Site build, one language",
        ["days × papers", "whole, s", "ms a paper", "nothing new, s", "and files written", "a day of 20, s", "of 600, s", "kB a paper", "files a paper", "memory, MB"],
        rows,
        notes=[
            "Goals: a day of 20 papers on 1,000 days 0.5 s, of 600 papers 5 s; 300 × 300 papers in 900 s and 1,000 MB; 12 kB and 0.3 files a paper, feeds aside.",
            growth("the whole site's build", "days", counts, [float(str(row[1])) for _, row in alike]),
            growth("the site's build for one new day of 20 papers", "days", counts, [float(str(row[5])) for _, row in alike]),
            growth("the site's build with nothing new", "days", counts, [max(float(str(row[3])), 0.01) for _, row in alike]),
        ],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description="The site's build, its weight, and a long day's page.")
    parser.add_argument("days", nargs="*", type=int, metavar="DAYS", help="numbers of listing days to measure")
    parser.add_argument("--papers", type=int, default=20, metavar="N", help="papers a day, of the numbers given")
    parser.add_argument("--quick", action="store_true", help="few days only")
    arguments = parser.parse_args()
    print_builds([(count, arguments.papers) for count in arguments.days] or (QUICK_SIZES if arguments.quick else SIZES))
    with tempfile.TemporaryDirectory() as folder:
        rows = page_rows(Path(folder))
    print_result(
        f"The page of a day with {LONG_DAY} papers",
        ["figure", "1440 × 900", "360 × 740", "goal"],
        rows,
        notes=[f"In Chromium, over loopback, with a processor {SLOWER} times slower than this one."],
    )


if __name__ == "__main__":
    main()

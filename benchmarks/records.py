"""Dagster's records after many listing days, each really made: their size, and how soon the UI shows what is there.

Data: invented listing days of a few papers from Dagster's earliest partitions on, each day a run of its own of one `digest
backfill`; arXiv and the model answer on loopback. The browser half needs Chromium and playwright (`make test-slow` installs
them); without them it is left out, and says so. 5,000 days take an hour or two: `python -m benchmarks.records 5000`.
"""

from __future__ import annotations

import argparse
import re
import time

from _pytest.outcomes import Skipped

from benchmarks.scratch import Scratch, live_settings, load_everything, scratch
from benchmarks.standins import arxiv_process, listing_dates, model_process
from benchmarks.table import growth, print_result, progress

SIZES, QUICK_SIZES = (60, 300), (3,)
PAPERS_PER_DAY = 12
CATEGORIES = "cs.CL,cs.LG"
PAGES = {
    "assets": ("/assets", r"[0-9] partitions"),
    "partitions of `papers`": ("/assets/papers?view=partitions", r"Materialized \({days}\)"),
    "runs": ("/runs", "Success"),
}
"""Page → its address, and the words (a regular expression) that stand on it once it is there."""
PAGE_SECONDS = 120


def measured(days: int) -> list[object]:
    dates = listing_dates(days)
    with arxiv_process(days, PAPERS_PER_DAY) as arxiv, model_process(0.0) as model:
        settings = live_settings(arxiv, model, DIGEST_CATEGORIES=CATEGORIES, DIGEST_FIRST_LISTING=dates[0].isoformat())
        with scratch(settings) as deployment:
            ran = deployment.digest("backfill", dates[0].isoformat(), dates[-1].isoformat(), "--yes")
            made = len(deployment.materialized("papers"))
            size = deployment.record_bytes()
            progress(f"records: {made} of {days} days made in {ran.seconds:.0f} s, {size / 1e6:.0f} MB")
            pages = in_browser(deployment, made)
    return [days, made, f"{ran.seconds / days:.2f}", f"{size / 1e6:.1f}", f"{size / days / 1e3:.0f}", f"{ran.peak_megabytes:.0f}", *pages]


def in_browser(deployment: Scratch, days: int) -> list[str]:
    """Seconds until the words of each page stand there, of the second visit; "–" without a browser."""
    try:
        from digest_pipeline_tests.support.browser import chromium
        from digest_pipeline_tests.support.dagster_ui import digest_dev
    except Skipped as missing:
        progress(str(missing))
        return ["–"] * len(PAGES)
    seconds = []
    with digest_dev(deployment.folder / "ui", deployment.environ | {"DIGEST_SCHEDULE_ENABLED": "false"}) as ui, chromium() as browser:
        page = browser.new_page()
        for address, words in PAGES.values():
            for _ in range(2):
                started = time.monotonic()
                page.goto(ui.url + address)
                page.get_by_text(re.compile(words.format(days=days))).first.wait_for(timeout=1e3 * PAGE_SECONDS)
            seconds.append(f"{time.monotonic() - started:.1f}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description="Dagster's records: their size, and the UI's pages over them.")
    parser.add_argument("days", nargs="*", type=int, metavar="DAYS", help="numbers of days to make; 5000 take an hour or two")
    parser.add_argument("--quick", action="store_true", help="three days only")
    arguments = parser.parse_args()
    sizes = arguments.days or (QUICK_SIZES if arguments.quick else SIZES)
    load_everything()
    rows = [measured(days) for days in sizes]
    print_result(
        "Dagster's records, and the UI over them",
        ["days", "days made", "wall s a day", "records, MB", "kB a day", "peak memory, MB", *(f"{page}, s" for page in PAGES)],
        rows,
        notes=[
            "Pages: from the address to the words that the operator looks for, at the second visit, in Chromium on the same machine.",
            growth("the records", "days", sizes, [float(str(row[3])) for row in rows]),
        ],
    )


if __name__ == "__main__":
    main()

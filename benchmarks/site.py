"""The site after 10, 100 and 1,000 days: built whole, with nothing new, and with one new day.

Data: invented days of real shape (a third cross-lists, an eighth second versions of the day before, mathematics).
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.table import PeakMemory, growth, print_result, progress
from digest_pipeline.site.build import SiteOptions, SiteReport, build_site
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import CATEGORIES, generated_papers, listing_days, write_day, write_generated_days

DAYS = (10, 100, 1_000)
QUICK_DAYS = (3, 10)
FIRST = date(2022, 1, 3)


def build(storage: Storage, options: SiteOptions, today: date) -> SiteReport:
    return build_site(storage, options, now=lambda: datetime(today.year, today.month, today.day, 16, tzinfo=UTC))


def measured(count: int, papers: int, options: SiteOptions, folder: Path) -> list[object]:
    """One row of the table."""
    storage = Storage(folder)
    *days, new_day = listing_days(FIRST, count + 1)
    write_generated_days(storage, days, papers)
    with PeakMemory() as memory:
        whole = build(storage, options, days[-1])
        nothing = build(storage, options, days[-1])
        write_day(storage, new_day, generated_papers(new_day, papers, replaced=generated_papers(days[-1], papers)[papers // 8 :][: papers // 8]))
        one = build(storage, options, new_day)
    return [
        f"{count:,}",
        f"{whole.files_written:,}",
        f"{whole.seconds:.1f}",
        f"{1e3 * whole.seconds / (count * papers):.1f}",
        f"{nothing.seconds:.2f}",
        f"{one.seconds:.2f}",
        f"{one.seconds / whole.seconds:.4f}",
        one.days_built,
        f"{one.files_written:,}",
        f"{len(storage.read_bytes('site/.build.json')) / 1e6:.2f}",
        f"{memory.grown_megabytes:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description="Site build against number of days.")
    parser.add_argument("days", nargs="*", type=int, metavar="DAYS", help="numbers of listing days to measure")
    parser.add_argument("--papers", type=int, default=20, metavar="N", help="papers a day")
    parser.add_argument("--pages-only", action="store_true", help="leave out the search index and the charts")
    parser.add_argument("--quick", action="store_true", help="few days only")
    arguments = parser.parse_args()
    sizes = arguments.days or (QUICK_DAYS if arguments.quick else DAYS)
    options = SiteOptions(languages=("zh",), categories=CATEGORIES, pages_only=arguments.pages_only)
    rows = []
    for count in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(count, arguments.papers, options, Path(folder)))
            progress(f"site: {count} days")
    print_result(
        f"Site build: {arguments.papers} papers a day, one language",
        [
            "days",
            "files",
            "whole, s",
            "ms a paper",
            "nothing new, s",
            "one new day, s",
            "÷ whole",
            "days rendered",
            "files written",
            "manifest, MB",
            "memory, MB",
        ],
        rows,
        notes=[
            "`one new day` renders the new day, its neighbour and the papers it replaces, and makes one month of the search index again.",
            growth("the whole site's build", "days", sizes, [float(str(row[2])) for row in rows]),
            growth("the site's build for one new day", "days", sizes, [float(str(row[5])) for row in rows]),
            growth("the site's build with nothing new", "days", sizes, [float(str(row[4])) for row in rows]),
        ],
    )


if __name__ == "__main__":
    main()

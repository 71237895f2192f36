"""Requests to arXiv and their seconds: each day alone, and twenty days in a row, where neighbours share an edge.

Data: invented listings with blocks of about 1,500 ids (2,400 on Tuesdays, which hold three days' submissions), read by
id block. The pause between requests is a hundredth of the real 3 s; the table says what the real one would make of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.standins import ArxivProcess, arxiv_process, listing_dates, listing_days
from benchmarks.table import growth, print_result, progress
from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.http import ArxivAccess, Pace
from digest_pipeline.arxiv.listing import ListingFetcher, fetch_listing
from digest_pipeline.calendar import load_calendar
from digest_pipeline.storage import Storage

DAYS, QUICK_DAYS = 20, 5
PAPERS_PER_DAY = 1_400
REAL_INTERVAL, SCALE = 3.0, 0.01
CATEGORIES = ("cs.CL", "cs.IR")
GOAL = 15


@dataclass(frozen=True, slots=True)
class Fetched:
    """One way of asking for some days: requests of each, seconds in all, and arXiv's own among them."""

    requests: tuple[int, ...]
    seconds: float
    busy_seconds: float

    def row(self, way: str) -> list[object]:
        total, days = sum(self.requests), len(self.requests)
        own = self.seconds - self.busy_seconds - total * REAL_INTERVAL * SCALE
        real = total * REAL_INTERVAL
        counts = (f"{statistics.mean(self.requests):.1f}", min(self.requests), max(self.requests), total)
        return [way, days, *counts, f"{self.seconds:.1f}", f"{own / days:.2f}", f"{real / days:.0f}", f"{real / 60:.1f}"]


def translator(arxiv: ArxivProcess, folder: Path, categories: Sequence[str] = CATEGORIES) -> ListingFetcher:
    def now() -> datetime:
        return datetime.now(UTC)

    access = ArxivAccess(folder / "turn.json", Pace(REAL_INTERVAL * SCALE, 60.0, 3), "benchmark@example.org", now)
    client = Arxiv(access, api_url=arxiv.api_url, rss_url=arxiv.rss_url)
    return ListingFetcher(load_calendar(), client, Storage(folder), tuple(categories), now)


def fetched(arxiv: ArxivProcess, days: Sequence[date], *, alone: bool, categories: Sequence[str] = CATEGORIES, folder: Path | None = None) -> Fetched:
    """Each day in a data directory of its own, or all in one."""
    requests, seconds, busy = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as place:
        for day in days:
            where = folder or (Path(place) / day.isoformat() if alone else Path(place))
            started = time.perf_counter()
            fetch_listing(day, translator(arxiv, where, categories))
            seconds += time.perf_counter() - started
            asked = arxiv.asked()
            requests.append(asked.requests)
            busy += asked.busy_seconds
    return Fetched(tuple(requests), seconds, busy)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arxiv", description="Requests to arXiv for a day and for a range.")
    parser.add_argument("days", nargs="?", type=int, help="number of days")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_DAYS} days instead of {DAYS}")
    arguments = parser.parse_args()
    count = arguments.days or (QUICK_DAYS if arguments.quick else DAYS)
    calendar = load_calendar()
    days = [day for day in listing_dates(count + 2) if calendar.is_announced(day)][:count]
    sizes = [len(day.block) for day in listing_days(count + 2, PAPERS_PER_DAY) if day.listing_date in days]
    with arxiv_process(count + 2, PAPERS_PER_DAY) as arxiv, tempfile.TemporaryDirectory() as folder:
        alone = fetched(arxiv, days, alone=True)
        progress("arxiv: each day alone is done")
        in_a_row = fetched(arxiv, days, alone=False, folder=Path(folder))
        wider = fetched(arxiv, days, alone=False, categories=("cs", "math"), folder=Path(folder))
    rows = [alone.row("each day alone"), in_a_row.row("one range"), wider.row("the range again, for other categories")]
    print_result(
        f"arXiv: blocks of {min(sizes):,} to {max(sizes):,} ids, pause {REAL_INTERVAL * SCALE:g} s instead of {REAL_INTERVAL:g} s",
        [
            "way",
            "days",
            "requests a day",
            "fewest",
            "most",
            "in all",
            "seconds here",
            "own seconds a day",
            "s of pauses a day at 3 s",
            "min of pauses in all at 3 s",
        ],
        rows,
        notes=[
            f"The goal is at most {GOAL} requests for an ordinary day. They grow with the number of ids arXiv gave that day, not with the categories asked for: the block is kept whole.",
            growth("the number of requests to arXiv", "days", (1, count), (statistics.mean(alone.requests), sum(in_a_row.requests))),
            "Own seconds: reading and keeping the answers, beyond the pauses and the stand-in's answering; in life most of them pass within the pauses. arXiv's real answering comes on top of the pauses, usually 1 to 2 s a request.",
        ],
    )


if __name__ == "__main__":
    main()

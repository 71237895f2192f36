"""A listing fetcher against the loopback arXiv, for tests of the sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.http import ArxivAccess, Pace
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.calendar import ListingCalendar, load_calendar
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv

CATEGORIES = ("cs.CL", "cs.IR", "econ")


def fetcher_for(arxiv: FakeArxiv, folder: Path, categories: tuple[str, ...] = CATEGORIES, calendar: ListingCalendar | None = None) -> ListingFetcher:
    """Asks `arxiv` without pause, at the fake's own instant; the data lies below `folder`."""

    def now() -> datetime:
        return arxiv.instant()

    access = ArxivAccess(folder / "state" / "turn.json", Pace(0.0, 5.0, 4), "tests@example.org", now)
    client = Arxiv(access, api_url=arxiv.api_url, rss_url=arxiv.rss_url)
    return ListingFetcher(calendar or load_calendar(), client, Storage(folder), categories, now)

"""A small corpus of arXiv records in memory, put together block by block, for tests of the id-block reconstruction.

What lives here: submissions as arXiv numbers them, and an API that knows them and counts what it is asked. What does not:
wire formats and habits of whole days (`listing_days.py`, `fake_arxiv.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.id_boundaries import id_of
from digest_pipeline.calendar import EASTERN


def eastern(day: date, hour: int = 14, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN).astimezone(UTC)


def steady(opens: datetime, closes: datetime, minutes: int = 15) -> list[datetime]:
    """A submission every so many minutes, the first at the opening."""
    count = int((closes - opens) / timedelta(minutes=minutes))
    return [opens + n * timedelta(minutes=minutes) for n in range(count)]


def held(count: int, before: datetime, days: int = 4) -> list[datetime]:
    """Submissions of days ago, in no order, as moderation releases them."""
    return [before - timedelta(days=days, hours=(7 * n) % 20, minutes=n) for n in range(count)]


def record(arxiv_id: str, submitted: datetime) -> ApiRecord:
    return ApiRecord(arxiv_id, 1, "A title", "An abstract.", ("A. Nemo",), ("",), "cs.CL", ("cs.CL",), None, None, None, submitted, submitted)


class Corpus:
    """Answers the two questions of `id_ranges.ApiQueries`. Blocks are numbered on, each within its month."""

    def __init__(self) -> None:
        self.known: dict[str, ApiRecord] = {}
        self.searches: list[tuple[datetime, datetime]] = []
        self.asked: list[str] = []
        self._next: dict[str, int] = {}

    def announce(self, month: str, submissions: Iterable[datetime], first: int | None = None) -> list[str]:
        """Gives the submissions the next ids of the month, or those from `first`; returns the ids."""
        number = first or self._next.get(month, 1)
        ids = []
        for submitted in submissions:
            ids.append(id_of(month, number))
            self.known[ids[-1]] = record(ids[-1], submitted)
            number += 1
        self._next[month] = number
        return ids

    def submitted_between(self, opens_utc: datetime, closes_utc: datetime) -> list[ApiRecord]:
        self.searches.append((opens_utc, closes_utc))
        return [r for r in self.known.values() if opens_utc <= r.submitted_at_utc < closes_utc]

    def records(self, versioned_ids: Sequence[str]) -> list[ApiRecord]:
        self.asked += versioned_ids
        return [self.known[i.removesuffix("v1")] for i in versioned_ids if i.removesuffix("v1") in self.known]

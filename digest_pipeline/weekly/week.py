"""An ISO week of listings, Monday to Friday, and its papers as far as the days are at hand.

What lives here: the week's name and days, and reading them. What does not: what is said of them (`digest.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from digest_pipeline.calendar import ListingCalendar, today_eastern
from digest_pipeline.errors import ListingDateError, SourceError
from digest_pipeline.models import Paper
from digest_pipeline.papers.ledger import read_facts
from digest_pipeline.render.reading import read_papers
from digest_pipeline.storage import Storage

_NAME = re.compile(r"(\d{4})-?W(\d{2})", re.I)


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """One ISO 8601 week; `monday` is a Monday."""

    monday: date

    @classmethod
    def of(cls, day: date) -> Week:
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def parse(cls, text: str) -> Week:
        """`2026-W23`, or any date in the week. Raises ListingDateError."""
        try:
            name = _NAME.fullmatch(text.strip())
            return cls(date.fromisocalendar(int(name[1]), int(name[2]), 1)) if name else cls.of(date.fromisoformat(text.strip()))
        except ValueError:
            raise ListingDateError(f"{text!r} is neither a week nor a date", hint="write it as 2026-W23 or 2026-06-03") from None

    @property
    def days(self) -> list[date]:
        """Monday to Friday."""
        return [self.monday + timedelta(days=number) for number in range(5)]

    def before(self, weeks: int) -> Week:
        return Week(self.monday - timedelta(weeks=weeks))

    def __str__(self) -> str:
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02}"


def last_whole_week(now: datetime) -> Week:
    """The newest one whose Friday is over, US Eastern: on a Saturday the one that just ended."""
    return Week.of(today_eastern(now) - timedelta(days=5))


@dataclass(frozen=True, slots=True)
class WeekListing:
    """A week's papers by listing day. At least one day is at hand, or all of them had no announcement."""

    week: Week
    papers: Mapping[date, tuple[Paper, ...]]
    """The days at hand, oldest first; empty on a day without announcement."""
    without_announcement: frozenset[date]
    lacking: tuple[date, ...]
    """Days that should have papers and have no table: failed, or not made (yet)."""

    @property
    def all_papers(self) -> list[Paper]:
        """In order of listing; a paper listed on two days stands twice."""
        return [paper for papers in self.papers.values() for paper in papers]

    @property
    def first_listed(self) -> list[Paper]:
        """The week's papers without replacements, each once, as first listed."""
        return list({paper.arxiv_id: paper for paper in reversed(self.all_papers) if not paper.announce_type.is_replacement}.values())[::-1]


def read_week(storage: Storage, week: Week, calendar: ListingCalendar) -> WeekListing:
    """Raises SourceError where nothing of the week is at hand."""
    papers = {day: read_papers(storage, day) for day in week.days if storage.exists(storage.papers_file(day))}
    quiet = frozenset(day for day in week.days if _is_without_announcement(storage, day, calendar, papers))
    lacking = tuple(day for day in week.days if day not in papers and day not in quiet)
    if lacking and not papers:
        raise SourceError(
            f"no listing day of {week} ({week.days[0]} to {week.days[-1]}) is at hand",
            hint=f"`digest backfill {week.days[0]} {week.days[-1]}` makes them",
        )
    return WeekListing(week, papers, quiet, lacking)


def _is_without_announcement(storage: Storage, day: date, calendar: ListingCalendar, papers: Mapping[date, tuple[Paper, ...]]) -> bool:
    """As arXiv had it, where the day was made; else as its calendar says."""
    if day not in papers:
        return not calendar.is_announced(day)
    try:
        return not papers[day] and not read_facts(storage, day).announced
    except FileNotFoundError:  # the papers are there and the digest is not
        return True

"""The archive's calendar: what every weekday was, at a glance: a listing with its size, a holiday, or a gap.

What lives here: the grid of one year's months and weeks from what the last build and arXiv's calendar know. What
does not: reading days, HTML.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.site.record import DayRecord

_LEVELS = 4
_SATURDAY = 5
_LONGEST_GAP = 10
"""Weekdays. Days further apart were made by separate wishes, and what lies between them was never asked for."""


@dataclass(frozen=True, slots=True)
class DayCell:
    """One weekday. `kind`: `level1` … `level4` (a listing, more papers the higher), `empty`, `holiday`, `gap`, or nothing outside the archive."""

    day: date
    kind: str
    count: int
    has_page: bool


@dataclass(frozen=True, slots=True)
class MonthView:
    first: date
    weeks: tuple[tuple[DayCell | None, ...], ...]
    """Monday to Friday; None where the day belongs to another month."""


@dataclass(frozen=True, slots=True)
class YearView:
    year: int
    total: int
    months: tuple[MonthView, ...]
    """Newest first; months without any day are left out."""


def years_of(days: Collection[date]) -> list[int]:
    """Newest first."""
    return sorted({day.year for day in days}, reverse=True)


def year_view(year: int, days: Mapping[date, DayRecord], unfinished: Collection[date], calendar: ListingCalendar) -> YearView:
    """One year of the archive. `unfinished`: days that were begun and have no digest.

    A day counts as missing where it was begun, or lies between two days of the archive that are at most two weeks apart.
    """
    of_year = {day: record for day, record in days.items() if day.year == year}
    asked = {day for day in {*_between(sorted(days)), *unfinished} if day.year == year}
    limits = _level_limits([record.total() for record in of_year.values() if record.total()])
    cells = {day: _cell(day, of_year.get(day), calendar, limits) for day in {*of_year, *asked} if day.weekday() < _SATURDAY}
    months = sorted({day.replace(day=1) for day in cells}, reverse=True)
    return YearView(year, sum(record.total() for record in of_year.values()), tuple(MonthView(first, _weeks(first, cells)) for first in months))


def _between(days: Sequence[date]) -> Iterator[date]:
    for before, after in pairwise(days):
        between = [one for offset in range(1, (after - before).days) if (one := before + timedelta(days=offset)).weekday() < _SATURDAY]
        if len(between) <= _LONGEST_GAP:
            yield from between


def _level_limits(totals: Sequence[int]) -> tuple[int, ...]:
    """The quartiles of the year's days that have papers, so that shades mean the same for a small category and a whole archive."""
    ordered = sorted(totals)
    return tuple(ordered[len(ordered) * quarter // _LEVELS] for quarter in range(1, _LEVELS)) if ordered else ()


def _cell(day: date, record: DayRecord | None, calendar: ListingCalendar, limits: Sequence[int]) -> DayCell:
    if record is None:
        return DayCell(day, "gap" if calendar.is_announced(day) else "holiday", 0, False)
    if not record.announced:
        return DayCell(day, "holiday", 0, True)
    level = 1 + sum(record.total() >= limit for limit in limits)
    return DayCell(day, f"level{level}" if record.total() else "empty", record.total(), True)


def _weeks(first: date, cells: Mapping[date, DayCell]) -> tuple[tuple[DayCell | None, ...], ...]:
    monday = first - timedelta(days=first.weekday())
    weeks: list[tuple[DayCell | None, ...]] = []
    while monday.replace(day=1) <= first:
        days = [monday + timedelta(days=offset) for offset in range(_SATURDAY)]
        week = tuple(cells.get(day, DayCell(day, "", 0, False)) if day.month == first.month else None for day in days)
        if any(cell is not None and cell.kind for cell in week):  # weeks still to come take no room
            weeks.append(week)
        monday += timedelta(days=7)
    return tuple(weeks)

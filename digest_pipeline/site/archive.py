"""The archive's calendar: what every weekday was, at a glance: a listing with its size, a holiday, or a gap.

What lives here: the grid of years, months and weeks from what the manifest and arXiv's calendar know. What
does not: reading days, HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.site.manifest import DayRecord

_LEVELS = 4
_SATURDAY = 5


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


def archive_view(days: Mapping[date, DayRecord], calendar: ListingCalendar, today: date) -> tuple[YearView, ...]:
    """Years and months newest first, from the first day there is to the last one, or to the day before `today` if later."""
    if not days:
        return ()
    first, last = min(days), max(days)
    if not days[last].is_sample:  # after the bundled sample day nothing is missing
        last = max(last, today - timedelta(days=1))
    limits = _level_limits([record.total() for record in days.values() if record.total()])
    cells = {day: _cell(day, days.get(day), calendar, limits) for day in _weekdays(first, last)}
    months = [MonthView(date(*month, 1), _weeks(date(*month, 1), cells)) for month in _months(first, last)]
    totals = {year: sum(record.total() for day, record in days.items() if day.year == year) for year in range(first.year, last.year + 1)}
    by_year = groupby(reversed(months), key=lambda month: month.first.year)
    return tuple(YearView(year, totals[year], tuple(of_year)) for year, of_year in by_year)


def _weekdays(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() < _SATURDAY:
            yield day


def _months(first: date, last: date) -> list[tuple[int, int]]:
    return [(index // 12, index % 12 + 1) for index in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)]


def _level_limits(totals: Sequence[int]) -> tuple[int, ...]:
    """The quartiles of the days that have papers, so that shades mean the same for a small category and a whole archive."""
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

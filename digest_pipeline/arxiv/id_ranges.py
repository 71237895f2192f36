"""A past listing by the ids assigned at its announcement.

arXiv assigns ids at the announcement, so a listing's new papers are one contiguous range of ids: held papers
first, then the others in the order of their submission. Its two boundaries are looked for around the freezes of
submissions (`id_boundaries.py`); inside, everything is enumerated as version 1, so that held papers are in it and
each paper reads as it did when announced.

Ids restart at 00001 with the first freeze of a month. In 2011 arXiv did not release held papers first; then
the clock alone tells a boundary.

What lives here: what is asked of the API for a range, and every doubt about it. What does not: the calendar's
rule (`calendar.py`), keeping what was fetched (`raw_store.py`), categories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from digest_pipeline.arxiv.api import IDS_PER_REQUEST
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.id_boundaries import (
    EVIDENT_HELD,
    RUN_ENDS,
    WIDENINGS,
    BoundaryCache,
    BoundaryKind,
    IdBoundary,
    SubmissionSample,
    end_of_run,
    id_of,
    number_of,
    sample_around,
)
from digest_pipeline.calendar import ListingCalendar, id_month, id_month_is_certain
from digest_pipeline.errors import BoundaryUnclear, NotPublishedYet

MOST_PAGES = 20
"""Largest range seen is 3,125 ids, 8 pages; far more means that a boundary is wrong."""
MOST_PAGES_BELOW = 4
"""So many pages are looked at below a later run for the end of the earlier one; held papers are some hundred at most."""
FEWEST_ROLLED_OVER = 30
"""Fewer papers without a break at their end are a small listing, not one that rolled into the next."""
MOST_UNEVEN = 0.3
"""Where so much fewer are submitted after a freeze than before, it is a small listing that follows, not the same one."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """What was announced in one listing as new. `records` are version 1, by id; empty where it was none.

    `announced` is false where the ids show that no announcement was made. `notes` name each doubt.
    `contradicted` lists calendar-skipped days that the ids show to have had an announcement.
    """

    listing_date: date
    announced: bool
    first_id: str | None
    last_id: str | None
    records: tuple[ApiRecord, ...]
    notes: tuple[str, ...] = ()
    contradicted: tuple[date, ...] = ()


class ApiQueries(Protocol):
    """The two queries of arXiv's API that a range needs; `api.Arxiv` makes them."""

    def submitted_between(self, opens_utc: datetime, closes_utc: datetime) -> list[ApiRecord]: ...

    def records(self, versioned_ids: Sequence[str]) -> list[ApiRecord]: ...


class _Month:
    """The ids of one month as far as we know them: enumerates what is still unknown, once."""

    def __init__(self, month: str, api: ApiQueries) -> None:
        self.month = month
        self.known: dict[int, ApiRecord] = {}
        self._asked: set[int] = set()
        self._api = api

    def enumerate(self, first: int, last: int) -> None:
        """Asks for every id from first to last that was not asked before, as version 1."""
        wanted = [n for n in range(max(1, first), last + 1) if n not in self._asked]
        self._asked.update(wanted)
        for record in self._api.records([f"{id_of(self.month, n)}v1" for n in wanted]):
            self.known[number_of(record.arxiv_id)] = record

    def between(self, first: int, last: int) -> list[ApiRecord]:
        return [self.known[n] for n in sorted(self.known) if first <= n <= last]


class IdRangeFinder:
    """Finds the block of a listing day with as few requests as its boundaries and size allow."""

    def __init__(self, calendar: ListingCalendar, api: ApiQueries, boundaries: BoundaryCache, *, log: Callable[[str], None]) -> None:
        self._calendar, self._api, self._boundaries, self._log = calendar, api, boundaries, log
        self._searches: dict[tuple[datetime, timedelta], list[ApiRecord]] = {}
        self._months: dict[str, _Month] = {}

    def before(self, day: date) -> IdBoundary:
        """The boundary at which the listing dated `day` begins, for judging that day's feed: two requests where it is not known yet.

        While the API shows nothing submitted after it, all that it does show was announced before. The kind is OPEN, with
        `last_before` 0, where the API does not even reach the hours before the freeze. A weekday that the calendar skips
        ends where its own ids show an announcement. One that shows an announcement beyond doubt is kept.
        """
        month = self._month(self._id_month(day))
        previous = self._calendar.previous_listing(day)
        found = self._begins(previous, month)
        for skipped in self._calendar.skipped_between(day):
            if self._id_month(skipped) == month.month and (inner := self._begins(skipped, month)).kind is BoundaryKind.DROP:
                found = inner
        return found

    def _begins(self, previous: date, month: _Month) -> IdBoundary:
        if (known := self._known_lower(previous, month)) is not None:
            return known
        sample = self._sample(previous, month.month)
        if sample.head is not None:
            found = self._between(previous, sample, month)
            if found.kind is BoundaryKind.DROP:  # without held papers it may only be that the API does not show them yet
                self._boundaries.put(found)
            return found
        kind = BoundaryKind.CLOCK if sample.tail else BoundaryKind.OPEN
        return IdBoundary(sample.freeze.isoformat(), month.month, sample.tail, None, 0, kind)

    def _known_lower(self, previous: date, month: _Month) -> IdBoundary | None:
        """Where ids restarted, or a boundary found before; None where it must be looked for."""
        freeze = self._calendar.freeze_utc(previous)
        if self._id_month(previous) != month.month:
            return IdBoundary(freeze.isoformat(), month.month, 0, 1, 0, BoundaryKind.MONTH)
        return self._boundaries.get(freeze)

    def held_behind(self, boundary: IdBoundary) -> list[ApiRecord]:
        """Version 1 of the papers between a boundary and the run behind it, the held ones; they are asked for once, a page or two."""
        first = boundary.last_before + 1
        last = boundary.first_after - 1 if boundary.first_after and boundary.first_after > first else boundary.last_before + IDS_PER_REQUEST
        month = self._month(boundary.month)
        self._enumerate(month, first, last)
        return month.between(first, last)

    def _month(self, month: str) -> _Month:
        return self._months.setdefault(month, _Month(month, self._api))

    def beyond(self, boundary: IdBoundary) -> list[ApiRecord]:
        """Version 1 of everything that the API shows behind a boundary, by id, up to a whole page of absent ids."""
        month = self._month(boundary.month)
        end = self._open_end(month, boundary, datetime.fromisoformat(boundary.freeze_utc), boundary.last_before)
        return month.between(boundary.last_before + 1, end.last_before)

    def block(self, day: date) -> IdRange:
        """The new papers announced in the listing dated `day`.

        Raises NotPublishedYet while nothing of the listing exists and none after it does either, and
        BoundaryUnclear, naming the doubt, where the block cannot be told.
        """
        month = _Month(self._id_month(day), self._api)
        lower = self._lower(day, month)
        upper = self._upper(day, month, lower)
        records = month.between(lower.last_before + 1, upper.last_before)
        self._log(
            f"{day}: ids {month.month}.{lower.last_before + 1}–{upper.last_before}, {len(records)} papers, boundaries {lower.kind}/{upper.kind}"
        )
        if not records:
            return self._empty(day, upper)
        if lower.releases_in_bulk and upper.touches and len(records) >= FEWEST_ROLLED_OVER and self._runs_through(day):
            note = f"no announcement of its own: the ids run through the freeze of {upper.freeze_utc} without a break, so"
            return _no_announcement(day, note)
        for boundary in (lower, upper):
            self._boundaries.put(boundary)
        return self._checked(day, month, lower, upper)

    # -- boundaries -------------------------------------------------------------------------------

    def _search(self, freeze: datetime, width: timedelta) -> list[ApiRecord]:
        """The papers submitted within `width` of the freeze; asked once."""
        if (freeze, width) not in self._searches:
            self._searches[freeze, width] = self._api.submitted_between(freeze - width, freeze + width)
        return self._searches[freeze, width]

    def _sample(self, closing: date, month: str) -> SubmissionSample:
        """Around the freeze of the listing dated `closing`."""
        return sample_around(self._search, self._calendar.freeze_utc(closing), month, self._calendar.freeze_utc(self._calendar.next_listing(closing)))

    def _runs_through(self, closing: date) -> bool:
        """True where many papers were submitted shortly before the freeze and about as many shortly after it."""
        freeze = self._calendar.freeze_utc(closing)
        is_before = [r.submitted_at_utc < freeze for r in self._search(freeze, WIDENINGS[0])]
        fewer, more = sorted([is_before.count(True), is_before.count(False)])
        return fewer >= max(RUN_ENDS, MOST_UNEVEN * more)

    def _id_month(self, day: date) -> str:
        """By the calendar; where a month turns on the weekend, by the ids of the last papers submitted for the listing."""
        if id_month_is_certain(day):
            return id_month(day)
        freeze = self._calendar.freeze_utc(day)
        months = Counter(r.arxiv_id.split(".")[0] for r in self._search(freeze, WIDENINGS[0]) if r.submitted_at_utc < freeze)
        return months.most_common(1)[0][0] if months else id_month(day)

    def _lower(self, day: date, month: _Month) -> IdBoundary:
        previous = self._calendar.previous_listing(day)
        while True:
            if (known := self._known_lower(previous, month)) is not None:
                return known
            sample = self._sample(previous, month.month)
            if sample.head is None:
                return IdBoundary(sample.freeze.isoformat(), month.month, sample.tail, None, 0, BoundaryKind.OPEN)
            found = self._between(previous, sample, month)
            if not found.touches or not self._runs_through(previous) or not self._upper(day, month, found).releases_in_bulk:
                return found
            self._log(f"{previous}: no break at its end; its submissions rolled into {day}")
            previous = self._calendar.previous_listing(previous)

    def _upper(self, day: date, month: _Month, lower: IdBoundary) -> IdBoundary:
        following = self._calendar.next_listing(day)
        freeze = self._calendar.freeze_utc(day)
        if (known := self._boundaries.get(freeze)) is not None and known.month == month.month:
            month.enumerate(lower.last_before + 1, known.last_before)
            return known
        if self._id_month(following) != month.month:
            found = self._open_end(month, lower, freeze, self._sample(day, month.month).tail)
            return replace(found, kind=BoundaryKind.MONTH)  # the month's last block ends with its last id, wherever that is
        sample = self._sample(day, month.month)
        if sample.head is None:
            return self._open_end(month, lower, freeze, sample.tail)
        return self._between(day, sample, month, start=lower.last_before + 1)

    def _between(self, closing: date, sample: SubmissionSample, month: _Month, *, start: int | None = None) -> IdBoundary:
        """By the calendar's freeze; where nothing was released there but was nearby that day, there."""
        opens = self._calendar.window(closing).opens_utc
        found = self._at_freeze(sample, opens, month, start=start)
        if found.kind is BoundaryKind.DROP or sample.elsewhere is None or sample.elsewhere.head is None:
            return found
        moved = self._at_freeze(sample.elsewhere, opens, month, start=start)
        if moved.kind is not BoundaryKind.DROP:
            return found
        self._log(f"submissions were frozen about {moved.freeze_utc}, not at {found.freeze_utc}")
        return replace(moved, freeze_utc=found.freeze_utc)

    def _at_freeze(self, sample: SubmissionSample, opens: datetime, month: _Month, *, start: int | None) -> IdBoundary:
        """The boundary among all ids up to the later run's first, from `start`, by default from a page of ids below, and more where no run ends there."""
        assert sample.head is not None
        last, floor = sample.head - 1, start or 1
        low = start or max(1, last + 1 - IDS_PER_REQUEST)
        self._enumerate(month, low, last)
        run = end_of_run(zone := month.between(low, last), opens, sample.freeze)
        exists_below = True
        while len(run) < RUN_ENDS and low > max(floor, last - MOST_PAGES_BELOW * IDS_PER_REQUEST):
            page = max(floor, low - IDS_PER_REQUEST)
            self._enumerate(month, page, low - 1)
            exists_below = bool(month.between(page, low - 1))
            low = page
            run = end_of_run(zone := month.between(low, last), opens, sample.freeze)
        if not exists_below and len(run) < RUN_ENDS and (not run or run.start == 0):
            return self._open_beginning(sample, zone, month)
        end = number_of(zone[run.stop - 1].arxiv_id) if run else low - 1
        return _boundary(sample, month.month, zone[run.stop if run else 0 :], end)

    @staticmethod
    def _open_beginning(sample: SubmissionSample, zone: Sequence[ApiRecord], month: _Month) -> IdBoundary:
        """No paper of an earlier run exists: the block begins with whatever exists below the later one."""
        if zone and sample.freeze - min(r.submitted_at_utc for r in zone) > timedelta(days=400):
            raise BoundaryUnclear(
                f"the block around {sample.freeze} has no earlier neighbour and holds very old papers",
                hint="report the day; fetch its neighbour first",
            )
        first = number_of(zone[0].arxiv_id) if zone else sample.head or 1
        return IdBoundary(sample.freeze.isoformat(), month.month, first - 1, None, len(zone), BoundaryKind.OPEN)

    def _open_end(self, month: _Month, lower: IdBoundary, freeze: datetime, tail: int) -> IdBoundary:
        """The newest listing's end: enumerates until a whole page of ids is absent."""
        start = max(tail, lower.last_before) + 1
        self._enumerate(month, lower.last_before + 1, start - 1)
        while True:
            self._enumerate(month, start, start + IDS_PER_REQUEST - 1)
            if not month.between(start, start + IDS_PER_REQUEST - 1):
                break
            start += IDS_PER_REQUEST
        found = month.between(lower.last_before + 1, start)
        return IdBoundary(freeze.isoformat(), month.month, number_of(found[-1].arxiv_id) if found else lower.last_before, None, 0, BoundaryKind.OPEN)

    def _enumerate(self, month: _Month, first: int, last: int) -> None:
        if last - first > MOST_PAGES * IDS_PER_REQUEST:
            raise BoundaryUnclear(
                f"the block would run from {id_of(month.month, max(1, first))} to {id_of(month.month, last)}, {last - first + 1} ids: a boundary must be wrong",
                hint="check the calendar around that date (an unlisted holiday?) and run again",
            )
        month.enumerate(first, last)

    # -- verdicts ---------------------------------------------------------------------------------

    def _empty(self, day: date, upper: IdBoundary) -> IdRange:
        if upper.first_after is None and upper.kind is BoundaryKind.OPEN:
            raise NotPublishedYet(
                f"no id of the listing of {day} exists yet, nor any after it",
                hint="it is asked for again by the schedule; or run it again in an hour",
            )
        return _no_announcement(day, "no announcement: no id was assigned for it, and")

    def _checked(self, day: date, month: _Month, lower: IdBoundary, upper: IdBoundary) -> IdRange:
        """Looks inside a block that spans skipped days for an announcement that the calendar denies."""
        notes: list[str] = []
        contradicted: list[date] = []
        for skipped in self._calendar.skipped_between(day):
            inner = self._inner(month, lower, upper, skipped)
            if inner is not None and inner.kind is BoundaryKind.DROP:
                lower = inner
                self._boundaries.put(inner)
                contradicted.append(skipped)
                notes.append(
                    f"arXiv's ids show an announcement on {skipped} although the calendar skips it; this listing begins after it. Materialize {skipped} to get it"
                )
        if lower.kind is BoundaryKind.CLOCK and upper.kind is not BoundaryKind.CLOCK:
            notes.append(f"the block's beginning is told by the clock alone ({lower.freeze_utc})")
        if upper.kind is BoundaryKind.CLOCK:
            notes.append(f"the block's end is told by the clock alone ({upper.freeze_utc})")
        records = month.between(lower.last_before + 1, upper.last_before)
        return IdRange(day, True, records[0].arxiv_id, records[-1].arxiv_id, tuple(records), tuple(notes), tuple(contradicted))

    def _inner(self, month: _Month, lower: IdBoundary, upper: IdBoundary, skipped: date) -> IdBoundary | None:
        """A break at a freeze inside the block, told from the records already here; None without a run before it and papers behind."""
        freeze, inside = self._calendar.freeze_utc(skipped), month.between(lower.last_before + 1, upper.last_before)
        head = next((number_of(r.arxiv_id) for r in inside if r.submitted_at_utc >= freeze), None)
        zone = [r for r in inside if head is not None and number_of(r.arxiv_id) < head]
        run = end_of_run(zone, datetime.fromisoformat(lower.freeze_utc), freeze)
        if head is None or not run:
            return None
        return _boundary(SubmissionSample(freeze, head, 0), month.month, zone[run.stop :], number_of(zone[run.stop - 1].arxiv_id))


def _no_announcement(day: date, why: str) -> IdRange:
    return IdRange(day, False, None, None, (), (f"{why} the blocks of its neighbours touch (a holiday that the calendar does not list)",))


def _boundary(sample: SubmissionSample, month: str, behind: Sequence[ApiRecord], end: int) -> IdBoundary:
    held = sum(1 for r in behind if r.submitted_at_utc < sample.freeze)
    return IdBoundary(sample.freeze.isoformat(), month, end, sample.head, held, BoundaryKind.DROP if held >= EVIDENT_HELD else BoundaryKind.CLOCK)

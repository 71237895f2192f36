"""A past listing by the ids assigned at its announcement.

arXiv assigns ids at the announcement, so a listing's new papers are one contiguous block of ids: held papers
first, then the others in the order of their submission. The block's two edges lie where, around the freeze of
submissions, that order breaks off: ids whose papers were submitted just before the freeze end the earlier
block, and the drop to older, held papers begins the later one. Inside, everything is enumerated as version 1,
so that held papers are in it and each paper reads as it did when announced.

Ids restart at 00001 with the first freeze of a month. In 2011 arXiv did not release held papers first; then
there is no drop, and the clock alone tells the edge.

What lives here: from the API's records to the block, and every doubt about it. What does not: the calendar's
rule (`calendar.py`), keeping what was fetched (`raw.py`), categories.
"""

from __future__ import annotations

import bisect
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from digest_pipeline.arxiv.api import IDS_PER_REQUEST
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.calendar import ListingCalendar, id_month, id_month_is_certain
from digest_pipeline.errors import BoundaryUnclear, NotPublishedYet
from digest_pipeline.storage import Storage

WIDENINGS = (timedelta(hours=3), timedelta(hours=9), timedelta(hours=24))
"""How far around a freeze papers are looked for; the next step is taken where the last found nothing."""
WIDE_GAP = 8
"""A gap in a run's ids this many times the usual one holds released papers: an announcement happened there."""
EVIDENT_HELD = 5
"""From so many held papers between two runs the drop is beyond doubt; ordinary days have 20 to 250."""
RUN_ENDS = 6
"""So many papers of a run must lie on each side of such a gap."""
FAINT = 0.2
"""A day's submissions do not thin out to this share before a freeze; so few are held papers from the next block."""
MOST_PAGES = 20
"""Largest block seen is 3,125 ids, 8 pages; far more means that an edge is wrong."""


class BoundaryKind(StrEnum):
    DROP = "drop"
    """Held papers follow the earlier run: an announcement happened here, beyond doubt."""
    CLOCK = "clock"
    """The runs touch without held papers between them: told by the time of the freeze alone."""
    MONTH = "month"
    """Ids restarted: the block begins at 00001."""
    OPEN = "open"
    """Nothing exists beyond: the newest listing's end, or the corpus' beginning."""


@dataclass(frozen=True, slots=True)
class IdBoundary:
    """The boundary at one freeze. `last_before` is the number of the last id before it (0: none in the month);
    `first_after` the first id known to be submitted after it, if any; `held` the papers released in between."""

    freeze_utc: str
    month: str
    last_before: int
    first_after: int | None
    held: int
    kind: BoundaryKind


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


class Questions(Protocol):
    """The two questions to arXiv's API that a block needs; `sources.api.Arxiv` answers them."""

    def submitted_between(self, opens_utc: datetime, closes_utc: datetime) -> list[ApiRecord]: ...

    def records(self, versioned_ids: Sequence[str]) -> list[ApiRecord]: ...


# -- edges that are already known --------------------------------------------------------------------


class BoundaryCache:
    """Edges found so far, below `raw/edges/`: the edge that ends one day begins the next, at no request."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, freeze_utc: datetime) -> IdBoundary | None:
        path = self._path(freeze_utc)
        if not self._storage.exists(path):
            return None
        values = json.loads(self._storage.read_text(path))
        return IdBoundary(**{**values, "kind": BoundaryKind(values["kind"])})

    def put(self, edge: IdBoundary) -> None:
        """Keeps an edge that later answers cannot move: both sides were seen."""
        if edge.first_after is not None:
            self._storage.write_text(self._path(datetime.fromisoformat(edge.freeze_utc)), json.dumps(asdict(edge)))

    @staticmethod
    def _path(freeze_utc: datetime) -> str:
        return f"raw/edges/{freeze_utc.astimezone(UTC):%Y%m%dT%H%MZ}.json"


# -- numbers -----------------------------------------------------------------------------------------


def number_of(arxiv_id: str) -> int:
    return int(arxiv_id.split(".")[1])


def id_of(month: str, number: int) -> str:
    """`2606`, 7 → 2606.00007; four digits before 2015."""
    return f"{month}.{number:0{5 if month >= '1501' else 4}d}"


def rising_run(records: Sequence[ApiRecord]) -> list[ApiRecord]:
    """Of records by id, those that lie on a longest subsequence in submission order: the run, without held papers and inversions.

    Where two longest subsequences differ in a paper, both papers are given.
    """
    times = [r.submitted_at_utc.timestamp() for r in records]
    until = _rising_lengths(times)
    since = _rising_lengths([-t for t in reversed(times)])[::-1]
    longest = max(until, default=0)
    return [r for r, a, b in zip(records, until, since, strict=True) if a + b - 1 == longest]


def _rising_lengths(values: Sequence[float]) -> list[int]:
    """For each value, the length of the longest non-falling subsequence that ends with it."""
    tails: list[float] = []
    lengths: list[int] = []
    for value in values:
        place = bisect.bisect_right(tails, value)
        tails[place : place + 1] = [value]
        lengths.append(place + 1)
    return lengths


# -- finding the block -------------------------------------------------------------------------------


class _Month:
    """The ids of one month as far as we know them: enumerates what is still unknown, once."""

    def __init__(self, month: str, ask: Questions) -> None:
        self.month = month
        self.known: dict[int, ApiRecord] = {}
        self._asked: set[int] = set()
        self._ask = ask

    def enumerate(self, first: int, last: int) -> None:
        """Asks for every id from first to last that was not asked before, as version 1."""
        wanted = [n for n in range(max(1, first), last + 1) if n not in self._asked]
        self._asked.update(wanted)
        for record in self._ask.records([f"{id_of(self.month, n)}v1" for n in wanted]):
            self.known[number_of(record.arxiv_id)] = record

    def between(self, first: int, last: int) -> list[ApiRecord]:
        return [self.known[n] for n in sorted(self.known) if first <= n <= last]


@dataclass(frozen=True, slots=True)
class _SubmissionSample:
    """What a search around a freeze shows: the run that ends before it and the one that begins after it."""

    freeze: datetime
    before: list[ApiRecord]
    after: list[ApiRecord]
    width: timedelta
    elsewhere: _SubmissionSample | None = None
    """The same papers split at the widest gap near the freeze: submissions may have been frozen earlier or later that day."""


def _sight(search: Callable[[datetime, timedelta], list[ApiRecord]], freeze: datetime, month: str) -> _SubmissionSample:
    """Searches around the freeze, wider where a side shows nothing; a side may stay empty."""
    for width in WIDENINGS:
        found = search(freeze, width)
        mine = sorted((r for r in found if r.arxiv_id.startswith(f"{month}.")), key=lambda r: number_of(r.arxiv_id))
        sighting = _split(mine, freeze, width)
        if sighting.before and any(r.submitted_at_utc >= freeze for r in found):  # at a month's end, those carry the next month's ids
            break
    return replace(sighting, elsewhere=_widest_gap(mine, sighting))


def _split(mine: Sequence[ApiRecord], freeze: datetime, width: timedelta) -> _SubmissionSample:
    """One run through both sides, so that a paper held past the freeze, with an id far beyond, cannot pass for the run's end."""
    run = rising_run(mine)
    before = [r for r in run if r.submitted_at_utc < freeze]
    after = [r for r in run if r.submitted_at_utc >= freeze]
    if len(after) >= 10 and len(before) < FAINT * len(after):
        before = []  # a few held papers, not the end of a day's run
    return _SubmissionSample(freeze, before, after, width)


def _widest_gap(mine: Sequence[ApiRecord], sighting: _SubmissionSample) -> _SubmissionSample | None:
    """A split at the run's widest gap in ids, where it is wide enough to hold released papers and lies inside the run.

    At its ends a gap proves nothing: a paper held for days ends the run with an id far beyond.
    """
    run = rising_run(mine)
    if not sighting.before or not sighting.after or len(run) < 2 * RUN_ENDS + 1:
        return None
    gaps = [number_of(b.arxiv_id) - number_of(a.arxiv_id) for a, b in pairwise(run)]
    inner = range(RUN_ENDS - 1, len(gaps) - RUN_ENDS + 1)
    widest = max(inner, key=gaps.__getitem__)
    if gaps[widest] <= WIDE_GAP * max(1, sorted(gaps)[len(gaps) // 2]):
        return None
    return _split(mine, run[widest + 1].submitted_at_utc, sighting.width)


def _change_point(zone: Sequence[ApiRecord], sighting: _SubmissionSample) -> int:
    """The last number of the earlier run: where splitting the zone explains most papers as run before and held after."""
    run = {record.arxiv_id for record in sighting.before}

    def in_run(record: ApiRecord) -> bool:
        return record.arxiv_id in run

    score = best = sum(not in_run(r) for r in zone)
    last = number_of(zone[0].arxiv_id) - 1 if zone else 0
    for record in zone:
        score += 1 if in_run(record) else -1
        if score > best:
            best, last = score, number_of(record.arxiv_id)
    return _continued(zone, last, sighting.freeze)


def _continued(zone: Sequence[ApiRecord], last: int, freeze: datetime) -> int:
    """The run's end goes on while each next paper was submitted later and before the freeze.

    A longest run passes over the last paper where two held ones, submitted in the same minutes, make a longer one.
    """
    for earlier, later in pairwise(zone):
        if number_of(earlier.arxiv_id) == last and earlier.submitted_at_utc <= later.submitted_at_utc < freeze:
            last = number_of(later.arxiv_id)
    return last


class IdRangeFinder:
    """Finds the block of a listing day with as few requests as its edges and size allow."""

    def __init__(self, calendar: ListingCalendar, ask: Questions, edges: BoundaryCache, *, log: Callable[[str], None]) -> None:
        self._calendar, self._ask, self._edges, self._log = calendar, ask, edges, log
        self._searches: dict[tuple[datetime, timedelta], list[ApiRecord]] = {}

    def edge_before(self, day: date) -> IdBoundary:
        """The edge at which the listing dated `day` begins: one request where it is not known yet.

        Without the ids between the two runs the held papers cannot be counted, so this edge is not kept.
        """
        previous = self._calendar.previous_listing(day)
        freeze = self._calendar.freeze_utc(previous)
        month = self._id_month(day)
        if self._id_month(previous) != month:
            return IdBoundary(freeze.isoformat(), month, 0, 1, 0, BoundaryKind.MONTH)
        if (known := self._edges.get(freeze)) is not None:
            return known
        sighting = self._sight(freeze, month)
        last = number_of(sighting.before[-1].arxiv_id) if sighting.before else 0
        return IdBoundary(freeze.isoformat(), month, last, None, 0, BoundaryKind.CLOCK if sighting.before else BoundaryKind.OPEN)

    def block(self, day: date) -> IdRange:
        """The new papers announced in the listing dated `day`.

        Raises NotPublishedYet while nothing of the listing exists and none after it does either, and
        BoundaryUnclear, naming the doubt, where the block cannot be told.
        """
        month = _Month(self._id_month(day), self._ask)
        lower = self._lower_edge(day, month)
        upper = self._upper_edge(day, month, lower)
        records = month.between(lower.last_before + 1, upper.last_before)
        self._log(f"{day}: ids {month.month}.{lower.last_before + 1}–{upper.last_before}, {len(records)} papers, edges {lower.kind}/{upper.kind}")
        if not records:
            return self._empty(day, upper)
        if self._releases_in_bulk(lower) and self._touches(upper):
            return IdRange(
                day,
                False,
                None,
                None,
                (),
                (
                    f"no announcement of its own: the ids run through the freeze of {upper.freeze_utc} without a break, so the blocks of its neighbours touch (a holiday that the calendar does not list)",
                ),
            )
        for edge in (lower, upper):
            self._edges.put(edge)
        return self._checked(day, month, lower, upper)

    # -- edges ------------------------------------------------------------------------------------

    def _search(self, freeze: datetime, width: timedelta) -> list[ApiRecord]:
        """The papers submitted within `width` of the freeze; asked once."""
        if (freeze, width) not in self._searches:
            self._searches[freeze, width] = self._ask.submitted_between(freeze - width, freeze + width)
        return self._searches[freeze, width]

    def _sight(self, freeze: datetime, month: str) -> _SubmissionSample:
        return _sight(self._search, freeze, month)

    def _id_month(self, day: date) -> str:
        """By the calendar; where a month turns on the weekend, by the ids of the last papers submitted for the listing."""
        if id_month_is_certain(day):
            return id_month(day)
        freeze = self._calendar.freeze_utc(day)
        months = Counter(r.arxiv_id.split(".")[0] for r in self._search(freeze, WIDENINGS[0]) if r.submitted_at_utc < freeze)
        return months.most_common(1)[0][0] if months else id_month(day)

    def _lower_edge(self, day: date, month: _Month) -> IdBoundary:
        previous = self._calendar.previous_listing(day)
        while True:
            freeze = self._calendar.freeze_utc(previous)
            if self._id_month(previous) != month.month:
                return IdBoundary(freeze.isoformat(), month.month, 0, 1, 0, BoundaryKind.MONTH)
            if (known := self._edges.get(freeze)) is not None:
                return known
            edge = self._find_edge(freeze, month)
            if not self._touches(edge) or not self._releases_in_bulk(self._upper_edge(day, month, edge)):
                return edge
            self._log(f"{previous}: no break at its end; its submissions rolled into {day}")
            previous = self._calendar.previous_listing(previous)

    @staticmethod
    def _touches(edge: IdBoundary) -> bool:
        """Both runs were seen and no held papers lie between them."""
        return edge.kind is BoundaryKind.CLOCK and edge.first_after is not None and edge.held <= 1

    @staticmethod
    def _releases_in_bulk(edge: IdBoundary) -> bool:
        """Beyond doubt an announcement with held papers: so an edge of its neighbourhood that merely touches was none."""
        return edge.kind is BoundaryKind.DROP and edge.held >= 2 * EVIDENT_HELD

    def _upper_edge(self, day: date, month: _Month, lower: IdBoundary) -> IdBoundary:
        following = self._calendar.next_listing(day)
        freeze = self._calendar.freeze_utc(day)
        if (known := self._edges.get(freeze)) is not None and known.month == month.month:
            month.enumerate(lower.last_before + 1, known.last_before)
            return known
        if self._id_month(following) != month.month:
            return self._end_of_month(month, lower, freeze)
        sighting = self._sight(freeze, month.month)
        if not sighting.before and not sighting.after:
            return self._open_end(month, lower, freeze, lower.last_before)
        if not sighting.after:
            return self._open_end(month, lower, freeze, number_of(sighting.before[-1].arxiv_id))
        return self._edge_at(sighting, month, start=lower.last_before + 1)

    def _find_edge(self, freeze: datetime, month: _Month) -> IdBoundary:
        sighting = self._sight(freeze, month.month)
        if not sighting.before:
            return self._open_beginning(sighting, month)
        return self._edge_at(sighting, month)

    def _edge_at(self, sighting: _SubmissionSample, month: _Month, *, start: int | None = None) -> IdBoundary:
        """By the calendar's freeze; where nothing was released there but was nearby that day, there."""
        edge = self._edge_from(sighting, month, start=start)
        if edge.kind is BoundaryKind.DROP or sighting.elsewhere is None:
            return edge
        moved = self._edge_from(sighting.elsewhere, month, start=start)
        if moved.kind is not BoundaryKind.DROP:
            return edge
        self._log(f"submissions were frozen about {moved.freeze_utc}, not at {edge.freeze_utc}")
        return replace(moved, freeze_utc=edge.freeze_utc)

    def _edge_from(self, sighting: _SubmissionSample, month: _Month, *, start: int | None) -> IdBoundary:
        """The edge with all ids from `start` (default: the earlier run's end) to the later run's first known, so that held papers are told from the run."""
        if start is None:
            start = number_of(sighting.before[max(0, len(sighting.before) - RUN_ENDS)].arxiv_id)
        head = number_of(sighting.after[0].arxiv_id) if sighting.after else None
        tail = number_of(sighting.before[-1].arxiv_id) if sighting.before else start - 1
        self._enumerate(month, start, (head or tail + 1) - 1)
        near = number_of(sighting.before[max(0, len(sighting.before) - RUN_ENDS)].arxiv_id) if sighting.before else start
        zone = month.between(near, (head or tail + 1) - 1)
        last = _change_point(zone, sighting) if sighting.before else start - 1
        held = sum(1 for r in zone if number_of(r.arxiv_id) > last and r.submitted_at_utc < sighting.freeze)
        kind = BoundaryKind.DROP if held >= EVIDENT_HELD else BoundaryKind.CLOCK
        return IdBoundary(sighting.freeze.isoformat(), month.month, last, head, held, kind)

    def _open_beginning(self, sighting: _SubmissionSample, month: _Month) -> IdBoundary:
        """No paper of an earlier run exists around the freeze: the block begins with whatever exists below the run."""
        if not sighting.after:
            return IdBoundary(sighting.freeze.isoformat(), month.month, 0, None, 0, BoundaryKind.OPEN)
        head = number_of(sighting.after[0].arxiv_id)
        first = head
        while first > 1:
            page = max(1, first - IDS_PER_REQUEST)
            self._enumerate(month, page, first - 1)
            if not month.between(page, first - 1):
                break
            first = page
        existing = month.between(1, head - 1)
        if existing and sighting.freeze - min(r.submitted_at_utc for r in existing) > timedelta(days=400):
            raise BoundaryUnclear(
                f"the block around {sighting.freeze} has no earlier neighbour and holds very old papers",
                hint="report the day; fetch its neighbour first",
            )
        last = number_of(existing[0].arxiv_id) - 1 if existing else head - 1
        return IdBoundary(sighting.freeze.isoformat(), month.month, last, None, len(existing), BoundaryKind.OPEN)

    def _open_end(self, month: _Month, lower: IdBoundary, freeze: datetime, tail: int) -> IdBoundary:
        """The newest listing's end: enumerates until a whole page of ids is absent."""
        self._enumerate(month, lower.last_before + 1, tail)
        start = tail + 1
        while True:
            self._enumerate(month, start, start + IDS_PER_REQUEST - 1)
            if not month.between(start, start + IDS_PER_REQUEST - 1):
                break
            start += IDS_PER_REQUEST
        found = month.between(lower.last_before + 1, start)
        return IdBoundary(freeze.isoformat(), month.month, number_of(found[-1].arxiv_id) if found else lower.last_before, None, 0, BoundaryKind.OPEN)

    def _end_of_month(self, month: _Month, lower: IdBoundary, freeze: datetime) -> IdBoundary:
        """The month's last block ends with the month's last id, wherever that is."""
        mine = self._sight(freeze, month.month).before
        edge = self._open_end(month, lower, freeze, number_of(mine[-1].arxiv_id) if mine else lower.last_before)
        return IdBoundary(edge.freeze_utc, month.month, edge.last_before, None, 0, BoundaryKind.MONTH)

    def _enumerate(self, month: _Month, first: int, last: int) -> None:
        if last - first > MOST_PAGES * IDS_PER_REQUEST:
            raise BoundaryUnclear(
                f"the block would run from {id_of(month.month, max(1, first))} to {id_of(month.month, last)}, {last - first + 1} ids: an edge must be wrong",
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
        return IdRange(
            day,
            False,
            None,
            None,
            (),
            ("no announcement: no id was assigned for it, and the blocks of its neighbours touch (a holiday that the calendar does not list)",),
        )

    def _checked(self, day: date, month: _Month, lower: IdBoundary, upper: IdBoundary) -> IdRange:
        """Looks inside a block that spans skipped days for an announcement that the calendar denies."""
        notes: list[str] = []
        contradicted: list[date] = []
        for skipped in self._calendar.skipped_between(day):
            inner = self._inner_edge(month, lower, upper, self._calendar.freeze_utc(skipped))
            if inner is not None and inner.kind is BoundaryKind.DROP:
                lower = inner
                self._edges.put(inner)
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

    @staticmethod
    def _inner_edge(month: _Month, lower: IdBoundary, upper: IdBoundary, freeze: datetime) -> IdBoundary | None:
        """A break at a freeze inside the block, told from the records already here; None without papers on both sides."""
        inside = month.between(lower.last_before + 1, upper.last_before)
        width = WIDENINGS[0]
        sighting = _split([r for r in inside if freeze - width <= r.submitted_at_utc < freeze + width], freeze, width)
        before, after = sighting.before, sighting.after
        if not before or not after:
            return None
        near, head = number_of(before[max(0, len(before) - RUN_ENDS)].arxiv_id), number_of(after[0].arxiv_id)
        zone = month.between(near, head - 1)
        last = _change_point(zone, sighting)
        held = sum(1 for r in zone if number_of(r.arxiv_id) > last and r.submitted_at_utc < freeze)
        return IdBoundary(freeze.isoformat(), month.month, last, head, held, BoundaryKind.DROP if held >= EVIDENT_HELD else BoundaryKind.CLOCK)

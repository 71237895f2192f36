"""Where one listing's ids end and the next one's begin.

Around a freeze the ids carry three stretches: the earlier listing's run, whose submission times rise to the freeze;
the papers held by moderation and released with the later listing, submitted at any time before; the later listing's
run, submitted after the freeze. The boundary is the end of the first stretch.

What lives here: a boundary as a value, the cache of those found, and telling one from records. What does not: what is
asked of arXiv to get those records (`id_ranges.py`).
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.storage import Storage

WIDENINGS = (timedelta(hours=3), timedelta(hours=9), timedelta(hours=24))
"""How far around a freeze papers are looked for; the next step is taken where the last found nothing."""
WIDE_GAP = 8
"""A gap in a run's ids this many times the usual one holds released papers: an announcement happened there."""
EVIDENT_HELD = 5
"""From so many held papers between two runs the announcement is beyond doubt; ordinary days have 20 to 250."""
RUN_ENDS = 6
"""So many papers of a run must lie on each side of such a gap."""
SWAPPED = timedelta(minutes=5)
"""Neighbours in a run change places now and then; a paper no further back than this is not out of order."""
FAINT = 0.2
"""A day's submissions do not thin out to this share before a freeze; so few are held papers from the next block."""


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

    @property
    def touches(self) -> bool:
        """Both runs were seen and no held papers lie between them."""
        return self.kind is BoundaryKind.CLOCK and self.first_after is not None and self.held <= 1

    @property
    def releases_in_bulk(self) -> bool:
        """Beyond doubt an announcement with held papers: so a boundary of its neighbourhood that merely touches was none."""
        return self.kind is BoundaryKind.DROP and self.held >= 2 * EVIDENT_HELD


class BoundaryCache:
    """Boundaries found so far, below `raw/edges/`: the one that ends a day begins the next, at no request."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, freeze_utc: datetime) -> IdBoundary | None:
        path = self._path(freeze_utc)
        if not self._storage.exists(path):
            return None
        values = json.loads(self._storage.read_text(path))
        return IdBoundary(**{**values, "kind": BoundaryKind(values["kind"])})

    def put(self, boundary: IdBoundary) -> None:
        """Keeps a boundary that later answers cannot move: both sides were seen."""
        if boundary.first_after is not None:
            self._storage.write_text(self._path(datetime.fromisoformat(boundary.freeze_utc)), json.dumps(asdict(boundary)))

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


# -- the sample around a freeze ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubmissionSample:
    """What a search around a freeze shows: the run that ends before it and the one that begins after it, by id."""

    freeze: datetime
    before: list[ApiRecord]
    after: list[ApiRecord]
    elsewhere: SubmissionSample | None = None
    """The same papers split at the widest gap near the freeze: submissions may have been frozen earlier or later that day."""

    @property
    def head(self) -> int | None:
        """The number of the later run's first paper."""
        return number_of(self.after[0].arxiv_id) if self.after else None

    @property
    def tail(self) -> int | None:
        """The number of the earlier run's last paper, as far as a sample can tell."""
        return number_of(self.before[-1].arxiv_id) if self.before else None


def sample_around(search: Callable[[datetime, timedelta], list[ApiRecord]], freeze: datetime, month: str) -> SubmissionSample:
    """Searches around the freeze, wider where a side shows nothing; a side may stay empty."""
    for width in WIDENINGS:
        found = search(freeze, width)
        mine = sorted((r for r in found if r.arxiv_id.startswith(f"{month}.")), key=lambda r: number_of(r.arxiv_id))
        sample = split_at(mine, freeze)
        if sample.before and any(r.submitted_at_utc >= freeze for r in found):  # at a month's end, those carry the next month's ids
            break
    return replace(sample, elsewhere=_split_at_widest_gap(mine, sample))


def split_at(records: Sequence[ApiRecord], freeze: datetime) -> SubmissionSample:
    """One run through both sides, so that a paper held past the freeze, with an id far beyond, cannot pass for the run's end."""
    run = rising_run(records)
    before = [r for r in run if r.submitted_at_utc < freeze]
    after = [r for r in run if r.submitted_at_utc >= freeze]
    if before and after:
        earlier = [r for r in records if r.submitted_at_utc < freeze and number_of(r.arxiv_id) < number_of(after[0].arxiv_id)]
        before = earlier[: count_of_run(earlier, freeze)]
    if len(after) >= 10 and len(before) < FAINT * len(after):
        before = []  # a few held papers, not the end of a day's run
    return SubmissionSample(freeze, before, after)


def _split_at_widest_gap(records: Sequence[ApiRecord], sample: SubmissionSample) -> SubmissionSample | None:
    """A split at the run's widest gap in ids, where it is wide enough to hold released papers and lies inside the run.

    At its ends a gap proves nothing: a paper held for days ends the run with an id far beyond.
    """
    run = rising_run(records)
    if not sample.before or not sample.after or len(run) < 2 * RUN_ENDS + 1:
        return None
    gaps = [number_of(b.arxiv_id) - number_of(a.arxiv_id) for a, b in pairwise(run)]
    inner = range(RUN_ENDS - 1, len(gaps) - RUN_ENDS + 1)
    widest = max(inner, key=gaps.__getitem__)
    if gaps[widest] <= WIDE_GAP * max(1, sorted(gaps)[len(gaps) // 2]):
        return None
    return split_at(records, run[widest + 1].submitted_at_utc)


# -- the end of the earlier run ----------------------------------------------------------------------


def count_of_run(zone: Sequence[ApiRecord], freeze: datetime) -> int:
    """How many of the zone's papers, given by id, stand before the boundary: up to the end of the run that rises to the freeze.

    Each way to cut is charged one for each paper that breaks the order of the run before the cut, and one for each paper
    behind it that was submitted between the run's last paper and the freeze. The run that reaches closest to the freeze so
    wins over a longer one among the held papers; of equal ways the earliest cut, since holds are commoner than inversions.
    Before the run's first paper only papers of the last day are charged: older ones are the earlier listing's own held ones.
    """
    until, since, slack = freeze.timestamp(), (freeze - WIDENINGS[-1]).timestamp(), SWAPPED.total_seconds()
    times = [r.submitted_at_utc.timestamp() for r in zone]
    later = sorted(t for t in times if t < until)
    best_charge, best_cut = len(later), 0
    recent = 0  # papers of the last day up to here
    continued: list[tuple[float, int]] = []  # (a run's last time, its charge less its place): rising times, falling charges
    ended: list[tuple[float, int]] = []  # the same; falling times, falling charges
    for place, time in enumerate(times, start=1):
        earlier = bisect.bisect_right(continued, time + slack, key=lambda run: run[0])
        charge = min(recent, continued[earlier - 1][1] + place - 1) if earlier else recent
        run = (time, charge - place)
        earlier = bisect.bisect_right(continued, time, key=lambda run: run[0])
        if not earlier or continued[earlier - 1][1] > run[1]:
            continued[earlier:] = [run, *(other for other in continued[earlier:] if other[1] < run[1])]
        if not any(end >= time and other <= run[1] for end, other in ended):
            ended = [(end, other) for end, other in ended if end > time or other < run[1]] + [run]
        if time < until:
            del later[bisect.bisect_left(later, time)]
        recent += since <= time < until
        charge = min(place + other + len(later) - bisect.bisect_left(later, end) for end, other in ended)
        if charge < best_charge:
            best_charge, best_cut = charge, place
    return best_cut

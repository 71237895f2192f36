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
from math import exp, log

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
    """What a search around a freeze shows of one month's ids."""

    freeze: datetime
    head: int | None
    """The number of the later run's first paper: the lowest id of all that were submitted after the freeze."""
    tail: int
    """The highest number submitted before it, a held paper's perhaps; 0 where none is shown."""
    elsewhere: SubmissionSample | None = None
    """The same papers split at the widest gap near the freeze: submissions may have been frozen earlier or later that day."""


def sample_around(search: Callable[[datetime, timedelta], list[ApiRecord]], freeze: datetime, month: str, following: datetime) -> SubmissionSample:
    """Searches around the freeze, wider, up to the `following` one, while few papers are shown behind it.

    Few may be held ones of a later listing, submitted in the hours in which a small listing had no paper of its own.
    """
    for width in (*WIDENINGS, following - freeze):
        found = search(freeze, width)
        mine = sorted((r for r in found if r.arxiv_id.startswith(f"{month}.")), key=lambda r: number_of(r.arxiv_id))
        if sum(r.submitted_at_utc >= freeze for r in found) >= RUN_ENDS:  # at a month's end, those carry the next month's ids
            break
    sample = _split_at(mine, freeze)
    near = [r for r in mine if abs(r.submitted_at_utc - freeze) <= WIDENINGS[0]]
    return replace(sample, elsewhere=_split_at_widest_gap(near))


def _split_at(records: Sequence[ApiRecord], freeze: datetime) -> SubmissionSample:
    before = [number_of(r.arxiv_id) for r in records if r.submitted_at_utc < freeze]
    after = [number_of(r.arxiv_id) for r in records if r.submitted_at_utc >= freeze]
    return SubmissionSample(freeze, min(after, default=None), max(before, default=0))


def _split_at_widest_gap(records: Sequence[ApiRecord]) -> SubmissionSample | None:
    """A split at the run's widest gap in ids, where it is wide enough to hold released papers and lies inside the run.

    At its ends a gap proves nothing: a paper held for days ends the run with an id far beyond.
    """
    run = rising_run(records)
    if len(run) < 2 * RUN_ENDS + 1:
        return None
    gaps = [number_of(b.arxiv_id) - number_of(a.arxiv_id) for a, b in pairwise(run)]
    inner = range(RUN_ENDS - 1, len(gaps) - RUN_ENDS + 1)
    widest = max(inner, key=gaps.__getitem__)
    if gaps[widest] <= WIDE_GAP * max(1, sorted(gaps)[len(gaps) // 2]):
        return None
    return _split_at(records, run[widest + 1].submitted_at_utc)


# -- the end of the earlier run ----------------------------------------------------------------------

_AGES = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 128)
"""Days before the freeze that part the ages of held papers, about as many of them in each part."""
_AGES_PRIOR = 0.5
"""So many papers of each age are supposed before any is seen."""
_FIRST_GAP = 0.1
"""Days; what is usual before a run has shown it."""
_UNEVEN = 4
"""Submissions are by so much rarer in some hours than on the whole."""
_UNUSUAL_GAP = 0.1
"""So often a gap has nothing to do with those before."""
_UNUSUAL_SILENCE = 0.03
"""So often a run falls silent before the freeze."""
_EMPTY = -10.0
"""Logarithm: how likely a listing has no paper of its own."""
_SWAPPED = 0.004
"""So often neighbours in a run change places."""
_DISPLACED, _OLDER = -8.0, -12.0
"""Logarithms: how likely a run has a paper that came later than that, or that is older than the run itself."""


def end_of_run(zone: Sequence[ApiRecord], opens: datetime, freeze: datetime) -> range:
    """Which of the zone's papers, given by id, are the run of the listing that was open from `opens` to `freeze`; empty where none is.

    Each way to end the run is weighed by how likely its papers came one after the other as they do, that none followed
    until the freeze, and that those behind have the ages of held papers; the likeliest wins, of equal ones the shortest.
    So a small listing's run, one that ends hours before the freeze and one whose last papers are few are told alike.
    """
    times = [(r.submitted_at_utc - opens) / timedelta(days=1) for r in zone]
    closes = (freeze - opens) / timedelta(days=1)
    start = next((place for place, time in enumerate(times) if time >= 0), len(times))
    held = _held_likelihoods([closes - time for time in times[start:]])
    best, end, run = held[0] + _EMPTY, start, _Run()
    for place, time in enumerate(times[start:], start=1):
        run.add(time)
        likelihood = run.likelihood + run.likelihood_of_silence(closes) + held[place]
        if likelihood > best:
            best, end = likelihood, start + place
    return range(start, end)


def _held_likelihoods(ages: Sequence[float]) -> list[float]:
    """For each place, the logarithm of how likely the papers from there on have their ages, by what ages they have among themselves."""
    likelihoods, seen = [0.0], [_AGES_PRIOR] * len(_AGES)
    for age in reversed(ages):
        part = min(bisect.bisect_right(_AGES, age), len(_AGES) - 1)
        width = _AGES[part] - (_AGES[part - 1] if part else 0)
        likelihoods.append(likelihoods[-1] + log(seen[part] / sum(seen) / width))
        seen[part] += 1
    return likelihoods[::-1]


class _Run:
    """Submissions one after the other, in days from the opening: as dense as they have been on the whole, or lately; now and then after a gap."""

    def __init__(self) -> None:
        self.likelihood = 0.0
        self._last, self._count, self._gaps = 0.0, 0, (0.0, 0.0)

    def add(self, time: float) -> None:
        gap = time - self._last
        if gap < 0:
            usual, _ = self._usual_gaps
            self.likelihood += _OLDER if time < 0 else log(_SWAPPED / usual) if -gap <= usual else _DISPLACED
            return
        self.likelihood += log(sum((1 - _UNUSUAL_GAP) / 2 * exp(-gap / usual) / usual for usual in self._usual_gaps) + _UNUSUAL_GAP)
        self._last, self._count, self._gaps = time, self._count + 1, (self._gaps[1], gap)

    def likelihood_of_silence(self, until: float) -> float:
        return log(sum((1 - _UNUSUAL_SILENCE) / 2 * exp(-(until - self._last) / usual) for usual in self._usual_gaps) + _UNUSUAL_SILENCE)

    @property
    def _usual_gaps(self) -> tuple[float, float]:
        overall = (self._last + _FIRST_GAP) / (self._count + 1)
        return overall, max(sum(self._gaps) / 2, _UNEVEN * overall)

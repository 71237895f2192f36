"""Generated listing days: what arXiv announced on a run of dates, invented, with arXiv's real habits.

What lives here: papers, versions and whole-archive id blocks, and the truth a test compares with. What does
not: any wire format (`fake_arxiv.py`). The habits are those of the real service:

- submissions freeze at 14:00 America/New_York, the announcement is at 20:00 that evening (a Friday's on Sunday),
  and the listing is dated the next business day;
- ids are given at announcement: one contiguous block a listing, over all archives, numbered from 00001 with the
  first freeze of a month;
- a block opens with the papers moderation held back, in no order, then follows the submissions in order but for
  a few neighbours that changed places;
- replacements and older papers newly cross-listed have no id in the block: only the feed knows of them.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
FREEZE = time(14, 0)
ANNOUNCEMENT = time(20, 0)
HELD_SHARE = 0.065
WARM_UP_DAYS = 30  # before the first listing, so that its block too opens with papers held for weeks
LAST_LISTED_VERSION = 5  # the feed leaves later versions out
SWAP_SHARE = 0.002

_PRIMARY_MIX = {
    "cs.LG": 14, "cs.CL": 13, "cs.CV": 12, "cs.AI": 8, "cs.IR": 5, "cs.RO": 4, "stat.ML": 3, "eess.AS": 2, "cs.CR": 3, "cs.SE": 3, "cs.DC": 2,
    "math.AP": 4, "math.CO": 4, "math.OC": 3, "quant-ph": 6, "hep-th": 4, "hep-ph": 4, "gr-qc": 3, "astro-ph.GA": 3, "cond-mat.mtrl-sci": 5,
    "physics.optics": 3, "econ.GN": 1, "q-bio.QM": 1, "q-fin.ST": 1,
}  # fmt: skip
_SECONDARIES = {
    "cs.CL": ("cs.AI", "cs.LG", "cs.IR", "cs.SD"), "cs.IR": ("cs.CL", "cs.AI", "cs.LG", "cs.DL"), "cs.LG": ("cs.AI", "cs.CL", "stat.ML", "cs.IR"),
    "cs.CV": ("cs.AI", "cs.LG", "cs.CL"), "cs.AI": ("cs.CL", "cs.LG", "cs.MA"), "stat.ML": ("cs.LG", "cs.CL"), "eess.AS": ("cs.SD", "cs.CL"),
}  # fmt: skip
_WORDS = [
    *("lantern", "retrieval", "sparse", "orchard", "decoding", "corpus", "gradient", "tidal", "summary", "quartz", "ranking", "dialogue", "meadow"),
    *("latent", "parser", "kestrel", "index", "token", "bamboo", "entropy", "lattice", "query", "harbour", "attention", "cobalt", "translation"),
    *("prompt", "anchor", "willow", "embedding", "context", "juniper", "passage", "graph"),
]
_NAMES = ("Testa", "Probe", "Mockley", "Vrai-Faux", "Dummy", "Placeholder", "Nemo", "Niemand", "Personne", "Beispiel", "Ejemplo", "Sample")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a paper; `announced_at` is the instant from which arXiv shows it (UTC)."""

    number: int
    submitted_at: datetime
    announced_at: datetime
    title: str
    abstract: str
    comment: str | None = None


@dataclass(slots=True)
class GeneratedPaper:
    """A paper over its life; `versions` oldest first, `cross_listed` the later added categories with their instants."""

    arxiv_id: str
    categories: tuple[str, ...]
    authors: tuple[str, ...]
    versions: list[Version]
    cross_listed: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def submitted_at(self) -> datetime:
        return self.versions[0].submitted_at

    def current(self, at: datetime) -> Version | None:
        """The newest version shown at an instant; None before the first announcement."""
        shown = [version for version in self.versions if version.announced_at <= at]
        return shown[-1] if shown else None

    def categories_at(self, at: datetime) -> tuple[str, ...]:
        return self.categories + tuple(category for since, category in self.cross_listed if since <= at)


@dataclass(frozen=True, slots=True)
class ListingDay:
    """One listing: its window of submissions, its id block, and what only the feed knows."""

    listing_date: date
    window: tuple[datetime, datetime]
    announced_at: datetime
    block: tuple[GeneratedPaper, ...]
    replacements: tuple[tuple[GeneratedPaper, int], ...]
    late_crosses: tuple[tuple[GeneratedPaper, str], ...]

    def announced(self, requested: Collection[str]) -> dict[str, str]:
        """The truth for a set of categories or archives: versioned id → announce type, in the feed's order."""
        listed: dict[str, str] = {}
        for paper in self.block:
            if covers(requested, paper.categories):
                listed[f"{paper.arxiv_id}v1"] = "new" if covers(requested, paper.categories[:1]) else "cross"
        for paper, category in self.late_crosses:
            shown = paper.current(self.announced_at)
            if covers(requested, (category,)) and shown is not None:
                listed[f"{paper.arxiv_id}v{shown.number}"] = "cross"
        for paper, version in self.replacements:
            categories = paper.categories_at(self.announced_at)
            if covers(requested, categories):
                listed[f"{paper.arxiv_id}v{version}"] = "replace" if covers(requested, categories[:1]) else "replace-cross"
        order = ("new", "cross", "replace", "replace-cross")
        return dict(sorted(listed.items(), key=lambda item: order.index(item[1])))

    def block_ids(self, requested: Collection[str] | None = None) -> list[str]:
        """Ids of the block, all or of the papers in the categories: what an id-block reconstruction must find."""
        return [paper.arxiv_id for paper in self.block if requested is None or covers(requested, paper.categories)]


def covers(requested: Collection[str], categories: Collection[str]) -> bool:
    """Whether any category is asked for, by itself or through its whole archive."""
    return any(category in requested or category.split(".")[0] in requested for category in categories)


def business_days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() < 5:
            yield day


def next_business_day(day: date) -> date:
    return day + timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))


def previous_business_day(day: date) -> date:
    return day - timedelta(days={0: 3, 6: 2}.get(day.weekday(), 1))


def freeze_of(listing_date: date) -> datetime:
    """The instant (UTC) at which submissions to a listing freeze: 14:00 Eastern of the business day before."""
    return datetime.combine(previous_business_day(listing_date), FREEZE, EASTERN).astimezone(UTC)


def announcement_of(listing_date: date) -> datetime:
    """20:00 Eastern of the evening before the listing's date, as UTC."""
    return datetime.combine(listing_date - timedelta(days=1), ANNOUNCEMENT, EASTERN).astimezone(UTC)


def generate_days(
    first: date,
    last: date,
    *,
    skipped_evenings: Collection[date] = (),
    unlisted_holidays: Collection[date] = (),
    announced_after_all: Collection[date] = (),
    papers_per_day: int = 60,
    seed: int = 1,
) -> list[ListingDay]:
    """The listings dated `first` to `last`, oldest first; a day without announcement is simply not there.

    `skipped_evenings` are freeze dates without announcement, as arXiv's table has them: they remove the next business
    day's listing. `unlisted_holidays` are listing dates that the calendar expects and that do not come: their papers
    roll into the next listing. `announced_after_all` are listing dates that the calendar calls skipped and that come.
    `papers_per_day` counts an ordinary weekday's submissions in all archives. Give a margin of two listings around the
    day under test: its id block has edges only where there are neighbours.
    """
    dates = [
        day
        for day in business_days(first, last)
        if (previous_business_day(day) not in skipped_evenings or day in announced_after_all) and day not in unlisted_holidays
    ]
    return _Generator(random.Random(seed), dates, papers_per_day).days()


class _Generator:
    """Draws submissions, announces them in blocks, and lets a few older papers return."""

    def __init__(self, rng: random.Random, dates: list[date], papers_per_day: int) -> None:
        self.rng = rng
        self.dates = dates
        self.papers_per_day = papers_per_day
        self.stock = [self._stock_paper(number) for number in range(40)]
        self.next_number = 1
        self.month = ""

    def days(self) -> list[ListingDay]:
        if not self.dates:
            return []
        warm_up = list(business_days(self.dates[0] - timedelta(days=WARM_UP_DAYS), self.dates[0] - timedelta(days=1)))
        freezes = [freeze_of(day) for day in [*warm_up, *self.dates]]
        on_time, held = self._submissions(freezes)
        self._begin_numbering()
        return [
            self._announce(listing_date, (freezes[index - 1], freezes[index]), held[index], on_time[index])
            for index, listing_date in enumerate(self.dates, start=len(warm_up))
        ]

    def _submissions(self, freezes: list[datetime]) -> tuple[list[list[datetime]], list[list[datetime]]]:
        """Submission instants by the listing that announces them: those on time, and those moderation held back."""
        on_time: list[list[datetime]] = [[] for _ in freezes]
        held: list[list[datetime]] = [[] for _ in freezes]
        for instant in self._instants(freezes[0], freezes[-1]):
            due = bisect_left(freezes, instant)
            if self.rng.random() >= HELD_SHARE:
                on_time[due].append(instant)
                continue
            # half of the held papers miss one listing, the rest wait for up to weeks
            late = due + 1 + (0 if self.rng.random() < 0.5 else int(self.rng.expovariate(0.25)))
            if late < len(freezes):
                held[late].append(instant)
        return on_time, held

    def _instants(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Whole seconds of submissions, fewer at weekends, more before the freeze."""
        day = after.astimezone(EASTERN).date()
        while day <= until.astimezone(EASTERN).date():
            count = round(self.papers_per_day * (0.35 if day.weekday() >= 5 else 1.0) * self.rng.uniform(0.85, 1.15))
            seconds = sorted(int(self.rng.triangular(0, 86_399, 13.5 * 3600)) for _ in range(count))
            for second in seconds:
                instant = datetime.combine(day, time(second // 3600, second // 60 % 60, second % 60), EASTERN).astimezone(UTC)
                if after < instant <= until:
                    yield instant
            day += timedelta(days=1)

    def _begin_numbering(self) -> None:
        frozen_on = previous_business_day(self.dates[0])
        self.month = f"{frozen_on:%y%m}"
        self.next_number = self.papers_per_day * max(0, frozen_on.day - 1) + 1

    def _announce(self, listing_date: date, window: tuple[datetime, datetime], held: list[datetime], on_time: list[datetime]) -> ListingDay:
        self.rng.shuffle(held)
        ordered = sorted(on_time)
        for i in range(len(ordered) - 1):
            if self.rng.random() < SWAP_SHARE:
                ordered[i], ordered[i + 1] = ordered[i + 1], ordered[i]
        frozen_on = previous_business_day(listing_date)  # a Monday's ids carry Friday's month, as 2023-04-03's 2303.17607 shows
        if f"{frozen_on:%y%m}" != self.month:
            self.month, self.next_number = f"{frozen_on:%y%m}", 1
        announced_at = announcement_of(listing_date)
        replacements, crosses = self._returning(window, announced_at, len(ordered))
        block = tuple(self._paper(instant, announced_at) for instant in [*held, *ordered])
        self.stock.extend(self.rng.sample(block, min(len(block), 10)))
        return ListingDay(listing_date, window, announced_at, block, replacements, crosses)

    def _returning(
        self, window: tuple[datetime, datetime], announced_at: datetime, size: int
    ) -> tuple[tuple[tuple[GeneratedPaper, int], ...], tuple[tuple[GeneratedPaper, str], ...]]:
        """About a third of a listing are replacements; a few papers older than the whole range are newly cross-listed."""
        revisable = [paper for paper in self.stock if len(paper.versions) < LAST_LISTED_VERSION]
        chosen = self.rng.sample(revisable, min(len(revisable), max(3, size // 3)))
        replacements = []
        for paper in chosen:
            number = paper.versions[-1].number + 1
            submitted = window[0] + (window[1] - window[0]) * self.rng.random()
            last = paper.versions[-1]
            paper.versions.append(
                Version(
                    number, submitted.replace(microsecond=0), announced_at, last.title, f"{last.abstract} Revised once more.", f"v{number}: revised"
                )
            )
            replacements.append((paper, number))
        crosses = []
        others = [paper for paper in self.stock[:40] if paper not in chosen]
        for paper in self.rng.sample(others, min(2, len(others))):
            added = self.rng.choice([c for c in ("cs.CL", "cs.IR", "cs.AI", "math.CO") if c not in paper.categories_at(announced_at)] or ["cs.DL"])
            paper.cross_listed.append((announced_at, added))
            crosses.append((paper, added))
        return tuple(replacements), tuple(crosses)

    def _paper(self, submitted_at: datetime, announced_at: datetime) -> GeneratedPaper:
        arxiv_id = f"{self.month}.{self.next_number:0{4 if self.month < '1501' else 5}d}"
        self.next_number += 1
        return self._drawn(arxiv_id, submitted_at, announced_at)

    def _stock_paper(self, number: int) -> GeneratedPaper:
        """A paper older than the range, so that replacements and late cross-lists have something to return to."""
        oldest = datetime(2006, 5, 3, 15, 0, tzinfo=UTC) + timedelta(days=97 * number)
        arxiv_id = (
            f"cs/{oldest:%y%m}{number + 1:03d}"
            if oldest < datetime(2007, 4, 1, tzinfo=UTC)
            else f"{oldest:%y%m}.{number + 1:0{4 if oldest.year < 2015 else 5}d}"
        )
        return self._drawn(arxiv_id, oldest, oldest + timedelta(hours=9))

    def _drawn(self, arxiv_id: str, submitted_at: datetime, announced_at: datetime) -> GeneratedPaper:
        primary = self.rng.choices(list(_PRIMARY_MIX), weights=list(_PRIMARY_MIX.values()))[0]
        pool = _SECONDARIES.get(primary, ("cs.LG", "math.NA", "cs.IT"))
        secondary = tuple(c for c in self.rng.sample(pool, self.rng.choice((0, 1, 1, 2))) if c != primary)
        authors = tuple(f"{chr(self.rng.randrange(65, 91))}. {self.rng.choice(_NAMES)}" for _ in range(self.rng.randrange(1, 7)))
        version = Version(
            1, submitted_at, announced_at, self._title(), self._abstract(), self.rng.choice((None, "12 pages, 4 figures", "Under review"))
        )
        return GeneratedPaper(arxiv_id, (primary, *secondary), authors, [version])

    def _title(self) -> str:
        words = " ".join(self.rng.choices(_WORDS, k=self.rng.randrange(5, 10)))
        return words.capitalize() + self.rng.choice(("", "", "", r" in $\mathcal{O}(n \log n)$ steps"))

    def _abstract(self) -> str:
        sentences = [f"{' '.join(self.rng.choices(_WORDS, k=12)).capitalize()}." for _ in range(self.rng.randrange(6, 11))]
        sentences.insert(2, rf"We gain {self.rng.uniform(1, 9):.1f}\% when $k < {self.rng.randrange(8, 99)}$ & more is kept.")
        return " ".join(sentences)

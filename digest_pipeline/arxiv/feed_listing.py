"""Today's listing by its announcement feed, believed by its content only.

A feed has been seen with yesterday's items under today's date, wholly, in one of its categories, or in a single item; half
filled; and without one of its categories. Ids are given at the announcement, so the boundary before today's ids tells
which items belong to an earlier listing. A category counts as today's where it has an item that no other category could
have brought into the feed and that is today's: an id behind the boundary, or a replacement or cross-list that the kept
feed of the listing before did not have. Wherever that leaves a doubt, the API's records behind the boundary decide; and
where the API cannot, not knowing this listing yet, the day is not published yet. So it is where the API shows little of what
the feed announces: a half-filled feed looks like a whole one. It is never taken with papers lost or with earlier ones as new.

What lives here: that judgement. What does not: what then is kept (`listing.py`) and how the boundary is found (`id_ranges.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from digest_pipeline import taxonomy
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.id_boundaries import BoundaryKind, IdBoundary, id_of
from digest_pipeline.arxiv.rss import Announcement, FeedItem
from digest_pipeline.errors import FeedIncomplete, NotPublishedYet
from digest_pipeline.models import AnnounceType, id_sort_key

FEW = 3
"""So many papers that one of feed and API lacks are a hole in it; more, and more than `FEW_SHARE`, and it is half filled."""
FEW_SHARE = 0.01
MOST_EARLIER = 0.1
"""Beyond this share of `new` items of an earlier listing, and beyond `FEW`, nothing about a feed is believed."""
MOST_UNKNOWN = 0.25
"""Where the API lacks more than this share of the feed's new papers, it cannot tell whether the feed is whole."""
LONGEST_SILENCE = 10
"""Where the API's last paper lies before the freeze by so many times the usual time between two, or a fourth of the window, it does not show all yet."""
_WAIT = "it is asked for again by the schedule, for hours; or run it again in some minutes"


@dataclass(frozen=True, slots=True)
class EarlierFeed:
    """A kept feed of an earlier listing day: what it announced, and for which categories it was asked."""

    listing_date: date
    categories: tuple[str, ...]
    items: dict[str, FeedItem]

    def repeats(self, item: FeedItem) -> bool:
        """True for an item that this feed had already: the same version, and no category that it has joined since."""
        before = self.items.get(item.arxiv_id)
        if before is None or before.version != item.version:
            return False
        return item.announce_type is not AnnounceType.CROSS or set(item.categories) <= set(before.categories)


@dataclass(frozen=True, slots=True)
class FeedJudgement:
    """What to make of an accepted feed: ids of its items that belong to an earlier listing, and today's papers that it lacks."""

    earlier_ids: tuple[str, ...] = ()
    lacking_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApiEvidence:
    """The questions to the API, each asked only where it is needed.

    `shown`: what was submitted in the listing's window in the categories, and what was held from before it, on every day.
    Where that or the feed leaves a doubt, `behind_boundary`: version 1 of everything behind the boundary, all archives, some
    pages; and `current_versions`: the records of these items.
    """

    shown: Callable[[], list[ApiRecord]]
    behind_boundary: Callable[[], list[ApiRecord]]
    current_versions: Callable[[Sequence[FeedItem]], list[ApiRecord]]


def require_dated(day: date, feeds: Sequence[Announcement]) -> None:
    """Raises NotPublishedYet for a feed that carries another date."""
    for feed in feeds:
        if feed.dated != day:
            raise NotPublishedYet(f"arXiv's feed is dated {feed.dated}, not {day}", hint=_WAIT)


def require_items(day: date, items: Sequence[FeedItem]) -> None:
    """Raises NotPublishedYet for a feed without items."""
    if not items:
        raise NotPublishedYet(f"arXiv's feed dated {day} has no items yet", hint=_WAIT)


def require_categories(day: date, feeds: Sequence[Announcement], categories: tuple[str, ...]) -> None:
    """Raises FeedIncomplete where the feed's own title lacks a category that was asked for."""
    named = {name for feed in feeds for name in feed.categories}
    absent = [c for c in categories if c not in named and not any(taxonomy.falls_under(n, c) for n in named)]
    if absent:
        raise FeedIncomplete(
            f"the feed dated {day} is for {', '.join(sorted(named))} and lacks {', '.join(absent)}",
            hint="run again later; if it lasts, check DIGEST_CATEGORIES and DIGEST_ARXIV_RSS_URL",
        )


def _is_few(count: int, of: int) -> bool:
    return count <= max(FEW, FEW_SHARE * of)


class FeedJudge:
    """Judges the feed of one day."""

    def __init__(
        self,
        day: date,
        items: Sequence[FeedItem],
        categories: tuple[str, ...],
        *,
        boundary: IdBoundary,
        earlier: Sequence[EarlierFeed],
        previous_listing: date,
        closes_utc: datetime,
        api: ApiEvidence,
    ) -> None:
        """`items` are the feed's, each paper once; `earlier` the kept feeds of some days before; `closes_utc` is the freeze of `day`.

        Raises NotPublishedYet where there is nothing to judge by.
        """
        self._day, self._items, self._api = day, items, api
        # without those below a configured archive: their items would be nobody's own
        self._categories = tuple(c for c in categories if not any(c != other and taxonomy.falls_under(c, other) for other in categories))
        self._previous = next((feed for feed in earlier if feed.listing_date == previous_listing), None)
        self._opens, self._closes = datetime.fromisoformat(boundary.freeze_utc), closes_utc
        announced = [i.arxiv_id for feed in earlier for i in feed.items.values() if i.announce_type is AnnounceType.NEW]
        self._last_id = max([id_of(boundary.month, boundary.last_before), *announced], key=id_sort_key)
        if boundary.kind is BoundaryKind.OPEN and not announced:
            raise NotPublishedYet(f"arXiv's API does not show the end of the listing before {day}, by which its feed is judged", hint=_WAIT)
        self._ids = {item.arxiv_id for item in items}
        self._current = [item for item in items if self._is_current(item)]
        self._stale_new = [item for item in items if item.announce_type is AnnounceType.NEW and not self._is_current(item)]
        self._repeated = [item for item in items if not self._is_current(item) and any(feed.repeats(item) for feed in earlier)]
        self._earlier_ids = {item.arxiv_id for item in [*self._stale_new, *self._repeated]}

    # -- items ------------------------------------------------------------------------------------

    def _is_current(self, item: FeedItem) -> bool:
        return not item.announce_type.is_replacement and id_sort_key(item.arxiv_id) > id_sort_key(self._last_id)

    def _configured(self, item_categories: Iterable[str]) -> list[str]:
        return [c for c in self._categories if any(taxonomy.falls_under(name, c) for name in item_categories)]

    def _own(self, category: str, items: Iterable[FeedItem]) -> list[FeedItem]:
        """Those that only this category can have brought into the feed."""
        return [item for item in items if self._configured(item.categories) == [category]]

    def _is_todays(self, category: str) -> bool:
        """By the feed and the kept feed of the listing before, where that was asked for this category too."""
        if self._own(category, self._current):
            return True
        if self._previous is None or not taxonomy.falls_under_any(category, self._previous.categories):
            return False
        return any(item.arxiv_id not in self._earlier_ids for item in self._own(category, self._items))

    # -- the judgement ----------------------------------------------------------------------------

    def judge(self) -> FeedJudgement:
        """Raises NotPublishedYet, saying what is missing or stale; returns what to leave out and what to add."""
        new = sum(item.announce_type is AnnounceType.NEW for item in self._items)
        if len(self._stale_new) > max(FEW, MOST_EARLIER * new):
            raise self._wait(f"{len(self._stale_new)} of its {new} new papers belong to an earlier listing: it is stale")
        doubtful = [category for category in self._categories if not self._is_todays(category)]
        lacking: list[ApiRecord] = []
        if doubtful or self._stale_new or not self._is_whole(self._api.shown()):
            lacking = self._confirmed(doubtful)
        return FeedJudgement(tuple(sorted(self._earlier_ids, key=id_sort_key)), tuple(r.arxiv_id for r in lacking))

    def _is_whole(self, shown: Sequence[ApiRecord]) -> bool:
        """True where the API knows most of the feed's new papers, and the feed all that the API knows in its categories."""
        known = {r.arxiv_id for r in shown}
        unknown = [item for item in self._current if item.arxiv_id not in known]
        return bool(self._current) and len(unknown) <= MOST_UNKNOWN * len(self._current) and not self._lacking(shown)

    def _lacking(self, records: Iterable[ApiRecord]) -> list[ApiRecord]:
        """Papers of this listing that the API shows in the categories and the feed lacks."""
        last = id_sort_key(self._last_id)
        return [r for r in records if id_sort_key(r.arxiv_id) > last and r.arxiv_id not in self._ids and self._configured(r.categories)]

    def _confirmed(self, doubtful: Sequence[str]) -> list[ApiRecord]:
        """The few papers that the feed lacks by the API's records of all ids of this listing, held ones among them."""
        records = self._api.behind_boundary()
        known = {r.arxiv_id for r in records}
        unknown = [item for item in self._current if item.arxiv_id not in known]
        if not self._reaches_the_freeze(records) or not _is_few(len(unknown), len(self._current)):
            raise self._wait(f"{self._doubt(doubtful)}, and the API does not show this listing yet, or not whole, which would confirm it")
        lacking = self._lacking(records)
        for category in doubtful:
            if missing := [r for r in lacking if category in self._configured(r.categories)]:
                raise self._wait(
                    f"it has no paper of {category} alone that is today's, but the API shows {missing[0].arxiv_id}: that category is stale"
                )
            self._require_plausible(category)
        if not _is_few(len(lacking), len(self._current)):
            raise self._wait(f"it is half-filled: it lacks {len(lacking)} papers that the API shows, e.g. {lacking[0].arxiv_id}")
        return lacking

    def _reaches_the_freeze(self, records: Sequence[ApiRecord]) -> bool:
        """True where the last of them was submitted as shortly before the freeze as their number lets expect."""
        run = [r.submitted_at_utc for r in records if r.submitted_at_utc >= self._opens]
        window = self._closes - self._opens
        return bool(run) and self._closes - max(run) <= min(LONGEST_SILENCE / len(run), 0.25) * window

    def _require_plausible(self, category: str) -> None:
        """Raises where what a category without new papers shows may as well be the previous listing's."""
        own = self._own(category, self._items)
        if not own and not any(category in self._configured(item.categories) for item in [*self._stale_new, *self._repeated]):
            return  # nothing new by the API, and nothing old in the feed: an empty day of that category
        replaced = [item for item in own if item.announce_type.is_replacement and item.arxiv_id not in self._earlier_ids]
        revised = {(r.arxiv_id, r.version): r.updated_at_utc for r in self._api.current_versions(replaced)}
        if not any((at := revised.get((item.arxiv_id, item.version))) is not None and at >= self._opens for item in replaced):
            raise self._wait(f"nothing in it shows that {category} is today's and not an earlier listing's")

    def _doubt(self, doubtful: Sequence[str]) -> str:
        if self._stale_new:
            return f"{len(self._stale_new)} of its new papers belong to an earlier listing, e.g. {self._stale_new[0].arxiv_id}"
        return f"it has no paper of {', '.join(doubtful)} alone that is today's" if doubtful else "it may be half-filled"

    def _wait(self, why: str) -> NotPublishedYet:
        return NotPublishedYet(f"the feed is dated {self._day}, but {why}", hint=_WAIT)

"""One listing day, whichever way it can be had: the decision between feed, id block, calendar and waiting.

    the day is kept, whole, for these categories       nothing is asked
    a weekend, a future date, before 2007-04           refused (ListingDateError)
    skipped by the calendar and past                   explicit, empty
    today's                                            the announcement feed, believed by its content
    any earlier day                                    the kept feed of that day, else its id block

The three states never look alike: an explicit empty listing is a manifest with `announced` false; a listing
that is not out yet is NotPublishedYet; anything else raises a SourceError.

What lives here: that decision and the judgement of a feed. What does not: parsing, ids, files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from digest_pipeline import taxonomy
from digest_pipeline.arxiv import rss
from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.http import RawResponse
from digest_pipeline.arxiv.id_ranges import BoundaryCache, BoundaryKind, IdRange, IdRangeFinder, id_of
from digest_pipeline.arxiv.raw_store import RawFile, RawManifest, RawStore
from digest_pipeline.arxiv.rss import Announcement, FeedItem
from digest_pipeline.calendar import EASTERN, ListingCalendar, id_month, newest_listing_day, today_eastern
from digest_pipeline.errors import ArxivUnavailable, FeedIncomplete, NotPublishedYet, RawCorrupt
from digest_pipeline.models import AnnounceType, Evidence, id_sort_key
from digest_pipeline.storage import Storage

logger = logging.getLogger(__name__)

STALE_SHARE = 0.5
"""Beyond this share of `new` ids that belong to an earlier listing, a feed is yesterday's."""
FEW_MISSING = 3
"""So many papers of the id block that the feed lacks are a hole in the feed and are added; more is a half-filled feed."""


@dataclass(frozen=True)
class ListingFetcher:
    """What fetching a listing needs: the calendar, arXiv, the kept answers, the reader's categories, the clock."""

    calendar: ListingCalendar
    arxiv: Arxiv
    storage: Storage
    categories: tuple[str, ...]
    now: Callable[[], datetime]

    @property
    def raw(self) -> RawStore:
        return RawStore(self.storage)

    @property
    def edges(self) -> BoundaryCache:
        return BoundaryCache(self.storage)


def fetch_listing(day: date, translator: ListingFetcher, *, refetch: bool = False) -> RawManifest:
    """Makes sure that arXiv's answers for the listing dated `day` are kept, and returns their manifest.

    A day already kept for these categories costs no request; `refetch` asks anew, and keeps the earlier
    answers too. Raises ListingDateError, NotPublishedYet or a SourceError; then nothing kept has changed.
    """
    translator.calendar.require_listing_day(day)
    translator.calendar.require_announceable(day, translator.now())
    kept = None if refetch else _kept(day, translator)
    if kept is not None:
        if kept.missing_ids:
            return _add_missing(kept, translator)
        if not (lacking := kept.lacking(translator.categories)):
            return kept
        logger.info("%s: kept without %s", day, ", ".join(lacking))
    before = translator.arxiv.request_count
    manifest = _fetch(day, translator, kept, trust_calendar=not refetch)
    manifest = replace(manifest, requests=translator.arxiv.request_count - before)
    translator.raw.keep(manifest, now=translator.now())
    return manifest


def _kept(day: date, translator: ListingFetcher) -> RawManifest | None:
    """The day's manifest where all it names can be read; a damaged day is fetched anew."""
    try:
        manifest = translator.raw.manifest(day)
        if manifest is not None:
            translator.raw.verify(manifest)
    except RawCorrupt as error:
        logger.warning("%s; fetching %s anew", error.message, day)
        return None
    if manifest is not None and not manifest.announced and _contradicted(day, translator):
        return None
    return manifest


def _contradicted(day: date, translator: ListingFetcher) -> bool:
    """True where ids already seen show an announcement on a day kept, or known, as empty."""
    edge = translator.edges.get(translator.calendar.freeze_utc(day))
    return edge is not None and edge.kind is BoundaryKind.DROP


def _fetch(day: date, translator: ListingFetcher, kept: RawManifest | None, *, trust_calendar: bool) -> RawManifest:
    today = today_eastern(translator.now())
    skip_reason = translator.calendar.skip_reason(day)
    if day > today:
        raise NotPublishedYet(
            f"the listing of {day} is announced, but its feed turns at midnight US Eastern",
            hint="it is asked for again by the schedule; or run it again after midnight",
        )
    if day == today:
        return _from_feed(day, translator, skip_reason)
    if skip_reason is not None and trust_calendar and not _contradicted(day, translator):
        return _no_announcement(day, f"no announcement: arXiv skipped the evening before ({skip_reason})")
    return _from_block(day, translator, kept)


def _no_announcement(day: date, why: str, files: Sequence[RawFile] = ()) -> RawManifest:
    return RawManifest(day, False, None, tuple(files), notes=(why,))


# -- an earlier day ----------------------------------------------------------------------------------


def _from_block(day: date, translator: ListingFetcher, kept: RawManifest | None) -> RawManifest:
    """The id block; where feeds of the day are kept they stay its evidence, and the block serves the other categories."""
    block = find_block(day, translator)
    files = _keep_answers(day, translator)
    if not block.announced:
        return _no_announcement(day, block.notes[0], files)
    notes = list(block.notes)
    if translator.calendar.skip_reason(day) is not None:
        notes.append("the calendar skips this day, but arXiv's ids show an announcement: the content wins")
    manifest = RawManifest(
        day, True, Evidence.ID_BLOCK, tuple(files), (block.first_id or "", block.last_id or ""), full_block=True, notes=tuple(notes)
    )
    if kept is None or kept.evidence is not Evidence.RSS:
        return manifest
    return replace(manifest, evidence=Evidence.RSS, files=(*kept.files, *files), feed_categories=kept.feed_categories, notes=(*kept.notes, *notes))


def find_block(day: date, translator: ListingFetcher) -> IdRange:
    finder = IdRangeFinder(translator.calendar, translator.arxiv, translator.edges, log=logger.info)
    return finder.block(day)


def _keep_answers(day: date, translator: ListingFetcher) -> list[RawFile]:
    return [translator.raw.keep_file(day, "api", capture) for capture in translator.arxiv.take_captures()]


def _add_missing(kept: RawManifest, translator: ListingFetcher) -> RawManifest:
    """Fetches only the papers that reconciliation reported; what is kept stays as it is."""
    before = translator.arxiv.request_count
    translator.arxiv.records([f"{arxiv_id}v1" for arxiv_id in kept.missing_ids])
    files = _keep_answers(kept.listing_date, translator)
    found = {r.arxiv_id for r in translator.raw.records(replace(kept, files=tuple(files)))}
    added = len(found & set(kept.missing_ids))
    manifest = replace(
        kept,
        files=(*kept.files, *files),
        missing_ids=tuple(i for i in kept.missing_ids if i not in found),
        notes=(*kept.notes, f"{added} papers added that arXiv's API did not know at first"),
        requests=translator.arxiv.request_count - before,
    )
    translator.raw.keep(manifest, now=translator.now())
    return manifest


# -- today's listing ---------------------------------------------------------------------------------


def _from_feed(day: date, translator: ListingFetcher, skip_reason: str | None) -> RawManifest:
    """The announcement feed, accepted only by its content; on a day the calendar skips, an empty feed confirms it."""
    try:
        captures = _complete_feeds(translator)
    except ArxivUnavailable as error:
        if skip_reason is None:
            raise
        return _no_announcement(
            day, f"no announcement: arXiv skipped the evening before ({skip_reason}); the feed could not be asked ({error.message})"
        )
    feeds = [rss.parse_feed(capture.body) for capture in captures]
    items = unique_items(feeds)
    if skip_reason is not None and (not items or not _is_fresh(day, feeds, items, translator)):
        return _no_announcement(day, f"no announcement: arXiv skipped the evening before ({skip_reason})")
    edge = _require_published(day, feeds, items, translator)
    notes = [f"the calendar skips this day ({skip_reason}), but the feed has an announcement: the content wins"] if skip_reason else []
    found = _seen_by_api(day, translator, edge)
    lacking = _require_filled(day, items, found, translator)
    if lacking:
        notes.append(f"{len(lacking)} papers of the id block were not in the feed and are added: {', '.join(lacking)}")
    known = {(r.arxiv_id, r.version) for r in found}
    translator.arxiv.records([f"{item.arxiv_id}v{item.version}" for item in items if (item.arxiv_id, item.version) not in known])
    files = [*(translator.raw.keep_file(day, "rss", capture) for capture in captures), *_keep_answers(day, translator)]
    return RawManifest(
        day, True, Evidence.RSS, tuple(files), block=_new_block(items, lacking), feed_categories=translator.categories, notes=tuple(notes)
    )


def _complete_feeds(translator: ListingFetcher) -> list[RawResponse]:
    """The feed of all categories; where arXiv's cap is reached, the feeds of halves, down to single categories."""
    pending: list[tuple[str, ...]] = [translator.categories]
    complete: list[RawResponse] = []
    while pending:
        names = pending.pop(0)
        capture = translator.arxiv.feed(names)
        if len(rss.parse_feed(capture.body).items) < rss.MOST_ITEMS:
            complete.append(capture)
            continue
        single = tuple(member for name in names for member in taxonomy.members(name))
        if len(single) < 2:
            raise FeedIncomplete(
                f"the feed of {names[0]} holds {rss.MOST_ITEMS} items, arXiv's cap, with replacements before new papers: it may lack papers",
                hint="run this day again tomorrow: as a past day it comes from its id block, which has no cap",
            )
        pending = [single[: len(single) // 2], single[len(single) // 2 :], *pending]
    return complete


def unique_items(feeds: Iterable[Announcement]) -> list[FeedItem]:
    """The items of several feeds of one day, each paper once, the first mention winning."""
    return list({item.arxiv_id: item for feed in reversed(list(feeds)) for item in reversed(feed.items)}.values())[::-1]


def _require_published(day: date, feeds: Sequence[Announcement], items: Sequence[FeedItem], translator: ListingFetcher) -> int:
    """Raises NotPublishedYet unless the feeds carry this day's listing, by date and by ids; returns the last id number before it."""
    for feed in feeds:
        if feed.dated != day:
            raise NotPublishedYet(f"arXiv's feed is dated {feed.dated}, not {day}", hint=_WAIT)
    if not items:
        raise NotPublishedYet(f"arXiv's feed dated {day} has no items yet", hint=_WAIT)
    _require_categories(day, feeds, translator)
    edge = IdRangeFinder(translator.calendar, translator.arxiv, translator.edges, log=logger.info).edge_before(day).last_before
    new = [item for item in items if item.announce_type is AnnounceType.NEW]
    stale = [item for item in new if not _is_beyond(item.arxiv_id, day, edge)]
    if new and len(stale) > STALE_SHARE * len(new):
        raise NotPublishedYet(
            f"the feed is dated {day}, but {len(stale)} of its {len(new)} new papers belong to an earlier listing: it is stale", hint=_WAIT
        )
    for category in translator.categories:
        mine = [item for item in new if _in(item, (category,))]
        if len(mine) >= FEW_MISSING and all(item in stale for item in mine):
            raise NotPublishedYet(
                f"the feed is dated {day}, but all {len(mine)} new papers of {category} belong to an earlier listing: that category is stale",
                hint=_WAIT,
            )
    return edge


def _is_fresh(day: date, feeds: Sequence[Announcement], items: Sequence[FeedItem], translator: ListingFetcher) -> bool:
    try:
        _require_published(day, feeds, items, translator)
    except NotPublishedYet:
        return False
    return True


def _is_beyond(arxiv_id: str, day: date, edge: int) -> bool:
    return id_sort_key(arxiv_id) > id_sort_key(id_of(id_month(day), edge))


def _require_categories(day: date, feeds: Sequence[Announcement], translator: ListingFetcher) -> None:
    """Raises FeedIncomplete where the feed's own title lacks a category that was asked for."""
    named = {name for feed in feeds for name in feed.categories}
    absent = [c for c in translator.categories if c not in named and not any(taxonomy.falls_under(n, c) for n in named)]
    if absent:
        raise FeedIncomplete(
            f"the feed dated {day} is for {', '.join(sorted(named))} and lacks {', '.join(absent)}",
            hint="run again later; if it lasts, check DIGEST_CATEGORIES and DIGEST_ARXIV_RSS_URL",
        )


def _seen_by_api(day: date, translator: ListingFetcher, edge: int) -> list[ApiRecord]:
    """The papers of this day's block in the configured categories that the API already shows: one request, one page."""
    window = translator.calendar.window(day)
    found = translator.arxiv.submitted_between(window.opens_utc, window.closes_utc, translator.categories)
    return [r for r in found if _is_beyond(r.arxiv_id, day, edge)]


def _require_filled(day: date, items: Sequence[FeedItem], found: Sequence[ApiRecord], translator: ListingFetcher) -> list[str]:
    """The few ids that the API shows and the feed lacks; raises where they are many (half-filled) or a whole category."""
    announced = {item.arxiv_id for item in items}
    lacking = [r for r in found if r.arxiv_id not in announced]
    for category in translator.categories:
        if not any(_in(item, (category,)) for item in items):
            if any(taxonomy.falls_under(c, category) for r in found for c in r.categories):
                raise FeedIncomplete(
                    f"the feed dated {day} has no item of {category}, although the API shows papers of it",
                    hint="run again later; the feed has been seen half-filled",
                )
            if not found:
                raise NotPublishedYet(
                    f"the feed dated {day} has no item of {category}, and the API shows nothing of this listing yet that would confirm it",
                    hint=_WAIT,
                )
    if len(lacking) > max(FEW_MISSING, 0.01 * len(announced)):
        raise NotPublishedYet(
            f"the feed dated {day} is half-filled: it lacks {len(lacking)} papers that the API shows, e.g. {lacking[0].arxiv_id}", hint=_WAIT
        )
    return [r.arxiv_id for r in lacking]


def _in(item: FeedItem, configured: tuple[str, ...]) -> bool:
    return any(taxonomy.falls_under_any(c, configured) for c in item.categories)


def _new_block(items: Sequence[FeedItem], added: Sequence[str]) -> tuple[str, str] | None:
    """First and last new id in the feed and among the papers added to it: inner bounds of the block."""
    new = sorted([*(i.arxiv_id for i in items if i.announce_type is AnnounceType.NEW), *added], key=id_sort_key)
    return (new[0], new[-1]) if new else None


_WAIT = "it is asked for again by the schedule, for hours; or run it again in some minutes"


def newest_announced(calendar: ListingCalendar, now: datetime) -> date:
    """The newest listing that the calendar expects to be in the feed now."""
    newest = newest_listing_day(now.astimezone(EASTERN))
    return newest if calendar.is_announced(newest) else calendar.previous_listing(newest)

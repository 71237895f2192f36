"""One listing day, whichever way it can be had: the decision between feed, id block, calendar and waiting.

    the day is kept, whole, for these categories       nothing is asked
    a weekend, a future date, before 2007-04           refused (ListingDateError)
    skipped by the calendar and past                   explicit, empty
    today's                                            the announcement feed, believed by its content
    any earlier day                                    the kept feed of that day, else its id block

The three states never look alike: an explicit empty listing is a manifest with `announced` false; a listing
that is not out yet is NotPublishedYet; anything else raises a SourceError.

What lives here: that decision, and what is kept by it. What does not: judging a feed (`feed_listing.py`), ids, files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from digest_pipeline import taxonomy
from digest_pipeline.arxiv import rss
from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.feed_listing import ApiEvidence, EarlierFeed, FeedJudge, FeedJudgement, require_categories, require_dated, require_items
from digest_pipeline.arxiv.http import RawResponse
from digest_pipeline.arxiv.id_boundaries import BoundaryCache, BoundaryKind
from digest_pipeline.arxiv.id_ranges import IdRangeFinder
from digest_pipeline.arxiv.raw_store import RawFile, RawManifest, RawStore
from digest_pipeline.arxiv.rss import Announcement, FeedItem
from digest_pipeline.calendar import EASTERN, ListingCalendar, newest_listing_day, today_eastern
from digest_pipeline.errors import FeedIncomplete, NotPublishedYet, RawCorrupt
from digest_pipeline.models import AnnounceType, Evidence, id_sort_key
from digest_pipeline.storage import Storage

logger = logging.getLogger(__name__)

EARLIER_FEEDS = timedelta(days=7)
"""So far back kept feeds are compared with today's: over a weekend and a holiday."""


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
    def boundaries(self) -> BoundaryCache:
        return BoundaryCache(self.storage)

    @property
    def id_range_finder(self) -> IdRangeFinder:
        return IdRangeFinder(self.calendar, self.arxiv, self.boundaries, log=logger.info)


def fetch_listing(day: date, fetcher: ListingFetcher, *, refetch: bool = False) -> RawManifest:
    """Makes sure that arXiv's answers for the listing dated `day` are kept, and returns their manifest.

    A day already kept for these categories costs no request; `refetch` asks anew, and keeps the earlier
    answers too. Raises ListingDateError, NotPublishedYet or a SourceError; then nothing kept has changed.
    """
    fetcher.calendar.require_listing_day(day)
    fetcher.calendar.require_announceable(day, fetcher.now())
    kept = None if refetch else _kept(day, fetcher)
    if kept is not None:
        if kept.missing_ids:
            return _add_missing(kept, fetcher)
        if not (lacking := kept.lacking(fetcher.categories)):
            return kept
        logger.info("%s: kept without %s", day, ", ".join(lacking))
    before = fetcher.arxiv.request_count
    manifest = _fetch(day, fetcher, kept, trust_calendar=not refetch)
    manifest = replace(manifest, requests=fetcher.arxiv.request_count - before)
    fetcher.raw.keep(manifest, now=fetcher.now())
    return manifest


def _kept(day: date, fetcher: ListingFetcher) -> RawManifest | None:
    """The day's manifest where all it names can be read; a damaged day is fetched anew."""
    try:
        manifest = fetcher.raw.manifest(day)
        if manifest is not None:
            fetcher.raw.verify(manifest)
    except RawCorrupt as error:
        logger.warning("%s; fetching %s anew", error.message, day)
        return None
    if manifest is not None and not manifest.announced and _contradicted(day, fetcher):
        return None
    return manifest


def _contradicted(day: date, fetcher: ListingFetcher) -> bool:
    """True where ids already seen show an announcement on a day kept, or known, as empty."""
    boundary = fetcher.boundaries.get(fetcher.calendar.freeze_utc(day))
    return boundary is not None and boundary.kind is BoundaryKind.DROP


def _fetch(day: date, fetcher: ListingFetcher, kept: RawManifest | None, *, trust_calendar: bool) -> RawManifest:
    fetcher.arxiv.take_raw_responses()  # of an attempt that found the day not published yet
    today = today_eastern(fetcher.now())
    skip_reason = fetcher.calendar.skip_reason(day)
    if day > today:
        raise NotPublishedYet(
            f"the listing of {day} is announced, but its feed turns at midnight US Eastern",
            hint="it is asked for again by the schedule; or run it again after midnight",
        )
    if day == today:
        return _from_feed(day, fetcher, skip_reason)
    if skip_reason is not None and trust_calendar and not _contradicted(day, fetcher):
        return _no_announcement(day, f"no announcement: arXiv skipped the evening before ({skip_reason})")
    return _from_block(day, fetcher, kept)


def _no_announcement(day: date, why: str, files: Sequence[RawFile] = ()) -> RawManifest:
    return RawManifest(day, False, None, tuple(files), notes=(why,))


# -- an earlier day ----------------------------------------------------------------------------------


def _from_block(day: date, fetcher: ListingFetcher, kept: RawManifest | None) -> RawManifest:
    """The id block; where feeds of the day are kept they stay its evidence, and the block serves the other categories."""
    block = fetcher.id_range_finder.block(day)
    files = _keep_answers(day, fetcher)
    if not block.announced:
        return _no_announcement(day, block.notes[0], files)
    notes = list(block.notes)
    if fetcher.calendar.skip_reason(day) is not None:
        notes.append("the calendar skips this day, but arXiv's ids show an announcement: the content wins")
    manifest = RawManifest(
        day, True, Evidence.ID_BLOCK, tuple(files), (block.first_id or "", block.last_id or ""), full_block=True, notes=tuple(notes)
    )
    if kept is None or kept.evidence is not Evidence.RSS:
        return manifest
    return replace(manifest, evidence=Evidence.RSS, files=(*kept.files, *files), feed_categories=kept.feed_categories, notes=(*kept.notes, *notes))


def _keep_answers(day: date, fetcher: ListingFetcher) -> list[RawFile]:
    return [fetcher.raw.keep_file(day, "api", response) for response in fetcher.arxiv.take_raw_responses()]


def _add_missing(kept: RawManifest, fetcher: ListingFetcher) -> RawManifest:
    """Fetches only the papers that reconciliation reported; what is kept stays as it is."""
    before = fetcher.arxiv.request_count
    fetcher.arxiv.records([f"{arxiv_id}v1" for arxiv_id in kept.missing_ids])
    files = _keep_answers(kept.listing_date, fetcher)
    found = {r.arxiv_id for r in fetcher.raw.records(replace(kept, files=tuple(files)))}
    added = len(found & set(kept.missing_ids))
    manifest = replace(
        kept,
        files=(*kept.files, *files),
        missing_ids=tuple(i for i in kept.missing_ids if i not in found),
        notes=(*kept.notes, f"{added} papers added that arXiv's API did not know at first"),
        requests=fetcher.arxiv.request_count - before,
    )
    fetcher.raw.keep(manifest, now=fetcher.now())
    return manifest


# -- today's listing ---------------------------------------------------------------------------------


def _from_feed(day: date, fetcher: ListingFetcher, skip_reason: str | None) -> RawManifest:
    """The announcement feed, accepted only by its content; on a day the calendar skips, an empty feed dated today confirms it."""
    responses = _complete_feeds(fetcher)
    feeds: list[Announcement] = [response.content for response in responses]
    items = unique_items(feeds)
    require_dated(day, feeds)
    if skip_reason is not None and not items:
        return _no_announcement(day, f"no announcement: arXiv skipped the evening before ({skip_reason})")
    require_items(day, items)
    require_categories(day, feeds, fetcher.categories)
    finder = fetcher.id_range_finder
    boundary = finder.before(day)
    window = fetcher.calendar.window(day)
    judgement = FeedJudge(
        day,
        items,
        fetcher.categories,
        boundary=boundary,
        earlier=_earlier_feeds(day, fetcher),
        previous_listing=fetcher.calendar.previous_listing(day),
        closes_utc=window.closes_utc,
        api=ApiEvidence(
            shown=lambda: [
                *finder.held_behind(boundary),
                *fetcher.arxiv.submitted_between(window.opens_utc, window.closes_utc, fetcher.categories),
            ],
            behind_boundary=lambda: finder.beyond(boundary),
            current_versions=lambda asked: fetcher.arxiv.records([f"{item.arxiv_id}v{item.version}" for item in asked]),
        ),
    ).judge()
    current = [item for item in items if item.arxiv_id not in judgement.earlier_ids]
    known = {(r.arxiv_id, r.version) for response in fetcher.arxiv.raw_responses for r in response.content.records}
    fetcher.arxiv.records([f"{item.arxiv_id}v{item.version}" for item in current if (item.arxiv_id, item.version) not in known])
    files = [*(fetcher.raw.keep_file(day, "rss", response) for response in responses), *_keep_answers(day, fetcher)]
    new = [item.arxiv_id for item in current if item.announce_type is AnnounceType.NEW]
    block = sorted([*new, *judgement.lacking_ids], key=id_sort_key)
    return RawManifest(
        day,
        True,
        Evidence.RSS,
        tuple(files),
        block=(block[0], block[-1]) if block else None,
        feed_categories=fetcher.categories,
        earlier_ids=judgement.earlier_ids,
        notes=tuple(_feed_notes(skip_reason, feeds, judgement)),
    )


def _feed_notes(skip_reason: str | None, feeds: Sequence[Announcement], judgement: FeedJudgement) -> Iterable[str]:
    if skip_reason:
        yield f"the calendar skips this day ({skip_reason}), but the feed has an announcement: the content wins"
    if judgement.lacking_ids:
        yield f"{len(judgement.lacking_ids)} papers of the id block were not in the feed and are added: {', '.join(judgement.lacking_ids)}"
    if judgement.earlier_ids:
        yield f"{len(judgement.earlier_ids)} items of the feed belong to an earlier listing and are left out: {', '.join(judgement.earlier_ids)}"
    for title in [title for feed in feeds for title in feed.unreadable]:
        yield f"an item of the feed names no paper and is left out: {title}"


def _earlier_feeds(day: date, fetcher: ListingFetcher) -> list[EarlierFeed]:
    """The feeds kept of the listings shortly before, as far as they can be read."""
    found = []
    for earlier in fetcher.calendar.listing_days(day - EARLIER_FEEDS, day - timedelta(days=1)):
        try:
            manifest = fetcher.raw.manifest(earlier)
            if manifest is None or manifest.evidence is not Evidence.RSS:
                continue
            items = [item for item in unique_items(fetcher.raw.feeds(manifest)) if item.arxiv_id not in manifest.earlier_ids]
        except RawCorrupt as error:
            logger.warning("%s; %s is judged without it", error.message, day)
            continue
        found.append(EarlierFeed(earlier, manifest.feed_categories, {item.arxiv_id: item for item in items}))
    return found


def _complete_feeds(fetcher: ListingFetcher) -> list[RawResponse]:
    """The feed of all categories; where arXiv's cap is reached, the feeds of halves, down to single categories."""
    pending: list[tuple[str, ...]] = [fetcher.categories]
    complete: list[RawResponse] = []
    while pending:
        names = pending.pop(0)
        response = fetcher.arxiv.feed(names)
        if len(response.content.items) < rss.MOST_ITEMS:
            complete.append(response)
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


def newest_announced(calendar: ListingCalendar, now: datetime) -> date:
    """The newest listing that the calendar expects to be in the feed now."""
    newest = newest_listing_day(now.astimezone(EASTERN))
    return newest if calendar.is_announced(newest) else calendar.previous_listing(newest)

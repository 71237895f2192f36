"""The kept answers of one listing day → its papers in the configured categories.

A paper is one row whatever the number of its categories. Its announce type is worked out for the configured
categories, not copied from the feed, because arXiv's own depends on the union that was asked for. The API's
record of the announced version gives the fields; where the API does not know it yet the feed's own text
stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from digest_pipeline import taxonomy
from digest_pipeline.arxiv.atom import UNKNOWN_TIME, ApiRecord
from digest_pipeline.arxiv.listing import unique_items
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.arxiv.rss import FeedItem
from digest_pipeline.models import AnnounceType, Evidence, Paper, id_sort_key

NO_ABSTRACT = "(arXiv's record of this paper has no abstract.)"
"""Stands in its place, for readers to see."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """The papers, newest id first, with what the ledger must know of where they come from."""

    papers: tuple[Paper, ...]
    announced_ids: tuple[str, ...]
    from_feed_text: tuple[str, ...]
    """Ids whose record the API did not know; their row holds the feed's own text."""
    incomplete: tuple[str, ...] = ()
    """Ids of papers that arXiv gives without title, abstract or authors."""


def assemble_papers(manifest: RawManifest, raw: RawStore, categories: tuple[str, ...]) -> Assembled:
    """All papers of the day that fall under `categories`; none on a day without announcement.

    A paper without title or abstract anywhere ships with what there is, and is named in `incomplete`. Raises RawCorrupt.
    """
    records = {(r.arxiv_id, r.version): r for r in raw.records(manifest)}
    day, earlier = manifest.listing_date, set(manifest.earlier_ids)
    announced = (_with_categories(item, records.get((item.arxiv_id, item.version)), manifest) for item in unique_items(raw.feeds(manifest)))
    items = [item for item in announced if item.arxiv_id not in earlier and _falls(item.categories, categories)]
    papers = [_from_item(item, records.get((item.arxiv_id, item.version)), manifest, categories) for item in items]
    listed = {item.arxiv_id for item in items}
    papers += [
        _from_record(r, day, categories)
        for r in _block_records(manifest, records.values())
        if r.arxiv_id not in listed and _falls(r.categories, categories)
    ]
    papers.sort(key=lambda p: id_sort_key(p.arxiv_id), reverse=True)
    incomplete = tuple(p.arxiv_id for p in papers if not p.title or not p.abstract or not p.authors)
    papers = [replace(p, title=p.title or f"arXiv:{p.arxiv_id}", abstract=p.abstract or NO_ABSTRACT) for p in papers]
    fallback = tuple(i.arxiv_id for i in items if (i.arxiv_id, i.version) not in records)
    return Assembled(tuple(papers), tuple(p.arxiv_id for p in papers), fallback, incomplete)


def _with_categories(item: FeedItem, record: ApiRecord | None, manifest: RawManifest) -> FeedItem:
    """An item without categories has its record's; without a record it counts for all that the feed was asked for, lest it be lost."""
    return item if item.categories else replace(item, categories=(record.categories if record else ()) or manifest.feed_categories)


def _falls(paper_categories: Iterable[str], configured: tuple[str, ...]) -> bool:
    return any(taxonomy.falls_under_any(c, configured) for c in paper_categories)


def _block_records(manifest: RawManifest, records: Iterable[ApiRecord]) -> list[ApiRecord]:
    """The records that the ids alone place in this listing: version 1 inside the block's bounds."""
    if manifest.block is None:
        return []
    first, last = (id_sort_key(bound) for bound in manifest.block)
    return [r for r in records if r.version == 1 and first <= id_sort_key(r.arxiv_id) <= last]


def _is_newly_announced(arxiv_id: str, manifest: RawManifest) -> bool:
    """False for an older paper that was newly cross-listed."""
    return manifest.block is None or id_sort_key(arxiv_id) >= id_sort_key(manifest.block[0])


def _announce_type(item: FeedItem, manifest: RawManifest, configured: tuple[str, ...]) -> AnnounceType:
    primary_is_configured = taxonomy.falls_under_any(item.categories[0], configured)
    if item.announce_type.is_replacement:
        return AnnounceType.REPLACE if primary_is_configured else AnnounceType.REPLACE_CROSS
    if item.announce_type is AnnounceType.CROSS and not _is_newly_announced(item.arxiv_id, manifest):
        return AnnounceType.CROSS
    return AnnounceType.NEW if primary_is_configured else AnnounceType.CROSS


def _from_item(item: FeedItem, record: ApiRecord | None, manifest: RawManifest, configured: tuple[str, ...]) -> Paper:
    announced_as = _announce_type(item, manifest, configured)
    if record is not None:
        return _paper(record, manifest.listing_date, announced_as, Evidence.RSS, item)
    return Paper(
        arxiv_id=item.arxiv_id,
        version=item.version,
        announce_type=announced_as,
        primary_category=item.categories[0],
        categories=item.categories,
        title=item.title,
        abstract=item.abstract,
        authors=item.authors,
        affiliations=item.affiliations,
        comment=None,
        doi=item.doi,
        journal_ref=item.journal_ref,
        submitted_at_utc=None,
        updated_at_utc=None,
        listing_date=manifest.listing_date,
        evidence=Evidence.RSS,
    )


def _from_record(record: ApiRecord, day: date, configured: tuple[str, ...]) -> Paper:
    is_new = taxonomy.falls_under_any(record.primary_category, configured)
    return _paper(record, day, AnnounceType.NEW if is_new else AnnounceType.CROSS, Evidence.ID_BLOCK, None)


def _paper(record: ApiRecord, day: date, announced_as: AnnounceType, evidence: Evidence, item: FeedItem | None) -> Paper:
    return Paper(
        arxiv_id=record.arxiv_id,
        version=record.version,
        announce_type=announced_as,
        primary_category=record.primary_category or (item.categories[0] if item else ""),
        categories=record.categories or (item.categories if item else ()),
        title=record.title or (item.title if item else ""),
        abstract=record.abstract or (item.abstract if item else ""),
        authors=record.authors or (item.authors if item else ()),
        affiliations=record.affiliations if record.authors or not item else item.affiliations,
        comment=record.comment,
        doi=record.doi,
        journal_ref=record.journal_ref,
        submitted_at_utc=None if record.submitted_at_utc == UNKNOWN_TIME else record.submitted_at_utc,
        updated_at_utc=None if record.updated_at_utc == UNKNOWN_TIME else record.updated_at_utc,
        listing_date=day,
        evidence=evidence,
    )


def counts_by_category(papers: Sequence[Paper], categories: tuple[str, ...]) -> dict[str, int]:
    """Papers under each configured category; one in two categories counts in both."""
    return {c: sum(_falls(p.categories, (c,)) for p in papers) for c in categories}


def under(category: str, papers: Iterable[Paper]) -> list[Paper]:
    """Those of `papers` that fall under a configured category, in their order."""
    return [p for p in papers if _falls(p.categories, (category,))]

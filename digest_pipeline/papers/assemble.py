"""The kept answers of one listing day → its papers in the configured categories.

A paper is one row whatever the number of its categories. Its announce type is worked out for the configured
categories, not copied from the feed, because arXiv's own depends on the union that was asked for. The API's
record of the announced version gives the fields; where the API does not know it yet the feed's own text
stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from digest_pipeline import taxonomy
from digest_pipeline.arxiv.atom import UNKNOWN_TIME, ApiRecord
from digest_pipeline.arxiv.listing import unique_items
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.arxiv.rss import FeedItem
from digest_pipeline.models import NO_ABSTRACT, AnnounceType, Evidence, Paper, id_sort_key


@dataclass(frozen=True, slots=True)
class Assembled:
    """The papers, newest id first, none on a day without announcement; with what the ledger must know of where they come from."""

    papers: tuple[Paper, ...]
    from_feed_text: tuple[str, ...]
    """Ids whose record the API did not know; their row holds the feed's own text."""
    incomplete: tuple[str, ...]
    """Ids of papers that arXiv gives without title, abstract or authors; their row holds what there is."""


def assemble_papers(manifest: RawManifest, raw: RawStore, categories: tuple[str, ...]) -> Assembled:
    """All papers of the day that fall under `categories`; none on a day without announcement.

    A paper without title or abstract anywhere ships with what there is, and is named in `incomplete`. Raises RawCorrupt.
    """
    records = {(r.arxiv_id, r.version): r for r in raw.records(manifest)}
    day, earlier = manifest.listing_date, set(manifest.earlier_ids)
    announced = (_with_categories(item, records.get((item.arxiv_id, item.version)), manifest) for item in unique_items(raw.feeds(manifest)))
    items = [item for item in announced if item.arxiv_id not in earlier and _falls(item.categories, categories)]
    papers = [
        _paper(item, records.get((item.arxiv_id, item.version)), day, _announce_type(item, manifest, categories), Evidence.RSS) for item in items
    ]
    listed = {item.arxiv_id for item in items}
    for record in _block_records(manifest, records.values()):
        if record.arxiv_id not in listed and _falls(record.categories, categories):
            is_new = taxonomy.falls_under_any(record.primary_category, categories)
            papers.append(_paper(None, record, day, AnnounceType.NEW if is_new else AnnounceType.CROSS, Evidence.ID_BLOCK))
    papers.sort(key=lambda p: id_sort_key(p.arxiv_id), reverse=True)
    incomplete = tuple(p.arxiv_id for p in papers if not p.title or not p.abstract or not p.authors)
    papers = [replace(p, title=p.title or f"arXiv:{p.arxiv_id}", abstract=p.abstract or NO_ABSTRACT) for p in papers]
    fallback = tuple(i.arxiv_id for i in items if (i.arxiv_id, i.version) not in records)
    return Assembled(tuple(papers), fallback, incomplete)


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


def _announce_type(item: FeedItem, manifest: RawManifest, configured: tuple[str, ...]) -> AnnounceType:
    """For the configured categories; an older paper may be newly cross-listed, while one of the block is new in some category."""
    primary_is_configured = taxonomy.falls_under_any(item.categories[0], configured)
    if item.announce_type.is_replacement:
        return AnnounceType.REPLACE if primary_is_configured else AnnounceType.REPLACE_CROSS
    if item.announce_type is AnnounceType.CROSS and manifest.block and id_sort_key(item.arxiv_id) < id_sort_key(manifest.block[0]):
        return AnnounceType.CROSS
    return AnnounceType.NEW if primary_is_configured else AnnounceType.CROSS


def _paper(item: FeedItem | None, record: ApiRecord | None, day: date, announced_as: AnnounceType, evidence: Evidence) -> Paper:
    """The record's fields, and the feed's own where it lacks one; a paper that the API does not know has the feed's alone."""
    source = record or item
    assert source is not None

    def first(name: str) -> Any:
        return getattr(source, name) or getattr(item or source, name)

    return Paper(
        arxiv_id=source.arxiv_id,
        version=source.version,
        announce_type=announced_as,
        primary_category=(record and record.primary_category) or (item.categories[0] if item else ""),
        categories=first("categories"),
        title=first("title"),
        abstract=first("abstract"),
        authors=first("authors"),
        affiliations=(source if source.authors else item or source).affiliations,
        comment=record.comment if record else None,
        doi=source.doi,
        journal_ref=source.journal_ref,
        submitted_at_utc=_known(record.submitted_at_utc) if record else None,
        updated_at_utc=_known(record.updated_at_utc) if record else None,
        listing_date=day,
        evidence=evidence,
    )


def _known(moment: datetime) -> datetime | None:
    return None if moment == UNKNOWN_TIME else moment


def counts_by_category(papers: Sequence[Paper], categories: tuple[str, ...]) -> dict[str, int]:
    """Papers under each configured category; one in two categories counts in both."""
    return {c: sum(_falls(p.categories, (c,)) for p in papers) for c in categories}


def under(category: str, papers: Iterable[Paper]) -> list[Paper]:
    """Those of `papers` that fall under a configured category, in their order."""
    return [p for p in papers if _falls(p.categories, (category,))]

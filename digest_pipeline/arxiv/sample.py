"""The bundled sample day as a source: the same files and manifest as a live fetch, from bytes in the package."""

from __future__ import annotations

import hashlib
from datetime import date, datetime

from digest_pipeline import sample
from digest_pipeline.arxiv import rss
from digest_pipeline.arxiv.http import RawResponse
from digest_pipeline.arxiv.listing import ListingFetcher, fetch_listing
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.errors import ListingDateError
from digest_pipeline.models import AnnounceType, Evidence, id_sort_key


def fetch_day(day: date, fetcher: ListingFetcher, *, is_sample: bool, refetch: bool = False) -> RawManifest:
    """`fetch_listing`, or the sample's own answers. Raises ListingDateError, NotPublishedYet or a SourceError."""
    if is_sample:
        return keep_sample(day, fetcher.raw, fetcher.calendar, fetcher.now())
    return fetch_listing(day, fetcher, refetch=refetch)


def keep_sample(day: date, raw: RawStore, calendar: ListingCalendar, now: datetime) -> RawManifest:
    """Keeps the sample's feed and records as the answers of its day. Raises ListingDateError for any other day."""
    if day != sample.SAMPLE_DAY:
        calendar.require_listing_day(day)
        raise ListingDateError(
            f"the bundled sample holds {sample.SAMPLE_DAY} only, not {day}",
            hint="set OPENAI_API_KEY or OPENAI_BASE_URL to fetch other days live",
        )
    kept = raw.manifest(day)
    if kept is not None and {file.sha256 for file in kept.files} == {
        hashlib.sha256(body).hexdigest() for body in (sample.feed_bytes(), sample.api_bytes())
    }:
        return kept
    files = (
        raw.keep_file(day, "rss", RawResponse("sample:rss.xml", now, 200, sample.feed_bytes())),
        raw.keep_file(day, "api", RawResponse("sample:api.xml", now, 200, sample.api_bytes())),
    )
    new = sorted((i.arxiv_id for i in rss.read_feed(sample.feed_bytes()).items if i.announce_type is AnnounceType.NEW), key=id_sort_key)
    manifest = RawManifest(day, True, Evidence.RSS, files, block=(new[0], new[-1]), feed_categories=sample.CATEGORIES)
    raw.keep(manifest, now=now)
    return manifest

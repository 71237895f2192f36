"""The daily look back: papers of the last listings that arXiv's API shows now and our tables lack.

arXiv's API lags and has holes. One request a day asks for what was submitted in a listing's window in the
reader's categories; what lies in the day's id block and is not in the table is reported, and the day's next
run fetches just that. What does not live here: when it runs and how it is shown (`orchestration/checks.py`).
"""

from __future__ import annotations

from datetime import date

from digest_pipeline import tables
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.models import id_sort_key
from digest_pipeline.storage import Storage


def papers_that_turned_up(day: date, storage: Storage, fetcher: ListingFetcher) -> list[str]:
    """Ids that belong to the listing dated `day` and are not in its table, oldest first; noted for the next run.

    Empty for a day without announcement or without a known block. One request. Raises ArxivUnavailable.
    """
    manifest = fetcher.raw.manifest(day)
    if manifest is None or not manifest.announced or manifest.block is None:
        return []
    window = fetcher.calendar.window(day)
    found = fetcher.arxiv.submitted_between(window.opens_utc, window.closes_utc, fetcher.categories)
    fetcher.arxiv.take_raw_responses()
    first, last = (id_sort_key(bound) for bound in manifest.block)
    have = {row["arxiv_id"] for row in storage.read_table(storage.papers_file(day), tables.PAPERS).select(["arxiv_id"]).to_pylist()}
    missing = sorted((r.arxiv_id for r in found if r.arxiv_id not in have and first <= id_sort_key(r.arxiv_id) <= last), key=id_sort_key)
    fetcher.raw.report_missing(day, missing, now=fetcher.now())
    return missing


def papers_noted_as_missing(day: date, storage: Storage, fetcher: ListingFetcher) -> list[str]:  # noqa: ARG001 - stands for the one above
    """What an earlier look back noted and no run has fetched since. Asks nobody."""
    manifest = fetcher.raw.manifest(day)
    return list(manifest.missing_ids) if manifest else []


def days_to_look_back(storage: Storage, count: int) -> list[date]:
    """The last `count` listing days that have a table, oldest first."""
    return storage.days_of("papers")[-count:]

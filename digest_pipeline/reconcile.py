"""The daily look back: papers of the last listings that arXiv's API shows now and our tables lack.

arXiv's API lags and has holes. One request a day asks for what was submitted in a listing's window in the
reader's categories; what lies in the day's id block and is not in the table is reported, and the day's next
run fetches just that. What does not live here: when it runs and how it is shown (`orchestration/reconcile.py`).
"""

from __future__ import annotations

from datetime import date

from digest_pipeline import tables
from digest_pipeline.models import id_sort_key
from digest_pipeline.workshop import Workshop


def papers_that_turned_up(shop: Workshop, day: date) -> list[str]:
    """Ids that belong to the listing dated `day` and are not in its table, oldest first; noted for the next run.

    Empty for a day without announcement or without a known block. One request. Raises ArxivUnavailable.
    """
    manifest = shop.raw.manifest(day)
    if manifest is None or not manifest.announced or manifest.block is None:
        return []
    window = shop.calendar.window(day)
    found = shop.arxiv.submitted_between(window.opens_utc, window.closes_utc, shop.categories)
    shop.arxiv.take_raw_responses()
    first, last = (id_sort_key(bound) for bound in manifest.block)
    have = {row["arxiv_id"] for row in shop.storage.read_table(shop.storage.papers_file(day), tables.PAPERS).select(["arxiv_id"]).to_pylist()}
    missing = sorted((r.arxiv_id for r in found if r.arxiv_id not in have and first <= id_sort_key(r.arxiv_id) <= last), key=id_sort_key)
    shop.raw.report_missing(day, missing, now=shop.now())
    return missing


def days_to_look_back(shop: Workshop, count: int) -> list[date]:
    """The last `count` listing days that have a table, oldest first."""
    return shop.storage.days_of("papers")[-count:]

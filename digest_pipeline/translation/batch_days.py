"""Listing days and the batches of the endpoint: which days a collected batch sets free, noted until they have run again.

What does not live here: the Batch API itself (`batch/`), and who asks for the days again (`orchestration/sensors/`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType

from digest_pipeline.render.reading import read_papers
from digest_pipeline.settings import BatchMode
from digest_pipeline.storage import Storage
from digest_pipeline.translation.batch.collect import collect_open_batches
from digest_pipeline.translation.batch.submit import submit
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.translator import Translator

READY_DAYS_ARE_KEPT = timedelta(days=30)
_READY = "state/batch-days.json"


def sends_batches(mode: BatchMode, *, is_backfill: bool) -> bool:
    """Whether a run's papers go through the endpoint's Batch API first."""
    return mode is BatchMode.ALWAYS or (mode is BatchMode.BACKFILL and is_backfill)


def submit_day(
    day: date,
    storage: Storage,
    languages: Sequence[Language],
    translator: Translator,
    ranks: Mapping[str, int] = MappingProxyType({}),
    chosen: Collection[str] | None = None,
) -> str:
    """Sends the day's papers that are not paid for through the endpoint's Batch API; says so in a sentence. `ranks` and `chosen` as in `translate_day`.

    They stay `deferred` until `collect_batches` has the answers. Raises EndpointConfigurationError for an endpoint without it.
    """
    papers = [paper for paper in read_papers(storage, day) if chosen is None or paper.arxiv_id in chosen]
    sent = submit(sorted(papers, key=lambda paper: ranks.get(paper.arxiv_id, len(papers))), languages, translator)
    words = (
        f"{sent.submitted} questions sent in {sent.batches} batches, {sent.already_known} known before, {sent.left_to_ask} left to the ordinary run"
    )
    return f"{words}; {sent.missing}" if sent.missing else words


def collect_batches(storage: Storage, translator: Translator) -> tuple[list[date], str]:
    """Keeps the answers of the batches that ended; returns the listing days that can be run again, and what happened.

    The days are also noted, so that whoever collects, a run or the sensor's job, no day of the same batch is forgotten.
    """
    found = collect_open_batches(translator)
    if found.days_ready:
        note_ready(storage, found.days_ready, translator.now())
    words = f"{found.answers} answers kept, {found.failed} questions without one, {found.still_open} batches still open"
    return list(found.days_ready), "; ".join([words, *found.notes])


def ready_days(storage: Storage) -> dict[str, str]:
    """Listing day → when its batch was collected, over the last month."""
    return dict(json.loads(storage.read_text(_READY))) if storage.exists(_READY) else {}


def note_ready(storage: Storage, days: Sequence[date], now: datetime) -> None:
    oldest = (now - READY_DAYS_ARE_KEPT).isoformat()
    kept = {key: at for key, at in ready_days(storage).items() if at >= oldest}
    storage.write_text(_READY, json.dumps({**kept, **{day.isoformat(): now.isoformat() for day in days}}))

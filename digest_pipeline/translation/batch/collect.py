"""Batches that ended: their answers are kept, and what has none is free again.

What lives here: looking at each open batch once. What does not: sending them (`submit.py`, which tells their whole life), the calls
(`client.py`), and the judgement: answers are validated like every kept one when a run reads them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from digest_pipeline.translation.batch.client import BatchEndpoint, RemoteBatch
from digest_pipeline.translation.batch.leases import batch_lease, open_client
from digest_pipeline.translation.cache.records import BatchItem, BatchRecord, BatchState, CachedAnswer, Lease
from digest_pipeline.translation.llm.completion import LENGTH, ChatAnswer, Usage, read_completion
from digest_pipeline.translation.tasks import paid_answer
from digest_pipeline.translation.translator import Translator
from digest_pipeline.translation.validation.answer import is_readable

_FIELDS = ("tldr_en",)  # asked for in every language
_ENDED = ("completed", "expired", "cancelled", "failed")
_LOST_AFTER = timedelta(hours=48)
_LISTED_WITHIN = timedelta(minutes=10)  # an endpoint's list may show a new batch late


@dataclass(frozen=True, slots=True)
class BatchCollection:
    """What `collect_open_batches` found."""

    answers: int
    failed: int
    """Questions without a usable answer in the batches that ended; they are free again."""
    still_open: int
    """Batches."""
    days_ready: tuple[date, ...]
    """Listing days of the ended batches that wait for no other batch: run their partitions."""
    notes: tuple[str, ...]
    """One sentence for each batch that ended or cannot be read."""


def collect_open_batches(translator: Translator) -> BatchCollection:
    """Looks at every open batch once and keeps the answers of those that ended. Costs nothing where none is open."""
    batches = translator.store.open_batches()
    if not batches:
        return BatchCollection(0, 0, 0, (), ())
    counts: Counter[str] = Counter()
    notes: list[str] = []
    ended: list[BatchRecord] = []
    with open_client(translator) as endpoint:
        for batch in batches:
            if translator.store.claim(batch_lease(batch.token)) is not Lease.GRANTED:
                continue  # another process is at it
            try:
                if _look_at(batch, translator, endpoint, counts, notes):
                    ended.append(batch)
            finally:
                translator.store.release([batch_lease(batch.token)])
    waiting = {item.listing_date for batch in translator.store.open_batches() for item in batch.items}
    ready = {item.listing_date for batch in ended for item in batch.items} - waiting
    return BatchCollection(counts["answers"], counts["failed"], len(batches) - len(ended), tuple(sorted(ready)), tuple(notes))


def _look_at(batch: BatchRecord, translator: Translator, endpoint: BatchEndpoint, counts: Counter[str], notes: list[str]) -> bool:
    """True where the batch is closed now."""
    if batch.endpoint != endpoint.endpoint:
        return _of_another_endpoint(batch, translator, notes)
    remote = _found_again(batch, translator, endpoint) if batch.state is BatchState.PREPARING else endpoint.retrieve(batch.batch_id)
    if remote is None:
        if batch.state is BatchState.PREPARING and batch.file_id and translator.now() - batch.created_at_utc < _LISTED_WITHIN:
            return False
        return _close(batch, translator, "is not known to the endpoint (it never got there, or was deleted)", notes)
    if remote.status not in _ENDED:
        return False
    answers, failed = _keep_answers(batch, remote, translator, endpoint)
    counts["answers"] += answers
    counts["failed"] += failed
    problem = f" ({remote.problem})" if remote.problem else ""
    return _close(batch, translator, f"{remote.status}{problem}: {answers} answers, {failed} without", notes)


def _of_another_endpoint(batch: BatchRecord, translator: Translator, notes: list[str]) -> bool:
    if translator.now() - batch.created_at_utc > _LOST_AFTER:
        return _close(batch, translator, f"given up: it lies at {batch.endpoint}, which is not set as OPENAI_BASE_URL", notes)
    notes.append(f"batch {batch.batch_id or batch.token} lies at {batch.endpoint}; set OPENAI_BASE_URL to it to collect the answers")
    return False


def _found_again(batch: BatchRecord, translator: Translator, endpoint: BatchEndpoint) -> RemoteBatch | None:
    """A submission that a crash cut off: adopted where the endpoint has it."""
    remote = endpoint.find(batch.token, batch.file_id, batch.created_at_utc)
    if remote is not None:
        translator.store.update_batch(batch.token, state=BatchState.SUBMITTED, batch_id=remote.batch_id)
        return endpoint.retrieve(remote.batch_id)
    return None


def _close(batch: BatchRecord, translator: Translator, outcome: str, notes: list[str]) -> bool:
    translator.store.update_batch(batch.token, state=BatchState.CLOSED, outcome=outcome)
    notes.append(f"batch {batch.batch_id or batch.token} {outcome}")
    return True


def _keep_answers(batch: BatchRecord, remote: RemoteBatch, translator: Translator, endpoint: BatchEndpoint) -> tuple[int, int]:
    """(answers kept, questions without one). Answers that an interrupted collection kept already are not counted again."""
    items = {item.key: item for item in batch.items}
    kept = set(translator.store.answers(list(items)))
    for file_id in filter(None, (remote.output_file_id, remote.error_file_id)):
        for row in endpoint.lines(file_id):
            item = items.get(str(row.get("custom_id")))
            if item is not None and item.key not in kept and _keep_line(batch, item, row, translator):
                kept.add(item.key)
    return len(kept), len(items) - len(kept)


def _keep_line(batch: BatchRecord, item: BatchItem, row: dict[str, Any], translator: Translator) -> bool:
    """True where the line held a whole answer. A blank or cut one was paid for all the same, and is kept as rejected."""
    response = row.get("response")
    if not isinstance(response, dict) or response.get("status_code") != 200 or not isinstance(response.get("body"), dict):
        return False
    answer = read_completion(response["body"], batch.model, _FIELDS)
    if answer is None:
        return False
    stored = _stored(batch, item, answer, translator)
    if answer.text.strip() and (answer.finish_reason != LENGTH or is_readable(answer.text, _FIELDS)):
        translator.store.put(stored)
        return True
    if not any(earlier.response_id == stored.response_id and earlier.raw == stored.raw for earlier, _ in translator.store.rejected(item.key)):
        translator.store.put_rejected(
            stored, ["answer-cut: stopped at the length limit" if answer.text.strip() else "answer-blank: the answer is empty"]
        )
    return False


def _stored(batch: BatchRecord, item: BatchItem, answer: ChatAnswer, translator: Translator) -> CachedAnswer:
    usage = answer.usage or Usage(0, len(answer.text.encode()) // 3)
    return paid_answer(
        answer,
        usage,
        key=item.key,
        about=item.about,
        language=item.language,
        prompt_sha256=item.prompt_sha256,
        schema_version=item.schema_version,
        cost_usd=translator.prices.cost(batch.model, usage, by_batch=True),
        asked_at_utc=batch.created_at_utc,
        answered_at_utc=translator.now(),
        via="batch",
    )

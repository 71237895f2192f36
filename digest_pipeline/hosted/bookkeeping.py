"""What the answer store knows besides answers, as small files on the branch: batches under way, and the endpoint's ways.

`answers/batches/<token>.json` is one batch, `answers/endpoints/<hash>.json` what was learned of one endpoint and model.
Without the first a fresh runner would pay for a batch again, without the second it would find out by failing requests
what the endpoint takes. The endpoint's address stands in neither: it may be a secret.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import BatchRecord, BatchState
from digest_pipeline.translation.llm.client import OPENAI_ADDRESS, endpoint_name

BATCHES, ENDPOINTS = "answers/batches", "answers/endpoints"


def write_bookkeeping(storage: Storage, store: ResponseCache, settings: Settings) -> None:
    """Brings the files up to date; a batch that has ended since keeps its file, which says so."""
    open_now = {batch.token: batch for batch in store.open_batches()}
    for token, batch in open_now.items():
        _write(storage, f"{BATCHES}/{token}.json", {**batch.to_json(), "endpoint": _hash(batch.endpoint)})
    for name in storage.names(BATCHES):
        if name.removesuffix(".json") not in open_now:
            _write(storage, f"{BATCHES}/{name}", {"state": BatchState.CLOSED})
    for model in _models(settings):
        if memory := store.endpoint_memory(_endpoint(settings), model):
            _write(storage, _endpoint_file(settings, model), memory)


def take_in_bookkeeping(storage: Storage, store: ResponseCache, settings: Settings) -> None:
    """Fills a fresh store; a batch at another endpoint than the present one is left alone."""
    known = {batch.token for batch in store.open_batches()}
    for name in storage.names(BATCHES):
        row = json.loads(storage.read_text(f"{BATCHES}/{name}"))
        if row["state"] != BatchState.CLOSED and row["token"] not in known and row["endpoint"] == _hash(_endpoint(settings)):
            batch = BatchRecord.from_json({**row, "endpoint": _endpoint(settings)})
            if store.prepare_batch(dataclasses.replace(batch, state=BatchState.PREPARING)).items:
                store.update_batch(batch.token, state=batch.state, batch_id=batch.batch_id, file_id=batch.file_id, outcome=batch.outcome)
    for model in _models(settings):
        if storage.exists(path := _endpoint_file(settings, model)) and not store.endpoint_memory(_endpoint(settings), model):
            store.remember_endpoint(_endpoint(settings), model, json.loads(storage.read_text(path)))


def _models(settings: Settings) -> list[str]:
    return [name for name in (settings.model, settings.fallback_model) if name]


def _endpoint(settings: Settings) -> str:
    return endpoint_name(settings.openai_base_url or OPENAI_ADDRESS)


def _endpoint_file(settings: Settings, model: str) -> str:
    return f"{ENDPOINTS}/{_hash(f'{_endpoint(settings)} {model}')}.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(storage: Storage, path: str, content: dict[str, Any]) -> None:
    storage.write_if_changed(path, json.dumps(content, ensure_ascii=False, sort_keys=True).encode())

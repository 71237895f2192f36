"""What submitting and collecting share: the client, a batch's lease, and its heartbeat."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.batch.client import BatchEndpoint
from digest_pipeline.translation.cache.lease_owner import HEARTBEAT_SECONDS
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.translator import Translator


def batch_lease(token: str) -> str:
    return f"batch:{token}"


@contextlib.contextmanager
def open_client(translator: Translator) -> Iterator[BatchEndpoint]:
    if translator.make_batch_endpoint is None:
        raise EndpointConfigurationError("recorded answers have no Batch API", hint="set OPENAI_API_KEY, or DIGEST_BATCH=never")
    with contextlib.closing(translator.make_batch_endpoint()) as endpoint, kept_alive(translator.store):
        yield endpoint


@contextlib.contextmanager
def kept_alive(store: ResponseCache) -> Iterator[None]:
    """Keeps this owner's leases alive while a large file is on its way."""
    over = threading.Event()

    def heartbeat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            store.heartbeat()

    thread = threading.Thread(target=heartbeat, name="answer-store-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

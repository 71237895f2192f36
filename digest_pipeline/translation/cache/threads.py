"""The cache's calls off the event loop, and patience while its disk is full.

What lives here: threads, answers that are kept together, and the wait for room. What does not: the calls themselves (`protocol.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from digest_pipeline.translation.cache.protocol import CacheFull, ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""How long a run waits for room on a full disk, with what was answered in memory, before it fails."""
_LOOK_AGAIN_SECONDS = 2.0


class StoreThreads:
    """A call that has begun is always finished, even when its caller is cancelled."""

    def __init__(self, store: ResponseCache, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.store = store
        self._patience_seconds = patience_seconds
        self._full_since: float | None = None
        self._unkept: list[tuple[CachedAnswer, tuple[str, ...] | None, asyncio.Future[None]]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(store.threads, thread_name_prefix="answer-store")

    async def call(self, method: Callable[..., T], *arguments: Any) -> T:
        """Raises what the method raises; CacheFull only after the patience with it has ended, for all callers together."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = await asyncio.shield(loop.run_in_executor(self._pool, method, *arguments))
            except CacheFull as error:
                if self._full_since is None:
                    self._full_since = loop.time()
                    log.warning("%s; what is answered is held in memory, and tried again for %.0f s.", error.message, self._patience_seconds)
                if loop.time() - self._full_since >= self._patience_seconds:
                    raise
                await asyncio.sleep(min(_LOOK_AGAIN_SECONDS, self._patience_seconds / 10))
                continue
            self._full_since = None
            return result

    async def keep(self, answer: CachedAnswer, rejected_for: tuple[str, ...] | None = None) -> None:
        """Ends when the answer is durable. Answers that come while others are written go in the next transaction together."""
        if self.store.threads > 1:  # a place that writes several at once
            await self.call(self.store.put_all, [(answer, rejected_for)])
            return
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unkept.append((answer, rejected_for, kept))
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_all())
        await asyncio.shield(kept)

    async def _keep_all(self) -> None:
        while self._unkept:
            together, self._unkept = self._unkept, []
            write = self.call(self.store.put_all, [(answer, reasons) for answer, reasons, _ in together])
            (failure,) = await asyncio.gather(write, return_exceptions=True)
            for _, _, kept in together:
                if failure is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(failure)
                    kept.exception()  # whoever waited may have been cancelled

    async def finish_keeping(self) -> None:
        """Also for answers whose callers were cancelled: they are paid."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    def shut_down(self) -> None:
        self._pool.shutdown(wait=True)

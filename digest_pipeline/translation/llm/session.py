"""What a run keeps from one listing day to the next: its event loop, its client, and the pace the endpoint has taught.

What lives here: their making and closing. What does not: any asking (`run.py`, `attempts.py`). A backfill of many days
so greets the endpoint once, TLS and all, and does not meet its limits anew each day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from digest_pipeline.translation.llm.client import ChatClient, ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer
from digest_pipeline.translation.llm.rate_limit import AdaptiveRateLimiter

T = TypeVar("T")


class Session:
    """Made by `Translator.session`, which also closes it. One day at a time."""

    def __init__(self, make_client: Callable[[], ChatClient], rate_limiter: AdaptiveRateLimiter) -> None:
        self.provider = LazyClient(make_client)
        self.rate_limiter = rate_limiter
        self._runner = asyncio.Runner()
        self._day: asyncio.Task[Any] | None = None

    def run(self, day: Coroutine[Any, Any, T]) -> T:
        """To its end, in the session's event loop."""
        return self._runner.run(self._followed(day))

    async def _followed(self, day: Coroutine[Any, Any, T]) -> T:
        self._day = asyncio.current_task()
        return await day

    def close(self) -> None:
        try:
            self._runner.run(self._end())
        finally:
            self._runner.close()

    async def _end(self) -> None:
        """A day that a signal has torn out of the loop comes to its own end first: what is under way may be paid."""
        if self._day is not None and not self._day.done():
            self._day.cancel()
            await asyncio.wait([self._day])
        await self.provider.close()


class LazyClient:
    """A provider that is made when the first paper must be asked for: a run that reuses all needs no key."""

    def __init__(self, make_client: Callable[[], ChatClient]) -> None:
        self._make_provider = make_client
        self._provider: ChatClient | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> ChatClient:
        """Loading the client's library takes most of a second, so it is done beside the event loop; once, for all who wait for it."""
        async with self._opening:
            if self._provider is None:
                self._provider = await asyncio.to_thread(self._make_provider)
        return self._provider

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        return await (await self.open()).complete(request)

    def output_factor(self, model: str) -> float:
        return self._provider.output_factor(model) if self._provider else 1.0

    async def close(self) -> None:
        if self._provider is not None:
            await self._provider.close()

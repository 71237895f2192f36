"""How long one request may take: what the settings allow, or much less once the endpoint's speed is known.

What lives here: the limit. What does not: what follows when it is passed (`attempts.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from digest_pipeline.translation.llm.errors import TryAgain

T = TypeVar("T")

_SLOWEST_TIMES = 8.0


class RequestTimeLimit:
    """Eight times the slowest answer so far, at least `least_seconds`, at most `most_seconds`; for the requests of one event loop."""

    def __init__(self, least_seconds: float, most_seconds: float) -> None:
        self._least_seconds, self._most_seconds = least_seconds, most_seconds
        self._slowest_seconds = 0.0
        self._running: dict[asyncio.Timeout, float] = {}
        """The limits of requests under way, with the times they began."""

    async def hold(self, request: Awaitable[T], started: float) -> T:
        """Raises TryAgain for a request that takes far longer than any so far, even where the speed becomes known only while it runs."""
        limit = asyncio.timeout_at(started + self._longest_seconds)
        try:
            async with limit:
                self._running[limit] = started
                answer = await request
        except TimeoutError:
            raise TryAgain(f"no whole answer within {asyncio.get_running_loop().time() - started:.0f} s") from None
        finally:
            self._running.pop(limit, None)
        self._learn(asyncio.get_running_loop().time() - started)
        return answer

    @property
    def _longest_seconds(self) -> float:
        if not self._slowest_seconds:
            return self._most_seconds
        return min(self._most_seconds, max(self._least_seconds, _SLOWEST_TIMES * self._slowest_seconds))

    def _learn(self, seconds: float) -> None:
        is_first = not self._slowest_seconds
        self._slowest_seconds = max(self._slowest_seconds, seconds)
        if is_first:
            for limit, started in self._running.items():
                if not limit.expired():
                    limit.reschedule(started + self._longest_seconds)

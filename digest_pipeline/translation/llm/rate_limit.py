"""How fast to ask: as fast as the endpoint allows, and politely.

What lives here: concurrency that adapts to refusals, the pause all workers share, waiting times read from headers, the
wait before a retry, and the conclusion that an endpoint is down. What does not: what counts as which failure (`errors.py`).

Concurrency starts at its most, is cut by a third when the endpoint says 429, and grows again by one a round (additive
increase, multiplicative decrease). Near the level that was refused last, it grows ten times more slowly.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from digest_pipeline.errors import EndpointUnavailable

log = logging.getLogger(__name__)

_DECREASE = 2 / 3
_CAREFUL_ZONE = 0.9
_CAREFUL_GROWTH = 0.1


@dataclass(frozen=True, slots=True)
class PacingLimits:
    """Numbers of the pacing, in seconds unless said otherwise."""

    most_at_once: int
    first_backoff: float = 0.5
    longest_backoff: float = 30.0
    longest_outage: float = 120.0
    """No answer at all for so long, while asking: the endpoint is down."""
    longest_rate_limit: float = 3600.0
    """Nothing but 429 for so long, beside the longest wait the endpoint asked for: it will not have us."""
    spread: float = 0.25
    """After a pause the workers start over so long a time, not all at once; never longer than the pause itself."""
    worth_telling: float = 60.0
    """A longer pause is logged."""


class AdaptiveRateLimiter:
    """Shared by all workers of one run, within one event loop, over all its days."""

    def __init__(self, limits: PacingLimits, rng: random.Random) -> None:
        self.limits = limits
        self.level = float(limits.most_at_once)
        self._rng = rng
        self._room = asyncio.Condition()
        self._paused_until = 0.0
        self._refused_level = float("inf")
        self._last_cut = 0.0
        self.begin_day()

    def begin_day(self) -> None:
        """What the endpoint allows is known from the days before; their troubles are forgotten, since time passed without a question."""
        self.answers = 0
        """How many requests of the day were answered so far; it tells one paper's trouble from everybody's."""
        self._running = 0
        self._failures_in_a_row = 0
        self._failing_since: float | None = None
        self._expect_no_limit()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Waits for the pause to end and for a free place; gives the time at which the request may start."""
        await self._enter()
        try:
            yield _time()
        finally:
            async with self._room:
                self._running -= 1
                self._room.notify_all()

    async def _enter(self) -> None:
        while True:
            while (left := self._paused_until - _time()) > 0:
                await asyncio.sleep(left + self._rng.uniform(0, min(self.limits.spread, left)))
            async with self._room:
                if self._paused_until > _time():
                    continue
                places = (
                    1 if self._failures_beyond_chance >= 0 else max(1, int(self.level))
                )  # a probe, no queue of them, while it fails for everybody
                if self._running < places:
                    self._running += 1
                    return
                await self._room.wait()

    @property
    def _failures_beyond_chance(self) -> int:
        """How many failures in a row lie beyond what single bad requests explain; negative while they may be that."""
        return self._failures_in_a_row - int(2 * self.level + 2)

    # -- what the workers report ----------------------------------------------------------------------

    def answered(self) -> None:
        """An answer came, good or bad: the endpoint works."""
        self.answers += 1
        self._failures_in_a_row = 0
        self._failing_since = None
        self._expect_no_limit()
        if self.level < self.limits.most_at_once:
            is_near = self.level >= _CAREFUL_ZONE * self._refused_level
            self.level = min(self.limits.most_at_once, self.level + (_CAREFUL_GROWTH if is_near else 1.0) / self.level)

    def _expect_no_limit(self) -> None:
        self._rate_limits_in_a_row = 0
        self._limited_since: float | None = None
        self._longest_wait = 0.0

    def rate_limited(self, started: float, wait_seconds: float | None) -> None:
        """A 429 for a request that began at `started`; one cut for all that were on their way together. Raises EndpointUnavailable after `longest_rate_limit`."""
        self._failing_since = None  # it answers: told to wait is not down
        self._rate_limits_in_a_row += 1
        self._limited_since = self._limited_since or _time()
        self._longest_wait = max(self._longest_wait, wait_seconds or 0.0)
        if _time() - self._limited_since > self.limits.longest_rate_limit + self._longest_wait:
            raise EndpointUnavailable(
                f"the model's endpoint has answered nothing but 429 for {_time() - self._limited_since:.0f} s",
                hint="see the account's limits, then run again",
            )
        if started > self._last_cut:
            self._refused_level, self._last_cut = self.level, _time()
            self.level = max(1.0, self.level * _DECREASE)
        self.pause(self.backoff(self._rate_limits_in_a_row // max(1, int(self.level))) if wait_seconds is None else wait_seconds)

    def failed(self, reason: str, wait_seconds: float | None) -> None:
        """No answer, 5xx, garbage. Raises EndpointUnavailable when nothing has worked for `longest_outage`."""
        self._failures_in_a_row += 1
        self._failing_since = self._failing_since or _time()
        if wait_seconds is not None:
            self.pause(wait_seconds)
            self._failing_since = max(self._failing_since, self._paused_until)
        elif self._failures_beyond_chance >= 0:
            self.pause(self.backoff(self._failures_beyond_chance))  # the probes grow rare too, or a dead endpoint is met at full speed
        failing = _time() - self._failing_since
        if failing > self.limits.longest_outage and self._failures_in_a_row > 3:
            raise EndpointUnavailable(
                f"the model's endpoint has not answered for {failing:.0f} s ({self._failures_in_a_row} requests; the last: {reason})",
                hint="see the endpoint (OPENAI_BASE_URL), then run the same day again: every answer so far is kept",
            )

    def pause(self, seconds: float) -> None:
        """All workers wait so long, from now; a pause under way is only ever made longer."""
        until = _time() + seconds
        if until <= self._paused_until:
            return
        self._paused_until = until
        if seconds >= self.limits.worth_telling:
            log.warning("The model's endpoint asks to wait %.0f s; all requests wait.", seconds)

    def backoff(self, attempt: int) -> float:
        """Seconds before the retry after failure number `attempt` (0, 1, …): doubling, with a random half."""
        longest = min(self.limits.longest_backoff, self.limits.first_backoff * 2.0 ** min(attempt, 20))
        return longest * self._rng.uniform(0.5, 1.0)


def _time() -> float:
    return asyncio.get_running_loop().time()

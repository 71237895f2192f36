"""The limits of a run's and a month's spending, and money set aside before each request, so that none is ever passed, however many run at once.

What does not live here: prices (`pricing.py`), and what other processes have spent and reserved (`cache/`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest_pipeline.errors import SettingsError
from digest_pipeline.translation.cache.records import month_of
from digest_pipeline.translation.cache.threads import StoreThreads
from digest_pipeline.translation.pricing import MILLION, Price, PriceTable

_WAIT_FOR_OTHERS_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.5
_BYTES_PER_TOKEN = 2.0  # for hard limits: fewer bytes a token than any tokenizer needs for English and TeX


def highest_cost(messages: Sequence[Mapping[str, str]], most_output_tokens: int, price: Price) -> float:
    """What a request can cost at the very most, so that a hard limit is hard."""
    tokens_in = sum(len(message["content"].encode("utf-8")) for message in messages) / _BYTES_PER_TOKEN
    return (tokens_in * price.input + most_output_tokens * price.output) / MILLION


@dataclass(slots=True)
class Budget:
    """One run's limits, and what it has spent and set aside. None: no limit."""

    per_run_usd: float | None = None
    per_month_usd: float | None = None
    spent_usd: float = 0.0
    set_aside: dict[str, float] = field(default_factory=dict)
    """Key → the most its running request can cost."""

    @property
    def is_set(self) -> bool:
        return self.per_run_usd is not None or self.per_month_usd is not None

    def fits_the_run(self, key: str, usd: float) -> bool:
        if self.per_run_usd is None:
            return True
        others = sum(amount for other, amount in self.set_aside.items() if other != key)
        return self.spent_usd + others + usd <= self.per_run_usd


def require_price(model: str, prices: PriceTable, budget: Budget, *, per_run: str = "DIGEST_BUDGET_PER_RUN_USD") -> None:
    """Raises SettingsError where a budget is set and the model's price is unknown: nothing may be sent then."""
    if budget.is_set and prices.price(model) is None:
        setting = per_run if budget.per_run_usd is not None else "DIGEST_BUDGET_PER_MONTH_USD"
        raise SettingsError(
            f"{setting} is set, but the price of the model {model!r} is unknown, so nothing was sent",
            hint="give its price in a file (DIGEST_PRICES_FILE; 0 for a local model), or remove the budget",
        )


class BudgetReached(Exception):
    """The next request could pass a limit; says which one and what it stands at."""


class Stopping(Exception):
    """The run is ending: no new request may start."""


class Reservations:
    """Of one run, within one event loop."""

    def __init__(self, budget: Budget, threads: StoreThreads, now: Callable[[], datetime], is_stopping: Callable[[], bool]) -> None:
        self._budget, self._threads, self._now, self._is_stopping = budget, threads, now, is_stopping
        self._settled = asyncio.Condition()
        self._lock = asyncio.Lock()
        self._reached = ""

    async def reserve(self, key: str, usd: float) -> None:
        """Sets aside the most that a request can cost; waits for running ones to turn out cheaper. Raises BudgetReached, Stopping."""
        patience = _WAIT_FOR_OTHERS_SECONDS
        while True:
            async with self._lock:
                if self._is_stopping():
                    raise Stopping
                if self._reached:
                    raise BudgetReached(self._reached)
                if await self._set_aside(key, usd):
                    return
                if not self._budget.set_aside:
                    await self._see_if_it_is_reached(usd, patience)
            patience -= _LOOK_AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS), self._settled:
                    await self._settled.wait()

    async def settle(self, key: str, cost_usd: float | None = None) -> None:
        """The request has ended; what it cost is spent, the rest is free again."""
        if not self._budget.is_set:
            return
        self._budget.set_aside.pop(key, None)
        self._budget.spent_usd += cost_usd or 0.0
        async with self._settled:
            self._settled.notify_all()

    async def _set_aside(self, key: str, usd: float) -> bool:
        if not self._budget.fits_the_run(key, usd):
            return False
        if self._budget.per_month_usd is not None:
            month = month_of(self._now())
            if not await self._threads.call(self._threads.store.reserve, key, usd, month, self._budget.per_month_usd):
                return False
        self._budget.set_aside[key] = usd
        return True

    async def _see_if_it_is_reached(self, usd: float, patience: float) -> None:
        """Nothing of ours is running. Raises BudgetReached, unless another run's reservations may still be freed."""
        budget, next_one = self._budget, f"the next request may cost ${usd:.4f}"
        if not budget.fits_the_run("", usd):
            self._reached = f"DIGEST_BUDGET_PER_RUN_USD={budget.per_run_usd:g}, spent ${budget.spent_usd:.4f}, {next_one}"
            raise BudgetReached(self._reached)
        month, limit = month_of(self._now()), budget.per_month_usd or 0.0
        spent = (await self._threads.call(self._threads.store.spending, month)).usd
        if spent + usd > limit or patience <= 0:
            rest = "" if spent + usd > limit else ", and the rest is set aside by open batches or other runs"
            self._reached = f"DIGEST_BUDGET_PER_MONTH_USD={limit:g}, spent ${spent:.4f} in {month}, {next_one}{rest}"
            raise BudgetReached(self._reached)

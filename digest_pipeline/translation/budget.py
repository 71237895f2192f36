"""The limits of a run's and a month's spending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from digest_pipeline.errors import SettingsError
from digest_pipeline.translation.pricing import MILLION, Price, PriceTable

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

"""Money: prices, what an answer cost, what a run will cost, and the limit it must not pass.

What lives here: the price table, arithmetic, forecast and budgets. What does not: the prices (`prices.toml`), what was
spent (`store.py` adds it up). An unknown price stays unknown: None, never 0. All amounts are US dollars.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from digest_pipeline.errors import SettingsError
from digest_pipeline.models import Paper
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.provider import Usage

_MILLION = 1_000_000
_BYTES_PER_TOKEN = 2.0  # for hard limits: fewer bytes a token than any tokenizer needs for English and TeX


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; `batch_factor` is None where there is no batch price."""

    input: float
    output: float
    cached_input: float | None = None
    batch_factor: float | None = None

    def cost(self, usage: Usage, *, by_batch: bool = False) -> float | None:
        """None for a batch without a batch price."""
        factor = self.batch_factor if by_batch else 1.0
        if factor is None:
            return None
        fresh = usage.input_tokens - usage.cached_input_tokens
        cached_price = self.input if self.cached_input is None else self.cached_input
        dollars = fresh * self.input + usage.cached_input_tokens * cached_price + usage.output_tokens * self.output
        return factor * dollars / _MILLION


@dataclass(frozen=True, slots=True)
class TokenRates:
    """What a request takes, for forecasts; see `[forecast]` in prices.toml."""

    instruction_tokens: float
    characters_per_token: float
    structured_factor: float
    tldr_tokens: float
    output_tokens_per_character: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PriceTable:
    as_of: date
    source: str
    models: Mapping[str, Price]
    rates: TokenRates

    @classmethod
    def load(cls, own: Path | None = None) -> PriceTable:
        """The built-in table; models and forecast numbers in the file `own` win. Raises SettingsError for a bad file."""
        built_in = tomllib.loads((files("digest_pipeline.translation") / "prices.toml").read_text(encoding="utf-8"))
        if own is None:
            return _table(built_in)
        try:
            with own.open("rb") as file:
                given = tomllib.load(file)
            return _table(_merged(built_in, given))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingsError(f"DIGEST_PRICES_FILE={own} is no price table: {error}", hint="see translation/prices.toml for its form") from None

    def price(self, model: str) -> Price | None:
        """By name; else without a vendor before it or a date behind it: `openai/gpt-5-mini-2025-08-07` → `gpt-5-mini`."""
        bare = model.rpartition("/")[2]
        undated = bare[:-11] if len(bare) > 11 and bare[-11] == "-" and _is_date(bare[-10:]) else bare
        return next((self.models[name] for name in (model, bare, undated) if name in self.models), None)

    def cost(self, model: str, usage: Usage, *, by_batch: bool = False) -> float | None:
        """US dollars; None where the price is unknown."""
        price = self.price(model)
        return price.cost(usage, by_batch=by_batch) if price else None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged one level deep: a model of `own` replaces the same model as a whole."""
    merged = {**base, **{name: value for name, value in own.items() if not isinstance(value, dict)}}
    for name in ("models", "forecast"):
        merged[name] = {**base[name], **own.get(name, {})}
    merged["forecast"]["output_tokens_per_character"] = {
        **base["forecast"]["output_tokens_per_character"],
        **own.get("forecast", {}).get("output_tokens_per_character", {}),
    }
    return merged


def _table(data: Mapping[str, Any]) -> PriceTable:
    models = {name: Price(**prices) for name, prices in data["models"].items()}
    for name, price in models.items():
        if not all(isinstance(value, int | float) and value >= 0 for value in (price.input, price.output)):
            raise ValueError(f"the prices of {name!r} must be numbers, 0 or more")
    return PriceTable(data["as_of"], str(data["source"]), models, TokenRates(**data["forecast"]))


# -- forecast -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is still to be paid, before it is: about ± 20 % in tokens. One count for each paper and language."""

    papers: int
    already_paid: int
    """Papers whose answer is in the store, or awaited from a batch; not in `papers`."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where the model's price is unknown; 0.0 where nothing is to be paid."""
    batch_cost_usd: float | None
    """The same by batch; None where there is no batch price."""


def forecast(papers: Iterable[tuple[Paper, Language]], already_paid: int, *, model: str, structured: bool, prices: PriceTable) -> Forecast:
    """The arithmetic over papers that are not paid for yet; pure. Rejected answers, some percent, are not foreseen."""
    count = input_tokens = output_tokens = 0
    for paper, language in papers:
        usage = expected_usage(paper, language, structured=structured, rates=prices.rates)
        count, input_tokens, output_tokens = count + 1, input_tokens + usage.input_tokens, output_tokens + usage.output_tokens
    usage = Usage(input_tokens, output_tokens)
    by_batch = prices.cost(model, usage, by_batch=True)
    cost = prices.cost(model, usage)
    return Forecast(count, already_paid, input_tokens, output_tokens, cost if count else 0.0, by_batch if count else 0.0)


def expected_usage(paper: Paper, language: Language, *, structured: bool, rates: TokenRates) -> Usage:
    """Tokens of one request, as they are on average."""
    characters = len(paper.title) + len(paper.abstract)
    tokens_in = rates.instruction_tokens + characters / rates.characters_per_token
    if not language.is_translated_into:
        return Usage(round(tokens_in), round(rates.tldr_tokens))
    per_character = rates.output_tokens_per_character.get(language.tag, rates.output_tokens_per_character["default"])
    tokens_out = characters * per_character * (rates.structured_factor if structured else 1.0)
    return Usage(round(tokens_in), round(tokens_out))


def highest_cost(messages: Sequence[Mapping[str, str]], most_output_tokens: int, price: Price) -> float:
    """What a request can cost at the very most, so that a hard limit is hard."""
    tokens_in = sum(len(message["content"].encode("utf-8")) for message in messages) / _BYTES_PER_TOKEN
    return (tokens_in * price.input + most_output_tokens * price.output) / _MILLION


# -- budgets --------------------------------------------------------------------------------------------


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


def require_price(model: str, prices: PriceTable, budget: Budget) -> None:
    """Raises SettingsError where a budget is set and the model's price is unknown: nothing may be sent then."""
    if budget.is_set and prices.price(model) is None:
        setting = "DIGEST_BUDGET_PER_RUN_USD" if budget.per_run_usd is not None else "DIGEST_BUDGET_PER_MONTH_USD"
        raise SettingsError(
            f"{setting} is set, but the price of the model {model!r} is unknown, so nothing was sent",
            hint="give its price in a file (DIGEST_PRICES_FILE; 0 for a local model), or remove the budget",
        )

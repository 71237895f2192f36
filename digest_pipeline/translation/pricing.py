"""Money: prices, what an answer cost, what a run will cost, and the limit it must not pass.

What lives here: the price table, arithmetic, forecast and budgets. What does not: the prices (`prices.toml`), what was
spent (`cache/` adds it up). An unknown price stays unknown: None, never 0. All amounts are US dollars.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from digest_pipeline.errors import SettingsError
from digest_pipeline.translation.llm.completion import Usage

MILLION = 1_000_000


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
        return factor * dollars / MILLION


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

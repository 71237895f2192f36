"""The numbers of `docs/cost.md`: the price table and the forecast's arithmetic, applied to a mean abstract.

What lives here: which examples are worked out. What does not: prices and token rates (`translation/prices.toml`), the
arithmetic (`translation/pricing.py`), the words (`cost.md.jinja`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from digest_pipeline.calendar import load_calendar
from digest_pipeline.forecast import USUAL_ABSTRACT, usual_paper
from digest_pipeline.settings import Settings
from digest_pipeline.translation.forecast import expected_usage, forecast
from digest_pipeline.translation.languages import Language, known_language_tags, load_language
from digest_pipeline.translation.pricing import PriceTable

DAY_SIZES = (100, 300, 600)
"""Papers of a listing in the reader's categories."""
COUNTED_YEAR = 2025
"""A whole year of the calendar, for the listings a month has."""


@dataclass(frozen=True, slots=True)
class LanguageRow:
    tag: str
    name: str
    input_tokens: int
    output_tokens: int
    usd_per_1000: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """Dollars of one listing by its size, of a month of the middle size, and of that month by batch."""

    model: str
    days: tuple[str, ...]
    month: str
    month_by_batch: str


def facts() -> dict[str, Any]:
    """All that the template shows."""
    prices = PriceTable.load()
    default = Settings()  # built from the defaults alone: its sources are read by `load_settings`
    model, language = default.model, load_language(default.languages[0])
    return {
        "as_of": prices.as_of,
        "source": prices.source,
        "model": model,
        "language": language,
        "abstract_characters": len(USUAL_ABSTRACT),
        "structured_percent": round((prices.rates.structured_factor - 1) * 100),
        "day_sizes": DAY_SIZES,
        "month_size": DAY_SIZES[1],
        "listings_a_month": listings_a_month(),
        "counted_year": COUNTED_YEAR,
        "languages": [_language_row(load_language(tag), model, prices) for tag in sorted(known_language_tags())],
        "models": [_model_row(name, language, prices) for name in _by_price(language, prices)],
    }


def listings_a_month() -> int:
    """Listings of a usual month, from a whole year of the calendar."""
    calendar = load_calendar()
    days = calendar.listing_days(date(COUNTED_YEAR, 1, 1), date(COUNTED_YEAR, 12, 31))
    return round(sum(map(calendar.is_announced, days)) / 12)


def usd(papers: int, language: Language, model: str, prices: PriceTable, *, by_batch: bool = False) -> str:
    """`$0.85`, or `–` where the table has no such price."""
    found = forecast([(usual_paper(date(COUNTED_YEAR, 1, 2)), language)] * papers, 0, model=model, structured=False, prices=prices)
    amount = found.batch_cost_usd if by_batch else found.cost_usd
    return "–" if amount is None else f"${amount:,.2f}"


def _by_price(language: Language, prices: PriceTable) -> list[str]:
    """Models that cost something, the cheapest for a mean paper first."""
    usage = expected_usage(usual_paper(date(COUNTED_YEAR, 1, 2)), language, structured=False, rates=prices.rates)
    costs = {name: cost for name, price in prices.models.items() if (cost := price.cost(usage))}
    return sorted(costs, key=lambda name: (costs[name], name))


def _language_row(language: Language, model: str, prices: PriceTable) -> LanguageRow:
    usage = expected_usage(usual_paper(date(COUNTED_YEAR, 1, 2)), language, structured=False, rates=prices.rates)
    return LanguageRow(language.tag, language.english_name, usage.input_tokens, usage.output_tokens, usd(1000, language, model, prices))


def _model_row(model: str, language: Language, prices: PriceTable) -> ModelRow:
    month = listings_a_month() * DAY_SIZES[1]
    return ModelRow(
        model,
        tuple(usd(size, language, model, prices) for size in DAY_SIZES),
        usd(month, language, model, prices),
        usd(month, language, model, prices, by_batch=True),
    )

"""Prices, forecasts and limits: an unknown price is unknown, and the arithmetic is the one that was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import SettingsError
from digest_pipeline.translation.budget import highest_cost
from digest_pipeline.translation.forecast import forecast
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline.translation.llm.completion import Usage
from digest_pipeline.translation.pricing import Price, PriceTable
from digest_pipeline_tests.support.answers import paper

TABLE = PriceTable.load()
ZH = load_language("zh")


def test_the_table_is_dated_and_says_where_it_comes_from() -> None:
    assert TABLE.as_of.year >= 2025
    assert TABLE.source


@pytest.mark.parametrize("name", ["gpt-5-mini", "openai/gpt-5-mini", "gpt-5-mini-2025-08-07", "azure/gpt-5-mini-2025-08-07"])
def test_vendors_and_dates_around_a_name_do_not_hide_its_price(name: str) -> None:
    assert TABLE.price(name) == TABLE.models["gpt-5-mini"]


def test_an_unknown_model_has_no_price_and_no_cost() -> None:
    assert TABLE.price("nobody-knows-it") is None
    assert TABLE.cost("nobody-knows-it", Usage(1000, 1000)) is None


def test_cached_tokens_and_batches_are_cheaper() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5, batch_factor=0.5)
    assert price.cost(Usage(1000, 500, 400)) == pytest.approx((600 * 2 + 400 * 0.5 + 500 * 8) / 1e6)
    assert price.cost(Usage(1000, 500, 400), by_batch=True) == pytest.approx((600 * 2 + 400 * 0.5 + 500 * 8) / 2e6)
    assert Price(1, 1).cost(Usage(1, 1), by_batch=True) is None


def test_ones_own_prices_win_and_the_rest_stays(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('[models]\n"my-model" = { input = 0, output = 0 }\n"gpt-5-mini" = { input = 9, output = 9 }\n', encoding="utf-8")
    table = PriceTable.load(own)
    assert table.cost("my-model", Usage(10, 10)) == 0
    assert table.models["gpt-5-mini"].input == 9
    assert table.models["gpt-5-nano"] == TABLE.models["gpt-5-nano"]


@pytest.mark.parametrize("text", ["models = 3", '[models]\n"m" = { input = "free", output = 1 }', '[models]\n"m" = { in = 1 }', "not toml at all ="])
def test_a_bad_price_file_is_named(tmp_path: Path, text: str) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="DIGEST_PRICES_FILE"):
        PriceTable.load(own)


def test_a_thousand_mean_abstracts_take_the_tokens_that_were_measured() -> None:
    mean = paper(title="T" * 75, abstract="a" * 1339)
    foreseen = forecast([(mean, ZH)] * 1000, 0, model="gpt-5.4-mini", structured=False, prices=TABLE)
    assert foreseen.input_tokens == pytest.approx(650_000, rel=0.1)
    assert foreseen.output_tokens == pytest.approx(430_000, rel=0.1)
    assert foreseen.cost_usd == pytest.approx(2.4, rel=0.1)
    assert foreseen.batch_cost_usd == pytest.approx(foreseen.cost_usd / 2)


def test_nothing_to_pay_costs_nothing_even_where_the_price_is_unknown() -> None:
    assert forecast([], 12, model="nobody-knows-it", structured=False, prices=TABLE).cost_usd == 0.0
    assert forecast([(paper(), ZH)], 0, model="nobody-knows-it", structured=False, prices=TABLE).cost_usd is None


def test_the_structured_summary_shows_its_extra_cost_and_english_costs_least() -> None:
    def out(tag: str, structured: bool) -> int:
        return forecast([(paper(), load_language(tag))], 0, model="m", structured=structured, prices=TABLE).output_tokens

    assert out("zh", True) == pytest.approx(1.33 * out("zh", False), rel=0.02)
    assert all(out("en", False) < out(tag, False) for tag in known_language_tags() - {"en"})


@given(st.text(max_size=300), st.integers(0, 5000))
def test_the_highest_cost_is_never_below_the_real_one(text: str, output_tokens: int) -> None:
    """A token is at least two bytes on average in any tokenizer for such texts; one a byte pair is the worst that is assumed."""
    price = Price(1.0, 2.0)
    bound = highest_cost([{"role": "user", "content": text}], 5000, price)
    real = price.cost(Usage(len(text.encode()) // 2, output_tokens))
    assert real is not None
    assert bound >= real - 1e-12

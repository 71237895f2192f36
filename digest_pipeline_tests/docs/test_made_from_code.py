"""The made documents say what is true: costs by an arithmetic of their own."""

from __future__ import annotations

import tomllib

from digest_pipeline.reference import cost_markdown
from digest_pipeline_tests.support.documents import ROOT

PRICES = tomllib.loads((ROOT / "digest_pipeline" / "translation" / "prices.toml").read_text(encoding="utf-8"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = cost_markdown().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")][1:]


def dollars(papers: int, model: str, language: str, factor: float = 1.0) -> str:
    """By hand: 1,339 + 75 characters of abstract and title, tokens by the table, dollars for a million of them."""
    rates, price = PRICES["forecast"], PRICES["models"][model]
    tokens_in = round(rates["instruction_tokens"] + 1414 / rates["characters_per_token"])
    per_character = rates["output_tokens_per_character"]
    tokens_out = 60 if language == "en" else round(1414 * per_character.get(language, per_character["default"]))
    return f"${papers * factor * (tokens_in * price['input'] + tokens_out * price['output']) / 1e6:,.2f}"


def test_every_priced_model_has_its_row_and_the_right_sums() -> None:
    table = rows("By model")
    assert {row[0] for row in table} == set(PRICES["models"]) - {"recorded-answers"}
    for model, small, middle, large, month, by_batch in table:
        assert [small, middle, large] == [dollars(papers, model, "zh") for papers in (100, 300, 600)]
        assert month == dollars(21 * 300, model, "zh")
        assert by_batch == (dollars(21 * 300, model, "zh", 0.5) if "batch_factor" in PRICES["models"][model] else "–")


def test_the_models_stand_from_cheap_to_dear() -> None:
    months = [float(row[4].strip("$")) for row in rows("By model")]
    assert months == sorted(months)


def test_every_language_has_its_row_and_the_right_sum() -> None:
    table = rows("By language")
    assert len(table) == 8
    for name, _, _, thousand in table:
        tag = name.partition("(")[2].strip("`)")
        assert thousand == dollars(1000, "gpt-5-mini", tag)

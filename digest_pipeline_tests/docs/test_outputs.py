"""The documents: recipes that run, and reference pages that say what the code says."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline import tables
from digest_pipeline.models import AnnounceType, SummaryStatus
from digest_pipeline.papers.ledger import day_ledger, write_ledger
from digest_pipeline.reference import formats_markdown, outdated_documents, settings_markdown, write_documents
from digest_pipeline.reference.__main__ import main
from digest_pipeline.settings import Settings, setting_name
from digest_pipeline.site.exports import write_exports
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.outputs import DAY, an_entry, an_untranslated_entry

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python (\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RECIPES = [(engine, number, code) for number, (engine, code) in enumerate(BLOCK.findall((DOCS / "recipes.md").read_text(encoding="utf-8")))]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three listing days, one of them a holiday, in `data/` of the current folder."""
    storage = Storage(tmp_path / "data")
    before = date(2026, 6, 1)
    days = {
        before: [an_entry(arxiv_id="2605.00001", listing_date=before, summary={"flags": ("number-lost: 3",)})],
        DAY: [
            an_entry(),
            an_untranslated_entry(arxiv_id="2606.00002"),
            an_entry(arxiv_id="2605.00001", version=2, announce_type=AnnounceType.REPLACE),
        ],
        date(2026, 6, 3): [],
    }
    for day, entries in days.items():
        papers, summaries = [e.paper for e in entries], [e.summary for e in entries]
        storage.write_table(storage.papers_file(day), tables.papers_to_table(papers))
        storage.write_table(storage.summaries_file(day, "zh"), tables.summaries_to_table(summaries))
        row = day_ledger(
            day,
            "all",
            "zh",
            announced_ids=[p.arxiv_id for p in papers],
            papers=papers,
            summaries={s.arxiv_id: s for s in summaries},
            rendered_ids=[p.arxiv_id for p in papers][1:] if day == before else [p.arxiv_id for p in papers],
        )
        write_ledger(storage, day, [row])
        write_exports(storage, "zh", day, "all", entries)
    monkeypatch.chdir(tmp_path)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/recipes.md", "exec"), names)
    return names


@pytest.mark.parametrize(("engine", "number", "code"), RECIPES, ids=[f"{engine}-{number}" for engine, number, _ in RECIPES])
def test_every_recipe_runs_as_it_stands_in_the_document(
    corpus: None, engine: str, number: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(code)
    assert capsys.readouterr().out.strip()


def recipe(name: str) -> str:
    return next(code for _, _, code in RECIPES if re.search(rf"^{name} = ", code, re.MULTILINE))


def test_the_recipes_answers_are_right(corpus: None) -> None:
    assert run(recipe("papers_a_day"))["papers_a_day"] == [(DAY, "new", 2), (DAY, "replace", 1), (date(2026, 6, 1), "new", 1)]
    translated = run(recipe("translated"))["translated"]
    assert [row[:2] for row in translated] == [("2606.00001", 1), ("2605.00001", 2), ("2605.00001", 1)]
    assert translated[0][3] == "论语言模型如何泡茶"
    ((month, model, usd, tokens),) = run(recipe("cost"))["cost"]
    assert (month.month, model, round(usd, 6), tokens) == (6, "test-model", 0.003, 3 * 1300)
    ((day, _, _, announced, _, _, rendered, _, missing),) = run(recipe("unbalanced"))["unbalanced"]
    assert (day, announced, rendered, missing) == (date(2026, 6, 1), 1, 0, ["2605.00001"])
    assert run(recipe("by_reason"))["by_reason"].to_dict() == {"number-lost": 1, "refused": 1}
    assert run(recipe("busiest"))["busiest"]["Zoë Example"] == 3
    assert run(recipe("recent"))["recent"]["arxiv_id"].len() == 3
    assert run(recipe("pairs"))["pairs"].rows() == [("cs.CL", "cs.IR", 3)]


def test_each_engine_has_recipes() -> None:
    assert {engine for engine, _, _ in RECIPES} == {"duckdb", "pandas", "polars", "plain"}


# -- reference pages


def test_the_committed_reference_pages_say_what_the_code_says() -> None:
    assert outdated_documents(DOCS) == [], "run: python -m digest_pipeline.reference --write docs"


def test_every_column_value_flag_and_setting_is_documented() -> None:
    formats, settings = formats_markdown(), settings_markdown()
    for schema in tables.TABLES.values():
        for name in schema.names:
            assert f"| `{name}` |" in formats
    for value in (*AnnounceType, *SummaryStatus):
        assert f"| `{value}` |" in formats
    for field in Settings.model_fields:
        assert settings.count(f"| `{setting_name(field)}` |") == 1


def test_settings_show_kind_default_and_limits_in_words() -> None:
    text = settings_markdown()
    assert "| `DIGEST_CATEGORIES` | comma list | `cs.CL,cs.IR` |" in text
    assert "| `DIGEST_FEED_DAYS` | whole number, ≥ 1, ≤ 60 | `7` |" in text
    assert "| `DIGEST_BUDGET_PER_RUN_USD` | number, > 0, optional | – |" in text
    assert "| `OPENAI_API_KEY` | secret, optional | – |" in text
    assert "| `DIGEST_BATCH` | `never` or `backfill` or `always` | `never` |" in text


def test_tables_in_the_pages_are_whole_markdown_tables() -> None:
    for text in (formats_markdown(), settings_markdown()):
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, block


def test_the_command_writes_checks_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(tmp_path)]) == 1
    assert "--write" in capsys.readouterr().out
    assert main(["--write", str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "formats.md").write_text("old", encoding="utf-8")
    assert [path.name for path in write_documents(tmp_path)] == ["formats.md"]

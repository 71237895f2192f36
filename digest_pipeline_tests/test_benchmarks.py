"""The benchmarks that are quick enough to try still run, on a handful of papers, and print a table and their command."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import document, names
from benchmarks.table import growth


@pytest.mark.parametrize("name", ["markdown", "parquet"])
def test_a_benchmark_prints_its_table_and_the_command_that_made_it(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [f"benchmarks/{name}.py", "3", "6"])
    importlib.import_module(f"benchmarks.{name}").main()
    output = capsys.readouterr().out
    assert f"`python -m benchmarks.{name} 3 6`" in output
    assert "\n| 3 |" in output
    assert "\n| 6 |" in output


def test_every_benchmark_is_described_in_the_readme():
    described = (Path(__file__).parents[1] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"| `{name}` |" not in described] == []


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ((10, 10.5), "stays level with more days"),
        ((10, 30), "grows slower than"),
        ((10, 101), "grows in proportion to"),
        ((10, 500), "grows faster than"),
    ],
)
def test_growth_is_said_in_words_that_follow_from_the_numbers(costs, words):
    assert words in growth("the time", "days", (1, 10), costs)


def test_growth_is_not_claimed_of_a_single_size():
    assert growth("the time", "days", (10,), (3.0,)) == ""


def test_the_document_gathers_what_grows_how_before_the_tables():
    notes = [growth("the time", "days", (1, 10), (1, 10)), growth("the size", "days", (1, 10), (1, 1))]
    text = document([f"## First\n\n| a |\n\n- {notes[0]}\n- other\n", f"## Second\n\n- {notes[1]}\n"])
    order = ["## What grows how", "- the time grows", "- the size stays", "## First", "- other", "## Second"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "Growth" not in text

"""The benchmarks that are quick enough to try still run, on a handful of papers, and print a table and their command."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import names


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

"""The graph that operators see, against a golden text: an asset, check or schedule changes on purpose or not at all."""

from __future__ import annotations

from pathlib import Path

from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline_tests.support.graph import GOLDEN, graph_text


def test_the_graph_is_the_golden_one(tmp_path: Path) -> None:
    """To accept a change: python -m digest_pipeline_tests.support.graph, and read the difference."""
    assert graph_text(tmp_path) == GOLDEN.read_text(encoding="utf-8")


def test_every_listed_check_that_a_step_evaluates_hangs_on_its_asset(tmp_path: Path) -> None:
    text = graph_text(tmp_path)
    assert [check.name for check in CHECKS if check.is_of_a_step and f"  check    {check.name}\n" not in text] == []

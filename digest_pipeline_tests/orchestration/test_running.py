"""`digest run` and `digest backfill` on days that have no partition: a sentence, not Dagster's insides."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest_pipeline.cli import MISUSED, main


@pytest.mark.parametrize("command", [["run", "--day", "2011-02-03"], ["backfill", "2011-02-03", "2011-02-04", "--yes"]])
def test_a_day_before_the_first_listing_is_refused_by_the_settings_name(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DIGEST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    assert main(command) == MISUSED
    assert "DIGEST_FIRST_LISTING=2024-01-02 → set it to 2011-02-03 or earlier" in capsys.readouterr().err
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").rglob("*.parquet"))

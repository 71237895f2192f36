"""DAGSTER_HOME is made once whoever comes first, and what is wrong with it is said in words."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from digest_pipeline.errors import StorageError
from digest_pipeline.orchestration.home import prepare_dagster_home


def test_a_folder_that_cannot_be_made_is_told_with_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StorageError, match=r"Dagster's records in .*home cannot be read or written: Not a directory → see DAGSTER_HOME"):
        prepare_dagster_home()


def test_a_full_disk_is_told_and_not_shown_as_a_stack_of_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(dg.DagsterInstance, "get", full)
    with pytest.raises(StorageError, match=r"database or disk is full → see DAGSTER_HOME: space"):
        prepare_dagster_home()


@pytest.mark.slow
def test_three_first_runs_at_once_make_one_home(tmp_path: Path) -> None:
    code = "from digest_pipeline.orchestration.home import prepare_dagster_home; prepare_dagster_home()"
    command = [sys.executable, "-W", "ignore", "-c", code]
    started = [subprocess.Popen(command, env={"DAGSTER_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}) for _ in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    assert subprocess.run(command, env={"DAGSTER_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}, check=False, timeout=120).returncode == 0

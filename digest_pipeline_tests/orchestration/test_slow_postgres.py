"""A team's topology, run for real: code server, webserver and daemon as processes of their own around one PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import Ui, digest_dev
from digest_pipeline_tests.support.postgres import Postgres, postgres

pytestmark = [pytest.mark.slow]

DEPLOY = Path(__file__).parents[2] / "deploy"
DAY = SAMPLE_DAY.isoformat()
CHAIN = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def team(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ui, Path]]:
    folder = tmp_path_factory.mktemp("team")
    environ = server.environ() | {"DIGEST_DEMO": "true"}
    with digest_dev(folder, environ, dagster_yaml=(DEPLOY / "dagster.postgres.yaml").read_text(encoding="utf-8")) as ui:
        yield ui, folder


def test_a_fresh_database_serves_the_ui_and_a_run(team: tuple[Ui, Path]) -> None:
    ui, folder = team
    assert ui.finished(ui.materialize(DAY, CHAIN)) == "SUCCESS"
    assert ui.materialized("site") == {DAY}
    assert not list((folder / "dagster_home").rglob("*.db")), "nothing was kept in SQLite"


def test_several_runs_at_once_all_succeed(team: tuple[Ui, Path]) -> None:
    ui, _ = team
    runs = [ui.materialize(DAY, ["digest_files"]) for _ in range(4)]
    assert [ui.finished(run) for run in runs] == ["SUCCESS"] * 4


def test_a_back_up_of_the_running_team_restores_into_a_new_database(team: tuple[Ui, Path], server: Postgres, tmp_path: Path) -> None:
    _, folder = team
    common = os.environ | server.environ() | {"PYTHON": sys.executable}
    here = {"DIGEST_DATA_DIR": str(folder / "data"), "DAGSTER_HOME": str(folder / "dagster_home")}
    made = subprocess.run(
        ["bash", DEPLOY / "backup.sh", tmp_path / "sets"], env=common | here, capture_output=True, text=True, check=True, timeout=120
    )
    server.create("restored")
    there = {"DIGEST_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "home"), "DAGSTER_PG_DB": "restored"}
    subprocess.run(
        ["bash", DEPLOY / "restore.sh", made.stdout.split("  ")[0]], env=common | there, capture_output=True, text=True, check=True, timeout=120
    )
    count = "from dagster import DagsterInstance as D; i = D.get(); print(i.get_runs_count(), sorted(i.get_materialized_partitions(__import__('dagster').AssetKey('site'))))"
    shown = subprocess.run([sys.executable, "-W", "ignore", "-c", count], env=common | there, capture_output=True, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == f"5 ['{DAY}']"
    assert (tmp_path / "data" / "sample" / "digests" / "zh" / DAY / "all.md").is_file()

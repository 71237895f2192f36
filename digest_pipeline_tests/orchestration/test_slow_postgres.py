"""A team's topology, run for real: code server, webserver and daemon as processes of their own around one PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import Ui, digest_dev
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
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
    assert ui.materialized("digest_files") == {DAY}
    assert ui.times_made("site") == 1
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
    shown = "from dagster import AssetKey, DagsterInstance as D; i = D.get(); print(*sorted(r.run_id for r in i.get_runs()), i.get_materialized_partitions(AssetKey('digest_files')))"
    kept, restored = (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", shown], env=common | place, capture_output=True, text=True, check=True, timeout=120
        ).stdout
        for place in (here, there)
    )
    assert restored == kept
    assert restored.endswith(f"{{'{DAY}'}}\n")
    assert len(restored.split()) >= 6, "the five runs, and whatever the automation of the site started"
    assert (tmp_path / "data" / "sample" / "digests" / "zh" / DAY / "all.md").is_file()


def test_two_machines_on_one_database_never_ask_arxiv_closer_than_the_interval(server: Postgres, tmp_path: Path) -> None:
    """Each has a lock file of its own, as machines have; what they share is the pool and its database."""
    days, interval = ["2026-06-09", "2026-06-10", "2026-06-11"], 1.5
    server.create("machines")
    with FakeArxiv(generate_days(date(2026, 6, 1), date(2026, 6, 19), papers_per_day=20), now=datetime(2026, 6, 18, 12, tzinfo=UTC)) as arxiv:
        running = []
        for number in range(2):
            home = tmp_path / f"home{number}"
            home.mkdir()
            (home / "dagster.yaml").write_text((DEPLOY / "dagster.postgres.yaml").read_text(encoding="utf-8"))
            environ = (
                os.environ
                | server.environ()
                | {
                    "DAGSTER_PG_DB": "machines",
                    "DAGSTER_HOME": str(home),
                    "DIGEST_DATA_DIR": str(tmp_path / f"data{number}"),
                    "DIGEST_ARXIV_LOCK_DIR": str(tmp_path / f"lock{number}"),
                    "DIGEST_ARXIV_API_URL": arxiv.api_url,
                    "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
                    "DIGEST_ARXIV_INTERVAL_SECONDS": str(interval),
                    "DIGEST_DEMO": "false",
                }
            )
            script = "import sys\nfrom dagster._cli import create_dagster_cli\nfor day in sys.argv[1:]:\n    create_dagster_cli().main(['asset', 'materialize', '-m', 'digest_pipeline.definitions', '--select', 'raw_arxiv_metadata', '--partition', day], standalone_mode=False)"
            running.append(subprocess.Popen([sys.executable, "-W", "ignore", "-c", script, *days], env=environ))
        assert [process.wait(300) for process in running] == [0, 0]
        assert len(arxiv.requests) >= 2 * len(days)
        assert min(arxiv.gaps_seconds()) >= interval - 0.05

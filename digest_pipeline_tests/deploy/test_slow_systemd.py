"""The servers of deploy/systemd started as their units start them, each under its own restrictions, and the back-up of a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import Ui, wait_for
from digest_pipeline_tests.support.loopback import free_port
from digest_pipeline_tests.support.postgres import PASSWORD, Postgres, postgres
from digest_pipeline_tests.support.systemd import UNITS, example_environ, run_unit, script

pytestmark = pytest.mark.slow

CHAIN = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    for folder, mode in (("", 0o751), ("data", 0o751), ("data/sample", 0o751), ("dagster_home", 0o751), ("backups", 0o700)):
        (state / folder).mkdir(mode=mode)
    return state


@contextmanager
def started(name: str, state: Path, port: int) -> Iterator[None]:
    """One unit's server; its lines go to the file `log` beside `state`."""
    moved = state.parent / f"{name}.service"
    moved.write_text((UNITS / moved.name).read_text(encoding="utf-8").replace("-p 3000", f"-p {port}"))
    command, given = script(moved, state, example_environ() | {"PYTHONWARNINGS": "ignore"})
    with (state.parent / "log").open("ab") as log, subprocess.Popen(command, env=given, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def test_the_three_servers_make_the_samples_day_and_pages_that_nginx_can_read(state: Path) -> None:
    shutil.copyfile(UNITS.parents[1] / "digest_pipeline" / "orchestration" / "dagster.yaml", state / "dagster_home" / "dagster.yaml")
    port, log = free_port(), state.parent / "log"
    ui = Ui(f"http://127.0.0.1:{port}", log)

    def is_up() -> bool:
        try:
            return requests.get(f"{ui.url}/server_info", timeout=5).ok
        except requests.ConnectionError:
            return False

    with started("digest-code", state, port):
        wait_for((state.parent / "run" / "code.sock").exists, 120, "the code server's socket")
        with started("digest-webserver", state, port), started("digest-daemon", state, port):
            wait_for(is_up, 60, "the webserver")
            assert ui.finished(ui.materialize(SAMPLE_DAY.isoformat(), CHAIN)) == "SUCCESS", log.read_text()
    page = state / "data" / "sample" / "site" / "zh" / SAMPLE_DAY.isoformat() / "index.html"
    for path in (page, *(parent for parent in page.parents if parent.is_relative_to(state))):
        assert path.stat().st_mode & (0o004 if path == page else 0o001), path
    for private in ("papers", "answers"):
        assert not (state / "data" / "sample" / private).stat().st_mode & 0o007, private


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def test_the_back_up_of_a_team_restores_into_another_database(server: Postgres, state: Path, tmp_path: Path) -> None:
    def sql(database: str, command: str) -> str:
        psql = [server.programs / "psql", "-h", "127.0.0.1", "-p", str(server.port), "-U", "dagster", "-At", "-c", command, database]
        return subprocess.run(psql, env={"PGPASSWORD": PASSWORD}, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    shutil.copyfile(UNITS.parent / "dagster.postgres.yaml", state / "dagster_home" / "dagster.yaml")
    sql("dagster", "CREATE TABLE runs (n integer); INSERT INTO runs VALUES (7)")
    given = {name: value for name, value in server.environ().items() if name != "PATH"}
    done = run_unit(UNITS / "digest-backup.service", state, example_environ() | given)
    assert done.returncode == 0, done.stderr
    [made] = (state / "backups").glob("digest-*")
    server.create("restored")
    there = {"DIGEST_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "home"), "PYTHON": sys.executable, "DAGSTER_PG_DB": "restored"}
    environ = os.environ | server.environ() | there
    subprocess.run(["bash", UNITS.parent / "restore.sh", made], env=environ, check=True, capture_output=True, timeout=120)
    assert sql("restored", "SELECT n FROM runs") == "7"

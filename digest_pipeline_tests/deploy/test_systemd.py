"""The units of deploy/systemd do their work under their own restrictions, with the example's settings, and tell when they fail."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from digest_pipeline_tests.support.loopback import http_endpoint
from digest_pipeline_tests.support.systemd import UNITS, example_environ, read_unit, run_unit

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

BACKUP = UNITS / "digest-backup.service"
WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE IF NOT EXISTS answers (n INTEGER)")
database.execute("INSERT INTO answers VALUES (1)")
print("written", flush=True)
time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """/var/lib/digest of an installation with SQLite: one table, and a Dagster home."""
    state = tmp_path / "state"
    for folder in ("data/papers", "data/answers", "dagster_home", "backups"):
        (state / folder).mkdir(parents=True)
    (state / "data" / "papers" / "papers.parquet").write_text("rows")
    (state / "dagster_home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return state


@contextmanager
def a_writer(database: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written one row and holds the database."""
    with subprocess.Popen([sys.executable, "-c", WRITER, database], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        try:
            yield process
        finally:
            process.kill()


def rows_in_the_set(state: Path) -> int:
    [made] = (state / "backups").glob("digest-*")
    with tarfile.open(made / "data.tar.gz") as archive:
        assert "./papers/papers.parquet" in archive.getnames()
    with closing(sqlite3.connect(made / "data-sqlite" / "answers" / "answers.sqlite")) as database:
        return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])


@pytest.mark.parametrize("held_by", ["nobody", "a process that was killed", "a process that writes"])
def test_the_nightly_back_up_leaves_a_set_whoever_holds_the_answers(held_by: str, state: Path) -> None:
    """In write-ahead mode SQLite makes files beside a database to open it, and the unit cannot write there."""
    answers = state / "data" / "answers" / "answers.sqlite"
    with a_writer(answers) as writer:
        if held_by == "a process that was killed":
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            assert answers.with_name("answers.sqlite-wal").stat().st_size > 0
        elif held_by == "nobody":
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            with closing(sqlite3.connect(answers)) as database:
                database.execute("SELECT count(*) FROM answers").fetchone()
            assert not answers.with_name("answers.sqlite-wal").exists()
        done = run_unit(BACKUP, state, example_environ())
    assert done.returncode == 0, done.stderr
    assert rows_in_the_set(state) == 1


def test_with_postgres_in_dagster_yaml_and_none_there_no_half_set_is_left_and_the_unit_fails(state: Path) -> None:
    (state / "dagster_home" / "dagster.yaml").write_bytes((UNITS.parent / "dagster.postgres.yaml").read_bytes())
    for host in ("", "127.0.0.1"):
        done = run_unit(BACKUP, state, example_environ() | {"DAGSTER_PG_HOST": host, "DAGSTER_PG_PORT": "9"})
        assert done.returncode != 0
        assert "DAGSTER_PG_HOST" in done.stderr if host == "" else "127.0.0.1" in done.stderr
    assert list((state / "backups").iterdir()) == []


def test_a_left_over_postgres_host_does_not_keep_a_sqlite_installation_from_its_back_up(state: Path) -> None:
    done = run_unit(BACKUP, state, example_environ() | {"DAGSTER_PG_HOST": "postgres"})
    assert done.returncode == 0, done.stderr


def test_data_in_an_object_store_still_has_the_machines_records_backed_up(state: Path) -> None:
    done = run_unit(BACKUP, state, example_environ() | {"DIGEST_DATA_DIR": "s3://bucket/digest"})
    assert done.returncode == 0, done.stderr
    assert "switch on its versioning" in done.stderr
    [made] = (state / "backups").glob("digest-*")
    assert (made / "dagster.tar.gz").is_file()
    assert not (made / "data.tar.gz").exists()


def test_a_server_that_cannot_stay_up_is_given_up_within_the_hour_so_that_it_is_told() -> None:
    """With the default of five starts in ten seconds and a pause of ten, a unit would never count as failed."""
    for name in ("digest-code", "digest-daemon", "digest-webserver"):
        unit = read_unit(UNITS / f"{name}.service")
        burst, interval, pause = (int(unit[key][0]) for key in ("StartLimitBurst", "StartLimitIntervalSec", "RestartSec"))
        assert burst * (pause + 30) < interval


def test_every_unit_that_fails_is_told_by_one_that_can_send(state: Path) -> None:
    for unit in UNITS.glob("digest-*.service"):
        if unit.name != "digest-failure@.service":
            assert read_unit(unit)["OnFailure"] == ["digest-failure@%n.service"]
    with http_endpoint() as endpoint:
        telling = UNITS / "digest-failure@.service"
        text = telling.read_text(encoding="utf-8").replace("%i", "digest-backup.service")
        (state.parent / "failure.service").write_text(text)
        given = example_environ() | {
            "DIGEST_ALERT_URLS": f"json://{endpoint.address}/x",
            "DIGEST_DEMO": "false",
            "MONITOR_SERVICE_RESULT": "exit-code",
        }
        done = run_unit(state.parent / "failure.service", state, given)
        assert done.returncode == 0, done.stderr
        [received] = endpoint.received
    assert "digest-backup.service failed" in received["title"]


def test_a_secret_in_a_file_reaches_every_unit(state: Path) -> None:
    """The example promises NAME_FILE=…; without `with-secrets` the settings would refuse the name."""
    for unit in UNITS.glob("digest-*.service"):
        for command in read_unit(unit)["ExecStart"] + read_unit(unit)["ExecStartPre"]:
            assert command.startswith("/opt/digest/deploy/bin/with-secrets "), unit.name


def test_others_may_pass_through_to_the_pages_and_read_nothing_else() -> None:
    for name in ("digest-code", "digest-daemon", "digest-webserver"):
        assert read_unit(UNITS / f"{name}.service")["StateDirectoryMode"] == ["0751"]
        assert read_unit(UNITS / f"{name}.service")["UMask"] == ["0027"]
    assert read_unit(BACKUP)["StateDirectoryMode"] == ["0700"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look with another user's eyes")
def test_a_restored_site_can_be_read_by_the_web_server_again(state: Path) -> None:
    page = state / "data" / "site" / "zh" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>page</h1>")
    for path, mode in ((state / "data" / "site", 0o755), (page.parent, 0o755), (page, 0o644)):
        path.chmod(mode)
    assert run_unit(BACKUP, state, example_environ()).returncode == 0
    [made] = (state / "backups").glob("digest-*")
    new = state.parent / "new"
    environ = os.environ | {"DIGEST_DATA_DIR": str(new / "data"), "DAGSTER_HOME": str(new / "home"), "PYTHON": sys.executable}
    subprocess.run(["bash", UNITS.parent / "restore.sh", made], env=environ, check=True, capture_output=True, timeout=60)
    for folder in ("site", "site/zh", "site/zh/index.html"):
        assert (new / "data" / folder).stat().st_mode & 0o004, folder

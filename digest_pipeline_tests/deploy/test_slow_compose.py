"""compose.yaml's own commands, environments and health checks, started by hand around a real PostgreSQL: what a container would do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import Ui, wait_for
from digest_pipeline_tests.support.loopback import free_port
from digest_pipeline_tests.support.postgres import Postgres, postgres
from digest_pipeline_tests.support.systemd import example_environ

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
CHAIN = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"]


def filled_in(text: str, given: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?reason}` as compose fills them in; KeyError where a needed one is empty."""

    def value(found: re.Match[str]) -> str:
        name, sign, rest = found["name"], found["sign"], found["rest"] or ""
        if sign == ":?" and not given.get(name):
            raise KeyError(f"{name}: {rest}")
        return given.get(name) or (rest if sign == ":-" else "")

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<sign>:[-?])(?P<rest>[^}]*))?\}", value, text)


class Team:
    """The services of compose.yaml on loopback; ports and places of the image are moved."""

    def __init__(self, folder: Path, server: Postgres) -> None:
        self.code_port, self.ui_port, self.folder = free_port(), free_port(), folder
        self.given = example_environ() | {name: value for name, value in server.environ().items() if name != "PATH"}
        self.services: dict[str, Any] = yaml.safe_load(filled_in((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"), self.given))[
            "services"
        ]
        self.home = folder / "dagster_home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_bytes((DEPLOY / "dagster.postgres.yaml").read_bytes())
        workspace = (DEPLOY / "compose" / "workspace.yaml").read_text(encoding="utf-8")
        (self.home / "workspace.yaml").write_text(workspace.replace("host: code", "host: 127.0.0.1").replace("4000", str(self.code_port)))
        image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
        self.entrypoint = DEPLOY / "bin" / "with-secrets"
        assert 'ENTRYPOINT ["/opt/digest/bin/with-secrets"]' in image
        assert "PATH=/opt/digest/bin:/opt/digest/venv/bin" in image

    def moved(self, command: list[str]) -> list[str]:
        places = {"4000": str(self.code_port), "3000": str(self.ui_port), "/opt/dagster/dagster_home": str(self.home), "0.0.0.0": "127.0.0.1"}
        return [re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], part) for part in command]

    def environ(self, name: str) -> dict[str, str]:
        service = self.services[name]
        of_file = self.given if service.get("env_file") == "digest.env" else {}
        path = f"{DEPLOY / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        image = {"PATH": path, "DAGSTER_HOME": str(self.home), "DIGEST_DATA_DIR": str(self.folder / "data"), "PYTHONWARNINGS": "ignore"}
        return image | dict(of_file) | {key: str(value) for key, value in service["environment"].items()}

    @contextmanager
    def started(self, name: str) -> Iterator[None]:
        command = [str(self.entrypoint), *self.moved(self.services[name]["command"])]
        with (
            (self.folder / "log").open("ab") as log,
            subprocess.Popen(command, env=self.environ(name), stdout=log, stderr=log, cwd=self.folder) as process,
        ):
            try:
                wait_for(lambda: self.is_healthy(name), 120, f"{name} to be healthy")
                yield
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def is_healthy(self, name: str) -> bool:
        kind, *check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(self.moved(check), env=self.environ(name), capture_output=True, check=False, timeout=60)
        return done.returncode == 0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def test_the_services_become_healthy_and_make_the_samples_day_behind_the_guard(server: Postgres, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    team = Team(tmp_path, server)
    ui = Ui(f"http://127.0.0.1:{team.ui_port}", tmp_path / "log")
    with ExitStack() as running:
        for name in ("code", "webserver", "daemon"):
            running.enter_context(team.started(name))
        assert ui.finished(ui.materialize(SAMPLE_DAY.isoformat(), CHAIN)) == "SUCCESS", ui.log.read_text()
        foreign = requests.post(f"{ui.url}/graphql", json={"query": "{ version }"}, headers={"Origin": "https://evil.example"}, timeout=20)
        assert foreign.status_code == 403, "the image's dagster-webserver is the guarded one"
    assert (tmp_path / "data" / "sample" / "site" / "zh" / SAMPLE_DAY.isoformat() / "index.html").is_file()

    back_up = {
        "DIGEST_DATA_DIR": str(tmp_path / "data"),
        "DAGSTER_HOME": str(team.home),
        "PYTHON": sys.executable,
        "PG_DUMP": f"env LC_ALL=C {shlex.quote(str(server.programs / 'pg_dump'))}",
    }
    environ = os.environ | server.environ() | back_up
    made = subprocess.run(["bash", DEPLOY / "backup.sh", tmp_path / "sets"], env=environ, capture_output=True, text=True, check=True, timeout=120)
    dump = Path(made.stdout.split("  ")[0]) / "dagster.pgdump"
    listed = subprocess.run([server.programs / "pg_restore", "--list", dump], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "TABLE DATA public runs" in listed

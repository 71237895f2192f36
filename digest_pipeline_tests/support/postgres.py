"""A PostgreSQL server of one's own on loopback, from Debian's package, for as long as a test needs it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest_pipeline_tests.support.loopback import free_port

PASSWORD = "loopback-only"


@dataclass(frozen=True)
class Postgres:
    """The running server; its superuser is `dagster`."""

    port: int
    programs: Path

    def environ(self, database: str = "dagster") -> dict[str, str]:
        """What deploy/dagster.postgres.yaml and deploy/backup.sh read."""
        return {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_USERNAME": "dagster",
            "DAGSTER_PG_PASSWORD": PASSWORD,
            "DAGSTER_PG_DB": database,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
        }

    def create(self, database: str) -> None:
        command = [self.programs / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "dagster", database]
        subprocess.run(command, check=True, env={**os.environ, "PGPASSWORD": PASSWORD}, timeout=60)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if found:
        return found[0].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).parent
    pytest.skip("no PostgreSQL here; Debian's package `postgresql` brings it")


def _unprivileged() -> str | None:
    """The user to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL refuses root, and there is no user to run it as")


@contextmanager
def postgres() -> Iterator[Postgres]:
    programs, user = _programs(), _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="digest-postgres-"))  # pytest's own folders are closed to other users
    try:
        password_file = folder / "password"
        password_file.write_text(PASSWORD)
        if user:
            for path in (folder, password_file):
                shutil.chown(path, user)
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "dagster", f"--pwfile={password_file}", "--auth=scram-sha-256", "--no-sync", "-E", "UTF8"]
        subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)
        port = free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w"]
        subprocess.run(
            [*control, "-l", folder / "log", "-o", options, "start"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=120
        )
        try:
            server = Postgres(port, programs)
            server.create("dagster")
            yield server
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

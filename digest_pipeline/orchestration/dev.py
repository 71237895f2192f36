"""`make dev`: code server, guarded webserver and daemon as three processes on this machine, started and stopped together.

What lives here: preparing DAGSTER_HOME and minding the processes. What does not: what runs in them. It stands in
for `dagster dev`, which starts the webserver without the guard (`guard.py`). The code server listens on a socket
in a private folder, so that no port of it is open to other users of the machine.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from digest_pipeline.errors import DigestError, SettingsError
from digest_pipeline.settings import Settings, load_settings, project_root

LOCATION = "digest_pipeline"
MODULE = "digest_pipeline.definitions"
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


def prepare_home(folder: Path) -> Path:
    """Makes DAGSTER_HOME with its `dagster.yaml` and its databases, once; returns it.

    Several processes that open a fresh SQLite home at once fail on its migrations, so it is opened here first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(project_root() / "deploy" / "dagster.sqlite.yaml", folder / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(folder)
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.get_runs_count()
    return folder


def dagster_home() -> Path:
    """DAGSTER_HOME, or `.dagster_home/` beside workspace.yaml; raises SettingsError for a relative path."""
    given = os.environ.get("DAGSTER_HOME")
    if given and not Path(given).is_absolute():
        raise SettingsError(f"DAGSTER_HOME={given!r} is no absolute path", what_to_do="give the whole path; Dagster refuses others")
    return Path(given) if given else project_root() / ".dagster_home"


class Processes:
    """Child processes that live and die together."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        self._children[name] = subprocess.Popen([sys.executable, "-W", "ignore::DeprecationWarning", "-m", *arguments])  # noqa: S603

    def ended(self) -> tuple[str, int] | None:
        """The name and exit status of a child that has ended, if any."""
        for name, child in self._children.items():
            if (status := child.poll()) is not None:
                return name, status
        return None

    def stop(self) -> None:
        """Asks the children to end, the newest first, and ends those that do not."""
        for child in reversed(self._children.values()):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def serve(host: str, port: int, socket_folder: Path) -> int:
    """Runs the three processes until one ends or a signal comes; returns the exit status."""
    code_socket = socket_folder / "code.sock"
    workspace = socket_folder / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": {"socket": str(code_socket), "location_name": LOCATION}}]}))
    processes = Processes()
    try:
        processes.start(
            "code server",
            "dagster",
            "code-server",
            "start",
            "-m",
            MODULE,
            "-d",
            str(project_root()),
            "-s",
            str(code_socket),
            "--location-name",
            LOCATION,
        )
        _wait_for(code_socket, processes)
        processes.start("webserver", "digest_pipeline.orchestration.guard", "-h", host, "-p", str(port), "-w", str(workspace), "--allow-host", host)
        processes.start("daemon", "dagster._daemon", "run", "-w", str(workspace))
        return _mind(processes)
    finally:
        processes.stop()


def _wait_for(code_socket: Path, processes: Processes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not code_socket.exists():
        if processes.ended() or time.monotonic() > deadline:
            raise DigestError("the code server did not start", what_to_do="read its lines above; `make check` shows the same error shorter")
        time.sleep(0.1)


def _mind(processes: Processes) -> int:
    while (ended := processes.ended()) is None:
        time.sleep(0.3)
    name, status = ended
    print(f"the {name} ended with status {status}; stopping the others", file=sys.stderr)
    return status or 1


class _Stop(Exception):
    """A signal asked us to end."""


def _on_signal(number: int, _frame: object) -> None:
    raise _Stop(signal.Signals(number).name)


def _say_where(host: str, port: int, home: Path, settings: Settings) -> None:
    print(f"\n  Dagster UI   http://{host}:{port}        (state in {home})")
    if settings.schedule_enabled:
        print("  The daily schedule and the sensors are running. To stop one: Automation in the UI, its switch;")
        print("  to start without them: DIGEST_SCHEDULE_ENABLED=false make dev")
    print("  Ctrl-C ends everything; a run that is under way is marked as failed, and what it had paid for is kept.\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="digest dev", description="The Dagster UI, schedule and sensors on this machine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where the shell had them ignored, as it does for `make dev &`
        signal.signal(number, _on_signal)
    try:
        settings = load_settings()
        _refuse_taken_port(options.host, options.port)
        home = prepare_home(dagster_home())
        _say_where(options.host, options.port, home, settings)
        with tempfile.TemporaryDirectory(prefix="digest-") as folder:
            return serve(options.host, options.port, Path(folder))
    except _Stop:
        return 0
    except DigestError as error:
        print(error, file=sys.stderr)
        return 2


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise SettingsError(f"port {port} of {host} is taken", what_to_do="stop the other server, or: make dev PORT=3001")


if __name__ == "__main__":
    sys.exit(main())

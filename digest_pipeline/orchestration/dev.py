"""`make dev`: code server, guarded webserver and daemon as three processes on this machine, started and stopped together.

What lives here: minding the processes. What does not: what runs in them, and DAGSTER_HOME (`home.py`). It stands
in for `dagster dev`, which starts the webserver without the guard (`guard.py`). The code server listens on a socket
in a private folder, so that no port of it is open to other users of the machine.
"""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from digest_pipeline.errors import DigestError, SettingsError
from digest_pipeline.settings import project_root

LOCATION = "digest_pipeline"
MODULE = "digest_pipeline.definitions"
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


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


def _serve(host: str, port: int, socket_folder: Path) -> int:
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
            raise DigestError("the code server did not start", hint="read its lines above; `digest doctor` names most causes")
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


def serve_dagster(port: int, host: str = "127.0.0.1") -> int:
    """Webserver and daemon until Ctrl-C; DAGSTER_HOME is prepared and set. Raises SettingsError where the port is taken."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where the shell had them ignored, as it does for `make dev &`
        signal.signal(number, _on_signal)
    _refuse_taken_port(host, port)
    try:
        with tempfile.TemporaryDirectory(prefix="digest-") as folder:  # readable by nobody else
            return _serve(host, port, Path(folder))
    except _Stop:
        return 0


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise SettingsError(f"port {port} of {host} is taken", hint=f"stop the other server, or: digest dev --port {port + 1}")

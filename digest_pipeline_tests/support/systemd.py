"""A unit of deploy/systemd run under its own file system: what `ProtectSystem=strict` leaves writable, and nothing else.

What lives here: reading a unit, and a mount namespace with /opt/digest and /var/lib/digest in it. What does not: the
other restrictions, which `systemd-analyze` judges.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"


def read_unit(path: Path) -> dict[str, list[str]]:
    """Setting → its values in the file's order, of all sections."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found[name].append(value)
    return found


def example_environ() -> dict[str, str]:
    """deploy/digest.env.example as systemd reads it."""
    lines = (ROOT / "deploy" / "digest.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def script(unit: Path, state: Path, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """(command, environment) that runs the unit with `state` as /var/lib/digest and the folder `run` beside it as /run/digest; skips the test where no namespace can be made."""
    enter = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*enter, "mount", "--make-rprivate", "/"], capture_output=True, check=False, timeout=30).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    settings = read_unit(unit)
    assert settings["ProtectSystem"] == ["strict"]
    own = {pair.split("=", 1)[0]: pair.split("=", 1)[1] for pair in shlex.split(" ".join(settings["Environment"]))}
    writable = [f"/var/lib/{name}" for name in " ".join(settings["StateDirectory"]).split()]
    writable += " ".join(settings["ReadWritePaths"]).replace("-/", "/").split()
    (state.parent / "run").mkdir(exist_ok=True)
    lines = ["set -e", "mount --make-rprivate /", "mount -t tmpfs tmpfs /opt"]
    lines += ["mkdir -p /opt/digest/deploy /opt/digest/digest_pipeline /opt/digest/.venv"]
    for source, target in ((ROOT / "deploy", "deploy"), (ROOT / "digest_pipeline", "digest_pipeline"), (Path(sys.prefix), ".venv")):
        lines.append(f"mount --bind {shlex.quote(str(source))} /opt/digest/{target}")
    lines += ["mount -t tmpfs tmpfs /mnt", "mkdir /mnt/state /mnt/run"]
    lines += [f"mount --bind {shlex.quote(str(state))} /mnt/state", f"mount --bind {shlex.quote(str(state.parent / 'run'))} /mnt/run"]
    for place in ("/var/lib", "/run"):
        lines += [f"mount -t tmpfs tmpfs {place}", f"mkdir {place}/digest"]
    lines += ["mount --bind /mnt/state /var/lib/digest", "mount --bind /mnt/run /run/digest"]
    lines += [f"mkdir -p {path}; mount --bind {path} {path}" for path in writable]
    read_only = ["/", "/var/lib", *({"/var/lib/digest"} - set(writable)), *(() if settings["RuntimeDirectory"] else ("/run/digest",))]
    lines += [f"mount -o remount,bind,ro {path}" for path in read_only]
    lines += ["mount -t tmpfs tmpfs /tmp", f"umask {settings['UMask'][0]}", "cd /opt/digest"]
    lines += [*settings["ExecStartPre"], f"exec {settings['ExecStart'][0]}"]
    return [*enter, "bash", "-c", "\n".join(lines)], {"PATH": "/usr/bin:/bin"} | own | dict(environ)


def run_unit(unit: Path, state: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command, given = script(unit, state, environ)
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=120)

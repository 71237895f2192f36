"""Who holds a lease on a question, and whether that process still lives.

What lives here: the identity of a process. What does not: the leases (`sqlite.py`, `object_store.py`).
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LEASE_SECONDS = 30.0
"""A lease whose owner has not given a sign of life for so long is void; on the same host a dead process voids it at once."""
HEARTBEAT_SECONDS = 5.0
"""How often a running owner gives that sign."""


@dataclass(frozen=True, slots=True)
class LeaseOwner:
    """Who holds a lease: enough to tell, from the same machine, whether that process still runs."""

    name: str
    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> LeaseOwner:
        """A fresh name each time, so that two runs within one process are two owners."""
        return cls(uuid.uuid4().hex, socket.gethostname(), _boot_id(), os.getpid(), _process_start(os.getpid()))

    def is_known_dead(self) -> bool:
        """True only where it ran on this machine since its last boot, and the process is gone or its number reused."""
        if (self.host, self.boot) != (socket.gethostname(), _boot_id()):
            return False
        return not _is_running(self.pid) or _process_start(self.pid) != self.started


def is_expired(owner: LeaseOwner, last_beat_utc: datetime, now_utc: datetime) -> bool:
    """Whether leases of this owner are void."""
    return owner.is_known_dead() or (now_utc - last_beat_utc).total_seconds() > LEASE_SECONDS


def _boot_id() -> str:
    """Changes with each boot where the system tells; a constant elsewhere."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _process_start(pid: int) -> str:
    """When the process started, in the kernel's ticks, which do not move with the clock, so that a reused number is told apart; empty where unknown."""
    status = _status(pid)
    return status[19] if len(status) > 19 else ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _status(pid)[:1] != ["Z"]  # a zombie


def _status(pid: int) -> list[str]:
    """What the kernel tells of the process, from its state on; empty where it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []

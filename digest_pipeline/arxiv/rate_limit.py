"""One request to arXiv at a time on this machine, whoever sends it and wherever the data lie.

arXiv's terms of use ask for one request every three seconds and one connection, over API and feeds together. A small file
in the machine's own folder for locks is held during each request (the kernel frees it when a process dies) and carries the
instant before which nobody may ask again.

That folder can be written by every user, so the file is opened as one that somebody else may have put there: no link is
followed, and nothing is written but to an ordinary file with one name. What does not live here: requests (`http.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from digest_pipeline.errors import ArxivUnavailable, SettingsError

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 900.0  # a longer Retry-After ends the run instead of holding it
LONGEST_QUEUE_SECONDS = 3600.0  # a turn is over within a request's time limit and a pause; so long a queue has a stopped process at its head
_POLL_SECONDS = 0.05
_FOLDERS = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - opened with care, see below
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE_BYTES = 128


def rate_limit_file(api_url: str, folder: Path | None = None) -> Path:
    """Where all that ask the arXiv at `api_url` take turns: in `folder`, by default the machine's folder for locks.

    All of arXiv's own hosts are one; a mirror or a stand-in at another address has a file of its own.
    """
    host = urlsplit(api_url).netloc.rpartition("@")[2].lower()
    name = "arxiv.org" if host == "arxiv.org" or host.endswith(".arxiv.org") else re.sub(r"[^a-z0-9.]+", "-", host)
    place = folder or next((f for f in _FOLDERS if f.is_dir() and os.access(f, os.W_OK | os.X_OK)), _FOLDERS[-1])
    return place / f"arxiv-digest-pipeline-{name}.turn"


class CrossProcessRateLimiter:
    """Lets one request at a time through, `interval` seconds after the previous one ended.

    Measured from the end of one request to the start of the next, so that the gap arXiv sees is never shorter. The file
    also carries a pause that any process was told to make. The clock is the machine's since its start, which nobody sets
    back; what was noted before a restart is not believed, nor an instant further off than any pause we make.
    """

    def __init__(
        self,
        state_file: Path,
        interval: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        longest_queue: float = LONGEST_QUEUE_SECONDS,
    ) -> None:
        self._state_file = state_file
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._longest_queue = longest_queue

    @contextlib.contextmanager
    def turn(self) -> Iterator[Callable[[float], None]]:
        """Waits for the turn; yields a function that makes every process pause for so many seconds.

        Raises SettingsError where the file is not fit for it, ArxivUnavailable where the turn does not come.
        """
        pause_until = 0.0

        def pause(seconds: float) -> None:
            nonlocal pause_until
            pause_until = self._clock() + seconds

        with self._locked() as state:
            self._wait(state)
            self._note(state, self._clock() + self._interval)  # holds even if this process dies during the request
            try:
                yield pause
            finally:
                self._note(state, max(self._clock() + self._interval, pause_until))

    def stand_back(self) -> None:
        """No request begins sooner than an interval from now: a process of another machine may just have had its answer."""
        with self._locked() as state:
            self._note(state, max(self._not_before(state), self._clock() + self._interval))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The descriptor of the locked file; one that was deleted or replaced while we waited is given up for the new one."""
        give_up = time.monotonic() + self._longest_queue
        while True:
            state = _open(self._state_file)
            try:
                self._lock(state, give_up)
                if _is_still(self._state_file, state):
                    yield state
                    return
            finally:
                os.close(state)  # frees the lock too

    def _lock(self, state: int, give_up: float) -> None:
        while True:
            try:
                fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise ArxivUnavailable(
                        f"another process has kept arXiv to itself for {self._longest_queue:.0f} s, by holding {self._state_file}",
                        hint="look with `fuser` who holds that file, and end it if it was stopped; or run again later",
                    ) from None
                self._sleep(_POLL_SECONDS)

    def _wait(self, state: int) -> None:
        left = self._not_before(state) - self._clock()
        if left > 2 * self._interval + 1:
            logger.warning("arXiv: waiting %.0f s, as arXiv asked another request of this machine to (%s)", left, self._state_file)
        while left > 0:
            self._sleep(min(left, LONGEST_WAIT_SECONDS))
            left = self._not_before(state) - self._clock()

    def _not_before(self, state: int) -> float:
        try:
            noted = json.loads(os.pread(state, _STATE_BYTES, 0).decode())
            not_before = float(noted["not_before"])
            if noted["boot"] != _boot():
                return 0.0
        except (ValueError, KeyError, TypeError, RecursionError):
            return 0.0
        return not_before if not_before - self._clock() <= LONGEST_WAIT_SECONDS + self._interval else 0.0

    @staticmethod
    def _note(state: int, not_before: float) -> None:
        os.pwrite(state, json.dumps({"not_before": round(not_before, 3), "boot": _boot()}).encode().ljust(_STATE_BYTES), 0)


def _boot() -> str:
    """Names the machine's present start; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _open(path: Path) -> int:
    """Opens or creates the file for every user of the machine. Raises SettingsError for anything that is no plain file of its own."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _open_or_create(path)
    except OSError as error:
        raise _unfit(path, f"cannot be opened ({error.strerror or error})") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise _unfit(path, "is no plain file of its own")
    return descriptor


def _open_or_create(path: Path) -> int:
    """Not created where it exists: in a folder shared by all, Linux refuses to create over somebody else's file."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    for _ in range(10):
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(descriptor, 0o666)  # whatever the umask: the other users take turns with us
                return descriptor
    return os.open(path, flags)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _unfit(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path}, by which all processes of this machine take turns at asking arXiv, {why}",
        hint="have it removed by its owner or root, or name another folder that they all can write in DIGEST_ARXIV_LOCK_DIR",
    )

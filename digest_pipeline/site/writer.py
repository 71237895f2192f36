"""Writing below `site/`: a few files at a time, each only where it changed.

What lives here: the pool of writers and its counts. What does not: how one file is written (`storage.py`).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from digest_pipeline.storage import Storage

_WRITERS = 8
"""Writing waits for the disk or the object store, not for the processor."""


class SiteWriter:
    """Paths are relative to `site/`. An error of any file is raised by a later `write` or `flush`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="site-writer")
        self._pending: list[Future[bool]] = []
        self.written = self.unchanged = self.removed = 0

    def write(self, path: str, content: bytes) -> str:
        """Returns `path`, for the lists of files."""
        if len(self._pending) >= 4 * _WRITERS:  # bounds what waits in memory
            self.flush()
        self._pending.append(self._pool.submit(self._storage.write_if_changed, f"site/{path}", content))
        return path

    def remove(self, path: str) -> None:
        self._storage.delete(f"site/{path}")
        self.removed += 1

    def flush(self) -> None:
        """Returns when everything handed over so far lies in its place; raises the first error."""
        pending, self._pending = self._pending, []
        for future in pending:
            if future.result():
                self.written += 1
            else:
                self.unchanged += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

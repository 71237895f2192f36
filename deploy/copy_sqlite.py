"""Copies every SQLite file below one directory to the same place below another, whole, while others write to it.

    python copy_sqlite.py FROM TO

SQLite's own backup takes a consistent state together with what still stands in the write-ahead log, which a plain
copy would lose. Each copy is checked. Exit status 1 where a file cannot be copied whole. Needs Python alone.

FROM may be read-only, as it is for the systemd unit. A database in write-ahead mode that no process holds cannot be
opened there, since opening makes files beside it: such a one, which nobody is writing, is first copied as it lies.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

_MAGIC = b"SQLite format 3\x00"
_TRIES = 5


def sqlite_files(folder: Path) -> Iterator[Path]:
    """Files that are SQLite databases by their first bytes, whatever their name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix in {".sqlite", ".db", ".sqlite3"}:
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) == _MAGIC:
                    yield path


def copy(source: Path, target: Path) -> None:
    """Raises sqlite3.Error where the copy cannot be made or is not whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".tmp-{target.name}")
    fresh.unlink(missing_ok=True)
    try:
        _back_up(source, fresh)
    except sqlite3.OperationalError:
        if os.access(source.parent, os.W_OK):
            raise
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tmp-") as folder:
            _back_up(_as_it_lies(source, Path(folder)), fresh)
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    fresh.replace(target)


def _back_up(source: Path, fresh: Path) -> None:
    with closing(sqlite3.connect(source, timeout=60)) as reader, closing(sqlite3.connect(fresh)) as writer:
        reader.backup(writer, pages=2000, sleep=0.01)
        writer.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, without a log beside it
        [(answer,)] = writer.execute("PRAGMA integrity_check")
        if answer != "ok":
            raise sqlite3.DatabaseError(f"{source}: the copy is damaged: {answer}")


def _as_it_lies(source: Path, folder: Path) -> Path:
    """The database and its log, copied in a moment in which neither changed; the log may be left from a process that was killed."""
    parts = [source, source.with_name(source.name + "-wal")]
    for _ in range(_TRIES):
        before = _states(parts)
        for part in parts:
            (folder / part.name).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(part, folder / part.name)
        if _states(parts) == before:
            return folder / source.name
        time.sleep(1)
    raise sqlite3.OperationalError("it is in use and cannot be opened where it lies")


def _states(parts: list[Path]) -> list[tuple[int, int] | None]:
    return [(part.stat().st_size, part.stat().st_mtime_ns) if part.exists() else None for part in parts]


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    for path in sqlite_files(source):
        try:
            copy(path, target / path.relative_to(source))
        except (sqlite3.Error, OSError) as error:
            print(f"copy_sqlite: {path}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

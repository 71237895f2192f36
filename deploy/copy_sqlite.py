"""Copies every SQLite file below one directory to the same place below another, whole, while others write to it.

    python copy_sqlite.py FROM TO

SQLite's own backup takes a consistent state together with what still stands in the write-ahead log, which a plain
copy would lose. Each copy is checked. Exit status 1 where a file cannot be copied whole. Needs Python alone.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_MAGIC = b"SQLite format 3\x00"


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
    with closing(sqlite3.connect(source, timeout=60)) as reader, closing(sqlite3.connect(fresh)) as writer:
        reader.backup(writer, pages=2000, sleep=0.01)
        writer.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, without a log beside it
        [(answer,)] = writer.execute("PRAGMA integrity_check")
        if answer != "ok":
            raise sqlite3.DatabaseError(f"{source}: the copy is damaged: {answer}")
    for leftover in ("-wal", "-shm"):
        target.with_name(target.name + leftover).unlink(missing_ok=True)
    fresh.replace(target)


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

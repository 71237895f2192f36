"""The paid answers on the branch: small compressed files, each written once and named after its content.

`answers/segments/<month>/<first 16 hexadecimal digits of its SHA-256>.jsonl.gz`, JSON Lines as `digest answers export`
writes them. What lives here: from the answer store to such files and back. What does not: git (`branch.py`).

An ever-changing database would be sent whole with each push, and two runs' databases could not be joined. Files named
after their content are joined by having both. A run that pushes now and then leaves several small ones; `join_segments`
makes one of them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.hosted.branch import RESTORED
from digest_pipeline.ranking.embeddings import PRIVATE
from digest_pipeline.storage import Storage
from digest_pipeline.translation.cache.exchange import export_answers, import_answers
from digest_pipeline.translation.cache.protocol import ResponseCache

FOLDER = "answers/segments"
_KEY = re.compile(r'"key": "([0-9a-f]+)"')
_AT = re.compile(r'"answered_at_utc": "([^"]+)"')
LINES_A_FILE = 5_000
"""About 10 MB: code hosts warn of files above 50 MB and refuse those above 100."""


def take_in_segments(storage: Storage, store: ResponseCache) -> int:
    """Fills a fresh runner's store from all segments; returns how many answers were new to it."""
    lines = (line for path in segment_files(storage) for line in _lines(path))
    taken, _ = import_answers(store, _without_superseded(lines))
    return taken


class SegmentWriter:
    """Writes what no segment has yet. It reads the segments once, as a run pushes every few seconds and a year's are many."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept = {_mark(line) for path in segment_files(storage) for line in _lines(path)}

    def write(self, store: ResponseCache, secrets: Sequence[str]) -> list[str]:
        """The new files' paths, none where all answers are kept.

        A secret that an endpoint repeated in an answer is blanked; vectors of a reader's own library stay off the branch.
        """
        exported = io.StringIO()
        export_answers(store, exported)
        public = (line for line in exported.getvalue().split("\n") if line and f'"about": {json.dumps(PRIVATE)}' not in line)
        new = {mark: line for line in public if (mark := _mark(line)) not in self._kept}
        lines = [_blanked(line, secrets) for line in new.values()]
        written = [_write(self._storage, lines[start : start + LINES_A_FILE]) for start in range(0, len(lines), LINES_A_FILE)]
        self._kept.update(new)
        return written


def join_segments(storage: Storage) -> list[str]:
    """Joins the segments that this run wrote into as few as can be; returns the paths that are gone by it."""
    small = [path for path in segment_files(storage) if int(path.stat().st_mtime) != RESTORED]
    if len(small) < 2:
        return []
    lines = list(dict.fromkeys(line for path in small for line in _lines(path)))
    written = {_write(storage, lines[start : start + LINES_A_FILE]) for start in range(0, len(lines), LINES_A_FILE)}
    gone = [name for path in small if (name := path.relative_to(storage.local_path(".")).as_posix()) not in written]
    for name in gone:
        storage.delete(name)
    return gone


def segment_files(storage: Storage) -> list[Path]:
    return sorted(storage.local_path(FOLDER).glob("*/*.jsonl.gz"), key=lambda path: (path.parent.name, path.name))


def _write(storage: Storage, lines: Sequence[str]) -> str:
    body = gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=9, mtime=0)
    month = str(json.loads(lines[0])["answered_at_utc"])[:7]
    path = f"{FOLDER}/{month}/{hashlib.sha256(body).hexdigest()[:16]}.jsonl.gz"
    storage.write_bytes(path, body)
    os.utime(storage.local_path(path))
    return path


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def _mark(line: str) -> tuple[str, str, bool]:
    """What tells one answer from another: its key, when it came, and whether it was rejected; read without parsing the line."""
    key, at = _KEY.search(line), _AT.search(line)
    if key is None or at is None:
        raise AnswerStoreError("a line of a segment is no exported answer", hint=f"see {FOLDER} on the branch")
    return key[1], at[1], '"rejected_for": [' in line


def _blanked(line: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        line = line.replace(json.dumps(secret, ensure_ascii=False)[1:-1], "***")
    return line


def _without_superseded(lines: Iterable[str]) -> Iterator[str]:
    """An answer that later checks rejected stands twice, kept and rejected; only the latter counts, as it was paid once."""
    every = list(lines)
    rejected = {mark[:2] for line in every if (mark := _mark(line))[2]}
    return (line for line in every if (mark := _mark(line))[2] or mark[:2] not in rejected)

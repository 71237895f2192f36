"""A cache carried to another machine as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TextIO

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer

Imported = tuple[CachedAnswer, tuple[str, ...] | None]
"""An answer, and why it was rejected; None for a good one."""
_LINES_AT_ONCE = 2_000


def export_answers(store: ResponseCache, file: TextIO) -> int:
    """Writes all answers, rejected ones too, as JSON Lines (fields of CachedAnswer, and `rejected_for`); returns their number."""
    count = 0
    for answer in store.every_answer():
        file.write(json.dumps(answer.to_json(), ensure_ascii=False) + "\n")
        count += 1
    for answer, reasons in store.every_rejected():
        file.write(json.dumps({**answer.to_json(), "rejected_for": reasons}, ensure_ascii=False) + "\n")
        count += 1
    return count


def import_answers(store: ResponseCache, file: Iterable[str]) -> tuple[int, int]:
    """Takes in what `export_answers` wrote; what is already there stays. Returns (taken, already there)."""
    taken = known = 0
    lines = enumerate(file, 1)
    while chunk := list(islice(lines, _LINES_AT_ONCE)):
        read = [_exported_line(line, number) for number, line in chunk if line.strip()]
        new = _unknown(store, read)
        store.put_all(new)
        taken, known = taken + len(new), known + len(read) - len(new)
    return taken, known


def _exported_line(line: str, number: int) -> Imported:
    try:
        row = json.loads(line.lstrip("\ufeff"))  # the mark that editors and shells of Windows put before the first line
        reasons = row.get("rejected_for")
        return CachedAnswer.from_json(row), None if reasons is None else tuple(reasons)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswerStoreError(f"line {number} is no exported answer: {error!r}", hint="export again; lines before it were taken in") from None


def _unknown(store: ResponseCache, read: Sequence[Imported]) -> list[Imported]:
    """Those that the store lacks, each once."""
    have = set(store.answers([answer.key for answer, reasons in read if reasons is None]))
    new: list[Imported] = []
    for answer, reasons in read:
        if reasons is None:
            is_known = answer.key in have
            have.add(answer.key)
        else:
            is_known = any(kept == answer for kept, _ in store.rejected(answer.key)) or (answer, reasons) in new
        if not is_known:
            new.append((answer, reasons))
    return new

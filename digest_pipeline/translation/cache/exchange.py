"""A cache carried to another machine as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer


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
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        answer, reasons = _exported_line(line, number)
        if _is_known(store, answer, reasons):
            known += 1
            continue
        if reasons is None:
            store.put(answer)
        else:
            store.put_rejected(answer, reasons)
        taken += 1
    return taken, known


def _exported_line(line: str, number: int) -> tuple[CachedAnswer, tuple[str, ...] | None]:
    try:
        row = json.loads(line)
        reasons = row.get("rejected_for")
        return CachedAnswer.from_json(row), None if reasons is None else tuple(reasons)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswerStoreError(f"line {number} is no exported answer: {error!r}", hint="export again; lines before it were taken in") from None


def _is_known(store: ResponseCache, answer: CachedAnswer, reasons: tuple[str, ...] | None) -> bool:
    if reasons is None:
        return answer.key in store.answers([answer.key])
    return any(kept == answer for kept, _ in store.rejected(answer.key))

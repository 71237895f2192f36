"""A day's papers as JSON Lines: the columns of both tables, for programs that read no Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from digest_pipeline import tables
from digest_pipeline.models import DigestEntry
from digest_pipeline.render.formats import Format

JSONL_FIELDS: tuple[str, ...] = tuple(dict.fromkeys([*tables.PAPERS.names, *tables.TRANSLATED_SUMMARIES.names]))
"""The keys of each line: the columns of both tables under their own names, in their order."""

_OF_PAPER = frozenset(tables.PAPERS.names)


def jsonl_bytes(entries: Iterable[DigestEntry]) -> bytes:
    """One object a line and paper, UTF-8; texts exactly as in the tables, instants ISO 8601 in UTC. No paper: no line."""
    return "".join(json.dumps(_row(entry), ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries).encode()


def _row(entry: DigestEntry) -> dict[str, Any]:
    return {name: _plain(getattr(entry.paper if name in _OF_PAPER else entry.summary, name)) for name in JSONL_FIELDS}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


FORMAT: Format[Sequence[DigestEntry]] = Format("jsonl", "JSON Lines", jsonl_bytes)

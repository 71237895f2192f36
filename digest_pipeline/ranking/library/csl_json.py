"""CSL-JSON, as Zotero, Mendeley and pandoc write it, and the stars that the pages export as JSON.

What lives here: which keys say what. What does not: the values' meaning (`entry.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, entry_of, first_arxiv_id, parse_arxiv_id

_NAMING_KEYS = ("URL", "DOI", "number", "note", "container-title", "archive_location", "publisher")


def read(path: Path) -> Library:
    """Entries in the file's order."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        return Library((), (Problem(path.name, f"line {error.lineno}", f"it is no JSON: {error.msg}"),))
    items = content.get("items", content.get("starred")) if isinstance(content, dict) else content
    if not isinstance(items, list):
        return Library((), (Problem(path.name, "", "it is no CSL-JSON: a list of items is expected"),))
    return as_library(_read(path.name, number, item) for number, item in enumerate(items, 1))


def _read(file: str, number: int, item: Any) -> LibraryEntry | Problem:
    key = f"item {number}"
    if isinstance(item, str):
        try:
            return LibraryEntry(item, "", "", (), parse_arxiv_id(item))
        except ValueError as error:
            return Problem(file, key, str(error))
    if not isinstance(item, dict):
        return Problem(file, key, "an object is expected")
    return entry_of(
        file,
        str(item.get("id") or key),
        title=str(item.get("title") or ""),
        abstract=str(item.get("abstract") or ""),
        authors=[name for author in item.get("author") or () if isinstance(author, dict) and (name := _name(author))],
        arxiv_id=first_arxiv_id([f"arXiv:{item.get('arxiv_id', '')}", *(item.get(key) for key in _NAMING_KEYS)]),
    )


def _name(author: dict[str, Any]) -> str:
    """`van der` is a part of its own, before the family's name."""
    parts = (author.get(name) for name in ("given", "dropping-particle", "non-dropping-particle", "family"))
    return str(author.get("literal") or " ".join(str(part) for part in parts if part))

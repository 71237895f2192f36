"""A plain list of arXiv ids or links, one a line; empty lines and what follows a `#` count for nothing.

What lives here: reading it. What does not: what the ids stand for (`lookup.py`).
"""

from __future__ import annotations

from pathlib import Path

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, parse_arxiv_id


def read(path: Path) -> Library:
    """Entries without texts, in the file's order."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return as_library(_read(path.name, number, text) for number, line in enumerate(lines, 1) if (text := line.partition("#")[0].strip()))


def _read(file: str, number: int, text: str) -> LibraryEntry | Problem:
    try:
        return LibraryEntry(text, "", "", (), parse_arxiv_id(text))
    except ValueError:
        return Problem(file, f"line {number}", f"{text!r} is no arXiv id")

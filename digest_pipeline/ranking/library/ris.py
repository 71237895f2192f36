"""RIS, which most publishers and reference managers write; read with rispy.

What lives here: which tags say what. What does not: the values' meaning (`entry.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rispy

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, entry_of, first_arxiv_id, given_first

_NAMING_FIELDS = (
    "urls", "url", "doi", "notes", "number", "journal_name", "secondary_title", "accession_number", "custom1", "publisher", "call_number",
)  # fmt: skip


def read(path: Path) -> Library:
    """Entries in the file's order."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        references = rispy.loads(text)
    except (rispy.parser.ParseError, OSError) as error:
        return Library((), (Problem(path.name, "", f"it is no RIS: {error}"),))
    if not references:
        return Library((), (Problem(path.name, "", "it has no RIS entry (TY … ER)"),))
    return as_library(_read(path.name, f"entry {number}", one) for number, one in enumerate(references, 1))


def _read(file: str, key: str, one: dict[str, Any]) -> LibraryEntry | Problem:
    return entry_of(
        file,
        str(one.get("id") or key),
        title=_first(one, "title", "primary_title", "translated_title", "short_title"),
        abstract=_first(one, "abstract", "notes_abstract"),
        authors=[given_first(name) for name in (one.get("authors") or one.get("first_authors") or ())],
        arxiv_id=first_arxiv_id(text for name in _NAMING_FIELDS for text in _texts(one.get(name))),
    )


def _first(one: dict[str, Any], *names: str) -> str:
    return next((str(one[name]) for name in names if one.get(name)), "")


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

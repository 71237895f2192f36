"""The table that Zotero exports as CSV.

What lives here: which columns say what. What does not: the values' meaning (`entry.py`).
"""

from __future__ import annotations

import csv
from pathlib import Path

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, entry_of, first_arxiv_id, given_first

_NAMING_COLUMNS = ("Url", "DOI", "Extra", "Archive Location", "Publication Title", "Number", "Library Catalog", "Report Number")


def read(path: Path) -> Library:
    """Entries in the file's order."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if "Title" not in (rows.fieldnames or ()):
            return Library((), (Problem(path.name, "line 1", "it has no column Title: export it from Zotero as CSV"),))
        try:
            return as_library([_read(path.name, number, row) for number, row in enumerate(rows, 1)])
        except csv.Error as error:
            return Library((), (Problem(path.name, f"line {rows.line_num}", f"it is no CSV: {error}"),))


def _read(file: str, number: int, row: dict[str, str | None]) -> LibraryEntry | Problem:
    return entry_of(
        file,
        row.get("Key") or f"row {number}",
        title=row.get("Title") or "",
        abstract=row.get("Abstract Note") or "",
        authors=[given_first(name) for name in (row.get("Author") or "").split(";") if name.strip()],
        arxiv_id=first_arxiv_id(row.get(column) for column in _NAMING_COLUMNS),
    )

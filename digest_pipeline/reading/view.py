"""The notes of a day's papers as outputs show them: claims by kind, each with the quote that carries it.

What does not live here: the outputs (`personal/`, `site/`), and making the table (`notes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from digest_pipeline import tables
from digest_pipeline.reading.claims import NoteKind, NoteStatus
from digest_pipeline.storage import Storage
from digest_pipeline.tex.html import inline_html
from digest_pipeline.translation.languages import Language


def notes_file(day: date, language: str) -> str:
    return f"{tables.partition_folder('reading_notes', day)}/language={language}/notes.parquet"


@dataclass(frozen=True, slots=True)
class ShownNote:
    """One note as an output shows it."""

    kind: str
    claim: str
    quote: str
    section: str
    anchor_url: str


def shown_notes(storage: Storage, day: date, language: str) -> dict[str, list[ShownNote]]:
    """arXiv id → the notes of the day's papers that were read whole, in the order of kinds; empty where none was."""
    file = notes_file(day, language)
    if not storage.exists(file):
        return {}
    order = [kind.value for kind in NoteKind]
    found: dict[str, list[ShownNote]] = {}
    for row in storage.read_table(file, tables.READING_NOTES).to_pylist():
        if row["status"] == NoteStatus.SHOWN.value:
            found.setdefault(row["arxiv_id"], []).append(ShownNote(*(row[name] for name in ("kind", "claim", "quote", "section", "anchor_url"))))
    return {arxiv_id: sorted(notes, key=lambda note: order.index(note.kind)) for arxiv_id, notes in found.items()}


def notes_in_words(notes: Sequence[ShownNote], language: Language) -> list[tuple[str, list[dict[str, str]]]]:
    """(kind in the reader's language, its claims with their quotes as HTML), in the order of kinds."""
    return [
        (
            language.label("reading", kind),
            [
                {"claim": inline_html(n.claim), "quote": inline_html(n.quote), "section": n.section or n.anchor_url, "url": n.anchor_url}
                for n in of_kind
            ],
        )
        for kind, of_kind in groupby(notes, key=lambda note: note.kind)
    ]

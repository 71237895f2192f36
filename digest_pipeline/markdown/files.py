"""A digest's files: written, read back, and counted by what is really in them.

What lives here: the parts of one digest on disk. What does not: how they look (`render.py`), reading one (`read_back.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.markdown.render import part_name, render_digest
from digest_pipeline.models import DayLedger, DigestEntry, ListingInfo
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language


def write_digest(
    storage: Storage,
    facts: ListingInfo,
    entries: Sequence[DigestEntry],
    language: Language,
    *,
    category: str,
    ledger_of: Callable[[Sequence[str]], DayLedger],
    model: str,
    generator: str,
) -> DayLedger:
    """Writes the digest of one category and language; returns the ledger of the ids found in the files.

    `ledger_of` makes the ledger for given rendered ids. The closing line says what is really in the files: where that
    is not every entry, they are written once more with it.
    """
    folder = storage.digest_folder(language.tag, facts.listing_date)

    def written(ledger: DayLedger) -> list[str]:
        parts = render_digest(facts, ledger, entries, language, model=model, generator=generator)
        for number, text in enumerate(parts, start=1):
            storage.write_text(f"{folder}/{part_name(category, number)}", text)
        _remove_parts(storage, folder, category, after=len(parts))
        return [arxiv_id for text in parts for arxiv_id in rendered_ids(text)]

    expected = ledger_of([entry.paper.arxiv_id for entry in entries])
    found = ledger_of(written(expected))
    if found != expected:
        written(found)
    return found


def _remove_parts(storage: Storage, folder: str, category: str, *, after: int) -> None:
    """Those that an earlier, larger digest of the day left."""
    part = re.compile(rf"{re.escape(category)}-(\d+)\.md")
    for name in storage.names(folder):
        if (match := part.fullmatch(name)) and int(match[1]) > after:
            storage.delete(f"{folder}/{name}")

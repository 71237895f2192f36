"""Exports: one day's papers for other programs, in every format of this folder.

    site/<tag>/<day>/<category>.jsonl   .bib

A module with a `FORMAT` is a format. What does not live here: the tables, which are the better source for analysis
(`docs/recipes.md`), and a second Markdown: the digest's own file has front matter, footnotes and absolute links that
Obsidian reads as they are, so `data/digests/<tag>/` opens as a vault.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from digest_pipeline.models import DigestEntry
from digest_pipeline.render.formats import Format, formats_of
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage


def export_formats() -> Sequence[Format[Sequence[DigestEntry]]]:
    return formats_of(__name__)  # type: ignore[return-value]


def export_links(tag: str, day: date, category: str) -> list[tuple[str, str]]:
    """(label, path below `site/`) of each export of a day and category."""
    return [(one.label, paths.export(tag, day, category, one.suffix)) for one in export_formats()]


def write_exports(storage: Storage, tag: str, day: date, category: str, entries: Sequence[DigestEntry]) -> tuple[str, ...]:
    """Writes a file a format of one day and category (or `all`) where it changed; returns their paths below `site/`."""
    files = {paths.export(tag, day, category, one.suffix): one.write(entries) for one in export_formats()}
    for path, content in files.items():
        storage.write_if_changed(f"site/{path}", content)
    return tuple(files)

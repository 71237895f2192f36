"""An output of your own: one listing day as a RIS file, which every reference manager imports.

    python -m examples.ris 2026-01-15 > day.ris

An output is one function over `DigestEntry`: a paper with its summary in one language. `own_definitions.py` makes it an asset.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date

from digest_pipeline.clients import open_storage
from digest_pipeline.models import DigestEntry
from digest_pipeline.render.formats import Format
from digest_pipeline.render.reading import read_entries
from digest_pipeline.settings import load_settings


def render_ris(entries: Sequence[DigestEntry]) -> str:
    """One reference a paper, in the entries' order; empty for a day without papers."""
    return "".join("".join(f"{tag}  - {' '.join(value.split())}\r\n" for tag, value in _fields(entry)) + "\r\n" for entry in entries)


def _fields(entry: DigestEntry) -> Iterator[tuple[str, str]]:
    paper, summary = entry.paper, entry.summary
    yield "TY", "UNPB"
    yield "TI", paper.title
    if summary.translated_title:
        yield "TT", summary.translated_title
    yield from (("AU", author) for author in paper.authors)
    yield "PY", str(paper.listing_date.year)
    yield "AB", paper.abstract
    if summary.tldr:  # empty where the paper is not translated
        yield "N1", summary.tldr
    if paper.doi:
        yield "DO", paper.doi
    yield "UR", paper.abs_url
    yield "ER", ""


def _write(entries: Sequence[DigestEntry]) -> bytes:
    return render_ris(entries).encode()


FORMAT: Format[Sequence[DigestEntry]] = Format("ris", "RIS", _write)
"""Makes it an export of every day, `site/<tag>/<day>/all.ris` with a link on the page, once this file lies in `digest_pipeline/site/exports/`."""


if __name__ == "__main__":
    settings = load_settings()
    sys.stdout.write(render_ris(read_entries(open_storage(settings), date.fromisoformat(sys.argv[1]), settings.languages[0])))

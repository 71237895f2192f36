"""What opens below a row: the files of abstracts beside a day's page, one for some fifty papers.

    site/<tag>/<day>/abstracts-00.js     digest.addDetails("…"): base64 of gzip of {"2606.01438": ["<html>", "@misc{…}"], …}

They are scripts and not JSON because a page opened from a disk may load a script and may not fetch. They are packed because they
hold half of a site's text: packed here they take 2 kB a paper where a host has no room, and no more to send than what it compresses.

What lives here: these files' bytes. What does not: when a browser asks for one (`assets/rows.js`).
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from digest_pipeline.models import Paper
from digest_pipeline.reading.view import ShownNote, notes_in_words
from digest_pipeline.site import paths
from digest_pipeline.site.exports.bibtex import bibtex_bytes
from digest_pipeline.site.render import Renderer
from digest_pipeline.site.versions import VersionChange
from digest_pipeline.site.views import PaperView
from digest_pipeline.translation.languages import Language


def details_files(
    renderer: Renderer,
    language: Language,
    day: date,
    views: Sequence[PaperView],
    papers: Mapping[str, Paper],
    changes: Mapping[str, Sequence[VersionChange]],
    notes: Mapping[str, Sequence[ShownNote]],
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file. `views` in the page's order; `changes` by arXiv id, of papers that replace a version we hold; `notes` likewise, of papers that were read whole."""
    for start in range(0, len(views), paths.DETAILS_PAPERS):
        chunk = views[start : start + paths.DETAILS_PAPERS]
        page = paths.day_page(language.tag, day)
        found = {
            view.id: [_html(renderer, page, language, view, changes.get(view.id, ()), notes.get(view.id, ())), short_bibtex(papers[view.id])]
            for view in chunk
        }
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
        packed = base64.b64encode(gzip.compress(text, compresslevel=9, mtime=0)).decode()
        yield paths.details(language.tag, day, start // paths.DETAILS_PAPERS), f'digest.addDetails("{packed}");\n'.encode()


def _html(renderer: Renderer, page: str, language: Language, view: PaperView, changes: Sequence[VersionChange], notes: Sequence[ShownNote]) -> str:
    return renderer.part("details", page, language, paper=view, changes=changes, notes=notes_in_words(notes, language)).strip()


def short_bibtex(paper: Paper) -> str:
    """As in the day's BibTeX file, without the abstract (a line of its own): for a clipboard."""
    return "\n".join(line for line in bibtex_bytes([paper]).decode().strip().split("\n") if not line.startswith("  abstract = "))


def read_details(script: bytes) -> dict[str, tuple[str, str]]:
    """arXiv id → (HTML, BibTeX) of one file, as a browser reads it."""
    packed = script.partition(b'"')[2].rpartition(b'"')[0]
    return {arxiv_id: (html, bibtex) for arxiv_id, (html, bibtex) in json.loads(gzip.decompress(base64.b64decode(packed))).items()}

"""A page of its own for every paper, where that is switched on (`DIGEST_SITE_PAPER_PAGES`): for search engines and previews of links.

What lives here: making and removing these pages. What does not: what one shows (`versions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from digest_pipeline.site import paths
from digest_pipeline.site.corpus import Corpus, PaperRows
from digest_pipeline.site.exports.bibtex import bibtex_bytes
from digest_pipeline.site.exports.citation import citation_meta
from digest_pipeline.site.finder import ListingIndex
from digest_pipeline.site.render import Renderer
from digest_pipeline.site.versions import PaperHistory, history_of
from digest_pipeline.site.writer import SiteWriter
from digest_pipeline.translation.languages import Language

_PAPERS_AT_ONCE = 2_000
"""In such batches, so that memory does not grow with the archive; each day that lists one of them is read once a batch."""


def write_paper_pages(
    ids: Sequence[str], corpus: Corpus, index: ListingIndex, renderer: Renderer, writer: SiteWriter, languages: Sequence[Language]
) -> int:
    """Makes the pages of these papers again; removes those of papers that no day lists. Returns how many it made."""
    made = 0
    for start in range(0, len(ids), _PAPERS_AT_ONCE):
        batch = ids[start : start + _PAPERS_AT_ONCE]
        for arxiv_id, rows in _rows_of(batch, corpus, index).items():
            for language in languages:
                page = paths.paper_page(language.tag, arxiv_id)
                if rows:
                    values = _values(history_of(rows, language))
                    writer.write(page, renderer.page("paper", page, language, place=partial(paths.paper_page, arxiv_id=arxiv_id), **values))
                    made += 1
                else:
                    writer.remove(page)
    return made


def _rows_of(ids: Sequence[str], corpus: Corpus, index: ListingIndex) -> dict[str, list[PaperRows]]:
    """Id → its rows, oldest listing first."""
    wanted: dict[date, list[str]] = {}
    for arxiv_id in ids:
        for day in index.days_of(arxiv_id):
            wanted.setdefault(day, []).append(arxiv_id)
    found: dict[str, list[PaperRows]] = {arxiv_id: [] for arxiv_id in ids}
    for day in sorted(wanted):
        for row in corpus.load_papers(day, wanted[day]):
            found[row.paper.arxiv_id].append(row)
    return found


def _values(history: PaperHistory) -> dict[str, Any]:
    return {
        "paper": history.newest,
        "models": (history.model,) if history.model else (),
        "is_sample": history.is_sample,
        "listings": history.listings,
        "changes": history.changes,
        "lacks_earlier": history.lacks_earlier,
        "meta": citation_meta(history.source),
        "bibtex": bibtex_bytes([history.source]).decode().strip(),
    }

"""A day's papers as BibTeX.

What lives here: fields and keys of an entry. What does not: names (`names.py`), TeX that can do no harm (`tex/bibtex.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from digest_pipeline.models import DigestEntry, Paper, id_sort_key
from digest_pipeline.render.formats import Format
from digest_pipeline.site.exports.names import bibtex_name
from digest_pipeline.tex.bibtex import latex_text


def bibtex_bytes(papers: Iterable[Paper]) -> bytes:
    """One `@misc` a paper, UTF-8, in the order given; of two versions of a paper the newer. No paper: a comment."""
    newest: dict[str, Paper] = {}
    for paper in papers:
        if paper.arxiv_id not in newest or newest[paper.arxiv_id].version < paper.version:
            newest[paper.arxiv_id] = paper
    return ("\n".join(map(_bibtex_entry, newest.values())) or "% no papers\n").encode()


def bibtex_key(arxiv_id: str) -> str:
    """`arxiv-2404.01438`, `arxiv-hep-ex-0406020`: from the id alone, so it never changes and is unique."""
    return "arxiv-" + arxiv_id.replace("/", "-")


@lru_cache(maxsize=4_096)  # a paper stands in `all`, in its categories, and on its own page
def _bibtex_entry(paper: Paper) -> str:
    year, month, _, _ = id_sort_key(paper.arxiv_id)
    fields = {
        "title": f"{{{latex_text(paper.title) or bibtex_key(paper.arxiv_id)}}}",  # inner braces keep capitals
        "author": " and ".join(name for name in map(bibtex_name, paper.authors) if name),
        "year": str(paper.submitted_at_utc.year if paper.submitted_at_utc else year),
        "month": str(paper.submitted_at_utc.month if paper.submitted_at_utc else month),
        "eprint": paper.arxiv_id,
        "archiveprefix": "arXiv",
        "primaryclass": paper.primary_category,
        "version": str(paper.version),
        "doi": _address_safe(paper.doi or ""),
        "journal": latex_text(paper.journal_ref or ""),
        "note": latex_text(paper.comment or ""),
        "url": paper.abs_url,
        "abstract": latex_text(paper.abstract),
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{bibtex_key(paper.arxiv_id)},\n{lines}}}\n"


def _address_safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9./:;()<>_\-+]", "", text)


def _write(entries: Sequence[DigestEntry]) -> bytes:
    return bibtex_bytes(entry.paper for entry in entries)


FORMAT: Format[Sequence[DigestEntry]] = Format("bib", "BibTeX", _write)

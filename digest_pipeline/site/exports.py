r"""One day's papers for other programs: JSON Lines, BibTeX, and the `citation_*` metadata that Zotero reads.

    site/<tag>/<day>/<category>.jsonl   .bib

What lives here: these formats' bytes. What does not: the tables, which are the better source for analysis
(`docs/recipes.md`), and a second Markdown: the digest's own file has front matter, footnotes and absolute
links that Obsidian reads as they are, so `data/digests/<tag>/` opens as a vault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from digest_pipeline import tables
from digest_pipeline.models import DigestEntry, Paper, id_sort_key
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage
from digest_pipeline.tex.bibtex import latex_text
from digest_pipeline.text import one_line

if TYPE_CHECKING:
    pass

JSONL_FIELDS: tuple[str, ...] = tuple(dict.fromkeys([*tables.PAPERS.names, *tables.TRANSLATED_SUMMARIES.names]))
"""The keys of each line: the columns of both tables under their own names, in their order."""

_OF_PAPER = frozenset(tables.PAPERS.names)

# -- JSON Lines -------------------------------------------------------------------------------------


def jsonl_bytes(entries: Iterable[DigestEntry]) -> bytes:
    """One object a line and paper, UTF-8; texts exactly as in the tables, instants ISO 8601 in UTC. No paper: no line."""
    return "".join(json.dumps(_row(entry), ensure_ascii=False) + "\n" for entry in entries).encode()


def _row(entry: DigestEntry) -> dict[str, Any]:
    return {name: _plain(getattr(entry.paper if name in _OF_PAPER else entry.summary, name)) for name in JSONL_FIELDS}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


# -- BibTeX -----------------------------------------------------------------------------------------


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


_COLLABORATION = re.compile(r"\b(collaboration|consortium|team|group|project|network|initiative|community)\b", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|II|III|IV")
_PARTICLES = frozenset(["Abu", "Al", "Da", "Dal", "Dalla", "De", "Del", "Della", "Des", "Di", "Dos", "El", "La", "Le", "Van", "Von"])
"""Those that some write with a capital. Not `Ben`, `Bin`, `Das`, `Du`, `Lo`: as often a given or a whole family name."""
_VIETNAMESE = frozenset(
    ["Bui", "Dang", "Dinh", "Duong", "Hoang", "Huynh", "Le", "Luong", "Ngo", "Nguyen", "Pham", "Phan", "Thi", "Tran", "Trinh", "Truong", "Vo", "Vu"]
)
"""Words of names in which a `Van` or `Le` in the middle belongs to the given name."""
_CONJUNCTIONS = frozenset(["e", "i", "y"])
"""Between two family names, as in `Ramón y Cajal`."""
_PORTUGUESE_SUFFIXES = frozenset(["Filho", "Junior", "Júnior", "Neto", "Sobrinho"])
"""Generations written behind the family name, as part of it."""


def bibtex_name(name: str) -> str:
    """`Ludwig van Beethoven` → `van Beethoven, Ludwig`; collaborations and single words stay whole in braces."""
    name = one_line(name)
    words = [word for word in name.replace(",", " , ").split() if word != ","]
    if not words:
        return ""
    if len(words) == 1 or _COLLABORATION.search(name) or "(" in name:
        return f"{{{latex_text(name)}}}"
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    family, given = _family_and_given(name, words)
    return ", ".join(_name_part(part) for part in (family, suffix, given) if part)


def _family_and_given(name: str, words: Sequence[str]) -> tuple[str, str]:
    before, comma, after = name.partition(",")
    if comma and after.strip() and not _SUFFIX.fullmatch(after.strip()):
        return before.strip(), after.strip()
    start = _start_of_family(words)
    return " ".join(words[start:]), " ".join(words[:start])


def _start_of_family(words: Sequence[str]) -> int:
    """Where the family name begins: at its particle, else with the last word. arXiv does not mark it, so two family
    names without a particle or hyphen between them cannot be told from a middle name."""
    particles = _PARTICLES if _VIETNAMESE.isdisjoint(words) else _PARTICLES - {"Van", "Le"}
    for number, word in enumerate(words[1:-1], start=1):
        if word in _CONJUNCTIONS and number > 1:
            return number - 1
        if word in particles or word[0].islower():
            return number
    follows_family = len(words) > 2 and words[-1] in _PORTUGUESE_SUFFIXES
    return len(words) - (2 if follows_family else 1)


def _name_part(part: str) -> str:
    """A word `and` or a comma inside would begin another name."""
    safe = latex_text(part)
    return f"{{{safe}}}" if re.search(r",|\band\b", safe, re.IGNORECASE) else safe


# -- metadata of a paper's page ---------------------------------------------------------------------


def citation_meta(paper: Paper) -> tuple[tuple[str, str], ...]:
    """(name, content) of each `<meta>` tag, in order, authors one by one; plain text, to be escaped by the template."""
    submitted, updated = paper.submitted_at_utc, paper.updated_at_utc
    pairs = [
        ("citation_title", one_line(paper.title)),
        *(("citation_author", name) for name in map(_citation_name, paper.authors)),
        ("citation_publication_date", f"{submitted:%Y/%m/%d}" if submitted else f"{paper.listing_date:%Y/%m/%d}"),
        ("citation_online_date", f"{updated:%Y/%m/%d}" if updated else ""),
        ("citation_arxiv_id", paper.arxiv_id),
        ("citation_doi", one_line(paper.doi or "")),
        ("citation_journal_title", one_line(paper.journal_ref or "")),
        ("citation_pdf_url", paper.pdf_url),
        ("citation_abstract_html_url", paper.abs_url),
        ("citation_keywords", "; ".join(paper.categories)),
        ("citation_language", "en"),
        ("citation_abstract", one_line(paper.abstract)),
    ]
    return tuple((name, content) for name, content in pairs if content)


def _citation_name(name: str) -> str:
    """`Family, Given`, as Google Scholar and Zotero read it; collaborations stay whole."""
    name = one_line(name)
    words = name.split()
    if len(words) < 2 or "," in name or _COLLABORATION.search(name):
        return name
    family, given = _family_and_given(name, words)
    return f"{family}, {given}"


# -- files ------------------------------------------------------------------------------------------


def write_exports(storage: Storage, tag: str, day: date, category: str, entries: Sequence[DigestEntry]) -> tuple[str, ...]:
    """Writes both files of one day and category (or `all`) where they changed; returns their paths below `site/`."""
    files = {
        paths.export(tag, day, category, "jsonl"): jsonl_bytes(entries),
        paths.export(tag, day, category, "bib"): bibtex_bytes(entry.paper for entry in entries),
    }
    for path, content in files.items():
        storage.write_if_changed(f"site/{path}", content)
    return tuple(files)

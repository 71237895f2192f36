"""One entry of a library, and what was wrong with those that could not be read.

What lives here: the values all formats are read into, and finding the arXiv id in an entry's fields. What does not: any format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from digest_pipeline.models import VersionedId
from digest_pipeline.tex.plain import plain_text

_ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}|[a-z][a-z\-]*(?:\.[A-Z]{2})?/\d{7}")
_NAMES_ARXIV = re.compile(rf"arxiv[\s:./]*(?:org/)?(?:abs/|pdf/|html/)?\s*({_ARXIV_ID.pattern})(?:v\d+)?", re.I)


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """`key` is what the file calls it; `arxiv_id` (without version) and `abstract` are empty where the file has none."""

    key: str
    title: str
    abstract: str
    authors: tuple[str, ...]
    arxiv_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Which file, which entry of it (empty: the file as a whole), what is wrong."""

    file: str
    entry: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}{f', {self.entry}' if self.entry else ''}: {self.what}"


@dataclass(frozen=True, slots=True)
class Library:
    """What was read, in the files' order, and what could not be."""

    entries: tuple[LibraryEntry, ...]
    problems: tuple[Problem, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Library]) -> Library:
        """All entries, each paper once: by its arXiv id, else by its title."""
        parts = list(parts)
        entries: dict[str, LibraryEntry] = {}
        for part in parts:
            for entry in part.entries:
                entries.setdefault(entry.arxiv_id or entry.title.casefold(), entry)
        return cls(tuple(entries.values()), tuple(problem for part in parts for problem in part.problems))


def arxiv_id_in(text: str) -> str:
    """The first arXiv id that `text` names as one ("arXiv:2401.01234", an address, a DOI), without version; empty where there is none."""
    match = _NAMES_ARXIV.search(text)
    return match[1] if match else ""


def first_arxiv_id(texts: Iterable[object]) -> str:
    """That of the first text which names one; None and empty texts name none."""
    return next((found for text in texts if (found := arxiv_id_in(str(text or "")))), "")


def parse_arxiv_id(text: str) -> str:
    """`text` as a bare id, `arXiv:…` or a link to the paper, without version. Raises ValueError on anything else."""
    text = text.strip()
    return arxiv_id_in(text) or VersionedId.parse(text.removesuffix(".pdf")).arxiv_id


def entry_of(file: str, key: str, *, title: str, abstract: str = "", authors: Iterable[str] = (), arxiv_id: str = "") -> LibraryEntry | Problem:
    """An entry with its texts read from TeX, or why it is of no use: neither a title nor an arXiv id."""
    title = plain_text(_without_braces(title))
    if not title and not arxiv_id:
        return Problem(file, key, "the entry has neither a title nor an arXiv id")
    names = tuple(name for name in (plain_text(_without_braces(author)) for author in authors) if name)
    return LibraryEntry(key, title, plain_text(_without_braces(abstract)), names, arxiv_id)


def as_library(found: Iterable[LibraryEntry | Problem]) -> Library:
    """Entries and problems sorted out."""
    found = list(found)
    return Library(tuple(one for one in found if isinstance(one, LibraryEntry)), tuple(one for one in found if isinstance(one, Problem)))


def given_first(name: str) -> str:
    """ "Lovelace, Ada" as "Ada Lovelace", the way arXiv gives names."""
    family, comma, given = name.partition(",")
    return f"{given.strip()} {family.strip()}".strip() if comma else name.strip()


def _without_braces(text: str) -> str:
    """BibTeX's braces that only keep capitals; those of formulas and commands stay."""
    return re.sub(r"(?<![\\\w^_}])\{([^{}\\$]*)\}", r"\1", text)

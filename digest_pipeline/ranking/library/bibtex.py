"""BibTeX and BibLaTeX, as reference managers and arXiv export them; read with pybtex.

What lives here: which fields say what. What does not: TeX in titles (`entry.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pybtex.errors
from pybtex.database import Entry, Person
from pybtex.database.input.bibtex import Parser
from pybtex.exceptions import PybtexError

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, arxiv_id_in, as_library, entry_of, first_arxiv_id

_NAMING_FIELDS = ("url", "doi", "note", "journal", "journaltitle", "howpublished", "number", "volume", "annote", "keywords")
_SPLIT_ENTRIES = re.compile(r"^(?=[ \t]*@)", re.M)


def read(path: Path) -> Library:
    """Entries in the file's order. One that is broken is a problem by its line; those after it are read."""
    text = path.read_text(encoding="utf-8-sig")
    return as_library(_entries(path.name, text))


def _entries(file: str, text: str) -> Iterator[LibraryEntry | Problem]:
    line, strings = 1, ""
    for part in _SPLIT_ENTRIES.split(text):  # one at a time: pybtex loses what follows a brace that is not closed
        start, line = line, line + part.count("\n")
        kind = part.lstrip()[1:].partition("{")[0].strip().lower() if part.lstrip().startswith("@") else ""
        if kind == "string":
            strings += part
        if kind in ("", "comment", "preamble", "string"):
            continue
        yield from _entry(file, start, part, strings)


def _entry(file: str, line: int, part: str, strings: str) -> Iterator[LibraryEntry | Problem]:
    where = f"line {line}"
    with pybtex.errors.capture() as errors:
        try:
            database = Parser(min_crossrefs=1000).parse_string(f"{strings}{part}")
        except PybtexError as error:
            yield Problem(file, where, f"it is no BibTeX: {str(error).splitlines()[0]}")
            return
    found = [_read(file, key, entry) for key, entry in database.entries.items()]
    if errors and not any(isinstance(one, LibraryEntry) for one in found):
        yield Problem(file, where, f"it is no BibTeX: {str(errors[0]).splitlines()[0]}")
        return
    yield from found


def _read(file: str, key: str, entry: Entry) -> LibraryEntry | Problem:
    fields = {name.lower(): str(value) for name, value in entry.fields.items()}
    return entry_of(
        file,
        key,
        title=fields.get("title", ""),
        abstract=fields.get("abstract", ""),
        authors=[_name(person) for person in entry.persons.get("author", ())],
        arxiv_id=_arxiv_id(fields),
    )


def _arxiv_id(fields: dict[str, str]) -> str:
    eprint = fields.get("eprint", "")
    if eprint and fields.get("archiveprefix", fields.get("eprinttype", "arxiv")).lower() == "arxiv":
        found = arxiv_id_in(f"arXiv:{eprint}")
        if found:
            return found
    return first_arxiv_id(fields.get(name) for name in _NAMING_FIELDS)


def _name(person: Person) -> str:
    return " ".join([*person.first_names, *person.middle_names, *person.prelast_names, *person.last_names])

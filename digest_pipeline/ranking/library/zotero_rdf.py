"""Zotero's own RDF.

What lives here: which elements say what. What does not: attachments, notes and collections, which are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, entry_of, first_arxiv_id

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_DCTERMS = "{http://purl.org/dc/terms/}"
_BIB = "{http://purl.org/net/biblio#}"
_FOAF = "{http://xmlns.com/foaf/0.1/}"
_Z = "{http://www.zotero.org/namespaces/export#}"
_NOT_PAPERS = {"attachment", "note"}


def read(path: Path) -> Library:
    """Entries in the file's order."""
    try:
        root = fromstring(path.read_bytes())
    except ParseError as error:
        return Library((), (Problem(path.name, f"line {error.position[0]}", f"it is no XML: {error}"),))
    except DefusedXmlException:
        return Library((), (Problem(path.name, "", "it declares XML entities, which no export does"),))
    if root.tag != f"{_RDF}RDF":
        return Library((), (Problem(path.name, "", "it is no RDF: its first element is another"),))
    return as_library(_read(path.name, item) for item in _items(root))


def _items(root: Element) -> Iterator[Element]:
    for item in root:
        kind = item.findtext(f"{_Z}itemType")
        if kind and kind not in _NOT_PAPERS:
            yield item


def _read(file: str, item: Element) -> LibraryEntry | Problem:
    key = item.get(f"{_RDF}about", "an item")
    return entry_of(
        file,
        key,
        title=item.findtext(f"{_DC}title") or "",
        abstract=item.findtext(f"{_DCTERMS}abstract") or "",
        authors=[name for person in item.findall(f"{_BIB}authors//{_FOAF}Person") if (name := _name(person))],
        arxiv_id=first_arxiv_id([key, *item.itertext()]),
    )


def _name(person: Element) -> str:
    given = person.findtext(f"{_FOAF}givenName") or ""
    return f"{given} {person.findtext(f'{_FOAF}surname') or ''}".strip()

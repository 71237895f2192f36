"""A library's entries → documents with texts: what an entry lacks comes from the papers at hand, or from arXiv once.

What lives here: which text is taken from where, and keeping what arXiv said. What does not: reading files (`library/`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.library.entry import LibraryEntry
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.storage import Storage

_MOST_OF_AN_AUTHOR = 200

AskArxiv = Callable[[Sequence[str]], Iterable[Document]]
"""Ids without version → the papers that arXiv knows."""


def asks(arxiv: Arxiv) -> AskArxiv:
    """Questions to arXiv's API within its pace."""
    return lambda ids: [_document_of(record) for record in arxiv.records(ids)]


def nobody(_: Sequence[str]) -> Iterable[Document]:
    """For whoever asks no other machine."""
    return ()


class KnownPapers:
    """Papers by id: those at hand, and those that arXiv was asked for, kept in one file of the profile (`private/<profile>/papers.jsonl`)."""

    def __init__(self, at_hand: PapersAtHand, storage: Storage, file: str, ask: AskArxiv = nobody) -> None:
        self._at_hand, self._storage, self._file, self._ask = at_hand, storage, file, ask

    def find(self, ids: Iterable[str]) -> dict[str, Document]:
        """Those that are known or that arXiv knows; a paper that arXiv does not know is asked for again another time. Raises ArxivUnavailable."""
        wanted = sorted(set(ids))
        kept = {document.key: document for document in _read(self._storage, self._file)}
        found = {key: kept[key] for key in wanted if key in kept} | self._at_hand.find(wanted)
        lacking = [key for key in wanted if key not in found]
        asked = {document.key: document for document in self._ask(lacking)} if lacking else {}
        if asked:
            _write(self._storage, self._file, [document for _, document in sorted((kept | asked).items())])
        return found | asked


def papers_that_arxiv_has_by(author: str, storage: Storage, arxiv: Arxiv) -> list[Document]:
    """The author's newest papers, asked for once and kept (`private/_authors/`); arXiv takes names loosely. Raises ArxivUnavailable."""
    file = f"private/_authors/{hashlib.sha256(' '.join(author.casefold().split()).encode()).hexdigest()[:16]}.jsonl"
    found = _read(storage, file)
    if not found and (found := [_document_of(record) for record in arxiv.papers_by(author, _MOST_OF_AN_AUTHOR)]):
        _write(storage, file, found)
    return found


def _document_of(record: ApiRecord) -> Document:
    return Document(record.arxiv_id, record.title, record.abstract, record.authors, record.categories)


def _read(storage: Storage, file: str) -> list[Document]:
    """Empty where there is no such file."""
    rows = [json.loads(line) for line in storage.read_text(file).splitlines()] if storage.exists(file) else []
    return [Document(r["arxiv_id"], r["title"], r["abstract"], tuple(r["authors"]), tuple(r["categories"])) for r in rows]


def _write(storage: Storage, file: str, documents: Iterable[Document]) -> None:
    rows = ({"arxiv_id": d.key, "title": d.title, "abstract": d.abstract, "authors": d.authors, "categories": d.categories} for d in documents)
    storage.write_text(file, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


def documents_of(entries: Sequence[LibraryEntry], known: KnownPapers) -> tuple[Document, ...]:
    """One document an entry that has any text, in the entries' order. An entry with an arXiv id goes by it, another by its key in the file."""
    looked_up = known.find(entry.arxiv_id for entry in entries if entry.arxiv_id)
    found = (looked_up.get(entry.arxiv_id) or Document(entry.arxiv_id or entry.key, entry.title, entry.abstract, entry.authors) for entry in entries)
    return tuple(document for document in found if document.text.strip(" ."))

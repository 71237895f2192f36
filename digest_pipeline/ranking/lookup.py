"""A library's entries → documents with texts: what an entry lacks comes from the papers at hand, or from arXiv once.

What lives here: which text is taken from where, and keeping what arXiv said. What does not: reading files (`library/`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.library.entry import LibraryEntry
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.storage import Storage

AskArxiv = Callable[[Sequence[str]], Iterable[Document]]
"""Ids without version → the papers that arXiv knows."""


def asks(arxiv: Arxiv) -> AskArxiv:
    """Questions to arXiv's API within its pace."""
    return lambda ids: [Document(r.arxiv_id, r.title, r.abstract, r.authors, r.categories) for r in arxiv.records(ids)]


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
        kept = self._kept()
        found = {key: kept[key] for key in wanted if key in kept} | self._at_hand.find(wanted)
        lacking = [key for key in wanted if key not in found]
        asked = {document.key: document for document in self._ask(lacking)} if lacking else {}
        if asked:
            self._keep(kept | asked)
        return found | asked

    def _kept(self) -> dict[str, Document]:
        if not self._file or not self._storage.exists(self._file):
            return {}
        rows = [json.loads(line) for line in self._storage.read_text(self._file).splitlines()]
        return {r["arxiv_id"]: Document(r["arxiv_id"], r["title"], r["abstract"], tuple(r["authors"]), tuple(r["categories"])) for r in rows}

    def _keep(self, documents: dict[str, Document]) -> None:
        rows = [
            {"arxiv_id": d.key, "title": d.title, "abstract": d.abstract, "authors": d.authors, "categories": d.categories}
            for _, d in sorted(documents.items())
        ]
        self._storage.write_text(self._file, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


def documents_of(entries: Sequence[LibraryEntry], known: KnownPapers) -> tuple[Document, ...]:
    """One document an entry that has any text, in the entries' order. An entry with an arXiv id goes by it, another by its key in the file."""
    looked_up = known.find(entry.arxiv_id for entry in entries if entry.arxiv_id)
    found = (_document(entry, looked_up.get(entry.arxiv_id)) for entry in entries)
    return tuple(document for document in found if document.text.strip(" ."))


def _document(entry: LibraryEntry, listed: Document | None) -> Document:
    if listed is not None:
        return listed
    return Document(entry.arxiv_id or entry.key, entry.title, entry.abstract, entry.authors)

"""The listed papers among which a day is judged: the day's own, and those of the days nearest to it that are kept.

What lives here: which days, and the feature space over them. What does not: what is computed with it (`rank.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, TypeVar

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.errors import EmbeddingsUnavailable
from digest_pipeline.ranking.embeddings import Embedder
from digest_pipeline.ranking.features import Document, FeatureSpace
from digest_pipeline.storage import Storage

T = TypeVar("T")

MOST_PAPERS = 2500  # more tell rare categories better and cost more than five milliseconds a paper of the day
LEAST_PAPERS = 3  # below, nothing can be told apart: the day is listed by id

_COLUMNS = ["arxiv_id", "title", "abstract", "authors", "categories"]
_SCHEMA = pa.schema([tables.PAPERS.field(name) for name in _COLUMNS])
_IDS = pa.schema([tables.PAPERS.field("arxiv_id")])


class PapersAtHand:
    """The papers tables of a data directory. The same tables give the same neighbours and spaces; in memory are those of one space only."""

    def __init__(self, storage: Storage, embedder: Embedder | None = None) -> None:
        """`embedder` brings an endpoint's vectors into the spaces; its errors come through `space_around`."""
        self._storage, self._embedder = storage, embedder
        self.days = [day for day in storage.days_of("papers") if storage.exists(storage.papers_file(day))]
        """The listing days at hand, oldest first."""
        self._kept: dict[date, tuple[Document, ...]] = {}
        self._space: tuple[tuple[date, ...], FeatureSpace | None] | None = None

    def of_day(self, day: date) -> tuple[Document, ...]:
        """The day's papers by id; empty where none is kept or nothing was announced."""
        if day in self._kept or day not in self.days:
            return self._kept.get(day, ())
        rows = self._rows(day, _SCHEMA)
        documents = (Document(r["arxiv_id"], r["title"], r["abstract"], tuple(r["authors"]), tuple(r["categories"])) for r in rows)
        return tuple(sorted(documents, key=lambda document: document.key))

    def _rows(self, day: date, schema: pa.Schema) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._storage.read_table(self._storage.papers_file(day), schema).to_pylist()
        pa.default_memory_pool().release_unused()  # Arrow would keep as much again as the documents need
        return rows

    def find(self, wanted: Iterable[str]) -> dict[str, Document]:
        """Id → the paper as its newest listing at hand has it; ids that are not at hand are absent."""
        lacking = set(wanted)
        found: dict[str, Document] = {}
        for day in reversed(self.days):
            if lacking and not lacking.isdisjoint(self._ids(day)):
                found |= {document.key: document for document in self.of_day(day) if document.key in lacking}
                lacking -= found.keys()
        return found

    def _ids(self, day: date) -> list[str]:
        return [row["arxiv_id"] for row in self._rows(day, _IDS)]

    def space_around(self, *days: date) -> FeatureSpace | None:
        """Over these days, and those nearest to them, earlier ones first, as far as MOST_PAPERS reach; None where there are too few papers."""
        around = self.days_around(*days)
        if self._space is None or self._space[0] != around:
            self._space = None  # before the next one is made, which needs the place
            papers: dict[str, Document] = {}
            for day in sorted(around, key=lambda other: _nearest_first(days, other)):
                for document in self.of_day(day):
                    papers.setdefault(document.key, document)
            ordered = [papers[key] for key in sorted(papers)]
            self._space = around, self._space_of(ordered) if len(papers) >= LEAST_PAPERS else None
        return self._space[1]

    def days_around(self, *days: date) -> tuple[date, ...]:
        """The days that `space_around` is made of, oldest first. Their papers are kept until others are asked for."""
        kept = {day: self.of_day(day) for day in days}
        count = sum(map(len, kept.values()))
        for other in sorted((other for other in self.days if other not in kept), key=lambda other: _nearest_first(days, other)):
            count += len(self._kept.get(other) or self._ids(other))
            if count > MOST_PAPERS:
                break
            kept[other] = self.of_day(other)
        self._kept = kept
        return tuple(sorted(kept))

    def _space_of(self, papers: list[Document]) -> FeatureSpace:
        if self._embedder is None:
            return FeatureSpace(papers)
        self._embedder.listed = {paper.key for paper in papers}
        return FeatureSpace(papers, self._embedder.vectors)

    def by_words_where_vectors_fail(self, action: Callable[[], T], tell: Callable[[EmbeddingsUnavailable], None]) -> T:
        """What `action` gives; once more, by words alone, where the vectors cannot be had: `tell` is called with the reason."""
        try:
            return action()
        except EmbeddingsUnavailable as error:
            tell(error)
            self._embedder = self._space = None
            return action()


def _nearest_first(days: Sequence[date], other: date) -> tuple[int, bool]:
    nearest = min(days, key=lambda day: (abs((other - day).days), day))
    return abs((other - nearest).days), other > nearest

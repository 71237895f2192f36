"""The listed papers among which a day is judged: the day's own, and those of the days nearest to it that are kept.

What lives here: which days, and the feature space over them. What does not: what is computed with it (`rank.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.errors import EmbeddingsUnavailable
from digest_pipeline.ranking.embeddings import Embedder
from digest_pipeline.ranking.features import Document, FeatureSpace
from digest_pipeline.storage import Storage

T = TypeVar("T")

MOST_PAPERS = 2500  # more tell rare categories better and cost more than five milliseconds a paper of the day
LEAST_PAPERS = 3  # below, nothing can be told apart: the day is listed by id

_COLUMNS = ["arxiv_id", "version", "title", "abstract", "authors", "categories"]
_SCHEMA = pa.schema([tables.PAPERS.field(name) for name in _COLUMNS])


class PapersAtHand:
    """The papers tables of a data directory, each day read once. The same tables give the same neighbours and spaces."""

    def __init__(self, storage: Storage, embedder: Embedder | None = None) -> None:
        """`embedder` brings an endpoint's vectors into the spaces; its errors come through `space_around`."""
        self._storage, self._embedder = storage, embedder
        self._kept_days = [day for day in storage.days_of("papers") if storage.exists(storage.papers_file(day))]
        self._read: dict[date, tuple[Document, ...]] = {}
        self._space: tuple[tuple[date, ...], FeatureSpace | None] | None = None

    @property
    def days(self) -> list[date]:
        """The listing days at hand, oldest first."""
        return self._kept_days

    def of_day(self, day: date) -> tuple[Document, ...]:
        """The day's papers by id; empty where none is kept or nothing was announced."""
        if day not in self._read:
            rows = self._storage.read_table(self._storage.papers_file(day), _SCHEMA).to_pylist() if day in self._kept_days else []
            documents = (Document(r["arxiv_id"], r["title"], r["abstract"], tuple(r["authors"]), tuple(r["categories"])) for r in rows)
            self._read[day] = tuple(sorted(documents, key=lambda document: document.key))
        return self._read[day]

    def find(self, wanted: Iterable[str]) -> dict[str, Document]:
        """Id → the paper as its newest listing at hand has it; ids that are not at hand are absent."""
        wanted = set(wanted)
        found: dict[str, Document] = {}
        for day in reversed(self._kept_days):
            if not wanted - set(found):
                break
            for document in self.of_day(day):
                if document.key in wanted:
                    found.setdefault(document.key, document)
        return found

    def space_around(self, day: date) -> FeatureSpace | None:
        """Over the day and the days nearest to it, earlier ones first, as far as MOST_PAPERS reach; None where there are too few papers."""
        days = self._around(day)
        if self._space is None or self._space[0] != days:
            papers: dict[str, Document] = {}
            for one in sorted(days, key=lambda other: _nearest_first(day, other)):
                for document in self.of_day(one):
                    papers.setdefault(document.key, document)
            self._space = days, self._space_of([papers[key] for key in sorted(papers)]) if len(papers) >= LEAST_PAPERS else None
        return self._space[1]

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

    def _around(self, day: date) -> tuple[date, ...]:
        chosen, count = [day], len(self.of_day(day))
        for other in sorted((other for other in self._kept_days if other != day), key=lambda other: _nearest_first(day, other)):
            count += len(self.of_day(other))
            if count > MOST_PAPERS:
                break
            chosen.append(other)
        return tuple(sorted(chosen))


def _nearest_first(day: date, other: date) -> tuple[int, bool]:
    return abs((other - day).days), other > day

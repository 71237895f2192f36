"""The papers at hand as numbers: TF-IDF, its principal directions, and what each arXiv category looks like in them.

What lives here: `FeatureSpace`, fitted on listed papers, whose categories are known; it places any other text among them.
What does not: who reads (`interests.py`) and the order of a day (`rank.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Array = npt.NDArray[np.float64]

_TEXT_DIRECTIONS = 150  # more tell single words apart, fewer only broad fields
_CATEGORY_DIRECTIONS = 250  # a category of five papers is told by rarer words than a reader's theme
_MORE_DIRECTIONS, _MANY_PAPERS = 400, 1000  # of few papers even the rarest words are wanted; of many they cost 30 MB and tell little more
_MEANING_DIRECTIONS = 100  # of an endpoint's vectors
_PAPERS_PER_DIRECTION = 8  # with fewer papers to a direction, similarity is chance
_LEAST_PAPERS_OF_CATEGORY = 3
_FEW_PAPERS = 40
_RIDGE = 3.0
_POOLED_PAPERS = 5  # a rare category's spread is drawn towards that of all other papers, as if this many were known
_STRONGEST_EVIDENCE = (-4.0, 6.0)  # of one text for one category, in log odds: the bell curves' tails are not to be believed
_CERTAIN = 20.0  # log odds of a category that is told

_PLAIN_WORD = re.compile(r"[\w\-]*\w|[.,;:!?()]")


@dataclass(frozen=True, slots=True)
class Document:
    """A paper as ranking sees it; `categories` is empty where they are unknown, as in a bibliography."""

    key: str
    title: str
    abstract: str
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.title} . {self.title} . {self.abstract}"  # a title's words count double


VectorsOf = Callable[[Sequence[Document]], npt.NDArray[np.float32]]
"""Documents → an embedding each, rows of length one."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Documents within a space. `directions` has rows of length one (or zero, where no word is known); `evidence` is documents × categories, in log odds."""

    directions: Array
    evidence: Array
    has_words: npt.NDArray[np.bool_]

    def take(self, rows: npt.NDArray[np.intp]) -> Placed:
        return Placed(self.directions[rows], self.evidence[rows], self.has_words[rows])


class FeatureSpace:
    """Fitted once on the papers at hand, used for any number of readers. The same papers in the same order give the same numbers."""

    def __init__(self, papers: Sequence[Document], vectors: VectorsOf | None = None) -> None:
        """`papers` are distinct, at least three. `vectors` gives an endpoint's embeddings; its errors come through here and in `place`."""
        self.papers = papers
        self._vectors = vectors
        self.rows = {paper.key: row for row, paper in enumerate(papers)}
        with threadpool_limits(1):  # sums over threads differ in the last digits
            self._fit()

    def _fit(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # with SciPy two seconds, which only who ranks shall pay
        from sklearn.preprocessing import normalize
        from sklearn.utils.extmath import randomized_svd

        size = len(self.papers)
        rarest, commonest = (1, 1.0) if size < _FEW_PAPERS else (2 if size < _MANY_PAPERS else 3, 0.3)
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=rarest, max_df=commonest, dtype=np.float32)
        words = self._vectorizer.fit_transform(paper.text for paper in self.papers)
        self._holders = words.astype(np.bool_).tocsc()
        wanted = min(_CATEGORY_DIRECTIONS if size > _MANY_PAPERS else _MORE_DIRECTIONS, size - 1, words.shape[1] - 1)
        rows, lengths, self._words_to_directions = randomized_svd(words, wanted, n_iter=3, random_state=0)
        coordinates = (rows * lengths).astype(np.float64)
        self._text_directions = min(_TEXT_DIRECTIONS, max(size // _PAPERS_PER_DIRECTION, 20), wanted)
        self._middle = normalize(coordinates[:, : self._text_directions]).mean(axis=0)
        self._centre = coordinates.mean(axis=0)
        meanings = self._fit_meanings(np.linalg.norm(coordinates - self._centre, axis=1).mean())
        self.directions = self._directions(coordinates, meanings)
        self.categories = _frequent_categories(self.papers)
        self.membership = _membership(self.papers, self.categories)
        self.prior: Array = self.membership.mean(axis=0)
        self._learn_categories(np.hstack([coordinates - self._centre, meanings]))

    def _fit_meanings(self, length: float) -> Array:
        """The principal directions of the papers' vectors, on average as long as those of their words; no column where there are no vectors."""
        if self._vectors is None:
            return np.zeros((len(self.papers), 0))
        from sklearn.decomposition import PCA

        found = self._vectors(self.papers)
        wanted = min(_MEANING_DIRECTIONS, *found.shape, len(self.papers) - 1)
        self._pca = PCA(wanted, svd_solver="full", random_state=0)
        meanings = self._pca.fit_transform(found).astype(np.float64)
        self._meaning_scale = length / max(np.linalg.norm(meanings, axis=1).mean(), 1e-12)
        result: Array = meanings * self._meaning_scale
        return result

    def _meanings(self, documents: Sequence[Document]) -> Array:
        if self._vectors is None:
            return np.zeros((len(documents), 0))
        result: Array = self._pca.transform(self._vectors(documents)).astype(np.float64) * self._meaning_scale
        return result

    def _directions(self, coordinates: Array, meanings: Array) -> Array:
        """Words and meanings count the same."""
        from sklearn.preprocessing import normalize

        long: Array = normalize(coordinates[:, : self._text_directions])
        words: Array = normalize((long - self._middle) * long.any(axis=1, keepdims=True))  # no word known: zero
        result: Array = normalize(np.hstack([words, normalize(meanings)])) if meanings.shape[1] else words
        return result

    def _learn_categories(self, x: Array) -> None:
        """Ridge regression of all categories at once; how its left-out scores lie within and without each says what a score is worth."""
        y = self.membership - self.prior
        inverse = np.linalg.inv(x.T @ x + _RIDGE * np.eye(x.shape[1]))
        self._weights = inverse @ (x.T @ y)
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x)[:, None]
        left_out = (x @ self._weights - leverage * y) / np.maximum(1 - leverage, 1e-6)
        inside, outside = self.membership, 1 - self.membership
        n_in, n_out = inside.sum(axis=0), np.maximum(outside.sum(axis=0), 1)
        self._mean_in, self._mean_out = (left_out * inside).sum(axis=0) / n_in, (left_out * outside).sum(axis=0) / n_out
        squares_in = ((left_out - self._mean_in) ** 2 * inside).sum(axis=0)
        variance_out = ((left_out - self._mean_out) ** 2 * outside).sum(axis=0) / n_out
        self._deviation_in = np.sqrt(np.maximum((squares_in + _POOLED_PAPERS * variance_out) / (n_in + _POOLED_PAPERS), 1e-8))
        self._deviation_out = np.sqrt(np.maximum(variance_out, 1e-8))

    def place(self, documents: Sequence[Document]) -> Placed:
        """Documents from elsewhere; where one's categories are known, by itself or as a paper at hand, they are its evidence."""
        if not documents:
            return self.placed_papers().take(np.empty(0, dtype=np.intp))
        meanings = self._meanings(documents)
        with threadpool_limits(1):
            coordinates = (self._vectorizer.transform(document.text for document in documents) @ self._words_to_directions.T).astype(np.float64)
            directions = self._directions(coordinates, meanings)
            evidence = self._evidence(np.hstack([coordinates - self._centre, meanings]))
        has_words = np.linalg.norm(directions, axis=1) > 0
        evidence[~has_words] = 0
        for row, document in enumerate(documents):
            at_hand = self.rows.get(document.key)
            if known := document.categories or (self.papers[at_hand].categories if at_hand is not None else ()):
                evidence[row] = [_CERTAIN if category in known else -_CERTAIN for category in self.categories]
        return Placed(directions, evidence, has_words)

    def placed_papers(self) -> Placed:
        """The papers at hand themselves."""
        evidence = np.where(self.membership > 0, _CERTAIN, -_CERTAIN)
        return Placed(self.directions, evidence, np.linalg.norm(self.directions, axis=1) > 0)

    def _evidence(self, x: Array) -> Array:
        score = x @ self._weights

        def log_density(mean: Array, deviation: Array) -> Any:
            return -0.5 * ((score - mean) / deviation) ** 2 - np.log(deviation)

        ratio = log_density(self._mean_in, self._deviation_in) - log_density(self._mean_out, self._deviation_out)
        return np.where(self._mean_in > self._mean_out, np.clip(ratio, *_STRONGEST_EVIDENCE), 0.0)

    @cached_property
    def word_rarity(self) -> dict[str, float]:
        """Inverse document frequency of every word known here."""
        names: list[str] = list(self._vectorizer.get_feature_names_out())
        return dict(zip(names, self._vectorizer.idf_.tolist(), strict=True))

    def rows_with_term(self, term: str) -> list[int]:
        """The papers that have these words, known here, one after another."""
        columns = [self._vectorizer.vocabulary_[word] for word in term.split()]
        holders = [self._holders.indices[self._holders.indptr[column] : self._holders.indptr[column + 1]] for column in columns]
        padded = f" {term} "
        return [row for row in reduce(np.intersect1d, holders).tolist() if padded in self._plain_texts[row]]

    @cached_property
    def _plain_texts(self) -> list[str]:
        """Each paper's words in lower case between single spaces."""
        return [f" {' '.join(_PLAIN_WORD.findall(f'{paper.title} . {paper.abstract}'.lower()))} " for paper in self.papers]


def _frequent_categories(papers: Sequence[Document]) -> list[str]:
    counts = Counter(category for paper in papers for category in set(paper.categories))
    return sorted(category for category, count in counts.items() if count >= _LEAST_PAPERS_OF_CATEGORY)


def _membership(papers: Sequence[Document], categories: Sequence[str]) -> Array:
    columns = {category: column for column, category in enumerate(categories)}
    result = np.zeros((len(papers), len(categories)))
    for row, paper in enumerate(papers):
        for category in paper.categories:
            if (column := columns.get(category)) is not None:
                result[row, column] = 1.0
    return result

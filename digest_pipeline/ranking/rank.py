"""The order of one day for one reader, each paper with the interest it serves and the library papers that speak for it.

What lives here: `rank_day`, and which papers at hand it is judged among. What does not: where papers and libraries come from
(`rankings.py`, `profiles.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from digest_pipeline.ranking.declared import as_interests, find_declared, leaning
from digest_pipeline.ranking.features import Array, Document, FeatureSpace, Placed
from digest_pipeline.ranking.interests import Interest, category_shares, find_interests
from digest_pipeline.render.watch_lists import WatchList

_TEXT_WEIGHT = 0.75  # per unit by which the library's papers resemble each other more than any paper does
_TEXT_BOUNDS = (0.3, 6.0)
_TYPICAL_CLOSENESS, _TYPICAL_PAPERS = 2.0, 2.0  # what is taken for a library too small to measure it on
_CLOSENESS_BOUNDS = (0.0, 8.0)
_DISLIKE_PAPERS = 8.0  # so many papers of the background weigh as much as the disliked ones
_AUTHOR_BONUS, _MOST_AUTHORS = 1.0, 2
_TURNS, _TURNS_UNTIL = 2.0, 20  # what an interest's next place costs, in log odds, per doubling of its places
_SHARE_BOUNDS = (1e-3, 0.98)
_SCALE = 4.0  # log odds of the ranking are overconfident: words and categories tell the same twice
_REASONS = 3


@dataclass(frozen=True, slots=True)
class Taste:
    """What a reader has shown: papers liked (library and likes) and disliked, categories and watch lists."""

    liked: tuple[Document, ...]
    disliked: tuple[Document, ...] = ()
    categories: tuple[str, ...] = ()
    watch_lists: tuple[WatchList, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing that a day could be ordered by."""
        return not (self.liked or self.disliked or self.categories or self.watch_lists)


@dataclass(frozen=True, slots=True)
class Reason:
    """A paper of the library that speaks for a ranked one, with its share in what the whole library says."""

    key: str
    title: str
    share: float


@dataclass(frozen=True, slots=True)
class RankedPaper:
    """`rank` starts at 1; `score` is between 0 and 1 and never rises with the rank; `why` may be empty where words are unknown."""

    arxiv_id: str
    rank: int
    score: float
    interest: str
    why: tuple[Reason, ...] = field(default=())


class Ranker:
    """One reader's taste in one feature space; ranks any of the space's papers."""

    def __init__(self, space: FeatureSpace, taste: Taste) -> None:
        self._space, self._taste = space, taste
        self._placed = space.place(taste.liked)
        declared = find_declared(space, taste.categories, taste.watch_lists)
        self.interests = find_interests(space, taste.liked, self._placed)
        self._has_library = bool(self.interests)
        if not self._has_library:  # then what is named are the interests, and the papers at hand that fall under it stand for it
            self.interests, self._placed = as_interests(declared), space.placed_papers()
        with threadpool_limits(1):
            penalty, background = self._of_dislikes()
            self._scores = np.stack([self._score(one, background) for one in self.interests] or [np.zeros(len(space.papers))], axis=1)
            self._scores += (self._author_bonus() + leaning(space, declared, self._has_library) - penalty)[:, None]
        self._scores = np.round(self._scores, 6)

    def rank(self, keys: Iterable[str]) -> list[RankedPaper]:
        """Best first; the order in which `keys` come is of no consequence."""
        keys = sorted(set(keys), reverse=True)  # of equals the newest first
        rows = [self._space.rows[key] for key in keys]
        order = _in_turns(self._scores[rows], [len(one.rows) for one in self.interests] or [1])
        return [self._ranked(keys[index], rows[index], place, worth, kind) for place, (index, kind, worth) in enumerate(order, 1)]

    def _ranked(self, key: str, row: int, place: int, worth: float, kind: int) -> RankedPaper:
        interest = self.interests[kind] if self.interests else None
        score = round(1 / (1 + math.exp(-worth / _SCALE)), 4)
        return RankedPaper(
            key, place, score, interest.words if interest else "", self._reasons(row, interest) if interest and self._has_library else ()
        )

    def _reasons(self, row: int, interest: Interest) -> tuple[Reason, ...]:
        likeness = np.maximum(self._placed.directions @ self._space.directions[row], 0) ** 2
        total = likeness.sum()
        if not total:
            return ()
        shares = likeness / total
        best = sorted(interest.rows.tolist(), key=lambda r: (-round(float(shares[r]), 6), r))[:_REASONS]
        return tuple(Reason(self._taste.liked[r].key, self._taste.liked[r].title, round(float(shares[r]), 3)) for r in best if shares[r] >= 0.0005)

    def _score(self, interest: Interest, background: Array) -> Array:
        mine = self._placed.take(interest.rows)
        shares = category_shares(mine.evidence, self._space.prior)
        return _text_score(self._space, mine) + _category_score(self._space, shares, background)

    def _of_dislikes(self) -> tuple[Array, Array]:
        """What likeness to disliked papers takes away, and the categories' shares that liking is measured against."""
        prior = self._space.prior
        placed = self._space.place(self._taste.disliked) if self._taste.disliked else None
        if placed is None or not placed.has_words.any():
            return np.zeros(len(self._space.papers)), prior
        placed = placed.take(np.flatnonzero(placed.has_words))
        count = len(placed.has_words)
        shares = category_shares(placed.evidence, prior)
        return np.maximum(_text_score(self._space, placed), 0), (_DISLIKE_PAPERS * prior + count * shares) / (_DISLIKE_PAPERS + count)

    def _author_bonus(self) -> Array:
        mine = {name.casefold() for paper in self._taste.liked for name in paper.authors if len(name) > 3}
        shared = [sum(name.casefold() in mine for name in paper.authors) for paper in self._space.papers]
        return _AUTHOR_BONUS * np.minimum(np.array(shared, dtype=np.float64), _MOST_AUTHORS)


def _text_score(space: FeatureSpace, mine: Placed) -> Array:
    """Likeness to the papers of an interest, which counts the more the more these are like each other: a library of one narrow theme
    is judged by its words, one as wide as a category hardly."""
    count = len(mine.directions)
    likeness = (space.directions @ mine.directions.T).mean(axis=1)
    spread = likeness.std() or 1.0
    among = mine.directions @ mine.directions.T
    left_out = (among.sum(axis=1) - np.diag(among)) / max(count - 1, 1)
    measured = ((left_out - likeness.mean()) / spread).sum() if count > 1 else 0.0
    closeness = (measured + _TYPICAL_CLOSENESS * _TYPICAL_PAPERS) / ((count if count > 1 else 0) + _TYPICAL_PAPERS)
    weight = float(np.clip(_TEXT_WEIGHT * np.clip(closeness, *_CLOSENESS_BOUNDS), *_TEXT_BOUNDS))
    result: Array = weight * (likeness - likeness.mean()) / spread
    return result


def _category_score(space: FeatureSpace, shares: Array, background: Array) -> Array:
    """Log odds of a paper's categories among the interest's papers against all papers (and disliked ones)."""
    mine, other = np.clip(shares, *_SHARE_BOUNDS), np.clip(background, *_SHARE_BOUNDS)
    result: Array = space.membership @ np.log(mine / other) + (1 - space.membership) @ np.log((1 - mine) / (1 - other))
    return result


def _in_turns(scores: Array, sizes: Sequence[int]) -> list[tuple[int, int, float]]:
    """Papers × interests in order: (paper, interest, worth). Each place an interest has got makes its next one dearer, so that an
    interest of few or faintly matching papers has its best among the first, and none that does not match at all."""
    kinds = scores.argmax(axis=1)
    by_rank = [np.argsort(-column, kind="stable") for column in scores.T]
    queues = [[int(row) for row in order if kinds[row] == kind] for kind, order in enumerate(by_rank)]
    fair = [max(size / max(sizes), 0.5) for size in sizes]
    given, order = [0] * len(queues), []
    while any(given[kind] < len(queue) for kind, queue in enumerate(queues)):
        offers = []
        for kind, queue in enumerate(queues):
            if given[kind] < len(queue):
                row = queue[given[kind]]
                price = _TURNS * math.log2(1 + min(given[kind], _TURNS_UNTIL) / fair[kind]) if len(queues) > 1 else 0.0
                offers.append((round(float(scores[row, kind]) - price, 6), -kind, row))
        worth, negative, row = max(offers)
        given[-negative] += 1
        order.append((row, -negative, worth))
    return order

"""What a profile names instead of papers: categories and watch lists.

Beside a library they are a mild leaning; without one they are the interests themselves, made of the papers at hand that fall under
them. What does not live here: what a library says (`interests.py`), how a list matches (`render/matching.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digest_pipeline import taxonomy
from digest_pipeline.ranking.features import Array, Document, FeatureSpace
from digest_pipeline.ranking.interests import Interest
from digest_pipeline.render.matching import why_shown
from digest_pipeline.render.watch_lists import WatchList

_CATEGORY_LEANING, _LIST_LEANING = 0.5, 1.5  # in log odds; a library's own categories weigh two to four
_WITHOUT_LIBRARY = 4.0  # times as much: what is named comes before what only resembles it
_CROSS_LISTED = 0.5  # of what a primary category counts


@dataclass(frozen=True, slots=True)
class Declared:
    """One category or watch list: its name for people, and how far each paper at hand falls under it, from 0 to 1."""

    words: str
    leaning: float
    degrees: Array


def find_declared(space: FeatureSpace, categories: Sequence[str], watch_lists: Sequence[WatchList]) -> list[Declared]:
    """The lists first, each in its file's order. Raises SettingsError for an expression of a list that takes too long."""
    names = taxonomy.category_names()
    lists = [Declared(one.title, _LIST_LEANING, np.array([float(bool(why_shown(paper, (), one))) for paper in space.papers])) for one in watch_lists]
    return lists + [
        Declared(
            f"{category} ({names[category]})" if category in names else category,
            _CATEGORY_LEANING,
            np.array([_falls_under(paper, category) for paper in space.papers]),
        )
        for category in categories
    ]


def _falls_under(paper: Document, category: str) -> float:
    found = [taxonomy.falls_under(own, category) for own in paper.categories]
    return 0.0 if not any(found) else 1.0 if found[0] else _CROSS_LISTED


def as_interests(declared: Sequence[Declared]) -> list[Interest]:
    """Rows are those of the space; a category or list that no paper at hand falls under is left out."""
    return [Interest(np.flatnonzero(one.degrees), one.words) for one in declared if one.degrees.any()]


def leaning(space: FeatureSpace, declared: Sequence[Declared], has_library: bool) -> Array:
    """What is added to each paper's score, in log odds."""
    total: Array = sum((one.leaning * one.degrees for one in declared), start=np.zeros(len(space.papers)))
    return total if has_library else _WITHOUT_LIBRARY * total

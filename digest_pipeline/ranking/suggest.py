"""Where a reader without a library begins: an author's papers, or a few papers that tell most about a taste.

What lives here: choosing among the papers at hand. What does not: asking arXiv, and what a vote changes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from threadpoolctl import threadpool_limits

from digest_pipeline.models import id_sort_key
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.rank import Ranker, Taste
from digest_pipeline.text import without_accents


def papers_by_author(at_hand: PapersAtHand, name: str, others: Iterable[Document] = ()) -> list[Document]:
    """The papers at hand, and among `others`, by an author of that name, newest id first. Accents and case do not matter, and a first
    name may be its initial: `A. Lovelace` and `Ada Lovelace` are taken for one person."""
    wanted = _folded(name)
    papers = [*others, *(paper for day in at_hand.days for paper in at_hand.of_day(day))]
    found = {paper.key: paper for paper in papers if any(_are_one(_folded(author), wanted) for author in paper.authors)}
    return [found[key] for key in sorted(found, key=id_sort_key, reverse=True)]


def papers_worth_a_judgement(at_hand: PapersAtHand, taste: Taste | None, count: int) -> list[Document]:
    """`count` papers of the newest day at hand: of a reader's best fifty, or of all, one from each of so many themes, the one nearest its middle."""
    from sklearn.cluster import KMeans

    day = at_hand.days[-1]
    papers = {paper.key: paper for paper in at_hand.of_day(day)}
    space = at_hand.space_around(day)
    if space is None or len(papers) <= count:
        return [papers[key] for key in sorted(papers)[:count]]
    keys = sorted(papers)
    if taste is not None and not taste.is_empty:
        seen = {paper.key for paper in (*taste.liked, *taste.disliked)}
        keys = sorted([row.arxiv_id for row in Ranker(space, taste).rank(keys) if row.arxiv_id not in seen][: 5 * count])
    points = space.directions[[space.rows[key] for key in keys]]
    with threadpool_limits(1):
        themes = KMeans(min(count, len(keys)), random_state=0, n_init=3).fit(points)
    distances = np.round(themes.transform(points), 6)
    sizes = np.bincount(themes.labels_, minlength=distances.shape[1])
    chosen = [keys[int(np.argmin(np.where(themes.labels_ == theme, distances[:, theme], np.inf)))] for theme in np.argsort(-sizes, kind="stable")]
    return [papers[key] for key in dict.fromkeys(chosen)]


def _folded(name: str) -> list[str]:
    return without_accents(name).casefold().replace(".", " ").split()


def _are_one(author: list[str], wanted: list[str]) -> bool:
    if not author or not wanted or author[-1] != wanted[-1]:
        return False
    first, other = author[0], wanted[0]
    return first == other or (1 in (len(first), len(other)) and first[0] == other[0])

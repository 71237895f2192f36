"""Where a reader without a library begins: an author's papers, or a few papers that tell most about a taste.

What lives here: choosing among the papers at hand. What does not: asking arXiv, and what a vote changes.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.rank import Ranker, Taste
from digest_pipeline.text import without_accents


def papers_by_author(at_hand: PapersAtHand, name: str) -> list[Document]:
    """The papers at hand by an author of that name, newest id first; accents and case do not matter."""
    wanted = _folded(name)
    found = {paper.key: paper for day in at_hand.days for paper in at_hand.of_day(day) if any(_folded(author) == wanted for author in paper.authors)}
    return [found[key] for key in sorted(found, reverse=True)]


def papers_worth_a_judgement(at_hand: PapersAtHand, taste: Taste | None, count: int) -> list[Document]:
    """`count` papers of the newest day at hand: of a reader's best fifty, or of all, one from each of so many themes, the one nearest its middle."""
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


def _folded(name: str) -> str:
    return " ".join(without_accents(name).casefold().replace(".", " ").split())

"""What a library is about: one interest, or several that have nothing to do with each other, each in words a person recognises.

What lives here: the share of each category among papers that do not tell theirs, the decision to split a library, the words of a
part. What does not: files and votes (`profiles.py`), the order of a day (`rank.py`).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from digest_pipeline.ranking.features import Array, Document, FeatureSpace, Placed

_LEAST_GAIN = {2: 0.44, 3: 0.75}
"""Of log likelihood per paper, by the number of parts: libraries of one field stay below it, those of unrelated fields lie above."""
_LEAST_PAPERS = 3  # of an interest that is split off
_LEAST_SHARE = 0.05  # of the library
_PRIOR_PAPERS = 2.0  # a category's share among few papers is drawn to its share among all
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Interest:
    """A part of the library: rows of it, and the words for it."""

    rows: npt.NDArray[np.intp]
    words: str


def category_shares(evidence: Array, prior: Array, weights: Array | None = None, prior_papers: float = 1.0) -> Array:
    """The share of each category among papers of which only evidence is known (Saerens, Latinne and Decaestecker 2002).

    Fifteen texts that each look a little like robotics are, together, a robotics library: the shares that make the evidence
    most likely are found by expectation maximisation, starting from those of all papers.
    """
    weights = np.ones(len(evidence)) if weights is None else weights
    odds = np.exp(evidence)
    shares = prior.copy()
    for _ in range(_ROUNDS):
        posterior = shares * odds / (shares * odds + 1 - shares)
        shares = (weights @ posterior + prior_papers * prior) / (weights.sum() + prior_papers)
    return shares


def find_interests(space: FeatureSpace, library: Sequence[Document], placed: Placed) -> list[Interest]:
    """The library in as few parts as explain it, largest first; a library of one field stays whole."""
    rows = np.flatnonzero(placed.has_words)
    parts = sorted(_split(space, placed, rows, max(_LEAST_PAPERS, math.ceil(_LEAST_SHARE * len(rows)))), key=lambda part: (-len(part), part[0]))
    return [Interest(part, name_interest(space, [library[row] for row in part], placed.directions[part])) for part in parts]


def _split(space: FeatureSpace, placed: Placed, rows: npt.NDArray[np.intp], least: int) -> list[npt.NDArray[np.intp]]:
    if not len(rows):
        return []
    for kinds in _LEAST_GAIN:
        if len(rows) >= kinds * least and (label := _parts(space, placed.take(rows), kinds)) is not None:
            parts = [rows[label == kind] for kind in range(kinds)]
            if min(map(len, parts)) >= least:
                return [smaller for part in parts for smaller in _split(space, placed, part, least)]
    return [rows]


def _parts(space: FeatureSpace, placed: Placed, kinds: int) -> npt.NDArray[np.intp] | None:
    """To which of so many interests each paper belongs; None where they explain the papers no better than one."""
    from scipy.cluster.hierarchy import fcluster, ward
    from sklearn.preprocessing import normalize

    evidence, size = placed.evidence, len(placed.evidence)
    if not evidence.shape[1]:
        return None
    _, whole = _mixture(space.prior, evidence, np.ones((size, 1)))
    prior = space.prior
    posterior = prior * np.exp(evidence) / (prior * np.exp(evidence) + 1 - prior)
    by_category = normalize((posterior - prior) / np.sqrt(prior * (1 - prior) + 1e-9))
    starts = (np.hstack([placed.directions, by_category]), normalize(evidence), placed.directions)
    best: tuple[Array, float] | None = None
    for start in starts:
        label = fcluster(ward(start), kinds, "maxclust") - 1
        found = _mixture(prior, evidence, np.eye(kinds)[label] * 0.8 + 0.2 / kinds)
        if best is None or found[1] > best[1] + 1e-9:
            best = found
    assert best is not None
    return np.argmax(best[0], axis=1) if (best[1] - whole) / size >= _LEAST_GAIN[kinds] else None


def _mixture(prior: Array, evidence: Array, responsibility: Array) -> tuple[Array, float]:
    """Expectation maximisation over kinds of papers that differ in their categories' shares: who belongs where, and the log likelihood."""
    odds = np.exp(evidence)
    size, kinds = responsibility.shape
    shares = np.tile(prior, (kinds, 1))
    peak = total = np.zeros(size)
    for turn in range(_ROUNDS):
        for kind in range(kinds):
            weight = responsibility[:, kind]
            for _ in range(3 if turn else 15):
                posterior = shares[kind] * odds / (shares[kind] * odds + 1 - shares[kind])
                shares[kind] = (weight @ posterior + _PRIOR_PAPERS * prior) / (weight.sum() + _PRIOR_PAPERS)
        mix = (responsibility.sum(axis=0) + 1) / (size + kinds)
        likelihood = np.stack([np.log(share * odds + 1 - share).sum(axis=1) for share in shares], axis=1) + np.log(mix)
        peak = likelihood.max(axis=1)
        each = np.exp(likelihood - peak[:, None])
        total = each.sum(axis=1)
        responsibility = each / total[:, None]
    return responsibility, float((peak + np.log(total)).sum())


# -- words ---------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d_][\w\-]*[^\W_]")
_TERMS = 3
_CANDIDATES = 80
_EVERYBODYS = re.compile(
    r"\b(proposed?|existing|extensive|experiment(s|al)|problems?|systems?|papers?|approach(es)?|methods?|results?|performance|novel"
    r"|significantly|stud(y|ies)|works?|provides?|frameworks?|tasks?|different|based|using|high|new|state|art)\b"
)  # said of papers of every field
_NEIGHBOURS = 40  # papers at hand that resemble the interest most: fifteen papers share words by chance, fifty-five do not


def name_interest(space: FeatureSpace, papers: Sequence[Document], directions: Array) -> str:
    """Up to three terms that these papers and those most like them share, and others do not; of a single paper, its title."""
    terms = _shared_terms(space, papers, directions) if len(papers) > 1 else []
    return ", ".join(terms) or papers[0].title


def _shared_terms(space: FeatureSpace, papers: Sequence[Document], directions: Array) -> list[str]:
    in_papers: Counter[str] = Counter()
    spelling: dict[str, Counter[str]] = defaultdict(Counter)
    for paper in papers:
        found = _terms(space, f"{paper.title}. {paper.abstract}")
        in_papers.update({term for term, _ in found})
        for term, written in found:
            spelling[term][written] += 1
    shared = [term for term, count in in_papers.items() if count >= 2 and not _EVERYBODYS.search(term)]
    candidates = sorted(shared, key=lambda term: (-in_papers[term] * _rarity(space, term), term))[:_CANDIDATES]
    nearest = set(np.argsort(-np.round((space.directions @ directions.T).mean(axis=1), 6), kind="stable")[:_NEIGHBOURS].tolist())
    weight: dict[str, float] = {}
    for term in candidates:
        holders = space.rows_with_term(term)
        near = (len(nearest.intersection(holders)) + in_papers[term]) / (len(nearest) + len(papers))
        everywhere = (len(holders) + in_papers[term]) / (len(space.papers) + len(papers))
        weight[term] = near * math.log(near / everywhere) * (1.5 if " " in term else 1.0)
    chosen: list[str] = []
    for term in sorted(candidates, key=lambda term: (-round(weight[term], 9), term)):
        if len(chosen) < _TERMS and weight[term] > 0 and not any(_stems(term) & _stems(other) for other in chosen):
            chosen.append(term)
    return [max(sorted(spelling[term]), key=spelling[term].__getitem__) for term in chosen]


def _rarity(space: FeatureSpace, term: str) -> float:
    words = term.split()
    return sum(space.word_rarity[word] for word in words) / math.sqrt(len(words))


def _stems(term: str) -> set[str]:
    return {word[:6].rstrip("s") for word in term.split()}


def _terms(space: FeatureSpace, text: str) -> list[tuple[str, str]]:
    """Words known to the space, and pairs of neighbouring ones, each with its spelling here."""
    words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]
    known = [word.lower() in space.word_rarity for word, _, _ in words]
    found: list[tuple[str, str]] = []
    for position, (word, _, end) in enumerate(words):
        if not known[position]:
            continue
        found.append((word.lower(), word))
        if position + 1 < len(words) and known[position + 1] and text[end : words[position + 1][1]] == " ":
            following = words[position + 1][0]
            found.append((f"{word.lower()} {following.lower()}", f"{word} {following}"))
    return found

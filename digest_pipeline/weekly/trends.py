"""Terms that more of a week's papers have than chance and the weeks before explain.

What lives here: which words make a term, and the test. What does not: which papers are compared (`week.py`, `digest.py`).

A term rises where all of this holds:

    at least LEAST_AUTHORS first authors use it this week    a group's series of papers is no trend
    its share of papers is GROWTH times what it was          over all earlier weeks together
    its share is above that of each single earlier week      what comes and goes anyway is no trend
    chance explains it in less than one week of twenty       hypergeometric tail, the 5 % divided by all terms that were looked at

The last line is Bonferroni's correction: where nothing has changed, nineteen weeks of twenty name no term at all. Rare terms were looked
at too: to divide by the frequent ones alone would count only those that chance has favoured already.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from digest_pipeline.models import Paper
from digest_pipeline.tex.scan import segments
from digest_pipeline.text import without_accents

LEAST_EARLIER_WEEKS = 2
LEAST_AUTHORS = 5
GROWTH = 1.5
_CHANCE = 0.05
_LONGEST = 3
_SAME_PAPERS = 0.6  # of the smaller term's: then both name one thing
_TOKEN = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*|[.,;:!?()]")
_COMMAND = re.compile(r"\\[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class RisingTerm:
    """`papers` are those of the week, the ones that have it in their title first, then newest first. Shares are between 0 and 1."""

    term: str
    papers: tuple[Paper, ...]
    share: float
    share_before: float


@dataclass(frozen=True, slots=True)
class Trends:
    """`terms` is empty where `weeks_before`, the earlier weeks that have papers, are fewer than LEAST_EARLIER_WEEKS."""

    terms: tuple[RisingTerm, ...]
    papers: int
    papers_before: int
    weeks_before: int


def find_trends(papers: Sequence[Paper], earlier: Iterable[Sequence[Paper]], most: int) -> Trends:
    """At most `most` terms, the least likely by chance first; `earlier` gives the papers of one week after another."""
    frequent, looked_at = _frequent_terms([_words(paper) for paper in papers])
    holders = {term: rows for term, rows in frequent.items() if _first_authors(papers, rows) >= LEAST_AUTHORS}
    sizes: list[int] = []
    counts: list[Counter[str]] = []
    for week in filter(None, earlier):
        sizes.append(len(week))
        counts.append(Counter(term for paper in week for term in _terms_among(_words(paper), holders)))
    terms = _rising(papers, holders, sizes, counts, looked_at)[:most] if len(sizes) >= LEAST_EARLIER_WEEKS else []
    return Trends(tuple(terms), len(papers), sum(sizes), len(sizes))


def _rising(
    papers: Sequence[Paper], holders: dict[str, list[int]], sizes: Sequence[int], counts: Sequence[Counter[str]], looked_at: int
) -> list[RisingTerm]:
    from scipy.stats import hypergeom  # a second, which only a week's making shall pay

    size_before = sum(sizes)
    found = []
    for term, rows in holders.items():
        share, before = len(rows) / len(papers), sum(count[term] for count in counts)
        if share <= max(count[term] / size for count, size in zip(counts, sizes, strict=True)) or share < GROWTH * before / size_before:
            continue
        chance = float(hypergeom.sf(len(rows) - 1, len(papers) + size_before, len(rows) + before, len(papers)))
        if chance * looked_at < _CHANCE:
            found.append((chance, -len(term), term, before / size_before))
    distinct = _distinct([term for *_, term, _ in sorted(found)], holders)
    shares = {term: share for *_, term, share in found}
    return [
        RisingTerm(term, tuple(_title_first(term, [papers[row] for row in reversed(holders[term])])), len(holders[term]) / len(papers), shares[term])
        for term in distinct
    ]


def _words(paper: Paper) -> list[str]:
    """Lower-case words of title and abstract without formulas, with the punctuation that ends a term."""
    return [*_tokens(paper.title), ".", *_tokens(paper.abstract)]


def _tokens(text: str) -> list[str]:
    if "$" in text or "\\" in text:
        text = _COMMAND.sub(" ", " , ".join(segment.source for segment in segments(text) if segment.tex is None))
    return _TOKEN.findall(without_accents(text).lower())


def _frequent_terms(texts: Sequence[Sequence[str]]) -> tuple[dict[str, list[int]], int]:
    """Term → the rows that have it, at least LEAST_AUTHORS, and how many terms were looked at: a longer one only where its parts are frequent."""
    frequent: dict[str, list[int]] = {}
    looked_at = 0
    known: Collection[str] = ()
    for length in range(1, _LONGEST + 1):
        rows_of: dict[str, list[int]] = {}
        for row, words in enumerate(texts):
            for term in set(_stretches(words, length)):
                if length == 1 or (term.rpartition(" ")[0] in known and term.partition(" ")[2] in known):
                    rows_of.setdefault(term, []).append(row)
        looked_at += len(rows_of)
        known = {term for term, rows in rows_of.items() if len(rows) >= LEAST_AUTHORS}
        frequent |= {term: rows_of[term] for term in known if _is_term(term)}
    return frequent, looked_at


def _stretches(words: Sequence[str], length: int) -> Iterator[str]:
    for at in range(len(words) - length + 1):
        part = words[at : at + length]
        if all(word[0].isalpha() for word in part):
            yield " ".join(part)


def _is_term(text: str) -> bool:
    """Neither begins nor ends with a word that says nothing; `chain of thought` is one."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    first, last = text.partition(" ")[0], text.rpartition(" ")[2]
    return len(text) > 2 and first not in ENGLISH_STOP_WORDS and last not in ENGLISH_STOP_WORDS


def _terms_among(words: Sequence[str], wanted: Collection[str]) -> set[str]:
    return {term for length in range(1, _LONGEST + 1) for term in _stretches(words, length) if term in wanted}


def _first_authors(papers: Sequence[Paper], rows: Sequence[int]) -> int:
    return len({papers[row].authors[:1] for row in rows})


def _distinct(terms: Sequence[str], holders: dict[str, list[int]]) -> list[str]:
    """Without terms that stand for an earlier one: `agents` beside `coding agents` in the same papers."""
    chosen: list[str] = []
    for term in terms:
        mine = set(holders[term])
        if all(len(mine.intersection(holders[other])) < _SAME_PAPERS * min(len(mine), len(holders[other])) for other in chosen):
            chosen.append(term)
    return chosen


def _title_first(term: str, papers: Sequence[Paper]) -> list[Paper]:
    return sorted(papers, key=lambda paper: term not in _terms_among(_tokens(paper.title), {term}))

"""The domain's nouns: arXiv ids, announced papers, their summaries, and the ledger of one listing day.

What lives here: plain immutable values and the facts that follow from them alone. What does not: files
(`storage.py`), column types (`tables.py`), where the values come from (`arxiv/`, `translation/`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

_NEW_STYLE = r"\d{4}\.\d{4,5}"  # since 2007-04: YYMM.NNNN, five digits from 2015-01
_OLD_STYLE = r"[a-z][a-z\-]*(?:\.[A-Z]{2})?/\d{7}"  # until 2007-03: hep-ex/0406020, math.GT/0309136
_VERSIONED_ID = re.compile(rf"(?P<id>{_NEW_STYLE}|{_OLD_STYLE})(?:v(?P<version>[1-9]\d{{0,3}}))?")


class AnnounceType(StrEnum):
    """How arXiv announced the paper in this listing, relative to the configured categories."""

    NEW = "new"
    """First announcement; the primary category is configured."""
    CROSS = "cross"
    """Announced here through a secondary category, or an older paper newly cross-listed."""
    REPLACE = "replace"
    """A new version; the primary category is configured."""
    REPLACE_CROSS = "replace-cross"
    """A new version; only a secondary category is configured."""

    @property
    def is_replacement(self) -> bool:
        return self in (AnnounceType.REPLACE, AnnounceType.REPLACE_CROSS)


class Evidence(StrEnum):
    """How we know that the paper belongs to this listing."""

    RSS = "rss"
    """arXiv's announcement feed of that day said so."""
    ID_BLOCK = "id-block"
    """Its id lies in the contiguous block assigned at that day's announcement."""


class SummaryStatus(StrEnum):
    """What became of one paper in one language."""

    TRANSLATED = "translated"
    """A validated answer is there."""
    QUARANTINED = "quarantined"
    """Every answer was rejected; the paper ships in the original with the reason in `flags`."""
    DEFERRED = "deferred"
    """Not asked yet (budget reached, or its batch is still open); the next run of the partition asks."""
    ORIGINAL = "original"
    """Listed in the original by choice (`DIGEST_TRANSLATE=ranked:N`); a run with more papers chosen, or with `all`, asks."""

    @property
    def is_of_an_answer(self) -> bool:
        """The model was asked: its answer is used, or was rejected."""
        return self in (SummaryStatus.TRANSLATED, SummaryStatus.QUARANTINED)

    @property
    def is_untranslated(self) -> bool:
        """In the original for want of a translation, not by choice."""
        return self in (SummaryStatus.QUARANTINED, SummaryStatus.DEFERRED)


@dataclass(frozen=True, slots=True)
class VersionedId:
    """`2404.01438v2` as its parts. Ordering by (month, number) is `sort_key`."""

    arxiv_id: str
    version: int

    @classmethod
    def parse(cls, text: str) -> VersionedId:
        """`text` is an id with or without version (none means 1); raises ValueError on anything else."""
        match = _VERSIONED_ID.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not an arXiv id")
        return cls(match["id"], int(match["version"] or 1))

    def __str__(self) -> str:
        return f"{self.arxiv_id}v{self.version}"


def id_sort_key(arxiv_id: str) -> tuple[int, int, int, str]:
    """Orders ids by age over both styles and the change of century: (year, month, number, archive)."""
    if "/" in arxiv_id:
        archive, digits = arxiv_id.split("/")
        year = int(digits[:2])
        return (1900 + year if year > 90 else 2000 + year, int(digits[2:4]), int(digits[4:]), archive)
    month, number = arxiv_id.split(".")
    return 2000 + int(month[:2]), int(month[2:]), int(number), ""


NO_ABSTRACT = "(arXiv's record of this paper has no abstract.)"
"""Stands in an abstract's place, for readers to see."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper in one listing: what arXiv announced, as it was worded in the announced version.

    `affiliations` runs parallel to `authors` (empty string where arXiv gives none); the two times are
    None only while the API does not know the paper yet and the feed's own text stands in.
    """

    arxiv_id: str
    version: int
    announce_type: AnnounceType
    primary_category: str
    categories: tuple[str, ...]
    title: str
    abstract: str
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    comment: str | None
    doi: str | None
    journal_ref: str | None
    submitted_at_utc: datetime | None
    updated_at_utc: datetime | None
    listing_date: date
    evidence: Evidence

    @property
    def abs_url(self) -> str:
        return f"https://arxiv.org/abs/{self.arxiv_id}"

    @property
    def pdf_url(self) -> str:
        return f"https://arxiv.org/pdf/{self.arxiv_id}v{self.version}"

    @property
    def is_withdrawn(self) -> bool:
        """The API has no withdrawn flag; arXiv puts the notice into the comment or in place of the abstract."""
        notice = re.compile(r"\b(paper|article|manuscript|submission|work|preprint) (has been|is|was) withdrawn\b|^withdrawn\b", re.I)
        return any(notice.search(text[:200]) for text in (self.comment or "", self.abstract))


@dataclass(frozen=True, slots=True)
class Summary:
    """One paper in one language: the model's validated answer, or the mark that there is none.

    Of a paper that is not `translated` the four texts are empty strings, and `flags` says why.
    Costs are US dollars of this answer when it was paid, None where the price is unknown.
    """

    arxiv_id: str
    version: int
    language: str
    translated_title: str
    translated_abstract: str
    tldr: str
    tldr_en: str
    status: SummaryStatus
    flags: tuple[str, ...]
    model: str
    prompt_sha256: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    from_cache: bool
    motivation: str = ""
    method: str = ""
    result: str = ""
    conclusion: str = ""

    @property
    def is_translated(self) -> bool:
        return self.status is SummaryStatus.TRANSLATED


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """A paper with its summary in one language: what every output format is made of."""

    paper: Paper
    summary: Summary


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """By id, the youngest first; raises ValueError for an id that is none of arXiv's."""
    return sorted(papers, key=lambda paper: id_sort_key(paper.arxiv_id), reverse=True)


def counts_by_type(papers: Iterable[Paper]) -> dict[str, int]:
    """Announce type → papers, all four always present, in the enumeration's order."""
    found = Counter(paper.announce_type for paper in papers)
    return {kind.value: found[kind] for kind in AnnounceType}


ALL = "all"
"""In the place of a category: the union of the configured ones, a paper once."""


LEDGER_COUNTS = ("announced", "fetched", "translated", "untranslated", "original", "rendered")
"""The counts of a ledger's row, as a paper goes through the stages; `original` is left out where nothing is so by choice."""


@dataclass(frozen=True, slots=True)
class DayLedger:
    """Where each announced paper of one listing day got to, in one language and one category (or `all`).

    The counts are equal along the chain unless ids are named in the `missing_*` beside them.
    """

    listing_date: date
    category: str
    language: str
    announced: int
    fetched: int
    translated: int
    untranslated: int
    """For want of a translation; what is listed in the original by choice is in `original`."""
    rendered: int
    missing_fetched: tuple[str, ...] = ()
    missing_rendered: tuple[str, ...] = ()
    original: int = 0
    by_type: dict[str, int] = field(default_factory=dict)

    @property
    def balances(self) -> bool:
        """Equal counts are not enough: one paper lost and another rendered twice would hide each other."""
        return "≠" not in self.signs and not self.missing_fetched and not self.missing_rendered

    @property
    def signs(self) -> tuple[str, ...]:
        """`=`, or `≠` where it breaks, at the chain's three joints: announced · fetched · translated + untranslated + original · rendered."""
        chain = (self.announced, self.fetched, self.translated + self.untranslated + self.original, self.rendered)
        return tuple("=" if left == right else "≠" for left, right in pairwise(chain))

    def __str__(self) -> str:
        """The chain in the same words in every language, since programs look for them."""
        first, second, third = self.signs
        by_choice = f" + original {self.original}" if self.original else ""
        return (
            f"announced {self.announced} {first} fetched {self.fetched} {second} translated {self.translated} + untranslated {self.untranslated}"
            f"{by_choice} {third} rendered {self.rendered}"
        )


@dataclass(frozen=True, slots=True)
class ListingInfo:
    """What an output must say of the day beyond its papers."""

    listing_date: date
    announced: bool
    """False: there was no announcement this day (a holiday); the day's outputs are explicit and empty."""
    evidence: Evidence | None
    """None on a day without announcement."""
    is_sample: bool
    notes: tuple[str, ...] = ()
    """Sentences for readers and operators, e.g. why a holiday was recognised."""

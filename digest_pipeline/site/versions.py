"""One paper over its listings: its versions, the days that listed them, and what changed in between.

What lives here: from a paper's rows, oldest listing first, to what its page shows. What does not: reading
the rows (`corpus.py`), comparing texts (`difference.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from digest_pipeline.models import AnnounceType, DigestEntry, Paper
from digest_pipeline.site.corpus import PaperRows
from digest_pipeline.site.difference import Difference, compare
from digest_pipeline.site.views import PaperView, paper_view
from digest_pipeline.translation.languages import Language


@dataclass(frozen=True, slots=True)
class Listing:
    """One day that listed the paper."""

    day: date
    version: int
    kind: AnnounceType
    kind_name: str


@dataclass(frozen=True, slots=True)
class VersionChange:
    """What became of title and abstract from one version we hold to the next one we hold."""

    before: int
    after: int
    title: Difference
    abstract: Difference


@dataclass(frozen=True, slots=True)
class PaperHistory:
    """A paper's page: its newest version in full, all listings newest first, changes newest first."""

    source: Paper
    newest: PaperView
    is_sample: bool
    model: str
    """The one that wrote the newest version's texts; empty where there is no translation."""
    listings: tuple[Listing, ...]
    changes: tuple[VersionChange, ...]
    lacks_earlier: bool
    """True where a version before the newest one was never listed here, so that nothing can be compared."""


def history_of(rows: Sequence[PaperRows], language: Language) -> PaperHistory:
    """`rows` of one paper in order of their days, at least one; the newest version counts, and of it the latest listing."""
    newest = max(rows, key=lambda row: (row.paper.version, row.facts.listing_date))
    by_version = {row.paper.version: row.paper for row in rows}
    summary = newest.summaries[language.tag]
    return PaperHistory(
        source=newest.paper,
        newest=paper_view(DigestEntry(newest.paper, summary), language, newest.matches),
        is_sample=newest.facts.is_sample,
        model=summary.model if summary.is_translated else "",
        listings=tuple(_listing(row, language) for row in reversed(rows)),
        changes=changes_of(by_version),
        lacks_earlier=newest.paper.version - 1 not in {0, *by_version},
    )


def changes_of(by_version: Mapping[int, Paper]) -> tuple[VersionChange, ...]:
    """What changed from each version we hold to the next one we hold, newest first."""
    return tuple(_change(by_version[a], by_version[b]) for a, b in reversed(list(pairwise(sorted(by_version)))))


def _listing(row: PaperRows, language: Language) -> Listing:
    kind = row.paper.announce_type
    return Listing(row.facts.listing_date, row.paper.version, kind, language.label("digest", kind.value))


def _change(before: Paper, after: Paper) -> VersionChange:
    return VersionChange(before.version, after.version, compare(before.title, after.title), compare(before.abstract, after.abstract))

"""One finished listing day as every output sees it: papers, summaries in all languages, ledger, who watches what.

What lives here: that value, reading it, and what follows from it alone. What does not: words and formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType

from digest_pipeline import taxonomy
from digest_pipeline.models import ALL, DayLedger, DigestEntry, ListingInfo, Paper, Summary, SummaryStatus, counts_by_type
from digest_pipeline.papers.ledger import read_facts, read_ledger
from digest_pipeline.render.matching import WatchMatch, match_paper
from digest_pipeline.render.reading import not_asked_yet, read_papers, read_summaries
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language


@dataclass(frozen=True, eq=False)
class Day:
    """One finished listing day: all that any page, feed, mail or export says of it."""

    facts: ListingInfo
    ledger: tuple[DayLedger, ...]
    """One row a language and category, and `all`."""
    papers: tuple[Paper, ...]
    """Newest id first; empty on a day without announcement."""
    summaries: Mapping[str, Mapping[str, Summary]]
    """Language → id → summary; a language added later may be empty."""
    matches: Mapping[str, tuple[WatchMatch, ...]]
    """Id → why a watch list shows the paper, looked for in all languages; papers without a match are absent."""

    @property
    def day(self) -> date:
        return self.facts.listing_date

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories and archives this day was made for, in the ledger's order, without `all`."""
        return tuple(dict.fromkeys(row.category for row in self.ledger if row.category != ALL))

    def in_category(self, category: str) -> tuple[Paper, ...]:
        """The papers listed under a category or archive, or all of them; newest id first."""
        if category == ALL:
            return self.papers
        return tuple(paper for paper in self.papers if any(taxonomy.falls_under(one, category) for one in paper.categories))

    def entries(self, tag: str, category: str = ALL) -> tuple[DigestEntry, ...]:
        """Papers with their summaries in one language; a paper nobody asked for yet has a `deferred` one."""
        return tuple(self.entry(tag, paper) for paper in self.in_category(category))

    def entry(self, tag: str, paper: Paper) -> DigestEntry:
        """One of the day's papers with its summary."""
        return DigestEntry(paper, self.summaries.get(tag, {}).get(paper.arxiv_id) or not_asked_yet(paper, tag))

    def ledger_of(self, tag: str, category: str = ALL) -> DayLedger | None:
        """None where the language or category was configured after the day was made."""
        return next((row for row in self.ledger if (row.language, row.category) == (tag, category)), None)

    def watched(self, list_name: str) -> dict[str, WatchMatch]:
        """Id → the list's match, newest paper first; empty where the list shows none."""
        found = ((paper.arxiv_id, match) for paper in self.papers for match in self.matches.get(paper.arxiv_id, ()) if match.list_name == list_name)
        return dict(found)


def read_day(storage: Storage, day: date, languages: Sequence[str], watch_lists: Sequence[WatchList] = ()) -> Day:
    """Reads one finished day whole. Raises FileNotFoundError where it has no digest yet, SourceError without papers."""
    papers = read_papers(storage, day)
    summaries = {tag: read_summaries(storage, day, tag) for tag in languages}
    return Day(
        facts=read_facts(storage, day),
        ledger=tuple(read_ledger(storage, day)),
        papers=papers,
        summaries=MappingProxyType(summaries),
        matches=MappingProxyType(watch_matches(watch_lists, papers, summaries)),
    )


def watch_matches(
    lists: Sequence[WatchList], papers: Iterable[Paper], summaries: Mapping[str, Mapping[str, Summary]]
) -> dict[str, tuple[WatchMatch, ...]]:
    """Id → the lists that show the paper, by its own text and by every language's; papers without a match are absent."""
    if not lists:
        return {}
    found = ((paper.arxiv_id, match_paper(lists, paper, _in_all_languages(paper, summaries))) for paper in papers)
    return {arxiv_id: matches for arxiv_id, matches in found if matches}


def _in_all_languages(paper: Paper, summaries: Mapping[str, Mapping[str, Summary]]) -> list[Summary]:
    return [rows[paper.arxiv_id] for rows in summaries.values() if paper.arxiv_id in rows]


def in_reading_order(entries: Iterable[DigestEntry]) -> list[DigestEntry]:
    """As given, but replacements at the end: the order of every digest."""
    return sorted(entries, key=lambda entry: entry.paper.announce_type.is_replacement)


def counts_in_words(entries: Sequence[DigestEntry], language: Language) -> dict[str, int]:
    """The announce types in the reader's words → papers, how many are untranslated, and in the original by choice; without zeros."""
    counts = {language.label("digest", kind): count for kind, count in counts_by_type(entry.paper for entry in entries).items() if count}
    original = sum(entry.summary.status is SummaryStatus.ORIGINAL for entry in entries)
    untranslated = sum(entry.summary.status.is_untranslated for entry in entries)
    return counts | {language.label("digest", key): n for key, n in (("untranslated", untranslated), ("original", original)) if n}

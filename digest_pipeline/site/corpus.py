"""The tables of all days as values for the site: one listing day in memory at a time.

What lives here: reading papers, summaries, ledger and facts from the data directory, cheap signatures by
which an unchanged day is recognised without reading it, and the rows of single papers. What does not:
what the tables mean (`tables.py`), what becomes of a day (`build.py`, `feeds.py`, `exports.py` …).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from digest_pipeline import tables, taxonomy
from digest_pipeline.models import ALL, DayLedger, DigestEntry, ListingInfo, Paper, Summary, SummaryStatus, id_sort_key
from digest_pipeline.papers.ledger import read_facts, read_ledger
from digest_pipeline.site.watch import WatchList, WatchMatch, match_paper
from digest_pipeline.storage import Storage

_PARTITION_FILE = re.compile(r"date=(?P<day>\d{4}-\d\d-\d\d)/(?P<file>[^.].*)$")
_SIGNATURE_FIELDS = ("size", "created", "mtime", "ino", "ETag", "LastModified", "etag", "last_modified", "generation", "md5Hash", "content_md5")
"""What file systems tell of a file without reading it; a file replaced in one step has a new inode or ETag."""


@dataclass(frozen=True, eq=False)
class SiteDay:
    """One finished listing day: all that any page, feed or export says of it."""

    facts: ListingInfo
    ledger: tuple[DayLedger, ...]
    """One row a language and category, and `all`."""
    papers: tuple[Paper, ...]
    """Newest id first; empty on a day without announcement."""
    summaries: Mapping[str, Mapping[str, Summary]]
    """Language → id → summary; a language added later may be empty."""
    matches: Mapping[str, tuple[WatchMatch, ...]]
    """Id → why a watch list shows the paper; papers without a match are absent."""

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


def not_asked_yet(paper: Paper, tag: str) -> Summary:
    """The summary of a paper that the language's table does not hold: it was never sent."""
    return Summary(paper.arxiv_id, paper.version, tag, "", "", "", "", SummaryStatus.DEFERRED, (), "", "", 0, 0, None, True)


@dataclass(frozen=True, slots=True)
class DayOutline:
    """A finished day without its texts: whether there was an announcement, and the versioned ids, newest first."""

    announced: bool
    papers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaperRows:
    """One paper on one listing day: its text as announced then, with what each language has of it."""

    paper: Paper
    summaries: Mapping[str, Summary]
    facts: ListingInfo
    matches: tuple[WatchMatch, ...] = ()


class Corpus:
    """All finished listing days below a data directory, for the configured languages."""

    def __init__(self, storage: Storage, languages: Sequence[str], watch_lists: Sequence[WatchList] = ()) -> None:
        self._storage = storage
        self._languages = tuple(languages)
        self._watch_lists = tuple(watch_lists)

    def signatures(self) -> dict[date, str]:
        """Finished day → a value that changes whenever one of its files is replaced; reads no file, lists four folders."""
        seen: dict[date, dict[str, str]] = {}
        for table in ("papers", "translated_summaries", "ledger"):
            for day, file, signature in self._files_of(table):
                if not file.startswith("language=") or file.split("/")[0].removeprefix("language=") in self._languages:
                    seen.setdefault(day, {})[f"{table}/{file}"] = signature
        needed = {"papers/papers.parquet", "ledger/ledger.parquet", "ledger/facts.json"}
        return {day: _digest(sorted(files.items())) for day, files in sorted(seen.items()) if needed <= files.keys()}

    def _files_of(self, table: str) -> Iterator[tuple[date, str, str]]:
        folder = self._storage.path(table)
        folder.fs.invalidate_cache()  # object stores remember listings for as long as the process lives
        for path, info in folder.fs.find(folder.path, detail=True).items():
            if match := _PARTITION_FILE.search(path):
                yield date.fromisoformat(match["day"]), match["file"], repr([info.get(name) for name in _SIGNATURE_FIELDS])

    def content_key(self, day: date) -> str:
        """A hash of the day's files themselves: equal for a day written again with the same content."""
        files = [self._storage.papers_file(day), self._storage.ledger_file(day), f"{tables.partition_folder('ledger', day)}/facts.json"]
        files += [file for tag in self._languages if self._storage.exists(file := self._storage.summaries_file(day, tag))]
        return _digest([(file, hashlib.sha256(self._storage.read_bytes(file)).hexdigest()) for file in files])

    def load(self, day: date) -> SiteDay:
        """Reads one finished day whole; raises FileNotFoundError where a table is missing."""
        papers = tables.papers_from_table(self._storage.read_table(self._storage.papers_file(day), tables.PAPERS))
        summaries = {tag: self._summaries(day, tag) for tag in self._languages}
        return SiteDay(
            facts=read_facts(self._storage, day),
            ledger=tuple(read_ledger(self._storage, day)),
            papers=tuple(sorted(papers, key=lambda paper: id_sort_key(paper.arxiv_id), reverse=True)),
            summaries=MappingProxyType(summaries),
            matches=MappingProxyType(self._matches(papers, summaries)),
        )

    def outline(self, day: date) -> DayOutline:
        """Which papers a day has, without building them."""
        rows = self._storage.read_table(self._storage.papers_file(day), tables.PAPERS).select(["arxiv_id", "version"]).to_pylist()
        rows.sort(key=lambda row: id_sort_key(row["arxiv_id"]), reverse=True)
        return DayOutline(read_facts(self._storage, day).announced, tuple(f"{row['arxiv_id']}v{row['version']}" for row in rows))

    def load_papers(self, day: date, ids: Collection[str]) -> list[PaperRows]:
        """Only the given papers of one day, without building values for the others."""
        papers = tables.papers_from_table(_only(self._storage.read_table(self._storage.papers_file(day), tables.PAPERS), ids))
        by_language = {tag: self._summaries(day, tag, ids) for tag in self._languages}
        facts = read_facts(self._storage, day)
        matches = self._matches(papers, by_language)
        return [
            PaperRows(
                paper,
                {tag: rows.get(paper.arxiv_id) or not_asked_yet(paper, tag) for tag, rows in by_language.items()},
                facts,
                matches.get(paper.arxiv_id, ()),
            )
            for paper in papers
        ]

    def _summaries(self, day: date, tag: str, ids: Collection[str] | None = None) -> dict[str, Summary]:
        file = self._storage.summaries_file(day, tag)
        if not self._storage.exists(file):
            return {}  # the language was configured after this day was made
        table = self._storage.read_table(file, tables.TRANSLATED_SUMMARIES)
        return {row.arxiv_id: row for row in tables.summaries_from_table(table if ids is None else _only(table, ids))}

    def _matches(self, papers: Sequence[Paper], summaries: Mapping[str, Mapping[str, Summary]]) -> dict[str, tuple[WatchMatch, ...]]:
        if not self._watch_lists:
            return {}
        found = {
            paper.arxiv_id: match_paper(self._watch_lists, paper, [rows[paper.arxiv_id] for rows in summaries.values() if paper.arxiv_id in rows])
            for paper in papers
        }
        return {arxiv_id: matches for arxiv_id, matches in found.items() if matches}


def _only(table: pa.Table, ids: Collection[str]) -> pa.Table:
    return table.filter(pc.is_in(table["arxiv_id"], value_set=pa.array(sorted(ids), pa.string())))


def _digest(pairs: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()

"""All finished days below the data directory: one listing day in memory at a time.

What lives here: cheap signatures by which an unchanged day is recognised without reading it, and the rows of single
papers. What does not: reading a day (`render/`), what becomes of it (`build.py`, `feeds.py`, `exports.py` …).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest_pipeline import tables
from digest_pipeline.models import ListingInfo, Paper, Summary, id_sort_key
from digest_pipeline.papers.ledger import read_facts
from digest_pipeline.render.day import Day, read_day, watch_matches
from digest_pipeline.render.matching import WatchMatch
from digest_pipeline.render.reading import not_asked_yet, read_papers, read_summaries
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage

_PARTITION_FILE = re.compile(r"date=(?P<day>\d{4}-\d\d-\d\d)/(?P<file>[^.].*)$")
_SIGNATURE_FIELDS = ("size", "created", "mtime", "ino", "ETag", "LastModified", "etag", "last_modified", "generation", "md5Hash", "content_md5")
"""What file systems tell of a file without reading it; a file replaced in one step has a new inode or ETag."""


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

    def load(self, day: date) -> Day:
        """Reads one finished day whole; raises FileNotFoundError or SourceError where a table is missing."""
        return read_day(self._storage, day, self._languages, self._watch_lists)

    def outline(self, day: date) -> DayOutline:
        """Which papers a day has, without building them."""
        rows = self._storage.read_table(self._storage.papers_file(day), tables.PAPERS).select(["arxiv_id", "version"]).to_pylist()
        rows.sort(key=lambda row: id_sort_key(row["arxiv_id"]), reverse=True)
        return DayOutline(read_facts(self._storage, day).announced, tuple(f"{row['arxiv_id']}v{row['version']}" for row in rows))

    def load_papers(self, day: date, ids: Collection[str]) -> list[PaperRows]:
        """Only the given papers of one day, without building values for the others."""
        papers = read_papers(self._storage, day, ids)
        by_language = {tag: read_summaries(self._storage, day, tag, ids) for tag in self._languages}
        facts = read_facts(self._storage, day)
        matches = watch_matches(self._watch_lists, papers, by_language)
        return [
            PaperRows(
                paper,
                {tag: rows.get(paper.arxiv_id) or not_asked_yet(paper, tag) for tag, rows in by_language.items()},
                facts,
                matches.get(paper.arxiv_id, ()),
            )
            for paper in papers
        ]


def _digest(pairs: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()

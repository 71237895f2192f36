"""All finished days below the data directory: one listing day in memory at a time.

What lives here: cheap signatures by which an unchanged day is recognised without reading it, and the rows of single
papers. What does not: reading a day (`render/`), what becomes of it (`build.py`, `feeds/`, `exports/` …).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest_pipeline import tables
from digest_pipeline.models import ListingInfo, Paper, Summary
from digest_pipeline.papers.ledger import read_facts
from digest_pipeline.reading.view import ShownNote, notes_file, shown_notes
from digest_pipeline.render.day import Day, read_day, watch_matches
from digest_pipeline.render.matching import WatchMatch
from digest_pipeline.render.reading import not_asked_yet, read_papers, read_summaries
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage

_OF_A_DAY = re.compile(r"ledger/date=(\d{4}-\d\d-\d\d)/")
_SIGNATURE_FIELDS = ("size", "created", "mtime", "ino", "ETag", "LastModified", "etag", "last_modified", "generation", "md5Hash", "content_md5")
"""What object stores tell of a file without reading it; a file that was replaced has a new ETag."""


@dataclass(frozen=True, slots=True)
class PaperRows:
    """One paper on one listing day: its text as announced then, with what each language has of it."""

    paper: Paper
    summaries: Mapping[str, Summary]
    facts: ListingInfo
    matches: tuple[WatchMatch, ...] = ()


class Corpus:
    """All finished listing days below a data directory, for the configured languages."""

    def __init__(self, storage: Storage, languages: Sequence[str], watch_lists: Sequence[WatchList] = (), *, with_notes: bool = False) -> None:
        self._storage = storage
        self._languages = tuple(languages)
        self._watch_lists = tuple(watch_lists)
        self._with_notes = with_notes

    def signatures(self) -> dict[date, str]:
        """Finished day, oldest first → a value that changes whenever one of its files is replaced; reads no file."""
        found = self._local_signatures() if self._storage.is_local else self._listed_signatures()
        return dict(sorted(found.items()))

    def _local_signatures(self) -> dict[date, str]:
        """By the files' names, which are known: a listing of every folder would take ten times as long."""
        root = str(self._storage.local_path(""))
        found = {}
        for day in self._storage.days_of("ledger"):
            needed, optional = self._files_of(day)
            try:
                facts = [_facts_of(root, file) for file in needed]
            except FileNotFoundError:
                continue
            for file in optional:
                with contextlib.suppress(FileNotFoundError):
                    facts.append(_facts_of(root, file))
            found[day] = _digest(facts)
        return found

    def _listed_signatures(self) -> dict[date, str]:
        """By one listing a table: an object store is asked per thousand files, not per file."""
        listed: dict[str, str] = {}
        for table in ("papers", "translated_summaries", "ledger", *(["reading_notes"] if self._with_notes else [])):
            folder = self._storage.path(table)
            folder.fs.invalidate_cache()  # object stores remember listings for as long as the process lives
            for path, info in folder.fs.find(folder.path, detail=True).items():
                listed[f"{table}/{path.rpartition(f'/{table}/')[2]}"] = repr([info.get(name) for name in _SIGNATURE_FIELDS])
        found = {}
        for day in {date.fromisoformat(match[1]) for file in listed if (match := _OF_A_DAY.match(file))}:
            needed, optional = self._files_of(day)
            if all(file in listed for file in needed):
                found[day] = _digest([(file, listed[file]) for file in (*needed, *optional) if file in listed])
        return found

    def _files_of(self, day: date) -> tuple[list[str], list[str]]:
        """(those that every finished day has, those of languages that may have been configured later)."""
        needed = [self._storage.papers_file(day), self._storage.ledger_file(day), f"{tables.partition_folder('ledger', day)}/facts.json"]
        notes = [notes_file(day, tag) for tag in self._languages] if self._with_notes else []
        return needed, [*(self._storage.summaries_file(day, tag) for tag in self._languages), *notes]

    def content_key(self, day: date) -> str:
        """A hash of the day's files themselves: equal for a day written again with the same content."""
        needed, optional = self._files_of(day)
        files = [*needed, *(file for file in optional if self._storage.exists(file))]
        return _digest([(file, hashlib.sha256(self._storage.read_bytes(file)).hexdigest()) for file in files])

    def load(self, day: date) -> Day:
        """Reads one finished day whole; raises FileNotFoundError or SourceError where a table is missing."""
        return read_day(self._storage, day, self._languages, self._watch_lists)

    def notes(self, day: date, language: str) -> Mapping[str, Sequence[ShownNote]]:
        """arXiv id → the notes of the papers that were read whole; empty where they are not to be shown."""
        return shown_notes(self._storage, day, language) if self._with_notes else {}

    def is_announced(self, day: date) -> bool:
        return read_facts(self._storage, day).announced

    def earlier_papers(self, day: date, ids: Collection[str]) -> tuple[Paper, ...]:
        """Only these papers of one day, without their summaries."""
        return read_papers(self._storage, day, ids)

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


def _facts_of(root: str, file: str) -> tuple[str, str]:
    """What the file system tells of a file without reading it; one replaced in one step has a new inode."""
    known = os.stat(f"{root}/{file}")  # noqa: PTH116 - thousands of them: a Path takes longer than the system
    return file, f"{known.st_size} {known.st_mtime_ns} {known.st_ino}"


def _digest(pairs: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()[:32]

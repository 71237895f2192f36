"""What the last build made from what, so that the next one does only the rest.

    site/.build.json             whether that build came to its end, and the files that belong to no single day
    site/.build/2026.json        a record a listing day of the year
    site/.build/2026-06.json     the papers and files of each day of the month

Overviews need a little of every day, and a build that adds one needs a lot of that one only: so the records of a year are small
enough to read all of them each time, are written for the years that changed, and the long lists lie apart by month.

What lives here: these files' shapes, reading and writing them. What does not: deciding what is due (`build.py`). A missing, torn
or older file is no error: its days are made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from digest_pipeline.models import ALL
from digest_pipeline.storage import Storage

STATE = ".build.json"
_FORMAT = 3


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What is known of one built day without reading its tables again."""

    signature: str
    """Of its files, from the file system; see `Corpus.signatures`."""
    content: str
    """Of its files' bytes; see `Corpus.content_key`."""
    site: str
    """The key of templates and options its pages were made with."""
    place: str
    """What its pages say of other days: its neighbours, and whether it is the newest listing."""
    announced: bool
    is_sample: bool
    counts: Mapping[str, Mapping[str, int]]
    """Category or `all` → announce type → papers."""
    watched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Watch list → ids it shows, each with the number of its file of abstracts."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The day's share of the statistics page."""

    def total(self, category: str = ALL) -> int:
        return sum(self.counts.get(category, {}).values())


@dataclass(frozen=True, slots=True)
class DayLists:
    """The long lists of one built day."""

    papers: tuple[str, ...] = ()
    """arXiv ids."""
    files: tuple[str, ...] = ()
    """Paths below site/ that belong to this day."""


@dataclass(frozen=True, slots=True)
class BuildState:
    """`is_complete` is false from a build's first write to its last."""

    is_complete: bool = False
    languages: tuple[str, ...] = ()
    has_paper_pages: bool = False
    files: tuple[str, ...] = ()
    """Paths below site/ that belong to no single day or paper."""
    due_papers: tuple[str, ...] = ()
    """Papers whose own pages an interrupted build still owed."""


class BuildRecords:
    """The records of the last build, changed day by day and written where they changed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lists: dict[str, dict[str, DayLists]] = {}
        self._changed: set[str] = set()
        stored = self._read(STATE)
        self.state = BuildState()
        if stored:
            lists = {name: tuple(stored[name]) for name in ("languages", "files", "due_papers")}
            self.state = BuildState(stored["is_complete"], has_paper_pages=stored["has_paper_pages"], **lists)
        self.days: dict[date, DayRecord] = {}
        for year in stored["years"] if stored else ():
            self.days.update({date.fromisoformat(day): DayRecord(**record) for day, record in self._read(_shard(year)).items() if day != "format"})

    def lists_of(self, day: date) -> DayLists:
        """Empty for a day that was not built."""
        return self._month(day).get(day.isoformat(), DayLists())

    def put(self, day: date, record: DayRecord, lists: DayLists | None = None) -> None:
        """`lists` None: they are as they were."""
        self.days[day] = record
        self._changed.add(_year(day))
        if lists is not None and lists != self.lists_of(day):
            self._month(day)[day.isoformat()] = lists
            self._changed.add(_month(day))

    def drop(self, day: date) -> None:
        self.days.pop(day, None)
        self._month(day).pop(day.isoformat(), None)
        self._changed |= {_year(day), _month(day)}

    def write_days(self) -> None:
        """Atomic by file; the days put or dropped since the last call. Unchanged content leaves a file alone."""
        for name in sorted(self._changed):
            if len(name) == len("2026"):
                days: dict[str, Any] = {day.isoformat(): _plain(one) for day, one in sorted(self.days.items()) if _year(day) == name}
            else:
                days = {day: {"papers": " ".join(one.papers), "files": one.files} for day, one in sorted(self._lists[name].items())}
            self._write(_shard(name), days)
        self._changed.clear()

    def write_state(self, state: BuildState) -> None:
        self.state = state
        self._write(STATE, {**_plain(state), "years": sorted({_year(day) for day in self.days})})

    def _month(self, day: date) -> dict[str, DayLists]:
        name = _month(day)
        if name not in self._lists:
            stored = self._read(_shard(name))
            self._lists[name] = {day: DayLists(tuple(one["papers"].split()), tuple(one["files"])) for day, one in stored.items() if day != "format"}
        return self._lists[name]

    def _read(self, path: str) -> dict[str, Any]:
        try:
            stored = json.loads(self._storage.read_text(f"site/{path}"))
        except (FileNotFoundError, ValueError):
            return {}
        return stored if isinstance(stored, dict) and stored.get("format") == _FORMAT else {}

    def _write(self, path: str, content: Mapping[str, Any]) -> None:
        text = json.dumps({"format": _FORMAT, **content}, ensure_ascii=False, separators=(",", ":"))
        self._storage.write_if_changed(f"site/{path}", text.encode())


def files_of(records: BuildRecords, days: Iterable[date]) -> set[str]:
    """Paths below site/ that belong to these days."""
    return {file for day in days for file in records.lists_of(day).files}


def _plain(one: DayRecord | BuildState) -> dict[str, Any]:
    """Without copying what lies within, as `asdict` would: a thousand days have a million numbers."""
    return {each.name: getattr(one, each.name) for each in fields(one)}


def _shard(name: str) -> str:
    return f".build/{name}.json"


def _year(day: date) -> str:
    return f"{day:%Y}"


def _month(day: date) -> str:
    return f"{day:%Y-%m}"

"""What the last build made from what (`site/.build.json`), so that the next one does only the rest.

What lives here: the file's shape, reading and writing it. What does not: deciding what is due (`build.py`).
A missing, torn or older file is no error: it means that everything is due and that files of unknown
origin may lie below `site/`.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from digest_pipeline.storage import Storage

FILE = "site/.build.json"
_FORMAT = 2


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
    evidence: str | None
    counts: Mapping[str, Mapping[str, int]]
    """Category or `all` → announce type → papers."""
    papers: tuple[str, ...]
    """Versioned ids, newest first."""
    watched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Watch list → ids it shows, each with the number of its file of abstracts."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The day's share of the statistics page."""
    files: tuple[str, ...] = ()
    """Paths below site/ that belong to this day: pages and exports."""

    @property
    def paper_ids(self) -> tuple[str, ...]:
        return tuple(one.rpartition("v")[0] for one in self.papers)

    def total(self, category: str = "all") -> int:
        return sum(self.counts.get(category, {}).values())


@dataclass(slots=True)
class Manifest:
    """The whole file. `is_complete` is false from a build's first write to its last."""

    is_complete: bool = False
    languages: tuple[str, ...] = ()
    days: dict[date, DayRecord] = field(default_factory=dict)
    due_papers: tuple[str, ...] = ()
    """Papers of several days whose pages an interrupted build still owed."""
    files: tuple[str, ...] = ()
    """Paths below site/ that belong to no single day or paper."""

    def days_of_papers(self) -> dict[str, list[date]]:
        """Id → its listing days, oldest first."""
        found: defaultdict[str, list[date]] = defaultdict(list)
        for day in sorted(self.days):
            for arxiv_id in self.days[day].paper_ids:
                found[arxiv_id].append(day)
        return found


def read_manifest(storage: Storage) -> Manifest:
    """An empty, incomplete manifest where there is none of this format."""
    try:
        data = json.loads(storage.read_text(FILE))
    except (FileNotFoundError, ValueError):
        return Manifest()
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        return Manifest()
    return Manifest(
        is_complete=data["is_complete"],
        languages=tuple(data["languages"]),
        days={date.fromisoformat(day): _record(record) for day, record in data["days"].items()},
        due_papers=tuple(data["due_papers"]),
        files=tuple(data["files"]),
    )


def write_manifest(storage: Storage, manifest: Manifest) -> None:
    """Atomic; unchanged content leaves the file alone."""
    days = {day.isoformat(): {**_plain(record), "papers": " ".join(record.papers)} for day, record in sorted(manifest.days.items())}
    data = {**{f.name: getattr(manifest, f.name) for f in dataclasses.fields(manifest)}, "format": _FORMAT, "days": days}
    storage.write_if_changed(FILE, json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


def _plain(record: DayRecord) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _record(data: dict[str, Any]) -> DayRecord:
    return DayRecord(**{**data, "papers": tuple(data["papers"].split()), "files": tuple(data["files"])})

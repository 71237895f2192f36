"""Search over all days, offline and static: an inverted index beside the pages, read by the browser alone.

    site/<tag>/search/index.json     the segments, the days in each, and what each day was indexed from
    site/<tag>/search/<segment>/     a segment's files (`segments.py`)

A new day goes into the *head*, a segment of at most a few hundred papers that is written anew each time; when it is full, it
is joined to the newest segment, or becomes the next one, and four full ones become a large one. So a day costs about the same
whatever lies behind it, a question reads a few small files, and nothing is cut into words by anybody but `segmentation.py` and its
twin in `assets/search-index.js`.
Segments are never changed: a new one has a new name, `index.json` is replaced in one step, and then the old one goes.

What lives here: which papers lie in which segment, and bringing that up to date. What does not: the page's markup
(`templates/search.html.jinja`) and what the browser does (`assets/search-index.js`, `search.js`). Why it is made so: `docs/decisions/0012-search.md`.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from digest_pipeline.models import DigestEntry, id_sort_key
from digest_pipeline.site.search.segments import FIELDS, RECORDS_IN_A_FILE, Segment, read_segment, write_segment
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language

_LOG = logging.getLogger(__name__)
FORMAT = 1
"""Raised when segmentation or files change: every index is then built again."""
HEAD_PAPERS = 512
SEGMENT_PAPERS = 4_096
LARGE_SEGMENT_PAPERS = 4 * SEGMENT_PAPERS
"""A question costs a request or two a segment: so many papers in one, as long as joining them takes seconds only."""
_INDEX = "index.json"


@dataclass(slots=True)
class _Stored:
    """One segment as `index.json` has it."""

    name: str
    shards: int
    papers: int
    days: dict[str, list[Any]] = field(default_factory=dict)
    """Day → [its first paper's number, how many it has, key of its content]; papers of no day are not found any more."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What an update did."""

    indexed_papers: int = 0
    """Those of new and changed days."""
    papers: int = 0
    """All that can be found, a paper once for each day that lists it."""
    problem: str = ""
    """Why some days cannot be searched; empty where all is well."""


def update_search(
    storage: Storage,
    language: Language,
    days: Mapping[date, str],
    load: Callable[[date], Sequence[DigestEntry]],
    categories: Sequence[str],
) -> SearchOutcome:
    """Brings one language's index up to date.

    `days` maps each listing day with papers to a key of its content; `load` gives a day's entries in the order of its page
    and is called for new and changed days only. `categories` are those a reader can narrow a search to.
    """
    return _Update(storage, language, categories).run({day.isoformat(): _short(key, categories) for day, key in days.items()}, load)


def search_page_values(outcome: SearchOutcome, language: Language, categories: Sequence[str]) -> dict[str, Any]:
    """The values of `templates/search.html.jinja`."""
    problem = language.label("search", "unavailable").format(reason=outcome.problem) if outcome.problem else ""
    return {"search_categories": tuple(categories), "problem": problem}


def _moved(days: Mapping[str, list[Any]], offset: int) -> dict[str, list[Any]]:
    return {day: [first + offset, count, key] for day, (first, count, key) in days.items()}


def _short(key: str, categories: Sequence[str]) -> str:
    return f"{zlib.crc32('|'.join([key, *categories]).encode()):08x}"


class _Update:
    """One update of one language; `run` tells the story."""

    def __init__(self, storage: Storage, language: Language, categories: Sequence[str]) -> None:
        self._storage, self._language, self._categories = storage, language, categories
        self._folder = f"site/{language.tag}/search"
        self._stored = self._read_index()
        self._names = {one.name for one in self._stored}

    def run(self, wanted: Mapping[str, str], load: Callable[[date], Sequence[DigestEntry]]) -> SearchOutcome:
        changed = self._forget(wanted)
        known = {day for one in self._stored for day in one.days}
        new = sorted(wanted.keys() - known)
        indexed = sum(self._index(day, load(date.fromisoformat(day)), wanted[day]) for day in new)
        self._flush()
        self._join_full_segments()
        if new or changed or not self._storage.exists(f"{self._folder}/{_INDEX}"):
            self._write_index()
        self._drop_old_segments()
        missing = wanted.keys() - {day for one in self._read_index() for day in one.days}
        problem = f"{len(missing)} days are not in the index, e.g. {min(missing)}" if missing else ""
        return SearchOutcome(indexed, sum(count for one in self._stored for _, count, _ in one.days.values()), problem)

    # -- what is due --------------------------------------------------------------------------------

    def _forget(self, wanted: Mapping[str, str]) -> bool:
        """Takes out days that are gone or changed; a segment with less than half its papers left is indexed again whole."""
        changed = False
        for one in self._stored:
            live = {day: place for day, place in one.days.items() if wanted.get(day) == place[2]}
            changed = changed or len(live) < len(one.days)
            one.days = live if 2 * sum(count for _, count, _ in live.values()) >= one.papers else {}
        self._stored = [one for one in self._stored if one.days]
        return changed

    # -- segments -----------------------------------------------------------------------------------

    _head: Segment | None = None
    _head_days: dict[str, list[Any]]

    def _index(self, day: str, entries: Sequence[DigestEntry], key: str) -> int:
        head, days = self._open_head()
        places = {entry.paper.arxiv_id: number for number, entry in enumerate(entries)}
        first = len(head.ids)
        for entry in sorted(entries, key=lambda entry: id_sort_key(entry.paper.arxiv_id)):
            head.add(entry, places[entry.paper.arxiv_id], self._language, self._categories)
        days[day] = [first, len(entries), key]
        if len(head.ids) >= LARGE_SEGMENT_PAPERS:  # many days at once: straight into a large segment
            self._flush()
        return len(entries)

    def _open_head(self) -> tuple[Segment, dict[str, list[Any]]]:
        """The papers that wait for a segment of their own, with their days."""
        if self._head is None:
            newest = self._stored[-1] if self._stored else None
            if newest is not None and newest.papers < HEAD_PAPERS and (segment := self._read(newest)) is not None:
                self._stored.pop()
                self._head, self._head_days = segment, newest.days
            else:
                self._head, self._head_days = Segment(), {}
        return self._head, self._head_days

    def _flush(self) -> None:
        """Writes the head: by itself while it is small, else joined to the newest full segment, as far as that has room."""
        if self._head is None:
            return
        segment, days = self._head, self._head_days
        self._head = None
        newest = self._stored[-1] if self._stored else None
        has_room = newest is not None and len(segment.ids) >= HEAD_PAPERS and newest.papers + len(segment.ids) <= SEGMENT_PAPERS
        if newest is not None and has_room and (larger := self._read(newest)) is not None:
            self._stored.pop()
            days = newest.days | _moved(days, len(larger.ids))
            larger.join(segment)
            segment = larger
        self._stored.append(self._write(segment, days))

    def _join_full_segments(self) -> None:
        full = [one for one in self._stored[:-2] if HEAD_PAPERS <= one.papers <= SEGMENT_PAPERS][:4]  # the last two still grow
        if len(full) < 4:
            return
        joined = Segment()
        days: dict[str, list[Any]] = {}
        for one in full:
            segment = self._read(one)
            if segment is None:
                return
            days |= _moved(one.days, len(joined.ids))
            joined.join(segment)
        self._stored[self._stored.index(full[0])] = self._write(joined, days)
        self._stored = [one for one in self._stored if one not in full]

    def _write(self, segment: Segment, days: dict[str, list[Any]]) -> _Stored:
        name = self._free_name(days)
        return _Stored(name, write_segment(self._storage, f"{self._folder}/{name}", segment), len(segment.ids), days)

    def _read(self, stored: _Stored) -> Segment | None:
        """None, and a line in the log, where its files are torn or gone: it stays as it is, and nothing is joined to it."""
        try:
            return read_segment(self._storage, f"{self._folder}/{stored.name}", stored.shards)
        except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
            _LOG.warning("the search segment %s cannot be read (%s); it is left alone", stored.name, error)
            return None

    def _free_name(self, days: Iterable[str]) -> str:
        """`2026-06-02-3f`: its first day, and what has not been used for another one."""
        first, number = min(days), 0
        while (name := f"{first}-{number:x}") in self._names:
            number += 1
        self._names.add(name)
        return name

    # -- index.json ---------------------------------------------------------------------------------

    def _read_index(self) -> list[_Stored]:
        try:
            known = json.loads(self._storage.read_text(f"{self._folder}/{_INDEX}"))
            return [_Stored(**one) for one in known["segments"]] if known["format"] == FORMAT else []
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            _LOG.warning("%s/%s is torn; the search index is built again", self._folder, _INDEX)
            return []

    def _write_index(self) -> None:
        known = {
            "format": FORMAT,
            "recordsInAFile": RECORDS_IN_A_FILE,
            "fields": dict(FIELDS),
            "segments": [asdict(one) for one in self._stored],
        }
        self._storage.write_text(f"{self._folder}/{_INDEX}", json.dumps(known, separators=(",", ":")) + "\n")

    def _drop_old_segments(self) -> None:
        """Folders that `index.json` does not name any more, those of an interrupted build and of earlier releases too."""
        kept = {one.name for one in self._stored}
        for name in self._storage.names(self._folder):
            if name == "bundles.json":
                self._storage.delete(f"{self._folder}/{name}")
            elif name not in kept and name not in (_INDEX, "index.html"):
                self._storage.delete_folder(f"{self._folder}/{name}")

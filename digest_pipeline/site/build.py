"""The whole site from the tables, doing only what the last build did not: `build_site`.

What lives here: what is due, in which order it is made, and what has to go. What does not: the files of a day (`day_pages.py`),
of a paper (`paper_pages.py`), and those over all days (`overviews.py`).

How it stays quick and safe
- A day whose files look as they did (size, time, inode or ETag) is not read. One that was written again with the same content
  is read once and left alone. No list of all papers is read: which days list a paper stands in small files (`finder.py`).
- Day pages name their neighbours, so a new day also makes the page of the day before it again, and nothing else of that day.
- Each file is replaced in one step, and the records are written last (and now and then on the way), so a build that was killed
  goes on where it stopped. After such a build, files that nothing accounts for are removed.
- Two builds at once write the same files from the same tables. Whichever writes a record last, a day whose record is not that of
  its tables is made again by the next build.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version

from digest_pipeline import tables
from digest_pipeline.calendar import load_calendar
from digest_pipeline.models import ALL, counts_by_type
from digest_pipeline.render.day import Day
from digest_pipeline.site import paths
from digest_pipeline.site.corpus import Corpus
from digest_pipeline.site.day_pages import DayPages, Place
from digest_pipeline.site.finder import ListingIndex
from digest_pipeline.site.options import SiteOptions, SiteSettings
from digest_pipeline.site.overviews import Overviews
from digest_pipeline.site.paper_pages import write_paper_pages
from digest_pipeline.site.record import BuildRecords, BuildState, DayLists, DayRecord, files_of
from digest_pipeline.site.render import Renderer, room_key
from digest_pipeline.site.statistics import day_numbers
from digest_pipeline.site.views import DayView
from digest_pipeline.site.writer import SiteWriter
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language, load_language

__all__ = ["SiteOptions", "SiteReport", "SiteSettings", "build_site"]

_LOG = logging.getLogger(__name__)
_DAYS_BETWEEN_CHECKPOINTS = 25
_SECONDS_BETWEEN_MESSAGES = 10


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What one build did."""

    days: int
    """Finished listing days on the site."""
    days_read: int
    days_built: int
    papers_built: int
    """Paper pages rendered, over all languages."""
    files_written: int
    files_unchanged: int
    files_removed: int
    unfinished_days: tuple[date, ...]
    """Days that have papers but no ledger yet; they appear when their digest is done."""
    search_problem: str
    """Why the newest days cannot be searched for; empty where all is well."""
    seconds: float


def build_site(
    storage: Storage,
    options: SiteOptions,
    *,
    now: Callable[[], datetime],  # noqa: ARG001 - the same tables give the same files, whatever the time
    progress: Callable[[str], None] = _LOG.info,
) -> SiteReport:
    """Brings `site/` up to date with the tables; `progress` is told every ten seconds how far a long build is."""
    started = time.monotonic()
    with SiteWriter(storage) as writer:
        build = _Build(storage, options, writer, progress)
        build.run()
    return SiteReport(
        days=len(build.records.days),
        days_read=build.days_read,
        days_built=build.days_built,
        papers_built=build.papers_built,
        files_written=writer.written,
        files_unchanged=writer.unchanged,
        files_removed=writer.removed,
        unfinished_days=build.unfinished,
        search_problem=build.search_problem,
        seconds=time.monotonic() - started,
    )


class _Build:
    """One build: `run` tells the story; the methods below follow its order."""

    def __init__(self, storage: Storage, options: SiteOptions, writer: SiteWriter, progress: Callable[[str], None]) -> None:
        self._storage, self._options, self._writer, self._progress = storage, options, writer, progress
        self._corpus = Corpus(storage, options.languages, options.watch_lists, with_notes=options.read_on_site)
        self._renderer = Renderer(options)
        self._calendar = load_calendar(options.skipped_evenings_file)
        self._languages: tuple[Language, ...] = tuple(map(load_language, options.languages))
        self._site_key = _site_key(options, self._languages)
        self.records = BuildRecords(storage)
        self._last = self.records.state
        self._index = ListingIndex(storage, is_new=not self.records.days)
        self._pages = DayPages(self._corpus, self._index, self._renderer, writer, self._languages, options.categories)
        self.days_read = self.days_built = self.papers_built = 0
        self.search_problem = ""
        self.unfinished: tuple[date, ...] = ()

    def run(self) -> None:
        changed, gone = self._find_changes()
        places = self._places(changed)
        moved = {day for day, record in self.records.days.items() if day in places and record.place != places[day].key} - changed
        is_idle = self._last.is_complete and not (changed or gone or moved)
        files = tuple(self._last.files)
        had = {*self._last.files, *files_of(self.records, changed | gone)}
        due_papers = set(self._last.due_papers)
        overviews: Overviews
        if not is_idle:
            self.records.write_state(replace(self._last, is_complete=False))
            for day in sorted(gone):
                due_papers |= set(self._take_off(day))
            self._build_days(sorted(changed | moved), changed, places, due_papers)
            if self._options.paper_pages:
                self.papers_built = write_paper_pages(sorted(due_papers), self._corpus, self._index, self._renderer, self._writer, self._languages)
        overviews = Overviews(
            self._storage, self._options, self._corpus, self._renderer, self._writer, self._languages, self._calendar, self.records.days
        )
        if is_idle:
            list(overviews.search())
        else:
            files = tuple(dict.fromkeys(overviews.all(changed | gone, self.unfinished)))
        self.days_read += overviews.days_read
        self.search_problem = overviews.search_problem
        self._writer.flush()
        if not is_idle:
            self._remove_stale(had, changed, files)
            self.records.write_days()
            self.records.write_state(BuildState(True, self._options.languages, self._options.paper_pages, files))

    # -- what is due ------------------------------------------------------------------------------

    def _find_changes(self) -> tuple[set[date], set[date]]:
        """(days whose files or templates changed, days that are no longer there)."""
        finished = self._corpus.signatures()
        self._signatures = dict(list(finished.items())[-self._options.site_days :]) if self._options.site_days else finished
        first = min(self._signatures, default=None)
        self.unfinished = tuple(
            day for day in self._storage.days_of("papers") if day not in finished and (not self._options.site_days or (first and day > first))
        )
        changed = set()
        for day, signature in self._signatures.items():
            known = self.records.days.get(day)
            if known is None or known.site != self._site_key:
                changed.add(day)
            elif known.signature != signature:
                if known.content == self._corpus.content_key(day):
                    self.records.put(day, replace(known, signature=signature))
                else:
                    changed.add(day)
        if self._last.is_complete:
            self.records.write_days()  # days that were written again with the same content
        return changed, set(self.records.days) - set(self._signatures)

    def _places(self, changed: Collection[date]) -> dict[date, Place]:
        order = list(self._signatures)
        announced = [day for day in order if (self._corpus.is_announced(day) if day in changed else self.records.days[day].announced)]
        newest = announced[-1] if announced else None
        newer = tuple(day for day in order if newest and day > newest)
        beside = zip([None, *order], order, [*order[1:], None], strict=False)
        return {day: Place(before, after, day == newest, newer if day == newest else ()) for before, day, after in beside}

    # -- days -------------------------------------------------------------------------------------

    def _build_days(self, days: Sequence[date], changed: Collection[date], places: dict[date, Place], due_papers: set[str]) -> None:
        """The changed days whole, of the others their pages; `due_papers` gains the ids of the changed ones."""
        started = told = time.monotonic()
        for number, day in enumerate(days, start=1):
            loaded = self._corpus.load(day)
            self.days_read += 1
            views = self._pages.views(loaded)
            if day in changed:
                ids = tuple(paper.arxiv_id for paper in loaded.papers)
                before = self.records.lists_of(day).papers
                due_papers |= {*before, *ids} if self._options.paper_pages else set()
                files = tuple(self._pages.write(loaded, views, places[day]))
                self._index.list_on(day, before, ids)
                self.records.put(day, self._record(loaded, views, places[day]), DayLists(ids, files))
            else:
                list(self._pages.write_pages(views, places[day]))
                self.records.put(day, replace(self.records.days[day], place=places[day].key))
            self.days_built += 1
            if number % _DAYS_BETWEEN_CHECKPOINTS == 0:
                self._checkpoint(due_papers)
            if time.monotonic() - told > _SECONDS_BETWEEN_MESSAGES:
                told = time.monotonic()
                to_go = (told - started) / number * (len(days) - number)
                self._progress(f"site: {number} of {len(days)} days, about {to_go:.0f} s to go")
        self._write_index()

    def _take_off(self, day: date) -> tuple[str, ...]:
        papers = self.records.lists_of(day).papers
        self._index.list_on(day, papers, ())
        self.records.drop(day)
        return papers

    def _checkpoint(self, due_papers: Collection[str]) -> None:
        """After a kill, the days up to here are not made again."""
        self._write_index()
        self._writer.flush()
        self.records.write_days()
        self.records.write_state(replace(self._last, is_complete=False, due_papers=tuple(sorted(due_papers))))

    def _write_index(self) -> None:
        for path, content in self._index.changed_files():
            if content:
                self._writer.write(path, content)
            else:
                self._writer.remove(path)

    def _record(self, day: Day, views: dict[str, DayView], place: Place) -> DayRecord:
        return DayRecord(
            signature=self._signatures[day.day],
            content=self._corpus.content_key(day.day),
            site=self._site_key,
            place=place.key,
            announced=day.facts.announced,
            is_sample=day.facts.is_sample,
            counts={one: {kind: count for kind, count in counts_by_type(day.in_category(one)).items() if count} for one in (ALL, *day.categories)},
            watched=_watched(next(iter(views.values()))),
            numbers=day_numbers(day.day, day.papers, day.summaries, self._calendar),
        )

    # -- what has to go ---------------------------------------------------------------------------

    def _remove_stale(self, had: Collection[str], changed: Collection[date], files: Sequence[str]) -> None:
        """`had`: files of changed and vanished days and of the last build's overviews; after an interrupted build, whatever is there."""
        suspects = set(had)
        for tag in set(self._last.languages) - set(self._options.languages):
            suspects.update(self._found_below(tag))
        if self._last.has_paper_pages and not self._options.paper_pages:
            suspects.update(found for tag in self._options.languages for found in self._found_below(f"{tag}/paper"))
        if not self._last.is_complete:
            suspects.update(self._unaccounted())
        kept = {*files, *files_of(self.records, changed if self._last.is_complete else self.records.days)}
        for path in sorted(suspects - kept):
            self._writer.remove(path)

    def _unaccounted(self) -> Iterator[str]:
        """Files of days, papers and the index that are really there: left by a build that was killed, or by an earlier release."""
        for path in self._found_below(""):
            parts = path.split("/")
            is_of_a_day_or_paper = len(parts) >= 3 and (parts[1] == "paper" or _is_date(parts[1])) and not self._is_paper_page(parts)
            if is_of_a_day_or_paper or (parts[0] == "ids" and not self._index.knows(path)):
                yield path

    def _is_paper_page(self, parts: Sequence[str]) -> bool:
        if not self._options.paper_pages or parts[0] not in self._options.languages or parts[1] != "paper":
            return False
        return bool(self._index.days_of("/".join(parts[2:-1])))

    def _found_below(self, folder: str) -> Iterator[str]:
        """The files that really lie below a folder of site/, as paths relative to site/."""
        site = self._storage.path("site")
        site.fs.invalidate_cache()
        prefix = f"{site.path.rstrip('/')}/"
        return (found.removeprefix(prefix) for found in site.fs.find(f"{prefix}{folder}"))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _site_key(options: SiteOptions, languages: Sequence[Language]) -> str:
    """Changes with anything but the tables that decides what a page looks like; then every page is made again."""
    words = [sorted((room, sorted(table.items())) for room, table in language.labels.items()) for language in languages]
    parts = (options.key, room_key(), words, tables.PAPERS.metadata, version("math-core"), version("babel"))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _watched(view: DayView) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for number, paper in enumerate(view.papers):
        for why in paper.why_shown:
            found.setdefault(why.list_name, {})[paper.id] = number // paths.DETAILS_PAPERS
    return found

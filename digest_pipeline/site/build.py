"""The whole site from the tables, doing only what the last build did not: `build_site`.

What lives here: what is due, in which order it is made, and what has to go. What does not: how a page
looks (`templates/`), what it says (`views.py`), feeds, exports, statistics and search (their own modules).

How it stays quick and safe
- A day whose files look as they did (size, time, inode or ETag) is not read. One that was written again
  with the same content is read once and left alone.
- A paper's page depends on every listing that has the paper; it is made again when one of those days changed.
- Day pages name their neighbours, so a new day also makes its predecessor's pages again.
- Each file is replaced in one step, and the manifest is written last (and now and then on the way), so a
  build that was killed goes on where it stopped. After such a build, files that nothing accounts for are removed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from typing import Any, Self

from digest_pipeline import tables
from digest_pipeline.calendar import load_calendar, today_eastern
from digest_pipeline.models import ALL, DigestEntry, Paper, counts_by_type
from digest_pipeline.render.day import Day
from digest_pipeline.site import paths
from digest_pipeline.site.archive import archive_view
from digest_pipeline.site.corpus import Corpus, DayOutline, PaperRows
from digest_pipeline.site.details import details_files
from digest_pipeline.site.exports import export_links, write_exports
from digest_pipeline.site.exports.bibtex import bibtex_bytes
from digest_pipeline.site.exports.citation import citation_meta
from digest_pipeline.site.feeds import category_feed, feed_entries, named_feed, write_feed
from digest_pipeline.site.finder import not_found_page, update_listing_index
from digest_pipeline.site.manifest import DayRecord, Manifest, read_manifest, write_manifest
from digest_pipeline.site.options import SiteOptions, SiteSettings
from digest_pipeline.site.render import ASSETS, Renderer, asset, room_key
from digest_pipeline.site.search import SearchOutcome, search_page_values, update_search
from digest_pipeline.site.statistics import DayCounts, day_numbers, day_rows, statistics_files, statistics_page_data
from digest_pipeline.site.versions import PaperHistory, changes_of, history_of
from digest_pipeline.site.views import DayView, category_name, day_view, page_order, paper_view, weekday_names
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language, load_language

__all__ = ["SiteOptions", "SiteReport", "SiteSettings", "build_site"]

_DAYS_BETWEEN_CHECKPOINTS = 25
_PAPERS_AT_ONCE = 2_000
"""Pages of papers with several listings are made in such batches, so that memory does not grow with the archive."""
_WRITERS = 8
"""Writing waits for the disk or the object store, not for the processor."""
_WATCH_PAPERS_SHOWN = 200
"""A watch list's page shows the papers of its newest days, up to so many (a day's are never parted), each once."""
_WATCH_DAYS_LISTED = 120
"""So many earlier days it names with a link; the archive leads to the others."""


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


def build_site(storage: Storage, options: SiteOptions, *, now: Callable[[], datetime]) -> SiteReport:
    """Brings `site/` up to date with the tables. `now` (aware) decides only which days the archive calls missing."""
    started = time.monotonic()
    with _Writer(storage) as writer:
        build = _Build(storage, options, writer, today_eastern(now()))
        build.run()
    return SiteReport(
        days=len(build.new.days),
        days_read=build.days_read,
        days_built=build.days_built,
        papers_built=build.papers_built,
        files_written=writer.written,
        files_unchanged=writer.unchanged,
        files_removed=writer.removed,
        unfinished_days=tuple(
            day for day in storage.days_of("papers") if day not in build.new.days and (not options.site_days or day > min(build.new.days))
        ),
        search_problem=build.search_problem,
        seconds=time.monotonic() - started,
    )


class _Writer:
    """Writes files below site/ a few at a time; an error of any of them ends the build."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="site-writer")
        self._pending: list[Future[bool]] = []
        self.written = self.unchanged = self.removed = 0

    def write(self, path: str, content: bytes) -> str:
        """Returns `path`, for the lists of files."""
        if len(self._pending) >= 32 * _WRITERS:  # bounds what waits in memory
            self.flush()
        self._pending.append(self._pool.submit(self._storage.write_if_changed, f"site/{path}", content))
        return path

    def remove(self, path: str) -> None:
        self._storage.delete(f"site/{path}")
        self.removed += 1

    def flush(self) -> None:
        """Returns when everything handed over so far lies in its place; raises the first error."""
        pending, self._pending = self._pending, []
        for future in pending:
            if future.result():
                self.written += 1
            else:
                self.unchanged += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _CategoryRow:
    category: str
    name: str
    latest: date | None
    latest_count: int
    total: int
    since: date | None


class _Build:
    """One build: `run` tells the story; the methods below follow its order."""

    def __init__(self, storage: Storage, options: SiteOptions, writer: _Writer, today: date) -> None:
        self._storage, self._options, self._writer, self._today = storage, options, writer, today
        self._corpus = Corpus(storage, options.languages, options.watch_lists)
        self._renderer = Renderer(options)
        self._calendar = load_calendar(options.skipped_evenings_file)
        self._languages: tuple[Language, ...] = tuple(map(load_language, options.languages))
        self._site_key = _site_key(options, self._languages)
        self.old = read_manifest(storage)
        self.new = Manifest(languages=options.languages)
        self.days_read = self.days_built = self.papers_built = 0
        self.search_problem = ""

    def run(self) -> None:
        outlines = self._find_changes()
        self._days_of_papers = self._listing_days(outlines)
        self._places = self._places_of(outlines)
        gone = self.old.days.keys() - self._signatures.keys()
        due = self._due_papers(outlines, gone)
        pages = sorted(day for day in self._signatures if day in outlines or self.old.days[day].place != self._places[day])
        is_idle = self.old.is_complete and not (pages or gone or due)
        if not is_idle:
            write_manifest(self._storage, replace(self.old, is_complete=False, due_papers=tuple(sorted(due))))
            self._build_days(pages, outlines.keys(), due)
            if self._options.paper_pages:
                self._build_papers(sorted(due))
        files = self._build_overviews(is_idle)
        self._writer.flush()
        self._remove_stale(files, due)
        self.new.files, self.new.is_complete = files, True
        write_manifest(self._storage, self.new)

    # -- what is due ------------------------------------------------------------------------------

    def _find_changes(self) -> dict[date, DayOutline]:
        """The changed days with their papers; the unchanged ones are taken over into the new manifest."""
        finished = self._corpus.signatures()
        self._signatures = dict(list(finished.items())[-self._options.site_days :]) if self._options.site_days else finished
        changed: dict[date, DayOutline] = {}
        for day, signature in self._signatures.items():
            known = self.old.days.get(day)
            if known and known.site == self._site_key:
                if known.signature == signature:
                    self.new.days[day] = known
                    continue
                if known.content == self._corpus.content_key(day):
                    self.new.days[day] = replace(known, signature=signature)
                    continue
            changed[day] = self._corpus.outline(day)
        return changed

    def _listing_days(self, changed: Mapping[date, DayOutline]) -> dict[str, list[date]]:
        """Id → the days that list it, oldest first, over changed and unchanged days."""
        found: dict[str, list[date]] = {}
        for day in self._signatures:
            for one in changed[day].papers if day in changed else self.new.days[day].papers:
                found.setdefault(one.rpartition("v")[0], []).append(day)
        return found

    def _places_of(self, changed: Mapping[date, DayOutline]) -> dict[date, str]:
        """What each day's pages say of other days: the days beside it, and for the newest listing the later holidays."""
        order = list(self._signatures)
        announced = [day for day in order if (changed[day].announced if day in changed else self.new.days[day].announced)]
        self._order, self._newest = order, announced[-1] if announced else None
        self._later = tuple(day for day in order if self._newest and day > self._newest)
        places = {}
        for index, day in enumerate(order):
            newest = f"newest, then {self._later}" if day == self._newest else ""
            places[day] = f"{self._beside(index, -1)}|{self._beside(index, 1)}|{newest}"
        return places

    def _beside(self, index: int, step: int) -> date | None:
        return self._order[index + step] if 0 <= index + step < len(self._order) else None

    def _due_papers(self, changed: Mapping[date, DayOutline], gone: Collection[date]) -> set[str]:
        """Ids whose pages must be made or removed, but for those that are made along with their only day."""
        touched = set(self.old.due_papers)
        for day in {*changed, *gone}:
            touched.update(self.old.days[day].paper_ids if day in self.old.days else ())
            touched.update(one.rpartition("v")[0] for one in changed[day].papers) if day in changed else None
        return {one for one in touched if not self._is_made_with_its_day(one, changed.keys())}

    def _is_made_with_its_day(self, arxiv_id: str, changed: Collection[date]) -> bool:
        days = self._days_of_papers.get(arxiv_id, ())
        return len(days) == 1 and days[0] in changed

    # -- days -------------------------------------------------------------------------------------

    def _build_days(self, pages: Sequence[date], changed: Collection[date], due: Collection[str]) -> None:
        for number, day in enumerate(pages, start=1):
            site_day = self._corpus.load(day)
            self.days_read += 1
            views = {language.tag: day_view(site_day, language, self._options.categories) for language in self._languages}
            self.new.days[day] = self._record(site_day, views, tuple(self._day_files(site_day, views)))
            if day in changed and self._options.paper_pages:
                for paper in site_day.papers:
                    if self._is_made_with_its_day(paper.arxiv_id, changed):
                        self._write_paper([_rows_of(site_day, paper, self._options.languages)])
            self.days_built += 1
            if number % _DAYS_BETWEEN_CHECKPOINTS == 0:
                self._checkpoint(due)

    def _checkpoint(self, due: Collection[str]) -> None:
        """After a kill, the days up to here are not made again; the others still have their old records."""
        self._writer.flush()
        so_far = {**self.old.days, **self.new.days}
        write_manifest(
            self._storage, replace(self.new, days=so_far, languages=self.old.languages, files=self.old.files, due_papers=tuple(sorted(due)))
        )

    def _record(self, day: Day, views: Mapping[str, DayView], files: tuple[str, ...]) -> DayRecord:
        return DayRecord(
            signature=self._signatures[day.day],
            content=self._corpus.content_key(day.day),
            site=self._site_key,
            place=self._places[day.day],
            announced=day.facts.announced,
            is_sample=day.facts.is_sample,
            evidence=day.facts.evidence.value if day.facts.evidence else None,
            counts={one: {kind: count for kind, count in counts_by_type(day.in_category(one)).items() if count} for one in (ALL, *day.categories)},
            papers=tuple(f"{paper.arxiv_id}v{paper.version}" for paper in day.papers),
            watched=_watched(next(iter(views.values()))),
            numbers=day_numbers(day.day, day.papers, day.summaries, self._calendar),
            files=files,
        )

    def _day_files(self, day: Day, views: Mapping[str, DayView]) -> Iterator[str]:
        earlier = self._earlier_versions(day)
        papers = {paper.arxiv_id: paper for paper in day.papers}
        for language in self._languages:
            tag = language.tag
            values = self._day_values(views[tag], language)
            yield self._write("day", paths.day_page(tag, day.day), language, partial(paths.day_page, day=day.day), **values)
            changes = {one: changes_of({**held, papers[one].version: papers[one]}) for one, held in earlier.items()}
            for path, content in details_files(self._renderer, language, day.day, values["view"].papers, papers, changes):
                yield self._writer.write(path, content)
            yield from write_exports(self._storage, tag, day.day, ALL, day.entries(tag))
            if day.day == self._newest:
                self._write_home(day.day, language, values)

    def _write_home(self, day: date, language: Language, values: Mapping[str, Any]) -> None:
        """The newest listing's page once more; its permalinks lead to the page that lasts."""
        home, lasting = paths.home_page(language.tag), paths.day_page(language.tag, day)
        here = {
            "at": paths.relative_link(home, lasting),
            "details": paths.relative_link(home, paths.details(language.tag, day, 0)).removesuffix("00.js"),
        }
        self._write("day", home, language, paths.home_page, canonical=lasting, **{**values, **here})

    def _earlier_versions(self, day: Day) -> dict[str, dict[int, Paper]]:
        """Id → version → paper, of the day's replacements that an earlier day lists."""
        wanted: dict[date, list[str]] = {}
        for paper in day.papers:
            for listed in self._days_of_papers[paper.arxiv_id] if paper.version > 1 else ():
                if listed < day.day:
                    wanted.setdefault(listed, []).append(paper.arxiv_id)
        found: dict[str, dict[int, Paper]] = {}
        newest = {paper.arxiv_id: paper.version for paper in day.papers}
        for listed in sorted(wanted):
            for row in self._corpus.load_papers(listed, wanted[listed]):
                if row.paper.version < newest[row.paper.arxiv_id]:
                    found.setdefault(row.paper.arxiv_id, {})[row.paper.version] = row.paper
        return found

    def _day_values(self, view: DayView, language: Language) -> dict[str, Any]:
        index = self._order.index(view.day)
        return {
            "view": view,
            "models": view.models,
            "at": "",
            "details": "abstracts-",
            "previous_day": self._beside(index, -1),
            "next_day": self._beside(index, 1),
            "newer": self._later if view.day == self._newest else (),
            "exports": export_links(language.tag, view.day, ALL),
        }

    def _write(self, template: str, page: str, language: Language, place: Callable[[str], str] | None = None, **values: Any) -> str:
        return self._writer.write(page, self._renderer.page(template, page, language, place=place, **values))

    # -- papers -----------------------------------------------------------------------------------

    def _build_papers(self, due: Sequence[str]) -> None:
        """Pages of papers with several listings, or whose other listing went away; batches, in the ids' order."""
        listed = (one for one in due if one in self._days_of_papers)
        while batch := list(islice(listed, _PAPERS_AT_ONCE)):
            for rows in self._rows_of_papers(batch).values():
                self._write_paper(rows)

    def _rows_of_papers(self, ids: Sequence[str]) -> dict[str, list[PaperRows]]:
        """Id → its rows, oldest listing first; each day is read once."""
        wanted: dict[date, list[str]] = {}
        for one in ids:
            for day in self._days_of_papers[one]:
                wanted.setdefault(day, []).append(one)
        found: dict[str, list[PaperRows]] = {one: [] for one in ids}
        for day in sorted(wanted):
            self.days_read += 1
            for row in self._corpus.load_papers(day, wanted[day]):
                found[row.paper.arxiv_id].append(row)
        return found

    def _write_paper(self, rows: Sequence[PaperRows]) -> None:
        arxiv_id = rows[-1].paper.arxiv_id
        for language in self._languages:
            page = paths.paper_page(language.tag, arxiv_id)
            self._write("paper", page, language, lambda tag: paths.paper_page(tag, arxiv_id), **_paper_values(history_of(rows, language)))
            self.papers_built += 1

    # -- pages over all days ----------------------------------------------------------------------

    def _build_overviews(self, is_idle: bool) -> tuple[str, ...]:
        """Everything that belongs to no single day; what depends on papers is left alone where no day changed."""
        files = [*self._assets(), *self._plain_pages()]
        files += self.old.files if is_idle else [*self._watch_pages(), *self._feeds(), *self._statistics()]
        self._listing_index(is_idle)
        files += self._search_pages()  # always: an index that could not be made last time is due though no day changed
        return tuple(dict.fromkeys(files))

    def _listing_index(self, is_idle: bool) -> None:
        """Which days list each paper, for the addresses of papers; only the papers of days that changed or went."""
        if is_idle:
            return
        touched = [day for day, record in self.new.days.items() if record is not self.old.days.get(day)]
        listed = _days_by_id({day: self.new.days[day] for day in touched})
        gone = _days_by_id({day: record for day, record in self.old.days.items() if day in touched or day not in self.new.days})
        for path, content in update_listing_index(self._storage, listed, gone):
            if content:
                self._writer.write(path, content)
            else:
                self._writer.remove(path)

    def _assets(self) -> Iterator[str]:
        for name in ASSETS:
            yield self._writer.write(f"assets/{name}", asset(name))
        yield self._writer.write(paths.NOT_FOUND_PAGE, not_found_page(self._options))

    def _plain_pages(self) -> Iterator[str]:
        years = archive_view(self.new.days, self._calendar, self._today)
        rows = [self._category_row(one) for one in self._all_categories()]
        for language in self._languages:
            tag = language.tag
            yield self._write("archive", paths.archive_page(tag), language, paths.archive_page, years=years, weekdays=weekday_names(language))
            yield self._write("categories", paths.categories_page(tag), language, paths.categories_page, rows=rows)
            yield self._write("about", paths.about_page(tag), language, paths.about_page)
            yield paths.home_page(tag)
            if self._newest is None:
                self._write("home", paths.home_page(tag), language, paths.home_page, choices=[])
        yield self._root_page()

    def _root_page(self) -> str:
        """One language: the way to its newest listing. Several, or no listing yet: a page of its own."""
        language = self._languages[0]
        if len(self._languages) == 1 and self._newest:
            return self._write("to_home", "index.html", language)
        choices = [(one, self._newest.isoformat() if self._newest else None) for one in self._languages] if len(self._languages) > 1 else []
        return self._write("home", "index.html", language, choices=choices)

    def _all_categories(self) -> tuple[str, ...]:
        """Configured ones first, then those only older days have."""
        older = (one for record in self.new.days.values() for one in record.counts if one != ALL)
        return tuple(dict.fromkeys([*self._options.categories, *older]))

    def _category_row(self, category: str) -> _CategoryRow:
        days = [day for day, record in sorted(self.new.days.items()) if category in record.counts]
        filled = [day for day in days if self.new.days[day].total(category)]
        latest = filled[-1] if filled else None
        return _CategoryRow(
            category=category,
            name=category_name(category),
            latest=latest,
            latest_count=self.new.days[latest].total(category) if latest else 0,
            total=sum(self.new.days[day].total(category) for day in days),
            since=days[0] if days else None,
        )

    # -- watch lists ------------------------------------------------------------------------------

    def _watch_pages(self) -> Iterator[str]:
        lists = self._options.watch_lists
        if not lists:
            return
        counts = [(one, sum(len(record.watched.get(one.name, ())) for record in self.new.days.values())) for one in lists]
        for language in self._languages:
            yield self._write("watch_overview", paths.watch_overview(language.tag), language, paths.watch_overview, lists=counts)
        for watched in lists:
            days = [(day, self.new.days[day].watched[watched.name]) for day in reversed(self._order) if watched.name in self.new.days[day].watched]
            shown, earlier = _newest_watched(days)
            rows = [(day, self._corpus.load_papers(day, ids), ids) for day, ids in shown]
            for language in self._languages:
                yield self._watch_page(watched.name, language, rows, earlier)

    def _watch_page(
        self,
        name: str,
        language: Language,
        shown: Sequence[tuple[date, Sequence[PaperRows], Mapping[str, int]]],
        earlier: Sequence[tuple[date, int]],
    ) -> str:
        watched = next(one for one in self._options.watch_lists if one.name == name)
        days = []
        for day, rows, numbers in shown:
            views = [paper_view(_entry(row, language.tag), language, [m for m in row.matches if m.list_name == name]) for row in rows]
            days.append((day, [(view, paths.details(language.tag, day, numbers[view.id])) for view in views]))
        return self._write(
            "watch",
            paths.watch_page(language.tag, name),
            language,
            lambda tag: paths.watch_page(tag, name),
            watched=watched,
            days=days,
            earlier=earlier[:_WATCH_DAYS_LISTED],
            has_earlier=len(earlier) > _WATCH_DAYS_LISTED,
        )

    # -- feeds ------------------------------------------------------------------------------------

    def _feeds(self) -> Iterator[str]:
        if not self._order:
            return
        loaded: dict[date, Day] = {}
        for language in self._languages:
            for category in (ALL, *self._all_categories()):
                days = self._newest_days(lambda record, category=category: record.total(category) > 0)  # type: ignore[misc]
                yield from self._feed(language, category, self._loaded(days, loaded))
            for watched in self._options.watch_lists:
                days = self._newest_days(lambda record, name=watched.name: bool(record.watched.get(name)))  # type: ignore[misc]
                yield from self._watch_feed(language, watched.name, watched.title, self._loaded(days, loaded))

    def _newest_days(self, has_papers: Callable[[DayRecord], bool]) -> list[date]:
        return list(islice((day for day in reversed(self._order) if has_papers(self.new.days[day])), self._options.feed_days))

    def _loaded(self, days: Iterable[date], cache: dict[date, Day]) -> list[Day]:
        for day in days:
            if day not in cache:
                self.days_read += 1
                cache[day] = self._corpus.load(day)
        return [cache[day] for day in days]

    def _feed(self, language: Language, category: str, days: Sequence[Day]) -> Iterator[str]:
        entries = feed_entries((entry for day in days for entry in day.entries(language.tag, category)), category, self._options.feed_days)
        feed = category_feed(
            category,
            entries,
            language,
            newest_day=self._order[-1],
            site_url=self._options.site_url,
        )
        yield from write_feed(self._storage, feed)

    def _watch_feed(self, language: Language, name: str, title: str, days: Sequence[Day]) -> Iterator[str]:
        reasons = {arxiv_id: [reason.in_words(language) for reason in match.reasons] for day in days for arxiv_id, match in day.watched(name).items()}
        watched = (entry for day in days for entry in day.entries(language.tag) if entry.paper.arxiv_id in reasons)
        feed = named_feed(
            f"watch-{name}",
            title,
            feed_entries(watched, ALL, self._options.feed_days),
            language,
            newest_day=self._order[-1],
            site_url=self._options.site_url,
            reasons=reasons,
        )
        yield from write_feed(self._storage, feed)

    # -- statistics -------------------------------------------------------------------------------

    def _statistics(self) -> Iterator[str]:
        if self._options.pages_only:
            return
        days = {day: DayCounts(record.announced, record.counts, record.numbers) for day, record in self.new.days.items()}
        for language in self._languages:
            page = paths.statistics_page(language.tag)
            rows = day_rows(days, language.tag)
            files = statistics_files(rows, language)
            for name, content in files.items():
                yield self._writer.write(f"{page.removesuffix('index.html')}{name}", content)
            values = {"statistics": statistics_page_data(rows, language), "files": tuple(files)}
            yield self._write("statistics", page, language, paths.statistics_page, **values)

    # -- search -----------------------------------------------------------------------------------

    def _search_pages(self) -> Iterator[str]:
        days = {day: record.content for day, record in self.new.days.items() if record.papers}
        categories = self._all_categories()
        for language in self._languages:
            outcome = SearchOutcome()
            if not self._options.pages_only:
                outcome = update_search(self._storage, language, days, partial(self._entries_of_day, language), categories)
            self.search_problem = self.search_problem or outcome.problem
            values = search_page_values(outcome, language, categories)
            yield self._write("search", paths.search_page(language.tag), language, paths.search_page, **values)

    def _entries_of_day(self, language: Language, day: date) -> Sequence[DigestEntry]:
        self.days_read += 1
        loaded = self._corpus.load(day)
        return [loaded.entry(language.tag, paper) for paper in page_order(loaded, language, self._options.categories)]

    # -- what has to go ---------------------------------------------------------------------------

    def _remove_stale(self, files: Sequence[str], due: Collection[str]) -> None:
        kept = {*files, *(file for record in self.new.days.values() for file in record.files)}
        had = {*self.old.files, *(file for record in self.old.days.values() for file in record.files)}
        vanished = {one for one in due if one not in self._days_of_papers or not self._options.paper_pages}
        had |= {paths.paper_page(tag, one) for one in vanished for tag in {*self.old.languages, *self._options.languages}}
        for tag in set(self.old.languages) - set(self._options.languages):
            had.update(self._found_below(tag))
        if not self.old.is_complete:
            had.update(self._unaccounted())
        for path in sorted(had - kept):
            self._writer.remove(path)

    def _unaccounted(self) -> Iterator[str]:
        """Day and paper files on disk that no table calls for: left by a build that was killed, or by a lost manifest."""
        for path in self._found_below(""):
            parts = path.split("/")
            if len(parts) >= 3 and (parts[1] == "paper" or _is_date(parts[1])) and not self._is_paper_page(parts):
                yield path

    def _found_below(self, folder: str) -> Iterator[str]:
        """The files that really lie below a folder of site/, as paths relative to site/."""
        site = self._storage.path("site")
        site.fs.invalidate_cache()
        prefix = f"{site.path.rstrip('/')}/"
        return (found.removeprefix(prefix) for found in site.fs.find(f"{prefix}{folder}"))

    def _is_paper_page(self, parts: Sequence[str]) -> bool:
        return (
            self._options.paper_pages
            and parts[0] in self._options.languages
            and parts[1] == "paper"
            and "/".join(parts[2:-1]) in self._days_of_papers
        )


def _days_by_id(days: Mapping[date, DayRecord]) -> dict[str, list[date]]:
    found: dict[str, list[date]] = {}
    for day, record in days.items():
        for arxiv_id in record.paper_ids:
            found.setdefault(arxiv_id, []).append(day)
    return found


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


def _newest_watched(
    days: Sequence[tuple[date, Mapping[str, int]]],
) -> tuple[list[tuple[date, dict[str, int]]], list[tuple[date, int]]]:
    """Newest days first: those whose papers are shown (a paper under its newest day only), and the others with their number of papers."""
    shown: list[tuple[date, dict[str, int]]] = []
    seen: set[str] = set()
    for index, (day, ids) in enumerate(days):
        own = {one: number for one, number in ids.items() if one not in seen}
        if shown and len(seen) + len(own) > _WATCH_PAPERS_SHOWN:
            return shown, [(later, len(others)) for later, others in days[index:]]
        shown.append((day, own))
        seen.update(own)
    return [one for one in shown if one[1]], []


def _watched(view: DayView) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for number, paper in enumerate(view.papers):
        for why in paper.why_shown:
            found.setdefault(why.list_name, {})[paper.id] = number // paths.DETAILS_PAPERS
    return found


def _rows_of(day: Day, paper: Paper, languages: Sequence[str]) -> PaperRows:
    entries = {tag: day.entry(tag, paper) for tag in languages}
    return PaperRows(paper, {tag: entry.summary for tag, entry in entries.items()}, day.facts, day.matches.get(paper.arxiv_id, ()))


def _entry(rows: PaperRows, tag: str) -> DigestEntry:
    return DigestEntry(rows.paper, rows.summaries[tag])


def _paper_values(history: PaperHistory) -> dict[str, Any]:
    return {
        "paper": history.newest,
        "models": (history.model,) if history.model else (),
        "is_sample": history.is_sample,
        "listings": history.listings,
        "changes": history.changes,
        "lacks_earlier": history.lacks_earlier,
        "meta": citation_meta(history.source),
        "bibtex": bibtex_bytes([history.source]).decode().strip(),
    }

"""The pages over all days: archive, categories, about, the root, statistics, feeds, search.

What lives here: what each of them is given, and that a build makes only those that its changed days touch. What does not: a day's
own files (`day_pages.py`), what the pages say (`archive.py`, `statistics.py`, `feeds/`, `search/`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from typing import Any

from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.models import ALL, DigestEntry
from digest_pipeline.render.day import Day
from digest_pipeline.site import paths
from digest_pipeline.site.archive import year_view, years_of
from digest_pipeline.site.corpus import Corpus
from digest_pipeline.site.feeds import category_feed, feed_entries, feed_formats, named_feed
from digest_pipeline.site.feeds.feed import Feed
from digest_pipeline.site.finder import not_found_page
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.site.record import DayRecord
from digest_pipeline.site.render import ASSETS, Renderer, asset
from digest_pipeline.site.search import SearchOutcome, search_page_values, update_search
from digest_pipeline.site.statistics import DayCounts, day_table, statistics_files, statistics_page_data
from digest_pipeline.site.views import category_name, page_order, weekday_names
from digest_pipeline.site.watch_pages import watch_pages
from digest_pipeline.site.writer import SiteWriter
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language


@dataclass(frozen=True, slots=True)
class _CategoryRow:
    category: str
    name: str
    latest: date | None
    latest_count: int
    total: int
    since: date | None


class Overviews:
    """Writes them for one state of the days; every method yields the paths that the site keeps."""

    def __init__(
        self,
        storage: Storage,
        options: SiteOptions,
        corpus: Corpus,
        renderer: Renderer,
        writer: SiteWriter,
        languages: Sequence[Language],
        calendar: ListingCalendar,
        days: Mapping[date, DayRecord],
    ) -> None:
        self._storage, self._options, self._corpus, self._renderer, self._writer = storage, options, corpus, renderer, writer
        self._languages, self._calendar, self._days = languages, calendar, days
        self._loaded: dict[date, Day] = {}
        self.days_read = 0
        self.search_problem = ""

    def all(self, touched: Collection[date], unfinished: Collection[date]) -> Iterator[str]:
        """What depends on papers is made anew where a day is among `touched`; search always tries what it could not do last time."""
        yield from self._assets()
        yield from self._archive(touched, unfinished)
        yield from self._plain_pages()
        for path, content in watch_pages(self._options.watch_lists, self._days, self._corpus, self._renderer, self._languages):
            yield self._writer.write(path, content)
        yield from self._feeds()
        yield from self._statistics()
        yield from self.search()

    def _page(self, template: str, page: str, language: Language, place: Any = None, **values: Any) -> str:
        return self._writer.write(page, self._renderer.page(template, page, language, place=place, **values))

    # -- plain pages ------------------------------------------------------------------------------

    def _assets(self) -> Iterator[str]:
        for name in ASSETS:
            yield self._writer.write(f"assets/{name}", asset(name))
        yield self._writer.write(paths.NOT_FOUND_PAGE, not_found_page(self._options))

    def _archive(self, touched: Collection[date], unfinished: Collection[date]) -> Iterator[str]:
        """A page a year; the newest one's is the archive's own. A year without a touched day stays as it is."""
        years = years_of(self._days)
        changed = {day.year for day in touched} | set(years[:2])
        for language in self._languages:
            pages = [(year, paths.archive_page(language.tag, None if year == years[0] else year)) for year in years]
            for year, page in pages or [(0, paths.archive_page(language.tag))]:
                if year and year not in changed:
                    yield page
                    continue
                view = year_view(year, self._days, unfinished, self._calendar) if year else None
                yield self._page("archive", page, language, paths.archive_page, year=view, years=pages, weekdays=weekday_names(language))

    def _plain_pages(self) -> Iterator[str]:
        rows = [self._category_row(one) for one in self.categories]
        newest = max((day for day, record in self._days.items() if record.announced), default=None)
        for language in self._languages:
            tag = language.tag
            yield self._page("categories", paths.categories_page(tag), language, paths.categories_page, rows=rows)
            yield self._page("about", paths.about_page(tag), language, paths.about_page)
            if newest is None:
                self._page("home", paths.home_page(tag), language, paths.home_page, choices=[])
            yield paths.home_page(tag)
        yield self._root_page(newest)

    def _root_page(self, newest: date | None) -> str:
        """One language: the way to its newest listing. Several, or no listing yet: a page of its own."""
        language = self._languages[0]
        if len(self._languages) == 1 and newest:
            return self._page("to_home", "index.html", language)
        choices = [(one, newest.isoformat() if newest else None) for one in self._languages] if len(self._languages) > 1 else []
        return self._page("home", "index.html", language, choices=choices)

    @property
    def categories(self) -> tuple[str, ...]:
        """Configured ones first, then those only older days have."""
        older = (one for record in self._days.values() for one in record.counts if one != ALL)
        return tuple(dict.fromkeys([*self._options.categories, *older]))

    def _category_row(self, category: str) -> _CategoryRow:
        days = [day for day, record in sorted(self._days.items()) if category in record.counts]
        filled = [day for day in days if self._days[day].total(category)]
        latest = filled[-1] if filled else None
        return _CategoryRow(
            category=category,
            name=category_name(category),
            latest=latest,
            latest_count=self._days[latest].total(category) if latest else 0,
            total=sum(self._days[day].total(category) for day in days),
            since=days[0] if days else None,
        )

    # -- feeds ------------------------------------------------------------------------------------

    def _feeds(self) -> Iterator[str]:
        if not self._days:
            return
        for language in self._languages:
            for category in (ALL, *self.categories):
                days = self._newest([day for day, record in self._days.items() if record.total(category)])
                yield from self._write_feed(self._category_feed(language, category, days))
            for watched in self._options.watch_lists:
                days = self._newest([day for day, record in self._days.items() if record.watched.get(watched.name)])
                yield from self._write_feed(self._watch_feed(language, watched.name, watched.title, days))

    def _newest(self, days: Iterable[date]) -> list[Day]:
        return [self._load(day) for day in islice(sorted(days, reverse=True), self._options.feed_days)]

    def _load(self, day: date) -> Day:
        if day not in self._loaded:
            self.days_read += 1
            self._loaded[day] = self._corpus.load(day)
        return self._loaded[day]

    def _write_feed(self, feed: Feed) -> Iterator[str]:
        for one in feed_formats():
            yield self._writer.write(feed.path(one.suffix), one.write(feed))

    def _category_feed(self, language: Language, category: str, days: Sequence[Day]) -> Feed:
        entries = feed_entries((entry for day in days for entry in day.entries(language.tag, category)), category, self._options.feed_days)
        return category_feed(category, entries, language, newest_day=max(self._days), site_url=self._options.site_url)

    def _watch_feed(self, language: Language, name: str, title: str, days: Sequence[Day]) -> Feed:
        reasons = {arxiv_id: [reason.in_words(language) for reason in match.reasons] for day in days for arxiv_id, match in day.watched(name).items()}
        watched = (entry for day in days for entry in day.entries(language.tag) if entry.paper.arxiv_id in reasons)
        entries = feed_entries(watched, ALL, self._options.feed_days)
        page = paths.watch_page(language.tag, name)
        where = {"site_url": self._options.site_url, "archive_page": page}
        return named_feed(f"watch-{name}", title, entries, language, newest_day=max(self._days), reasons=reasons, **where)

    # -- statistics -------------------------------------------------------------------------------

    def _statistics(self) -> Iterator[str]:
        if self._options.pages_only:
            return
        days = {day: DayCounts(record.announced, record.counts, record.numbers) for day, record in self._days.items()}
        for language in self._languages:
            page = paths.statistics_page(language.tag)
            table = day_table(days, language.tag)
            files = statistics_files(table, language, self._options.categories)
            for name, content in files.items():
                yield self._writer.write(f"{page.removesuffix('index.html')}{name}", content)
            values = {"statistics": statistics_page_data(table, language), "files": tuple(files)}
            yield self._page("statistics", page, language, paths.statistics_page, **values)

    # -- search -----------------------------------------------------------------------------------

    def search(self) -> Iterator[str]:
        """Always due: an index that could not be made last time may be made now, though no day changed."""
        days = {day: record.content for day, record in sorted(self._days.items()) if record.total()}
        for language in self._languages:
            outcome = SearchOutcome()
            if not self._options.pages_only:
                outcome = update_search(self._storage, language, days, partial(self._entries_of_day, language), self.categories)
            self.search_problem = self.search_problem or outcome.problem
            values = search_page_values(outcome, language, self.categories)
            yield self._page("search", paths.search_page(language.tag), language, paths.search_page, **values)

    def _entries_of_day(self, language: Language, day: date) -> Sequence[DigestEntry]:
        self.days_read += 1
        loaded = self._corpus.load(day)
        return [loaded.entry(language.tag, paper) for paper in page_order(loaded, language, self._options.categories)]

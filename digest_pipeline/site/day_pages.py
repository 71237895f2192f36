"""The files of one listing day in each language: its page, the abstracts beside it, the exports, and the home page of the newest.

What lives here: which of them a day has, and what each is given. What does not: which days are due (`build.py`), what a page
says (`views.py`) and how it looks (`templates/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from digest_pipeline.models import ALL, Paper
from digest_pipeline.render.day import Day
from digest_pipeline.site import paths
from digest_pipeline.site.corpus import Corpus
from digest_pipeline.site.details import details_files
from digest_pipeline.site.exports import export_formats, export_links
from digest_pipeline.site.finder import ListingIndex
from digest_pipeline.site.render import Renderer
from digest_pipeline.site.terms import terms_file
from digest_pipeline.site.versions import VersionChange, changes_of
from digest_pipeline.site.views import DayView, day_view
from digest_pipeline.site.writer import SiteWriter
from digest_pipeline.translation.languages import Language


@dataclass(frozen=True, slots=True)
class Place:
    """Where a day stands among the others: what its page says of them."""

    previous_day: date | None
    next_day: date | None
    is_newest: bool
    """The newest day with an announcement: the home page shows it."""
    newer: tuple[date, ...]
    """Of the newest listing: later days without an announcement."""

    @property
    def key(self) -> str:
        return f"{self.previous_day}|{self.next_day}|{self.newer if self.is_newest else ''}"


@dataclass(frozen=True, slots=True)
class DayPages:
    """Writes one day after another."""

    corpus: Corpus
    index: ListingIndex
    renderer: Renderer
    writer: SiteWriter
    languages: Sequence[Language]
    categories: Sequence[str]
    """As configured."""

    def views(self, day: Day) -> dict[str, DayView]:
        """Language tag → what its page shows."""
        return {language.tag: day_view(day, language, self.categories) for language in self.languages}

    def write(self, day: Day, views: Mapping[str, DayView], place: Place) -> Iterator[str]:
        """All files of the day; yields their paths."""
        yield from self.write_pages(views, place)
        papers = {paper.arxiv_id: paper for paper in day.papers}
        changes = self._changes(day)
        if day.papers:
            yield self.writer.write(paths.terms(day.day), terms_file(day.papers))
        for language in self.languages:
            notes = self.corpus.notes(day.day, language.tag)
            for path, content in details_files(self.renderer, language, day.day, views[language.tag].papers, papers, changes, notes):
                yield self.writer.write(path, content)
            for one in export_formats():
                yield self.writer.write(paths.export(language.tag, day.day, ALL, one.suffix), one.write(day.entries(language.tag)))

    def write_pages(self, views: Mapping[str, DayView], place: Place) -> Iterator[str]:
        """Only the pages, which name the days beside this one; yields the paths of those that belong to the day."""
        for language in self.languages:
            view = views[language.tag]
            page = paths.day_page(language.tag, view.day)
            values: dict[str, Any] = {
                "view": view,
                "models": view.models,
                "mine": dict(language.labels["mine"]),
                "previous_day": place.previous_day,
                "next_day": place.next_day,
                "newer": place.newer if place.is_newest else (),
                "exports": export_links(language.tag, view.day, ALL),
            }
            where = partial(paths.day_page, day=view.day)
            yield self.writer.write(page, self.renderer.page("day", page, language, place=where, at="", details="abstracts-", **values))
            if place.is_newest:
                self._write_home(page, language, values)

    def _write_home(self, day_page: str, language: Language, values: Mapping[str, Any]) -> None:
        """The newest listing's page once more; its permalinks lead to the page that lasts."""
        home = paths.home_page(language.tag)
        lasting = paths.relative_link(home, day_page)
        details = lasting.replace("index.html", "abstracts-")
        page = self.renderer.page("day", home, language, place=paths.home_page, canonical=day_page, at=lasting, details=details, **values)
        self.writer.write(home, page)

    def _changes(self, day: Day) -> dict[str, tuple[VersionChange, ...]]:
        """arXiv id → what changed since the versions that earlier days list; of the day's replacements only."""
        papers = {paper.arxiv_id: paper for paper in day.papers if paper.version > 1}
        wanted: dict[date, list[str]] = {}
        for arxiv_id in papers:
            for listed in self.index.days_of(arxiv_id):
                if listed < day.day:
                    wanted.setdefault(listed, []).append(arxiv_id)
        held: dict[str, dict[int, Paper]] = {}
        for listed in sorted(wanted):
            for paper in self.corpus.earlier_papers(listed, wanted[listed]):
                if paper.version < papers[paper.arxiv_id].version:
                    held.setdefault(paper.arxiv_id, {})[paper.version] = paper
        return {one: changes_of({**versions, papers[one].version: papers[one]}) for one, versions in held.items()}

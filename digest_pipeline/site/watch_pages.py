"""The pages of the watch lists: their overview, and the newest papers of each.

What lives here: which papers and days one shows, within bounds. What does not: which papers a list matches (`render/matching.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from digest_pipeline.models import DigestEntry
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.site import paths
from digest_pipeline.site.corpus import Corpus
from digest_pipeline.site.record import DayRecord
from digest_pipeline.site.render import Renderer
from digest_pipeline.site.views import PaperView, paper_view
from digest_pipeline.translation.languages import Language

_PAPERS_SHOWN = 200
"""A list's page shows the papers of its newest days, up to so many (a day's are never parted), each once."""
_DAYS_LISTED = 120
"""So many earlier days it names with a link; the archive leads to the others."""


def watch_pages(
    lists: Sequence[WatchList], days: Mapping[date, DayRecord], corpus: Corpus, renderer: Renderer, languages: Sequence[Language]
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each page; none where there is no list."""
    if not lists:
        return
    counts = [(one, sum(len(record.watched.get(one.name, ())) for record in days.values())) for one in lists]
    for language in languages:
        overview = paths.watch_overview(language.tag)
        yield overview, renderer.page("watch_overview", overview, language, place=paths.watch_overview, lists=counts)
    for watched in lists:
        with_papers = [(day, record.watched[watched.name]) for day, record in sorted(days.items(), reverse=True) if watched.name in record.watched]
        shown, earlier = newest_papers(with_papers)
        for language in languages:
            page = paths.watch_page(language.tag, watched.name)
            values: dict[str, Any] = {
                "watched": watched,
                "days": [(day, _rows(watched.name, day, numbers, corpus, language)) for day, numbers in shown],
                "earlier": earlier[:_DAYS_LISTED],
                "has_earlier": len(earlier) > _DAYS_LISTED,
            }
            yield page, renderer.page("watch", page, language, place=partial(paths.watch_page, list_name=watched.name), **values)


def newest_papers(days: Sequence[tuple[date, Mapping[str, int]]]) -> tuple[list[tuple[date, dict[str, int]]], list[tuple[date, int]]]:
    """Of days newest first: those whose papers are shown (a paper under its newest day only), and the others with their number of papers."""
    shown: list[tuple[date, dict[str, int]]] = []
    seen: set[str] = set()
    for index, (day, ids) in enumerate(days):
        own = {one: number for one, number in ids.items() if one not in seen}
        if shown and len(seen) + len(own) > _PAPERS_SHOWN:
            return shown, [(later, len(others)) for later, others in days[index:]]
        if own:
            shown.append((day, own))
        seen.update(own)
    return shown, []


def _rows(name: str, day: date, numbers: Mapping[str, int], corpus: Corpus, language: Language) -> list[tuple[PaperView, str]]:
    """(the paper, the file with its abstract), newest id first."""
    rows = [
        paper_view(DigestEntry(row.paper, row.summaries[language.tag]), language, [match for match in row.matches if match.list_name == name])
        for row in corpus.load_papers(day, numbers)
    ]
    return [(view, paths.details(language.tag, day, numbers[view.id])) for view in rows]

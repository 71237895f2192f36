"""A feed before any format: which papers it holds, its entries' ids and dates, and how much of each it shows.

What lives here: those decisions. What does not: the formats' bytes (`atom.py`, `rss.py`, `json_feed.py`), pages and
their addresses. Nothing depends on the moment of the build: the same papers give the same bytes.

An entry's id is `https://arxiv.org/abs/IDvN#<tag>` for ever, whatever the site's address. Its date is the
listing date at midnight US Eastern, as in arXiv's own feed, and does not move when a translation is mended.

No feed is larger than `LARGEST_FEED`: every paper of the newest day stands in it, the first ones whole, the others with
title and TL;DR; earlier days follow whole for as long as there is room, and are left to the site after that: each feed's
description, and in Atom a link, says where they are.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, lru_cache
from html import escape
from typing import Any

from jinja2 import Template

from digest_pipeline.calendar import EASTERN
from digest_pipeline.models import DigestEntry, id_sort_key
from digest_pipeline.render.paper import PaperView, named_authors, paper_view
from digest_pipeline.render.templates import html_environment
from digest_pipeline.site import paths
from digest_pipeline.taxonomy import falls_under
from digest_pipeline.tex.plain import plain_text
from digest_pipeline.text import one_line, paragraphs
from digest_pipeline.translation.languages import Language

LARGEST_FEED = 950_000
"""Bytes that no format of a feed exceeds: readers' programs give up on files of many megabytes, and fetch them every hour."""
_AROUND_AN_ENTRY = 1_000
"""Bytes of an entry's markup, ids, dates and addresses in the most talkative format."""
_MOST_NAMED_AUTHORS = 20
"""A feed names this many authors and says how many follow: 3,000 names in three formats would be megabytes an entry."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One paper as all three formats show it. Texts are plain except `html`."""

    id: str
    url: str
    title: str
    summary: str
    html: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed, ready to be written in any format. `site_url` is empty where the site has no public address."""

    name: str
    title: str
    description: str
    language: Language
    site_url: str
    page_url: str
    archive_url: str
    """The page with the papers that are older than the feed's; empty without `site_url`."""
    updated: datetime
    items: tuple[FeedItem, ...]

    @property
    def id(self) -> str:
        """The same for ever for one language and name."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"digest-pipeline/{self.language.tag}/{self.name}").urn

    def address(self, suffix: str) -> str:
        """Absolute address of the file with this suffix (`xml`, `rss.xml`, `json`); empty without `site_url`."""
        return f"{self.site_url}/{self.path(suffix)}" if self.site_url else ""

    def path(self, suffix: str) -> str:
        """The file's place below `site/`."""
        return paths.feed(self.language.tag, self.name, suffix)


def feed_entries(entries: Iterable[DigestEntry], category: str, feed_days: int) -> tuple[DigestEntry, ...]:
    """The category's papers of its last `feed_days` listing days that had any, newest day and id first.

    Days without papers (holidays, failed days) do not count, so they never push papers out of a feed. A
    version announced twice (in two categories on different days) stands once, under its first date.
    """
    first: dict[tuple[str, int], DigestEntry] = {}
    for entry in sorted(entries, key=lambda e: e.paper.listing_date):
        if category == "all" or any(falls_under(own, category) for own in entry.paper.categories):
            first.setdefault((entry.paper.arxiv_id, entry.paper.version), entry)
    kept = set(sorted({entry.paper.listing_date for entry in first.values()})[-feed_days:])
    return tuple(sorted((entry for entry in first.values() if entry.paper.listing_date in kept), key=_newest_first, reverse=True))


def _newest_first(entry: DigestEntry) -> tuple[Any, ...]:
    paper = entry.paper
    return paper.listing_date, not paper.announce_type.is_replacement, id_sort_key(paper.arxiv_id), paper.version


def category_feed(
    category: str,
    entries: Sequence[DigestEntry],
    language: Language,
    *,
    newest_day: date,
    site_url: str = "",
) -> Feed:
    """The feed of a category or `all`; `entries` come from `feed_entries`, `newest_day` dates an empty feed.

    With `site_url` (no slash at its end) entries link to the papers' pages there, without it to arXiv.
    """
    place = language.label("feed", "all") if category == "all" else category
    return named_feed(
        category,
        language.label("feed", "title").format(category=place),
        entries,
        language,
        newest_day=newest_day,
        site_url=site_url,
    )


def named_feed(
    name: str,
    title: str,
    entries: Sequence[DigestEntry],
    language: Language,
    *,
    newest_day: date,
    site_url: str = "",
    reasons: Mapping[str, Sequence[str]] | None = None,
    archive_page: str = "",
) -> Feed:
    """A feed under any name and title, e.g. of a watch list; `reasons` (by arXiv id) say why a paper is shown.

    `archive_page`: the page below `site/` with older papers; by default the archive.
    """
    why = reasons or {}
    items = tuple(_bounded(entries, lambda entry, is_whole: _item(entry, language, site_url, tuple(why.get(entry.paper.arxiv_id, ())), is_whole)))
    archive_url = f"{site_url}/{archive_page or paths.archive_page(language.tag)}" if site_url else ""
    older = f" · {language.label('site', 'earlier_days')}: {archive_url}" if archive_url else ""
    return Feed(
        name=name,
        title=one_line(title),
        description=language.label("feed", "description") + older,
        language=language,
        site_url=site_url,
        page_url=f"{site_url}/{paths.home_page(language.tag)}" if site_url else "https://arxiv.org/",
        archive_url=archive_url,
        updated=max((item.published for item in items), default=_eastern_midnight(newest_day)),
        items=items,
    )


def _bounded(entries: Sequence[DigestEntry], item: Callable[[DigestEntry, bool], FeedItem]) -> Iterator[FeedItem]:
    """The newest day's entries, whole as long as the short ones of the rest have room; then earlier ones whole, while they have."""
    newest = entries[0].paper.listing_date if entries else None
    short = [item(entry, False) if entry.paper.listing_date == newest else None for entry in entries]
    reserved = sum(_size(one) for one in short if one)
    used = 0
    for entry, brief in zip(entries, short, strict=True):
        reserved -= _size(brief) if brief else 0
        whole = item(entry, True)
        fits = used + reserved + _size(whole) <= LARGEST_FEED
        if not fits and brief is None:
            return
        chosen = whole if fits or brief is None else brief
        used += _size(chosen)
        if used > LARGEST_FEED:
            return
        yield chosen


def _size(item: FeedItem) -> int:
    """About its bytes in the format that needs most, never fewer; markup within XML is escaped once more."""
    texts = (item.title, item.summary, *item.authors, *item.categories)
    return _AROUND_AN_ENTRY + len(escape(item.html).encode()) + sum(len(escape(text).encode()) + 60 for text in texts)


def _eastern_midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), EASTERN)


@lru_cache(maxsize=8_192)  # a paper stands in the feed of all and in those of its categories
def _item(entry: DigestEntry, language: Language, site_url: str, reasons: tuple[str, ...], is_whole: bool) -> FeedItem:
    view, paper = paper_view(entry, language), entry.paper
    title = plain_text(view.title)
    return FeedItem(
        id=f"https://arxiv.org/abs/{paper.arxiv_id}v{paper.version}#{language.tag}",
        url=f"{site_url}/{paths.paper_row(language.tag, paper.listing_date, paper.arxiv_id)}" if site_url else paper.abs_url,
        title=f"[v{paper.version}] {title}" if paper.announce_type.is_replacement else title,
        summary=plain_text(view.tldr),
        html=_html(view, language, reasons, is_whole),
        authors=named_authors(paper.authors, _MOST_NAMED_AUTHORS, language),
        categories=paper.categories,
        published=_eastern_midnight(paper.listing_date),
    )


def _html(view: PaperView, language: Language, reasons: Sequence[str], is_whole: bool) -> str:
    html: str = _template().render(
        view=view,
        is_whole=is_whole,
        words=language.labels["feed"],
        authors=named_authors(view.paper.authors, _MOST_NAMED_AUTHORS, language),
        reasons=reasons,
        html_lang=language.html_lang,
    )
    return html


@cache
def _template() -> Template:
    environment = html_environment("digest_pipeline.site")
    environment.filters |= {"plain": plain_text, "paragraphs": paragraphs}
    return environment.get_template("feed_entry.html.jinja")

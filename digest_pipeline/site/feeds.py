"""Feeds: the newest papers of one category as Atom, RSS 2.0 and JSON Feed 1.1, at addresses that stay.

    site/<tag>/feeds/<category>.xml   .rss.xml   .json            category is a category, `all`, or `watch-<list>`

What lives here: which papers a feed holds, its entries' ids and dates, and the three formats' bytes. What
does not: pages and their addresses (the caller passes them in). Nothing depends on the moment of the build:
the same papers give the same bytes.

An entry's id is `https://arxiv.org/abs/IDvN#<tag>` for ever, whatever the site's address. Its date is the
listing date at midnight US Eastern, as in arXiv's own feed, and does not move when a translation is mended.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Template

from digest_pipeline import __version__
from digest_pipeline.calendar import EASTERN
from digest_pipeline.models import DigestEntry, id_sort_key
from digest_pipeline.render.paper import PaperView, named_authors, paper_view
from digest_pipeline.render.templates import html_environment
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage
from digest_pipeline.taxonomy import falls_under
from digest_pipeline.tex.plain import plain_text
from digest_pipeline.text import one_line, paragraphs
from digest_pipeline.translation.languages import Language

if TYPE_CHECKING:
    from feedgen.entry import FeedEntry as FeedgenEntry
    from feedgen.feed import FeedGenerator

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
) -> Feed:
    """A feed under any name and title, e.g. of a watch list; `reasons` (by arXiv id) say why a paper is shown."""
    items = tuple(_item(entry, language, site_url, (reasons or {}).get(entry.paper.arxiv_id, ())) for entry in entries)
    return Feed(
        name=name,
        title=one_line(title),
        description=language.label("feed", "description"),
        language=language,
        site_url=site_url,
        page_url=f"{site_url}/{paths.home_page(language.tag)}" if site_url else "https://arxiv.org/",
        updated=max((item.published for item in items), default=_eastern_midnight(newest_day)),
        items=items,
    )


def _eastern_midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), EASTERN)


def _item(entry: DigestEntry, language: Language, site_url: str, reasons: Sequence[str]) -> FeedItem:
    view, paper = paper_view(entry, language), entry.paper
    title = plain_text(view.title)
    return FeedItem(
        id=f"https://arxiv.org/abs/{paper.arxiv_id}v{paper.version}#{language.tag}",
        url=f"{site_url}/{paths.paper_row(language.tag, paper.listing_date, paper.arxiv_id)}" if site_url else paper.abs_url,
        title=f"[v{paper.version}] {title}" if paper.announce_type.is_replacement else title,
        summary=plain_text(view.tldr),
        html=_html(view, language, reasons),
        authors=named_authors(paper.authors, _MOST_NAMED_AUTHORS, language),
        categories=paper.categories,
        published=_eastern_midnight(paper.listing_date),
    )


def _html(view: PaperView, language: Language, reasons: Sequence[str]) -> str:
    html: str = _template().render(
        view=view,
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


# -- the three formats ------------------------------------------------------------------------------


def atom_bytes(feed: Feed) -> bytes:
    """The feed as Atom (RFC 4287), UTF-8."""
    generator = _generator(feed, "xml")
    generator.author({"name": "arXiv"})  # holds for an entry without authors, which Atom would refuse
    for item in feed.items:
        entry = _entry(generator, item)
        entry.author([{"name": name} for name in item.authors])
        entry.link(href=item.url, rel="alternate", type="text/html")
    content: bytes = generator.atom_str(pretty=True)
    return content


def rss_bytes(feed: Feed) -> bytes:
    """The feed as RSS 2.0 with `content:encoded` and `dc:creator`, UTF-8."""
    generator = _generator(feed, "rss.xml")
    generator.load_extension("dc")
    generator.link(href=feed.page_url, rel="alternate")
    for item in feed.items:
        entry = _entry(generator, item)
        entry.description(item.summary or item.title)
        entry.link(href=item.url)
        if item.authors:
            entry.dc.dc_creator(list(item.authors))
    content: bytes = generator.rss_str(pretty=True)
    return content


def _generator(feed: Feed, suffix: str) -> FeedGenerator:
    from feedgen.feed import FeedGenerator

    generator = FeedGenerator()
    generator.id(feed.id)
    generator.title(feed.title)
    generator.description(feed.description)
    generator.language(feed.language.html_lang)
    generator.generator("digest-pipeline", version=__version__)
    generator.updated(feed.updated)  # both default to the moment of the build
    generator.lastBuildDate(feed.updated)
    if feed.site_url:
        generator.link(href=feed.address(suffix), rel="self")
    if suffix == "xml":
        generator.link(href=feed.page_url, rel="alternate", type="text/html")
    return generator


def _entry(generator: FeedGenerator, item: FeedItem) -> FeedgenEntry:
    entry = generator.add_entry(order="append")
    entry.id(item.id)
    entry.title(item.title)
    entry.published(item.published)
    entry.updated(item.published)
    entry.content(item.html, type="html")
    if item.summary:
        entry.summary(item.summary)
    entry.category([{"term": category} for category in item.categories])
    return entry


def json_bytes(feed: Feed) -> bytes:
    """The feed as JSON Feed 1.1, UTF-8."""
    head = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.page_url,
        "feed_url": feed.address("json"),
        "description": feed.description,
        "language": feed.language.html_lang,
    }
    document = {key: value for key, value in head.items() if value} | {"items": [_json_item(item) for item in feed.items]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _json_item(item: FeedItem) -> dict[str, Any]:
    arxiv_url = item.id.partition("#")[0]
    return {
        "id": item.id,
        "url": item.url,
        "external_url": arxiv_url,
        "title": item.title,
        "summary": item.summary,
        "content_html": item.html,
        "date_published": item.published.isoformat(),
        "date_modified": item.published.isoformat(),
        "authors": [{"name": name} for name in item.authors],
        "tags": list(item.categories),
    }


def write_feed(storage: Storage, feed: Feed) -> tuple[str, ...]:
    """Writes the three files below `site/` where they changed; returns their paths there."""
    files = {feed.path("xml"): atom_bytes(feed), feed.path("rss.xml"): rss_bytes(feed), feed.path("json"): json_bytes(feed)}
    for path, content in files.items():
        storage.write_if_changed(f"site/{path}", content)
    return tuple(files)

"""What Atom and RSS have in common: both are written by `feedgen`.

What lives here: the head of a feed and an entry's shared elements. What does not: what only one of them has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest_pipeline import __version__
from digest_pipeline.site.feeds.feed import Feed, FeedItem

if TYPE_CHECKING:
    from feedgen.entry import FeedEntry
    from feedgen.feed import FeedGenerator


def generator_of(feed: Feed, suffix: str) -> FeedGenerator:
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
    return generator


def add_entry(generator: FeedGenerator, item: FeedItem) -> FeedEntry:
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

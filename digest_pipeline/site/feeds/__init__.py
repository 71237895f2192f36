"""Feeds: the newest papers of one category or watch list, in every format of this folder, at addresses that stay.

    site/<tag>/feeds/<category>.xml   .rss.xml   .json            category is a category, `all`, or `watch-<list>`

A module with a `FORMAT` is a format. What does not live here: which papers are in a feed (`feed.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from digest_pipeline.render.formats import Format, formats_of
from digest_pipeline.site.feeds.feed import Feed, category_feed, feed_entries, named_feed
from digest_pipeline.storage import Storage

__all__ = ["Feed", "category_feed", "feed_entries", "feed_formats", "named_feed", "write_feed"]


def feed_formats() -> Sequence[Format[Feed]]:
    return formats_of(__name__)  # type: ignore[return-value]


def write_feed(storage: Storage, feed: Feed) -> tuple[str, ...]:
    """Writes a file a format below `site/` where it changed; returns their paths there."""
    files = {feed.path(one.suffix): one.write(feed) for one in feed_formats()}
    for path, content in files.items():
        storage.write_if_changed(f"site/{path}", content)
    return tuple(files)

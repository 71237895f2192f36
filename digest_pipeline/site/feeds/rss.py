"""A feed as RSS 2.0 with `content:encoded` and `dc:creator`."""

from __future__ import annotations

from digest_pipeline.render.formats import Format
from digest_pipeline.site.feeds.feed import Feed
from digest_pipeline.site.feeds.xml import add_entry, generator_of


def rss_bytes(feed: Feed) -> bytes:
    """UTF-8."""
    generator = generator_of(feed, "rss.xml")
    generator.load_extension("dc")
    generator.link(href=feed.page_url, rel="alternate")
    for item in feed.items:
        entry = add_entry(generator, item)
        entry.description(item.summary or item.title)
        entry.link(href=item.url)
        if item.authors:
            entry.dc.dc_creator(list(item.authors))
    content: bytes = generator.rss_str(pretty=True)
    return content


FORMAT = Format("rss.xml", "RSS", rss_bytes)

"""A feed as Atom (RFC 4287)."""

from __future__ import annotations

from digest_pipeline.render.formats import Format
from digest_pipeline.site.feeds.feed import Feed
from digest_pipeline.site.feeds.xml import add_entry, generator_of


def atom_bytes(feed: Feed) -> bytes:
    """UTF-8."""
    generator = generator_of(feed, "xml")
    generator.link(href=feed.page_url, rel="alternate", type="text/html")
    if feed.archive_url:
        generator.link(href=feed.archive_url, rel="related", type="text/html")
    generator.author({"name": "arXiv"})  # holds for an entry without authors, which Atom would refuse
    for item in feed.items:
        entry = add_entry(generator, item)
        entry.author([{"name": name} for name in item.authors])
        entry.link(href=item.url, rel="alternate", type="text/html")
    content: bytes = generator.atom_str(pretty=True)
    return content


FORMAT = Format("xml", "Atom", atom_bytes)

"""A feed as JSON Feed 1.1."""

from __future__ import annotations

import json
from typing import Any

from digest_pipeline.render.formats import Format
from digest_pipeline.site.feeds.feed import Feed, FeedItem


def json_bytes(feed: Feed) -> bytes:
    """UTF-8."""
    head = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.page_url,
        "feed_url": feed.address("json"),
        "description": feed.description,
        "language": feed.language.html_lang,
    }
    document = {key: value for key, value in head.items() if value} | {"items": [_item(item) for item in feed.items]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _item(item: FeedItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "url": item.url,
        "external_url": item.id.partition("#")[0],
        "title": item.title,
        "summary": item.summary,
        "content_html": item.html,
        "date_published": item.published.isoformat(),
        "date_modified": item.published.isoformat(),
        "authors": [{"name": name} for name in item.authors],
        "tags": list(item.categories),
    }


FORMAT = Format("json", "JSON Feed", json_bytes)

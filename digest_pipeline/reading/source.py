"""arXiv's HTML of one version of a paper, fetched once and kept compressed below `fulltext/`.

What lives here: whether it is kept, and asking for it. What does not: the pace towards arXiv (`arxiv/http.py`), reading it (`fulltext.py`).
Source: https://info.arxiv.org/about/accessible_HTML.html ; `<address>/<id>v<n>`, 404 where arXiv has none (yet).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from digest_pipeline.models import VersionedId
from digest_pipeline.reading.fulltext import FullText, NoFullText, parse_fulltext
from digest_pipeline.storage import Storage

ASK_AGAIN_AFTER = timedelta(hours=20)
"""arXiv converts papers hours after it announces them: what had no HTML is asked for again, once a day."""

FetchHtml = Callable[[str], bytes | None]
"""Versioned id → the page's bytes, None where arXiv has none. Raises ArxivUnavailable."""


def read_fulltext(paper: VersionedId, fetch: FetchHtml, storage: Storage, *, now: datetime) -> FullText:
    """The paper's full text, from what is kept or from arXiv. Raises NoFullText, ArxivUnavailable."""
    page, absent = _page_file(paper), _absent_file(paper)
    if storage.exists(page):
        return parse_fulltext(gzip.decompress(storage.read_bytes(page)))
    if storage.exists(absent):
        known = json.loads(storage.read_text(absent))
        if now - datetime.fromisoformat(known["asked_at_utc"]) < ASK_AGAIN_AFTER:
            raise NoFullText(known["why"])
    html = fetch(str(paper))
    try:
        if html is None:
            raise NoFullText("arXiv has no HTML of it")
        text = parse_fulltext(html)
    except NoFullText as error:
        storage.write_text(absent, json.dumps({"asked_at_utc": now.isoformat(), "why": str(error)}))
        raise
    storage.write_bytes(page, gzip.compress(html or b"", mtime=0))
    return text


def _page_file(paper: VersionedId) -> str:
    return f"fulltext/{paper}.html.gz"


def _absent_file(paper: VersionedId) -> str:
    return f"fulltext/{paper}.absent.json"

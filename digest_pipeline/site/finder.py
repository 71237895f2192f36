"""From an arXiv id to its row: the index of listing days, and the page that a web server shows for an address without a file.

    site/ids/2606-01.json     {"2606.01438": "2026-06-02 2026-06-09"}: the days that list each paper, oldest first
    site/404.html             reads the address that was asked for and goes where its papers are now

Earlier releases wrote a page a paper, and a page a category and day. Those addresses stand in bookmarks and feeds, so they go on
working: `404.html` looks the paper up and goes to its row; a category's page of a day becomes the day's page narrowed to it.

What lives here: both files' bytes. What does not: which web server shows `404.html` by itself (`docs/deploying.md`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from digest_pipeline.site import paths
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.site.render import asset, environment
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language


def update_listing_index(storage: Storage, listed: Mapping[str, Iterable[date]], gone: Mapping[str, Iterable[date]]) -> list[tuple[str, bytes]]:
    """The index files that change when these papers (id → days) are listed or no longer listed: (path, content), empty content: delete.

    Only the files of these papers are read.
    """
    touched = {file: _known(storage, file) for file in {paths.listing_index(one) for one in (*gone, *listed)}}
    for arxiv_id, days in gone.items():
        touched[paths.listing_index(arxiv_id)].setdefault(arxiv_id, set()).difference_update(day.isoformat() for day in days)
    for arxiv_id, days in listed.items():
        touched[paths.listing_index(arxiv_id)].setdefault(arxiv_id, set()).update(day.isoformat() for day in days)
    return [(file, _index_bytes(known)) for file, known in sorted(touched.items())]


def listing_days_of(storage: Storage, ids: Iterable[str]) -> dict[str, tuple[date, ...]]:
    """Id → the days that list it, oldest first, as the last build wrote it; an id that nobody listed is absent."""
    found: dict[str, tuple[date, ...]] = {}
    by_file: dict[str, list[str]] = {}
    for arxiv_id in ids:
        by_file.setdefault(paths.listing_index(arxiv_id), []).append(arxiv_id)
    for file, wanted in by_file.items():
        known = _known(storage, file)
        found.update({one: tuple(map(date.fromisoformat, sorted(known[one]))) for one in wanted if one in known})
    return found


def _known(storage: Storage, file: str) -> dict[str, set[str]]:
    try:
        stored = json.loads(storage.read_text(f"site/{file}"))
    except (FileNotFoundError, ValueError):
        return {}
    return {arxiv_id: set(days.split()) for arxiv_id, days in stored.items()}


def _index_bytes(known: Mapping[str, set[str]]) -> bytes:
    rows = {arxiv_id: " ".join(sorted(days)) for arxiv_id, days in sorted(known.items()) if days}
    return (json.dumps(rows, separators=(",", ":")).replace(',"', ',\n"') + "\n").encode() if rows else b""


def not_found_page(options: SiteOptions) -> bytes:
    """One for all languages. It may be shown at any depth, so style and script stand in it, named by their hashes in its policy."""
    script, style = asset("find.js").decode().strip(), asset("find.css").decode().strip()
    languages = [load_language(tag) for tag in options.languages]
    words = {
        one.tag: {"lang": one.html_lang, **{key: one.label("site", key) for key in ("site_name", "finding", "not_found", "archive", "latest")}}
        for one in languages
    }
    page: str = (
        environment()
        .get_template("not_found.html.jinja")
        .render(options=options, languages=languages, words=words, script=script, style=style, policy=_policy([script], [style]))
    )
    return page.encode()


def _policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    return f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; connect-src 'self'; base-uri 'none'; form-action 'none'"


def _hashes(texts: Sequence[str]) -> str:
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)

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


class ListingIndex:
    """Which days list each paper: what the last build wrote, and what this one changes. Reads only the files of the papers asked for."""

    def __init__(self, storage: Storage, *, is_new: bool = False) -> None:
        """`is_new`: whatever the last build wrote does not count."""
        self._storage, self._is_new = storage, is_new
        self._files: dict[str, dict[str, set[str]]] = {}
        self._changed: set[str] = set()

    def days_of(self, arxiv_id: str) -> tuple[date, ...]:
        """Oldest first; empty for a paper that nobody listed."""
        return tuple(map(date.fromisoformat, sorted(self._file(paths.listing_index(arxiv_id)).get(arxiv_id, ()))))

    def list_on(self, day: date, before: Iterable[str], after: Iterable[str]) -> None:
        """The day listed the papers `before` and lists those `after`."""
        gone, now = set(before) - set(after), set(after)
        for arxiv_id in gone | now:
            path = paths.listing_index(arxiv_id)
            days = self._file(path).setdefault(arxiv_id, set())
            if (day.isoformat() in days) != (arxiv_id in now):
                days.symmetric_difference_update({day.isoformat()})
                self._changed.add(path)

    def knows(self, path: str) -> bool:
        """Whether one of the index's files has anything to say."""
        return any(self._file(path).values())

    def changed_files(self) -> list[tuple[str, bytes]]:
        """(path, content) of what changed since the last call; no content: the file has nothing to say any more."""
        changed, self._changed = sorted(self._changed), set()
        return [(path, _index_bytes(self._files[path])) for path in changed]

    def _file(self, path: str) -> dict[str, set[str]]:
        if path not in self._files:
            try:
                stored = {} if self._is_new else json.loads(self._storage.read_text(f"site/{path}"))
            except (FileNotFoundError, ValueError):
                stored = {}
            self._files[path] = {arxiv_id: set(days.split()) for arxiv_id, days in stored.items()}
        return self._files[path]


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

"""What of the settings the site depends on, as one plain value.

What lives here: the choice and its key (a change of it rebuilds every page). What does not: reading the
settings (`settings.py`) or `watch.toml` (`watch.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from digest_pipeline import __version__
from digest_pipeline.render.watch_lists import WatchList, load_watch_lists
from digest_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Everything besides the tables that decides what stands on the pages."""

    languages: tuple[str, ...]
    categories: tuple[str, ...]
    """As configured: categories and whole archives; the order of sections on a page."""
    site_url: str = ""
    """Public address of site/ without trailing slash; empty: relative links everywhere."""
    feed_days: int = 7
    site_days: int = 0
    """The newest listing days that have pages; 0: all."""
    read_on_site: bool = False
    """Whether the notes of papers that were read whole stand in their opened rows."""
    paper_pages: bool = False
    """Whether each paper has a page of its own, for search engines and previews of links."""
    watch_lists: tuple[WatchList, ...] = ()
    skipped_evenings_file: Path | None = None
    pages_only: bool = False
    """True: no search index and no charts are made, e.g. where only the pages are measured."""
    generator: str = f"digest-pipeline {__version__}"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Reads `watch.toml` too; raises SettingsError for a bad line in it."""
        return cls(
            languages=settings.languages,
            categories=settings.categories,
            site_url=settings.site_url.rstrip("/"),
            feed_days=settings.feed_days,
            site_days=settings.site_days,
            read_on_site=settings.read_on_site,
            paper_pages=settings.site_paper_pages,
            watch_lists=load_watch_lists(settings.watch_file),
            skipped_evenings_file=settings.skipped_evenings_file,
        )

    @property
    def key(self) -> str:
        """Changes whenever one of the values does (recipients of mail aside, which no page shows)."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


SiteSettings = SiteOptions

"""Everything one run works with, put together from the settings: calendar, data home, arXiv, translation desk, site.

What lives here: the wiring, made when a run asks for it, never at import. What does not: the steps
themselves (`stages.py`) and Dagster (`orchestration/`). A test builds a workshop with its own settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from digest_pipeline import __version__, sample
from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.http import Pace
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.arxiv.rate_limit import rate_limit_file
from digest_pipeline.arxiv.raw_store import RawStore
from digest_pipeline.calendar import ListingCalendar, load_calendar
from digest_pipeline.errors import SettingsError
from digest_pipeline.settings import BatchMode, Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language, load_language

if TYPE_CHECKING:
    from digest_pipeline.translation.translator import Translator

GENERATOR = f"digest-pipeline {__version__}"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workshop:
    """The run's tools. Attributes are made on first use, so that a step pays only for what it touches."""

    settings: Settings
    now: Callable[[], datetime] = utc_now

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.settings.data_root)

    @cached_property
    def raw(self) -> RawStore:
        return RawStore(self.storage)

    @cached_property
    def calendar(self) -> ListingCalendar:
        return load_calendar(self.settings.skipped_evenings_file)

    @property
    def categories(self) -> tuple[str, ...]:
        """The sample holds its own two categories, whatever is configured."""
        return sample.CATEGORIES if self.settings.is_sample else self.settings.categories

    @cached_property
    def languages(self) -> tuple[Language, ...]:
        """Raises SettingsError for a language that the sample has no recorded answers in."""
        if self.settings.is_sample and (lacking := set(self.settings.languages) - set(sample.sample_languages())):
            raise SettingsError(
                f"DIGEST_LANGUAGES={','.join(self.settings.languages)}: the sample day has no recorded answers in {', '.join(sorted(lacking))}",
                hint=f"use {', '.join(sample.sample_languages())}, or set OPENAI_API_KEY or OPENAI_BASE_URL to go live",
            )
        return tuple(load_language(tag) for tag in self.settings.languages)

    @cached_property
    def arxiv(self) -> Arxiv:
        s = self.settings
        return Arxiv(
            api_url=s.arxiv_api_url,
            rss_url=s.arxiv_rss_url,
            rate_limit_file=self.rate_limit_file,
            pace=Pace(s.arxiv_interval_seconds, s.arxiv_timeout_seconds, s.arxiv_attempts),
            contact=s.contact,
            now=self.now,
        )

    @property
    def rate_limit_file(self) -> Path:
        """Where all processes of this machine take turns at asking arXiv, wherever their data lie."""
        return rate_limit_file(self.settings.arxiv_api_url, self.settings.arxiv_lock_dir)

    def sends_batches(self, *, is_backfill: bool) -> bool:
        """Whether a run's papers go through the endpoint's Batch API first."""
        return not self.settings.is_sample and (
            self.settings.batch is BatchMode.ALWAYS or (self.settings.batch is BatchMode.BACKFILL and is_backfill)
        )

    @property
    def listing_fetcher(self) -> ListingFetcher:
        return ListingFetcher(self.calendar, self.arxiv, self.storage, self.categories, self.now)

    @cached_property
    def translator(self) -> Translator:
        from digest_pipeline.translation.translator import Translator

        return Translator.from_settings(self.settings, now=self.now)

    def close(self) -> None:
        """Gives back what was opened, leases on answers among it; the workshop stays fit for use."""
        if (translator := self.__dict__.pop("translator", None)) is not None:
            translator.close()

"""The clients of the outside world, made from the settings: storage, calendar, arXiv, and what the reader asked for.

What lives here: which settings each of them takes. What does not: what they do (their own packages), the model's
(`translation/translator.py`, which takes the settings itself), and Dagster, whose resources hand these out
(`orchestration/resources.py`). Nothing is opened before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from digest_pipeline import __version__, sample
from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.html import ArxivHtml
from digest_pipeline.arxiv.http import ArxivAccess, Pace
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.arxiv.rate_limit import rate_limit_file
from digest_pipeline.calendar import load_calendar
from digest_pipeline.errors import SettingsError
from digest_pipeline.settings import BatchMode, Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.languages import Language, load_language

if TYPE_CHECKING:
    import openai

GENERATOR = f"digest-pipeline {__version__}"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DigestOptions:
    """What the reader asked for."""

    categories: tuple[str, ...]
    """The sample holds its own two, whatever is configured."""
    languages: tuple[Language, ...]
    model: str
    is_sample: bool
    batch: BatchMode
    translated_best: int | None = None
    """How many of each profile's best papers are translated; None: all."""


def digest_options(settings: Settings) -> DigestOptions:
    """Raises SettingsError for a language that the sample has no recorded answers in."""
    if not settings.is_sample:
        return DigestOptions(
            settings.categories, tuple(map(load_language, settings.languages)), settings.model, False, settings.batch, settings.translated_best
        )
    if lacking := set(settings.languages) - set(sample.sample_languages()):
        raise SettingsError(
            f"DIGEST_LANGUAGES={','.join(settings.languages)}: the sample day has no recorded answers in {', '.join(sorted(lacking))}",
            hint=f"use {', '.join(sample.sample_languages())}, or set OPENAI_API_KEY or OPENAI_BASE_URL to go live",
        )
    return DigestOptions(
        sample.CATEGORIES, tuple(map(load_language, settings.languages)), "recorded answers", True, BatchMode.NEVER, settings.translated_best
    )


def open_storage(settings: Settings) -> Storage:
    return Storage(settings.data_root)


def arxiv_access(settings: Settings, now: Callable[[], datetime] = utc_now) -> ArxivAccess:
    pace = Pace(settings.arxiv_interval_seconds, settings.arxiv_timeout_seconds, settings.arxiv_attempts)
    return ArxivAccess(rate_limit_file(settings.arxiv_api_url, settings.arxiv_lock_dir), pace, settings.contact, now)


def arxiv_client(settings: Settings, now: Callable[[], datetime] = utc_now) -> Arxiv:
    return Arxiv(arxiv_access(settings, now), api_url=settings.arxiv_api_url, rss_url=settings.arxiv_rss_url)


def arxiv_html(settings: Settings, now: Callable[[], datetime] = utc_now) -> ArxivHtml:
    return ArxivHtml(arxiv_access(settings, now), settings.arxiv_html_url)


def openai_client(settings: Settings, timeout_seconds: float) -> openai.OpenAI:
    """To look whether the endpoint answers; translating has a client of its own (`translation/llm/`)."""
    import openai

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"  # a local endpoint needs none, the package does
    return openai.OpenAI(api_key=key, base_url=settings.openai_base_url or None, timeout=timeout_seconds, max_retries=0)


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How many papers are read whole, and what that may cost."""

    top: int
    budget_per_run_usd: float | None
    budget_per_month_usd: float | None

    def budget(self) -> Budget:
        """A new one, of one run; the month's limit counts translations too."""
        return Budget(self.budget_per_run_usd, self.budget_per_month_usd)


def reading_options(settings: Settings) -> ReadingOptions:
    """None are read of the sample."""
    return ReadingOptions(0 if settings.is_sample else settings.read_top, settings.read_budget_per_run_usd, settings.budget_per_month_usd)


def listing_fetcher(settings: Settings, storage: Storage, now: Callable[[], datetime] = utc_now) -> ListingFetcher:
    """Raises SettingsError for a bad calendar file."""
    categories = sample.CATEGORIES if settings.is_sample else settings.categories
    return ListingFetcher(load_calendar(settings.skipped_evenings_file), arxiv_client(settings, now), storage, categories, now)

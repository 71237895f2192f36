"""What the steps work with, as Dagster resources: visible with their values in the UI, secrets as environment variables.

What lives here: which settings each resource shows, and the client it hands out, which knows no Dagster. What does not:
the clients. A field has the name of its setting, so that what the UI shows is what `docs/settings.md` explains.
Dagster's own word: https://docs.dagster.io/guides/build/external-resources

A test, or a definition of one's own, puts any object with the client's type in a resource's place:
`build_definitions(settings, resources={"translator": mine})`.
"""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

import dagster as dg
from pydantic import Field, SecretStr

from digest_pipeline.arxiv.html import ArxivHtml
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.clients import DigestOptions, ReadingOptions, arxiv_html, digest_options, listing_fetcher, open_storage, reading_options, utc_now
from digest_pipeline.orchestration.liveness import run_lock
from digest_pipeline.settings import Settings, setting_name
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.storage import Storage
from digest_pipeline.translation.translator import Translator

Client = TypeVar("Client")
Clock = Callable[[], datetime]
"""Gives the present instant, aware."""


def _setting(name: str) -> Any:
    """A field that says what `docs/settings.md` says of the setting."""
    return Field(description=Settings.model_fields[name].description)


class SettingsResource(dg.ConfigurableResource[Client]):
    """A resource whose fields are settings."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(**{name: _shown(settings, name) for name in cls.model_fields})

    def settings(self) -> Settings:
        """Settings with this resource's values; the others have their defaults, and no client here may read them (`test_resources.py` looks)."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return Settings.model_validate({str(Settings.model_fields[name].validation_alias or name): value for name, value in given.items()})


def _shown(settings: Settings, name: str) -> Any:
    """The value as Dagster's configuration takes it; a secret as the name of its environment variable."""
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return dg.EnvVar(setting_name(name))
    return settings.is_sample if name == "demo" else settings.model_dump(mode="json", include={name})[name]


class DataDirectory(SettingsResource[Storage]):
    """Where everything is kept. While a run has it, the run is known to be alive (`liveness.py`)."""

    data_dir: str = _setting("data_dir")
    demo: bool = _setting("demo")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Storage, None, None]:
        with run_lock(context):
            yield open_storage(self.settings())


class ArxivResource(SettingsResource[ListingFetcher]):
    """arXiv, one request at a time over all processes of this machine."""

    arxiv_api_url: str = _setting("arxiv_api_url")
    arxiv_rss_url: str = _setting("arxiv_rss_url")
    arxiv_interval_seconds: float = _setting("arxiv_interval_seconds")
    arxiv_timeout_seconds: float = _setting("arxiv_timeout_seconds")
    arxiv_attempts: int = _setting("arxiv_attempts")
    contact: str = _setting("contact")
    arxiv_lock_dir: str | None = _setting("arxiv_lock_dir")
    categories: list[str] = _setting("categories")
    skipped_evenings_file: str | None = _setting("skipped_evenings_file")
    data_dir: str = _setting("data_dir")
    demo: bool = _setting("demo")

    def create_resource(self, context: dg.InitResourceContext) -> ListingFetcher:  # noqa: ARG002 - the library names it
        settings = self.settings()
        return listing_fetcher(settings, open_storage(settings))


class ModelEndpoint(SettingsResource[Translator]):
    """The endpoint that translates, with its limits and the store of paid answers."""

    model: str = _setting("model")
    fallback_model: str | None = _setting("fallback_model")
    openai_base_url: str | None = _setting("openai_base_url")
    openai_api_key: str | None = _setting("openai_api_key")
    max_concurrency: int = _setting("max_concurrency")
    paper_timeout_seconds: float = _setting("paper_timeout_seconds")
    structured_summary: bool = _setting("structured_summary")
    budget_per_run_usd: float | None = _setting("budget_per_run_usd")
    budget_per_month_usd: float | None = _setting("budget_per_month_usd")
    prices_file: str | None = _setting("prices_file")
    answers_dir: str = _setting("answers_dir")
    data_dir: str = _setting("data_dir")
    demo: bool = _setting("demo")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Translator, None, None]:  # noqa: ARG002
        with closing(Translator.from_settings(self.settings(), now=utc_now)) as translator:
            yield translator


class DigestOptionsResource(SettingsResource[DigestOptions]):
    """What the reader asked for."""

    categories: list[str] = _setting("categories")
    languages: list[str] = _setting("languages")
    model: str = _setting("model")
    batch: str = _setting("batch")
    translate: str = _setting("translate")
    demo: bool = _setting("demo")

    def create_resource(self, context: dg.InitResourceContext) -> DigestOptions:  # noqa: ARG002
        return digest_options(self.settings())


class SiteOptionsResource(SettingsResource[SiteOptions]):
    """What the pages depend on besides the tables; the watch lists are read when a run begins."""

    categories: list[str] = _setting("categories")
    languages: list[str] = _setting("languages")
    site_url: str = _setting("site_url")
    site_days: int = _setting("site_days")
    site_paper_pages: bool = _setting("site_paper_pages")
    feed_days: int = _setting("feed_days")
    read_on_site: bool = _setting("read_on_site")
    watch_file: str = _setting("watch_file")
    skipped_evenings_file: str | None = _setting("skipped_evenings_file")

    def create_resource(self, context: dg.InitResourceContext) -> SiteOptions:  # noqa: ARG002
        return SiteOptions.from_settings(self.settings())


class ArxivHtmlResource(SettingsResource[ArxivHtml]):
    """arXiv's HTML of papers, at the same pace."""

    arxiv_html_url: str = _setting("arxiv_html_url")
    arxiv_api_url: str = _setting("arxiv_api_url")
    arxiv_interval_seconds: float = _setting("arxiv_interval_seconds")
    arxiv_timeout_seconds: float = _setting("arxiv_timeout_seconds")
    arxiv_attempts: int = _setting("arxiv_attempts")
    contact: str = _setting("contact")
    arxiv_lock_dir: str | None = _setting("arxiv_lock_dir")

    def create_resource(self, context: dg.InitResourceContext) -> ArxivHtml:  # noqa: ARG002
        return arxiv_html(self.settings())


class ReadingOptionsResource(SettingsResource[ReadingOptions]):
    """How many papers are read whole, and what that may cost."""

    read_top: int = _setting("read_top")
    read_budget_per_run_usd: float | None = _setting("read_budget_per_run_usd")
    budget_per_month_usd: float | None = _setting("budget_per_month_usd")
    demo: bool = _setting("demo")

    def create_resource(self, context: dg.InitResourceContext) -> ReadingOptions:  # noqa: ARG002
        return reading_options(self.settings())


class PublicationWait(dg.ConfigurableResource[Any]):
    """How long a run that nobody asks for again waits for a listing that is not published yet, and how often it looks."""

    publication_wait_seconds: float = _setting("publication_wait_seconds")
    publication_poll_seconds: float = _setting("publication_poll_seconds")


def all_resources(settings: Settings, now: Clock) -> Mapping[str, Any]:
    """By the names under which steps ask for them. The last two show nothing: a function, and settings with the addresses of services."""
    return {
        "storage": DataDirectory.of(settings),
        "listing_fetcher": ArxivResource.of(settings),
        "translator": ModelEndpoint.of(settings),
        "digest_options": DigestOptionsResource.of(settings),
        "site_options": SiteOptionsResource.of(settings),
        "arxiv_html": ArxivHtmlResource.of(settings),
        "reading_options": ReadingOptionsResource.of(settings),
        "publication_wait": PublicationWait(
            publication_wait_seconds=settings.publication_wait_seconds, publication_poll_seconds=settings.publication_poll_seconds
        ),
        "clock": dg.ResourceDefinition.hardcoded_resource(now, "The present instant."),
        "settings": dg.ResourceDefinition.hardcoded_resource(settings, "All settings, for mail and alerts."),
    }


def export_secrets(settings: Settings) -> None:
    """Puts secrets that stand in `.env` only into the environment, where the resources' variables are looked for.

    Dagster does the same with a `.env` beside workspace.yaml; what the environment says already stays.
    """
    for name in ModelEndpoint.model_fields:
        if isinstance(value := getattr(settings, name), SecretStr):
            os.environ.setdefault(setting_name(name), value.get_secret_value())

"""Real Dagster runs of the whole graph in a test: sample or live against the loopback arXiv and endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from digest_pipeline.arxiv.api import Arxiv
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.arxiv.raw_store import RawStore
from digest_pipeline.arxiv.sample import fetch_day
from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.clients import DigestOptions, digest_options, listing_fetcher, open_storage, utc_now
from digest_pipeline.orchestration.assets import SITE
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.papers.table import write_papers
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.storage import Storage
from digest_pipeline.translation.day import translate_day
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.translator import Translator
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv


@dataclass(frozen=True)
class Clients:
    """The clients that the resources hand out, made once, with a test's clock."""

    settings: Settings
    now: Callable[[], datetime] = utc_now

    @cached_property
    def storage(self) -> Storage:
        return open_storage(self.settings)

    @cached_property
    def listing_fetcher(self) -> ListingFetcher:
        return listing_fetcher(self.settings, self.storage, self.now)

    @cached_property
    def translator(self) -> Translator:
        return Translator.from_settings(self.settings, now=self.now)

    @cached_property
    def options(self) -> DigestOptions:
        return digest_options(self.settings)

    @property
    def raw(self) -> RawStore:
        return self.listing_fetcher.raw

    @property
    def arxiv(self) -> Arxiv:
        return self.listing_fetcher.arxiv

    @property
    def calendar(self) -> ListingCalendar:
        return self.listing_fetcher.calendar

    @property
    def categories(self) -> tuple[str, ...]:
        return self.options.categories

    @property
    def languages(self) -> tuple[Language, ...]:
        return self.options.languages

    @property
    def resources(self) -> dict[str, Any]:
        """All that a step may ask for, as plain objects."""
        return {
            "storage": self.storage,
            "listing_fetcher": self.listing_fetcher,
            "translator": self.translator,
            "digest_options": self.options,
            "site_options": SiteOptions.from_settings(self.settings),
        }


def sample_clients(folder: Path, **environ: str) -> Clients:
    return Clients(load_settings({"DIGEST_DATA_DIR": str(folder), **environ}, folder))


def translated_sample(clients: Clients) -> None:
    """The sample day up to its summaries, by the plain functions."""
    fetch_day(SAMPLE_DAY, clients.listing_fetcher, is_sample=True)
    write_papers(SAMPLE_DAY, clients.storage, clients.categories)
    translate_day(SAMPLE_DAY, clients.storage, clients.languages, clients.translator)


def live_clients(folder: Path, arxiv: FakeArxiv, openai_url: str, **environ: str) -> Clients:
    """Live against two loopback servers, at the stand-in's own instant."""
    values = {
        "DIGEST_DATA_DIR": str(folder / "data"),
        "DIGEST_ARXIV_API_URL": arxiv.api_url,
        "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
        "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
        "DIGEST_MODEL": "fake-model",
        "DIGEST_PUBLICATION_WAIT_SECONDS": "0",
        "OPENAI_API_KEY": "sk-test-not-a-key",
        "OPENAI_BASE_URL": openai_url,
    }

    def now() -> datetime:
        return arxiv.instant()

    return Clients(load_settings({**values, **environ}, folder), now)


def definitions_of(clients: Clients, **resources: Any) -> dg.Definitions:
    return build_definitions(clients.settings, resources={**clients.resources, **resources}, now=clients.now)


def materialize(
    clients: Clients,
    instance: dg.DagsterInstance,
    day: str,
    select: list[str] | None = None,
    tags: Mapping[str, str] | None = None,
    **resources: Any,
) -> dg.ExecuteInProcessResult:
    """One run of one day; never raises, as a run in the UI does not. Without `select`, the site is made too."""
    job = definitions_of(clients, **resources).resolve_implicit_global_asset_job_def()
    selection = None if select is None else [dg.AssetKey(name) for name in select]
    partition = None if select == [SITE] else day
    return job.execute_in_process(
        partition_key=partition, instance=instance, raise_on_error=False, tags=dict(tags or {}), asset_selection=selection, run_config=QUIET
    )


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def latest_metadata(instance: dg.DagsterInstance, asset: str, partition: str | None) -> dict[str, Any]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition] if partition else None), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def checks_of(instance: dg.DagsterInstance, result: Any) -> dict[str, bool]:
    """Outcome by check name, of one run."""
    records = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return {
        r.dagster_event.asset_check_evaluation_data.check_name: r.dagster_event.asset_check_evaluation_data.passed for r in records if r.dagster_event
    }

"""Real Dagster runs of the whole graph in a test: sample or live against the loopback arXiv and endpoint."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.settings import load_settings
from digest_pipeline.workshop import Workshop
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv


def sample_workshop(folder: Path, **environ: str) -> Workshop:
    return Workshop(load_settings({"DIGEST_DATA_DIR": str(folder), **environ}, folder))


def live_workshop(folder: Path, arxiv: FakeArxiv, openai_url: str, **environ: str) -> Workshop:
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

    return Workshop(load_settings({**values, **environ}, folder), now)


def materialize(
    shop: Workshop, instance: dg.DagsterInstance, first: str, last: str = "", select: list[str] | None = None, tags: dict[str, str] | None = None
) -> Any:
    """One run over a day or a range; never raises, as a run in the UI does not."""
    definitions = build_definitions(shop.settings, shop)
    assets = list(definitions.assets or [])
    where: dict[str, Any] = {"partition_key": first}
    run_tags = dict(tags or {})
    if last:
        where = {}
        run_tags |= {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.materialize(
        assets, instance=instance, resources=dict(definitions.resources or {}), selection=select, raise_on_error=False, tags=run_tags, **where
    )


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def latest_metadata(instance: dg.DagsterInstance, asset: str, partition: str) -> dict[str, Any]:
    records = instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition]), limit=1).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def checks_of(instance: dg.DagsterInstance, result: Any) -> dict[str, bool]:
    """Outcome by check name, of one run."""
    records = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return {
        r.dagster_event.asset_check_evaluation_data.check_name: r.dagster_event.asset_check_evaluation_data.passed for r in records if r.dagster_event
    }

"""The jobs between listing days, run for real: batches are looked after, late papers reported, old runs deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance

from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.errors import EndpointUnavailable
from digest_pipeline.orchestration import assets
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SCHEDULED, SUMMARIES
from digest_pipeline.orchestration.batching import batch_sensor, collect_batches_job
from digest_pipeline.orchestration.build import JOB
from digest_pipeline.orchestration.reconcile import CHECK, reconcile_last_listings
from digest_pipeline.orchestration.retention import KEEP_DAYS, delete_old_runs
from digest_pipeline.settings import BatchMode
from digest_pipeline.stages import note_ready, ready_days
from digest_pipeline.workshop import Workshop
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.runs import checks_of, live_workshop, materialize, materialized

UP_TO_DIGEST = [RAW, PAPERS, SUMMARIES, DIGESTS]
WEDNESDAY = date(2026, 6, 10)
KEY = WEDNESDAY.isoformat()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


@contextmanager
def live(folder: Path, **environ: str) -> Iterator[tuple[Workshop, FakeArxiv, FakeOpenAI]]:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=40)
    with FakeArxiv(days, now=datetime.combine(date(2026, 6, 18), time(12), EASTERN)) as arxiv, fake_openai() as openai:
        yield live_workshop(folder, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL", **environ), arxiv, openai


def run(job: dg.JobDefinition, shop: Workshop, instance: DagsterInstance) -> bool:
    return job.execute_in_process(instance=instance, resources={"workshop": shop}).success


# -- batches -----------------------------------------------------------------------------------------


def looked(shop: Workshop, instance: DagsterInstance) -> list[dg.RunRequest]:
    """What the sensor asks for."""
    with dg.build_sensor_context(instance) as context:
        answer: Any = batch_sensor(shop.settings, shop, dg.define_asset_job(JOB))(context)
    return [] if isinstance(answer, dg.SkipReason) else list(answer)


def test_an_open_batch_is_looked_after_until_its_days_have_run_with_what_it_brought(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path, DIGEST_BATCH="always") as (shop, _, openai):
        assert looked(shop, instance) == []
        openai.batch_status = "in_progress"
        assert materialize(shop, instance, KEY, select=UP_TO_DIGEST).success

        [collect] = looked(shop, instance)
        assert (collect.job_name, collect.partition_key) == (collect_batches_job.name, None)
        assert run(collect_batches_job, shop, instance)
        assert ready_days(shop) == {}  # it is not back yet

        openai.batch_status = "completed"
        assert run(collect_batches_job, shop, instance)
        [go_on] = looked(shop, instance)
        assert (go_on.job_name, go_on.partition_key, go_on.tags[SCHEDULED]) == (JOB, KEY, "true")
        again = looked(shop, instance)
        assert [request.run_key for request in again] == [go_on.run_key]  # by which Dagster starts one run only

        result = materialize(shop, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]
        assert (openai.peak, len(openai.batches)) == (0, 1)  # nothing was asked the ordinary way, and no second batch made


@pytest.mark.parametrize("mode", ["always", "never"])
def test_a_run_without_a_daemon_takes_what_its_batch_brought_also_where_batches_are_off_by_then(
    mode: str, tmp_path: Path, instance: DagsterInstance
) -> None:
    with live(tmp_path, DIGEST_BATCH="always") as (shop, _, openai):
        openai.batch_status = "in_progress"
        assert materialize(shop, instance, "2026-06-09", KEY, select=UP_TO_DIGEST).success
        openai.batch_status = "completed"

        later = replace(shop, settings=shop.settings.model_copy(update={"batch": BatchMode(mode)}))
        result = materialize(later, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]
        assert (openai.peak, len(openai.batches)) == (0, 1)  # nothing was paid twice
        assert list(ready_days(shop)) == ["2026-06-09", KEY]  # the batch's other day is not forgotten


def test_batches_that_cannot_be_looked_at_stop_no_run_that_has_other_work(
    tmp_path: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Workshop) -> None:
        raise EndpointUnavailable("the endpoint did not retrieve the batch")

    with live(tmp_path) as (shop, _, _openai):
        monkeypatch.setattr(assets, "collect_batches", down)
        result = materialize(shop, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]


def test_days_whose_batch_is_back_are_remembered_for_a_month(tmp_path: Path) -> None:
    with live(tmp_path) as (shop, _, _openai):
        note_ready(shop, [date(2026, 6, 1)], shop.now() - timedelta(days=31))
        note_ready(shop, [date(2026, 6, 2)], shop.now() - timedelta(days=29))
        note_ready(shop, [date(2026, 6, 3)], shop.now())
        assert list(ready_days(shop)) == ["2026-06-02", "2026-06-03"]


@pytest.mark.parametrize(
    ("environ", "status"), [({}, "STOPPED"), ({"DIGEST_BATCH": "backfill"}, "RUNNING"), ({"DIGEST_BATCH": "always", "DIGEST_DEMO": "1"}, "STOPPED")]
)
def test_the_sensor_runs_only_where_batches_are_used(environ: dict[str, str], status: str, tmp_path: Path) -> None:
    with live(tmp_path, **environ) as (shop, _, _openai):
        assert batch_sensor(shop.settings, shop, dg.define_asset_job(JOB)).default_status.value == status


# -- the look back -----------------------------------------------------------------------------------


def look_back_result(instance: DagsterInstance) -> tuple[bool, str, str | None]:
    records = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(dg.AssetKey(PAPERS), CHECK), limit=1)
    evaluation = records[0].evaluation
    assert evaluation is not None
    return evaluation.passed, evaluation.description or "", evaluation.partition


def test_the_look_back_reports_a_paper_that_turned_up_as_a_failed_check_of_its_day(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path) as (shop, arxiv, _):
        late = next(p.arxiv_id for p in arxiv.day(WEDNESDAY).block if "cs.CL" in p.categories and p.submitted_at >= arxiv.day(WEDNESDAY).window[0])
        arxiv.faults.hidden_ids.add(late)
        assert materialize(shop, instance, KEY, select=[RAW, PAPERS]).success
        assert run(reconcile_last_listings, shop, instance)
        assert look_back_result(instance) == (True, "nothing turned up", KEY)
        arxiv.faults.hidden_ids.clear()
        assert run(reconcile_last_listings, shop, instance)
        assert look_back_result(instance) == (False, f"1 turned up: {late}; run {KEY} again to add them", KEY)


# -- old runs ----------------------------------------------------------------------------------------


def test_the_clean_up_deletes_old_runs_that_no_day_needs_and_leaves_the_data(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path) as (shop, arxiv, _):
        for _ in range(2):
            assert materialize(shop, instance, KEY, select=[RAW, PAPERS]).success
        arxiv.now = datetime.now(EASTERN) + timedelta(days=KEEP_DAYS - 1)
        assert run(delete_old_runs, shop, instance)
        assert len(instance.get_runs()) == 3
        arxiv.now = datetime.now(EASTERN) + timedelta(days=KEEP_DAYS + 1)
        assert run(delete_old_runs, shop, instance)
        kept = instance.get_runs()
        assert [r.job_name for r in kept].count("delete_old_runs") == 1  # the one that is running
        assert len(kept) == 2
        assert materialized(instance, PAPERS) == {KEY}
        assert shop.storage.exists(shop.storage.papers_file(WEDNESDAY))

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
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SUMMARIES
from digest_pipeline.orchestration.failures import SCHEDULED
from digest_pipeline.orchestration.jobs import DAILY_DIGEST, collect_batches_job
from digest_pipeline.orchestration.retention import KEEP_DAYS
from digest_pipeline.orchestration.sensors import all_sensors
from digest_pipeline.orchestration.sensors.batches import batches_sensor
from digest_pipeline.settings import BatchMode
from digest_pipeline.translation.batch_days import note_ready, ready_days
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.runs import QUIET, Clients, checks_of, definitions_of, live_clients, materialize, materialized

UP_TO_DIGEST = [RAW, PAPERS, SUMMARIES, DIGESTS]
WEDNESDAY = date(2026, 6, 10)
KEY = WEDNESDAY.isoformat()
RUNNING = dg.DefaultSensorStatus.RUNNING


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


@contextmanager
def live(folder: Path, **environ: str) -> Iterator[tuple[Clients, FakeArxiv, FakeOpenAI]]:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=40)
    with FakeArxiv(days, now=datetime.combine(date(2026, 6, 18), time(12), EASTERN)) as arxiv, fake_openai() as openai:
        yield live_clients(folder, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL", **environ), arxiv, openai


def run(job: str, clients: Clients, instance: DagsterInstance) -> bool:
    return definitions_of(clients).resolve_job_def(job).execute_in_process(instance=instance, run_config=QUIET).success


# -- batches -----------------------------------------------------------------------------------------


def looked(clients: Clients, instance: DagsterInstance) -> list[dg.RunRequest]:
    """What the sensor asks for."""
    with dg.build_sensor_context(instance) as context:
        answer: Any = batches_sensor(clients.settings, clients.storage, clients.now, RUNNING)(context)
    return [] if isinstance(answer, dg.SkipReason) else list(answer)


def test_an_open_batch_is_looked_after_until_its_days_have_run_with_what_it_brought(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path, DIGEST_BATCH="always") as (clients, _, openai):
        assert looked(clients, instance) == []
        openai.batch_status = "in_progress"
        assert materialize(clients, instance, KEY, select=UP_TO_DIGEST).success

        [collect] = looked(clients, instance)
        assert (collect.job_name, collect.partition_key) == (collect_batches_job.name, None)
        assert run("collect_batches", clients, instance)
        assert ready_days(clients.storage) == {}  # it is not back yet

        openai.batch_status = "completed"
        assert run("collect_batches", clients, instance)
        [go_on] = looked(clients, instance)
        assert (go_on.job_name, go_on.partition_key, go_on.tags[SCHEDULED]) == (DAILY_DIGEST, KEY, "true")
        again = looked(clients, instance)
        assert [request.run_key for request in again] == [go_on.run_key]  # by which Dagster starts one run only

        result = materialize(clients, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]
        assert (openai.peak, len(openai.batches)) == (0, 1)  # nothing was asked the ordinary way, and no second batch made


@pytest.mark.parametrize("mode", ["always", "never"])
def test_a_run_without_a_daemon_takes_what_its_batch_brought_also_where_batches_are_off_by_then(
    mode: str, tmp_path: Path, instance: DagsterInstance
) -> None:
    with live(tmp_path, DIGEST_BATCH="always") as (clients, _, openai):
        openai.batch_status = "in_progress"
        for day in ("2026-06-09", KEY):
            assert materialize(clients, instance, day, select=UP_TO_DIGEST).success
        openai.batch_status = "completed"

        later = replace(clients, settings=clients.settings.model_copy(update={"batch": BatchMode(mode)}))
        result = materialize(later, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]
        assert (openai.peak, len(openai.batches)) == (0, 2)  # nothing was paid twice
        assert list(ready_days(clients.storage)) == ["2026-06-09", KEY]  # the other day is not forgotten


def test_batches_that_cannot_be_looked_at_stop_no_run_that_has_other_work(
    tmp_path: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise EndpointUnavailable("the endpoint did not retrieve the batch")

    with live(tmp_path) as (clients, _, _openai):
        monkeypatch.setattr("digest_pipeline.orchestration.assets.translated_summaries.collect_batches", down)
        result = materialize(clients, instance, KEY, select=UP_TO_DIGEST)
        assert checks_of(instance, result)["nothing_waits_for_budget_or_batch"]


def test_days_whose_batch_is_back_are_remembered_for_a_month(tmp_path: Path) -> None:
    with live(tmp_path) as (clients, _, _openai):
        note_ready(clients.storage, [date(2026, 6, 1)], clients.now() - timedelta(days=31))
        note_ready(clients.storage, [date(2026, 6, 2)], clients.now() - timedelta(days=29))
        note_ready(clients.storage, [date(2026, 6, 3)], clients.now())
        assert list(ready_days(clients.storage)) == ["2026-06-02", "2026-06-03"]


@pytest.mark.parametrize(
    ("environ", "status"), [({}, "STOPPED"), ({"DIGEST_BATCH": "backfill"}, "RUNNING"), ({"DIGEST_BATCH": "always", "DIGEST_DEMO": "1"}, "STOPPED")]
)
def test_the_sensor_runs_only_where_batches_are_used(environ: dict[str, str], status: str, tmp_path: Path) -> None:
    with live(tmp_path, **environ) as (clients, _, _openai):
        (sensor,) = [sensor for sensor in all_sensors(clients.settings, clients.now) if sensor.name == "batches_sensor"]
        assert sensor.default_status.value == status


# -- the look back -----------------------------------------------------------------------------------


def look_back_result(instance: DagsterInstance, asset: str, check: str) -> tuple[bool, str]:
    records = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(dg.AssetKey(asset), check), limit=1)
    evaluation = records[0].evaluation
    assert evaluation is not None
    return evaluation.passed, evaluation.description or ""


def test_the_look_back_reports_a_paper_that_turned_up_as_a_failed_check_naming_its_day(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path) as (clients, arxiv, _):
        late = next(p.arxiv_id for p in arxiv.day(WEDNESDAY).block if "cs.CL" in p.categories and p.submitted_at >= arxiv.day(WEDNESDAY).window[0])
        arxiv.faults.hidden_ids.add(late)
        assert materialize(clients, instance, KEY, select=[RAW, PAPERS]).success
        assert run("look_back", clients, instance)
        assert look_back_result(instance, PAPERS, "no_paper_turned_up_later") == (True, "none in 1 listings")
        arxiv.faults.hidden_ids.clear()
        assert run("look_back", clients, instance)
        words = f"1 turned up: {KEY}: {late} → materialize those days again to add them"
        assert look_back_result(instance, PAPERS, "no_paper_turned_up_later") == (False, words)


def test_a_materialization_asks_arxiv_for_no_look_back_and_reports_what_is_noted(tmp_path: Path, instance: DagsterInstance) -> None:
    """Dagster runs a check that can be executed by itself beside its asset too."""
    with live(tmp_path) as (clients, arxiv, _):
        assert materialize(clients, instance, KEY, select=[RAW]).success
        asked = len(arxiv.requests)
        assert materialize(clients, instance, KEY, select=None).success
        assert len(arxiv.requests) == asked
        assert look_back_result(instance, PAPERS, "no_paper_turned_up_later")[0]


def test_only_the_newest_listing_makes_the_digests_fresh_and_past_days_alone_miss_none(tmp_path: Path, instance: DagsterInstance) -> None:
    fresh = "the_newest_listing_has_its_digest"
    with live(tmp_path) as (clients, _, _openai):
        assert materialize(clients, instance, KEY, select=UP_TO_DIGEST).success
        assert run("look_back", clients, instance)
        assert look_back_result(instance, DIGESTS, fresh) == (True, f"the newest digest is of {KEY}")
        assert materialize(clients, instance, "2026-06-11", select=UP_TO_DIGEST, tags={SCHEDULED: "true"}).success  # the schedule is in use
        assert run("look_back", clients, instance)
        assert look_back_result(instance, DIGESTS, fresh) == (False, "the listing of 2026-06-17 has no digest")
        assert materialize(clients, instance, "2026-06-17", select=UP_TO_DIGEST).success
        assert run("look_back", clients, instance)
        assert look_back_result(instance, DIGESTS, fresh)[0]


# -- old runs ----------------------------------------------------------------------------------------


def test_the_clean_up_deletes_old_runs_that_no_day_needs_and_leaves_the_data(tmp_path: Path, instance: DagsterInstance) -> None:
    with live(tmp_path) as (clients, arxiv, _):
        for _ in range(2):
            assert materialize(clients, instance, KEY, select=[RAW, PAPERS]).success
        arxiv.now = datetime.now(EASTERN) + timedelta(days=KEEP_DAYS - 1)
        assert run("delete_old_runs", clients, instance)
        assert len(instance.get_runs()) == 3
        arxiv.now = datetime.now(EASTERN) + timedelta(days=KEEP_DAYS + 1)
        assert run("delete_old_runs", clients, instance)
        kept = instance.get_runs()
        assert [r.job_name for r in kept].count("delete_old_runs") == 1  # the one that is running
        assert len(kept) == 2
        assert materialized(instance, PAPERS) == {KEY}
        assert clients.storage.exists(clients.storage.papers_file(WEDNESDAY))

"""Failures, late listings and ready digests are noticed once, by the right people, and old runs go without taking a partition along."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance

from digest_pipeline import tables
from digest_pipeline.errors import ArxivUnavailable, DigestError, EndpointConfigurationError, StorageError
from digest_pipeline.models import DigestEntry, Evidence, ListingInfo
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import Audience, Message
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.failures import failure_of, split_advice
from digest_pipeline.orchestration.jobs import mail_digest
from digest_pipeline.orchestration.retention import deletable_runs
from digest_pipeline.orchestration.sensors import failed_checks
from digest_pipeline.orchestration.sensors.delivery import delivery_sensor
from digest_pipeline.orchestration.sensors.failed_checks import failed_checks_sensor
from digest_pipeline.orchestration.sensors.failed_runs import failed_runs_sensor
from digest_pipeline.orchestration.sensors.late_listing import late_listing_sensor
from digest_pipeline.orchestration.sensors.readers import readers_sensor
from digest_pipeline.papers.ledger import write_facts, write_ledger
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.loopback import smtp_server
from digest_pipeline_tests.support.outputs import an_entry, an_untranslated_entry

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

DAY = date(2026, 6, 2)
RUNNING = dg.DefaultSensorStatus.RUNNING
DAYS = dg.StaticPartitionsDefinition([f"2026-06-0{n}" for n in range(1, 6)])


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def sqlite_instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """As on one person's machine: runs have event logs of their own, which some queries cannot cross."""
    (tmp_path / "dagster").mkdir()
    with DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides={"telemetry": {"enabled": False}}) as made:
        yield made


def settings(tmp_path: Path, **more: str) -> Settings:
    environ = {"DIGEST_DATA_DIR": str(tmp_path / "data"), "DIGEST_ALERT_URLS": "json://127.0.0.1:9/a", "DIGEST_ANNOUNCE_URLS": "json://127.0.0.1:9/r"}
    return load_settings(environ | {"DIGEST_DEMO": "false", "DIGEST_DAGSTER_URL": "http://ui:3000"} | more, root=tmp_path)


def at(now: datetime | None) -> Callable[[], datetime]:
    return (lambda: now) if now else lambda: datetime.now(UTC)


def storage_of(with_settings: Settings) -> Storage:
    return Storage(with_settings.data_root)


def outbox(tmp_path: Path) -> list[Message]:
    return alerts.waiting(Storage(tmp_path / "data"))


@pytest.mark.filterwarnings("ignore:.*currently in beta")  # Dagster warns of parameters that it passes itself
@pytest.mark.parametrize("demo", ["true", "false"])
def test_all_definitions_load_together(tmp_path: Path, demo: str) -> None:
    """What the code server does first: names of jobs, steps and sensors must not clash."""
    dg.Definitions.validate_loadable(build_definitions(settings(tmp_path, DIGEST_DEMO=demo)))


# -- failed runs ------------------------------------------------------------------------------------


def run_failing_asset(instance: DagsterInstance, error: Exception, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
    @dg.asset(name="papers", partitions_def=DAYS)
    def failing() -> None:
        raise error

    return dg.materialize([failing], instance=instance, partition_key="2026-06-02", raise_on_error=False, tags=tags)


def notice_failure(instance: DagsterInstance, result: dg.ExecuteInProcessResult, with_settings: Settings, now: datetime | None = None) -> None:
    sensor = failed_runs_sensor(with_settings, storage_of(with_settings), at(now), RUNNING)
    event = next(event for event in result.all_events if event.is_failure and event.is_job_event)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(sensor.name, event, instance, run).for_run_failure()
    sensor(context)  # type: ignore[operator]


def test_a_failed_run_is_told_with_its_day_cause_advice_and_link(instance: DagsterInstance, tmp_path: Path) -> None:
    result = run_failing_asset(instance, dg.Failure("2026-06-02: the key is refused → set OPENAI_API_KEY"))
    notice_failure(instance, result, settings(tmp_path))
    [letter] = outbox(tmp_path)
    assert letter.audience is Audience.OPERATOR
    assert "2026-06-02" in letter.title
    assert "What happened: papers: 2026-06-02: the key is refused" in letter.body
    assert "What to do: set OPENAI_API_KEY" in letter.body
    assert f"http://ui:3000/runs/{result.run_id}" in letter.body


def test_an_unforeseen_error_is_told_in_its_own_words_without_a_stack_trace(instance: DagsterInstance, tmp_path: Path) -> None:
    notice_failure(instance, run_failing_asset(instance, OSError("No space left on device")), settings(tmp_path))
    [letter] = outbox(tmp_path)
    assert "What happened: papers: No space left on device" in letter.body.replace("OSError: ", "")
    assert "Stack Trace" not in letter.body


def test_a_run_that_dagster_retries_by_itself_is_not_told(instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest_pipeline.orchestration.failures.will_be_retried", lambda run: True)
    notice_failure(instance, run_failing_asset(instance, ValueError("x")), settings(tmp_path))
    assert outbox(tmp_path) == []


def test_a_backfill_with_many_failed_runs_is_told_once(instance: DagsterInstance, tmp_path: Path) -> None:
    for number in range(3):
        notice_failure(instance, run_failing_asset(instance, ValueError(f"failure {number}"), {"dagster/backfill": "abc"}), settings(tmp_path))
    assert len(outbox(tmp_path)) == 1


def test_the_schedules_repeated_tries_of_one_listing_are_told_once_for_each_cause(instance: DagsterInstance, tmp_path: Path) -> None:
    for words in ("arXiv did not answer (6 attempts)", "arXiv did not answer (7 attempts)", "the key is refused"):
        notice_failure(instance, run_failing_asset(instance, dg.Failure(words), {"digest/scheduled": "true"}), settings(tmp_path))
    assert len(outbox(tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a → b", ("a", "b")), ("no advice", ("no advice", "")), ("a → b; c → d", ("a → b; c → d", "")), ("", ("", ""))],
)
def test_only_one_errors_advice_is_taken_as_advice(text: str, parts: tuple[str, str]) -> None:
    assert split_advice(text) == parts


def a_dead_key() -> dg.Failure:
    return failure_of(
        EndpointConfigurationError("the endpoint refuses the key", hint="set OPENAI_API_KEY"), stage="translated_summaries", day="2026-06-02"
    )


def test_a_dead_key_is_told_once_for_all_runs_and_again_after_a_week(instance: DagsterInstance, tmp_path: Path) -> None:
    """Thirty days of it had been sixty alerts: a failed run and a late listing each day."""
    with_settings, start = settings(tmp_path), datetime(2026, 6, 2, 6, tzinfo=UTC)
    for tags in ({}, {"digest/scheduled": "true"}, {"dagster/backfill": "abc"}):
        notice_failure(instance, run_failing_asset(instance, a_dead_key(), tags), with_settings, start + timedelta(days=len(tags)))
    [message] = outbox(tmp_path)
    assert "What happened: papers: the endpoint refuses the key" in message.body
    assert "What to do: set OPENAI_API_KEY" in message.body
    for day in range(30):
        notice_failure(instance, run_failing_asset(instance, a_dead_key()), with_settings, start + timedelta(days=day))
    assert len(outbox(tmp_path)) == 5  # days 0, 7, 14, 21, 28


def test_any_cause_that_ends_every_scheduled_run_is_told_once_and_explains_the_late_listing(instance: DagsterInstance, tmp_path: Path) -> None:
    with_settings, now = settings(tmp_path), datetime(2026, 6, 2, 20, tzinfo=UTC)
    write_facts(storage_of(with_settings), ListingInfo(date(2026, 6, 1), True, Evidence.RSS, False))
    storage_of(with_settings).write_text("ledger/date=2026-06-01/ledger.parquet", "x")
    full = failure_of(StorageError("data/x cannot be written: No space left on device", hint="free space there"), stage="papers", day="2026-06-02")
    for hours in range(3):
        notice_failure(instance, run_failing_asset(instance, full, {"digest/scheduled": "true"}), with_settings, now - timedelta(hours=hours))
    look_for_late(instance, with_settings, now)
    assert [message.title for message in outbox(tmp_path)] == ["Digest: materialization failed for 2026-06-02"]


@pytest.mark.parametrize(
    ("backfill", "not_tried"),
    [("2026-06-01...2026-06-05", "2026-06-03, 2026-06-04, 2026-06-05"), ("2026-06-05...2026-05-29", "2026-05-29, 2026-06-01")],
)
def test_a_backfill_that_the_key_ended_says_which_days_were_not_tried_and_what_to_do(
    instance: DagsterInstance, tmp_path: Path, backfill: str, not_tried: str
) -> None:
    notice_failure(instance, run_failing_asset(instance, a_dead_key(), {"digest/backfill": backfill}), settings(tmp_path))
    [message] = outbox(tmp_path)
    assert f"Not tried: {not_tried}\n" in message.body
    assert "What to do: set OPENAI_API_KEY\n" in message.body
    assert "goes on" not in message.body


@pytest.mark.parametrize(("error", "retried"), [(ArxivUnavailable("no answer"), True), (DigestError("a bug in the data"), False)])
def test_only_a_fault_that_waiting_helps_is_retried(error: DigestError, retried: bool) -> None:
    assert failure_of(error, stage="papers", day="2026-06-02").allow_retries is retried


# -- failed checks ----------------------------------------------------------------------------------


def evaluate(
    instance: DagsterInstance,
    *days: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    tags: dict[str, str] | None = None,
    check: str = "every_announced_paper_is_in_the_table",
) -> None:
    """A run a day in which the check fails."""

    @dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec(check, asset="papers")])
    def papers() -> dg.MaterializeResult:  # type: ignore[type-arg]
        outcome = dg.AssetCheckResult(passed=False, check_name=check, severity=severity, description="3 papers are missing")
        return dg.MaterializeResult(check_results=[outcome])

    for day in days:
        dg.materialize([papers], instance=instance, partition_key=day, tags=tags)


def notice_checks(instance: DagsterInstance, with_settings: Settings, cursor: str | None = "0") -> str:
    sensor = failed_checks_sensor(with_settings, storage_of(with_settings), at(None), RUNNING)
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        sensor(context)
        return str(context.cursor)


def test_a_failed_check_is_told_once_for_its_day(sqlite_instance: DagsterInstance, tmp_path: Path) -> None:
    instance = sqlite_instance
    evaluate(instance, "2026-06-02")
    cursor = notice_checks(instance, settings(tmp_path))
    evaluate(instance, "2026-06-02")  # the same day again, by another run
    notice_checks(instance, settings(tmp_path), cursor)
    [letter] = outbox(tmp_path)
    assert letter.title == "Digest: check failed: every_announced_paper_is_in_the_table on papers for 2026-06-02"
    assert "3 papers are missing" in letter.body


def test_a_warning_is_told_as_a_warning_with_its_other_consequence(instance: DagsterInstance, tmp_path: Path) -> None:
    evaluate(instance, "2026-06-02", severity=dg.AssetCheckSeverity.WARN)
    notice_checks(instance, settings(tmp_path))
    [letter] = outbox(tmp_path)
    assert "check warns" in letter.title
    assert "the digest was published" in letter.body


def test_a_check_about_no_day_is_told_once_and_not_every_day(instance: DagsterInstance, tmp_path: Path) -> None:
    evaluate(instance, *(f"2026-06-0{n}" for n in range(1, 5)), check="the_calendar_covers_the_coming_weeks")
    key = dg.AssetCheckKey(
        dg.AssetKey("papers"), "the_calendar_covers_the_coming_weeks"
    )  # of another asset in the pipeline; the occasion is what counts
    keys = {failed_checks._message(instance, record, settings(tmp_path)).key for record in failed_checks._failed_since(instance, key, 0.0)}
    assert len(keys) == 1


def test_a_backfills_failing_checks_are_one_alert(instance: DagsterInstance, tmp_path: Path) -> None:
    evaluate(instance, *(f"2026-06-0{n}" for n in range(1, 5)), tags={"dagster/backfill": "abc"})
    notice_checks(instance, settings(tmp_path))
    [letter] = outbox(tmp_path)
    assert "not told one by one" in letter.body


def test_what_failed_before_the_sensor_was_switched_on_is_not_told(instance: DagsterInstance, tmp_path: Path) -> None:
    evaluate(instance, "2026-06-02")
    with_settings = settings(tmp_path)
    sensor = failed_checks_sensor(with_settings, storage_of(with_settings), at(datetime.now(UTC) + timedelta(seconds=5)), RUNNING)
    with dg.build_sensor_context(instance=instance) as context:
        sensor(context)
    assert outbox(tmp_path) == []


# -- the late listing -------------------------------------------------------------------------------


def look_for_late(instance: DagsterInstance, with_settings: Settings, now: datetime) -> None:
    with dg.build_sensor_context(instance=instance) as context:
        late_listing_sensor(with_settings, storage_of(with_settings), at(now), RUNNING)(context)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (datetime(2026, 6, 2, 10, 19, tzinfo=UTC), False),  # 06:19 EDT, one minute before
        (datetime(2026, 6, 2, 10, 21, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 11, 19, tzinfo=UTC), False),  # 06:19 EST: the clock changes, the rule does not
        (datetime(2026, 12, 1, 11, 21, tzinfo=UTC), True),
    ],
)
def test_a_listing_is_late_six_hours_after_the_schedules_first_look(instance: DagsterInstance, tmp_path: Path, now: datetime, told: bool) -> None:
    storage = Storage(tmp_path / "data")
    write_facts(storage, ListingInfo(now.date() - timedelta(days=1), True, Evidence.RSS, False))
    look_for_late(instance, settings(tmp_path), now)
    assert bool(outbox(tmp_path)) is told
    write_facts(storage, ListingInfo(now.date(), True, Evidence.RSS, False))
    look_for_late(instance, settings(tmp_path), now + timedelta(hours=1))
    assert len(outbox(tmp_path)) == int(told)


def test_an_evening_schedule_is_watched_over_midnight(instance: DagsterInstance, tmp_path: Path) -> None:
    write_facts(Storage(tmp_path / "data"), ListingInfo(date(2026, 6, 1), True, Evidence.RSS, False))
    late = settings(tmp_path, DIGEST_SCHEDULE_TIME="21:00")
    look_for_late(instance, late, datetime(2026, 6, 3, 6, 59, tzinfo=UTC))  # 02:59 EDT, the calendar says another day already
    assert outbox(tmp_path) == []
    look_for_late(instance, late, datetime(2026, 6, 3, 7, 1, tzinfo=UTC))
    assert "2026-06-02" in outbox(tmp_path)[0].title


def test_a_pipeline_that_never_made_a_digest_misses_none(instance: DagsterInstance, tmp_path: Path) -> None:
    look_for_late(instance, settings(tmp_path), datetime(2026, 6, 2, 20, 0, tzinfo=UTC))
    assert outbox(tmp_path) == []


# -- the digest that is ready -----------------------------------------------------------------------

MORNING = datetime(2026, 6, 2, 6, 0, tzinfo=UTC)


def publish(instance: DagsterInstance, tmp_path: Path, *entries: DigestEntry, day: date = DAY) -> None:
    storage = Storage(tmp_path / "data")
    storage.write_table(storage.papers_file(day), tables.papers_to_table(entry.paper for entry in entries))
    storage.write_table(storage.summaries_file(day, "zh"), tables.summaries_to_table(entry.summary for entry in entries))
    write_facts(storage, ListingInfo(day, True, Evidence.RSS, False))
    write_ledger(storage, day, [])
    instance.report_runless_asset_event(dg.AssetMaterialization("digest_files", partition=day.isoformat()))
    instance.report_runless_asset_event(dg.AssetMaterialization("site"))


def notice_ready(
    instance: DagsterInstance, with_settings: Settings, cursor: str | None = "0", now: datetime = MORNING
) -> tuple[list[dg.RunRequest], str]:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        result = readers_sensor(with_settings, storage_of(with_settings), at(now), RUNNING)(context)
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or []), str(result.cursor)


def test_readers_are_told_once_in_their_language(instance: DagsterInstance, tmp_path: Path) -> None:
    publish(instance, tmp_path, an_entry())
    _, cursor = notice_ready(instance, settings(tmp_path))
    publish(instance, tmp_path, an_entry())
    notice_ready(instance, settings(tmp_path), cursor)
    [letter] = outbox(tmp_path)
    assert letter.audience is Audience.READERS
    assert letter.title == "2026-06-02 的 arXiv 摘要已备好：1 篇"
    assert "论语言模型如何泡茶" in letter.body


def test_a_backfill_of_old_days_tells_nobody(instance: DagsterInstance, tmp_path: Path) -> None:
    for day in (date(2026, 5, 27), date(2026, 5, 28)):
        publish(instance, tmp_path, an_entry(), day=day)
    requests, _ = notice_ready(instance, settings(tmp_path, DIGEST_SMTP_URL="smtp://127.0.0.1:9"))
    assert (requests, outbox(tmp_path)) == ([], [])


def test_what_was_ready_before_the_sensor_was_switched_on_is_no_news(instance: DagsterInstance, tmp_path: Path) -> None:
    publish(instance, tmp_path, an_entry())
    _, cursor = notice_ready(instance, settings(tmp_path), cursor=None)
    notice_ready(instance, settings(tmp_path), cursor)
    assert outbox(tmp_path) == []


def test_a_day_that_waits_for_its_batch_is_told_when_it_is_whole(instance: DagsterInstance, tmp_path: Path) -> None:
    waiting = an_untranslated_entry()
    publish(instance, tmp_path, replace(waiting, summary=replace(waiting.summary, flags=("batch-open: batch_1",))))
    _, cursor = notice_ready(instance, settings(tmp_path))
    assert outbox(tmp_path) == []
    publish(instance, tmp_path, an_entry())
    notice_ready(instance, settings(tmp_path), cursor)
    assert len(outbox(tmp_path)) == 1


def test_the_mail_is_a_run_of_its_own_that_sends_the_day_once(instance: DagsterInstance, tmp_path: Path) -> None:
    publish(instance, tmp_path, an_entry())
    with smtp_server() as mailbox:
        with_settings = settings(
            tmp_path,
            DIGEST_SMTP_URL=f"smtp://{mailbox.address}",
            DIGEST_MAIL_FROM="d@lab.example",
            DIGEST_MAIL_TO="a@lab.example",
            DIGEST_WATCH_FILE=str(tmp_path / "none.toml"),
        )
        [request], _ = notice_ready(instance, with_settings)
        for _ in range(2):
            result = mail_digest.execute_in_process(
                run_config=dict(request.run_config),
                instance=instance,
                resources={
                    "storage": storage_of(with_settings),
                    "settings": with_settings,
                    "clock": dg.ResourceDefinition.hardcoded_resource(at(None)),
                },
            )
            assert result.success
        assert len(mailbox.received) == 1


# -- delivery and retention -------------------------------------------------------------------------


def test_a_service_that_is_down_fails_neither_sensor_nor_run(instance: DagsterInstance, tmp_path: Path) -> None:
    with_settings = settings(tmp_path)
    notice_failure(instance, run_failing_asset(instance, ValueError("x")), with_settings)
    with dg.build_sensor_context(instance=instance) as context:
        answer = delivery_sensor(with_settings, storage_of(with_settings), at(None), RUNNING)(context)
    assert isinstance(answer, dg.SkipReason)
    assert "entry 1 of DIGEST_ALERT_URLS" in str(answer.skip_message)
    assert len(outbox(tmp_path)) == 1


def test_old_runs_go_and_no_partition_is_forgotten(sqlite_instance: DagsterInstance) -> None:
    instance = sqlite_instance

    @dg.asset(partitions_def=DAYS)
    def site() -> None: ...

    made = [dg.materialize([site], instance=instance, partition_key=key).run_id for key in ("2026-06-01", "2026-06-01", "2026-06-02")]
    failed = run_failing_asset(instance, ValueError("x")).run_id
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert set(deletable_runs(instance, soon)) == {made[0], failed}
    for run_id in list(deletable_runs(instance, soon)):
        instance.delete_run(run_id)
    assert instance.get_materialized_partitions(dg.AssetKey("site")) == {"2026-06-01", "2026-06-02"}
    assert list(deletable_runs(instance, datetime.now(UTC) - timedelta(days=1))) == []

"""Which listings the schedule asks for: at chosen instants, over chosen histories, without trusting that every tick came."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.orchestration import schedules
from digest_pipeline.orchestration.assets import DIGESTS
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.failures import SCHEDULED
from digest_pipeline.orchestration.jobs import DAILY_DIGEST
from digest_pipeline.orchestration.schedules import LOOKS_EVERY_MINUTES, LOOKS_FOR, TRIES_A_DAY, daily_listing_schedule, is_time_to_look
from digest_pipeline.settings import Settings, load_settings

CALENDAR = load_calendar()
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2025, 6, day) for day in range(9, 14))
TWO_WEEKS = CALENDAR.listing_days(date(2025, 6, 2), FRIDAY)
FIRST_LOOK = time(0, 20)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """Schedules open their instance anew from where it is kept, so one in memory will not do."""
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster")), overrides={"telemetry": {"enabled": False}}) as made:
        yield made


@pytest.fixture
def instance(sqlite: DagsterInstance) -> DagsterInstance:
    """Without runs and digests."""
    sqlite.wipe()
    return sqlite


def settings(tmp_path: Path, **environ: str) -> Settings:
    return load_settings({"DIGEST_DEMO": "false", "DIGEST_DATA_DIR": str(tmp_path), **environ}, tmp_path)


def made(instance: DagsterInstance, *days: date) -> None:
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization(DIGESTS, partition=day.isoformat()))


def ran(instance: DagsterInstance, day: date, status: DagsterRunStatus, times: int = 1) -> None:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "here"), DAILY_DIGEST)  # a queued run must have one
    for _ in range(times):
        instance.add_run(DagsterRun(DAILY_DIGEST, status=status, tags={"dagster/partition": day.isoformat()}, remote_job_origin=origin))


def at(day: date, clock: time = FIRST_LOOK) -> datetime:
    return datetime.combine(day, clock, EASTERN)


def tick(instance: DagsterInstance, with_settings: Settings, now: datetime) -> list[dg.RunRequest] | dg.SkipReason:
    schedule = daily_listing_schedule(with_settings)
    with dg.build_schedule_context(instance, now) as context:
        answer: list[dg.RunRequest] | dg.SkipReason = schedule(context)  # type: ignore[assignment]
    return answer


def asked(instance: DagsterInstance, with_settings: Settings, now: datetime) -> list[date]:
    answer = tick(instance, with_settings, now)
    return [] if isinstance(answer, dg.SkipReason) else [date.fromisoformat(request.partition_key or "") for request in answer]


def looks(with_settings: Settings, after: datetime) -> Iterator[datetime]:
    """The schedule's ticks at which it looks."""
    schedule = daily_listing_schedule(with_settings)
    every = schedule_execution_time_iterator(after.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True)
    return (tick for tick in every if is_time_to_look(tick, with_settings.schedule_time))


# -- which days --------------------------------------------------------------------------------------


def test_on_an_ordinary_day_the_days_own_listing_is_asked_for(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, *TWO_WEEKS[:-1])
    [request] = tick(instance, settings(tmp_path), at(FRIDAY))  # type: ignore[misc]
    assert request.partition_key == "2025-06-13"
    assert request.tags[SCHEDULED] == "true"
    assert request.tags["digest/listing"] == "2025-06-13"


def test_a_listing_that_is_there_is_not_asked_for_again(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, *TWO_WEEKS)
    answer = tick(instance, settings(tmp_path), at(FRIDAY))
    assert isinstance(answer, dg.SkipReason)
    assert "every listing up to 2025-06-13 has its digest" in (answer.skip_message or "")


def test_a_holiday_is_asked_for_too_so_that_it_gets_its_explicit_empty_digest(instance: DagsterInstance, tmp_path: Path) -> None:
    holiday = date(2025, 7, 7)
    assert not CALENDAR.is_announced(holiday)
    made(instance, date(2025, 7, 3), date(2025, 7, 4))
    assert asked(instance, settings(tmp_path), at(holiday)) == [holiday]


@pytest.mark.parametrize(
    ("monday", "utc"),
    [
        (date(2025, 3, 3), datetime(2025, 3, 3, 5, 20, tzinfo=UTC)),
        (date(2025, 3, 10), datetime(2025, 3, 10, 4, 20, tzinfo=UTC)),
        (date(2025, 10, 27), datetime(2025, 10, 27, 4, 20, tzinfo=UTC)),
        (date(2025, 11, 3), datetime(2025, 11, 3, 5, 20, tzinfo=UTC)),
    ],
    ids=["before spring", "after spring", "before autumn", "after autumn"],
)
def test_the_first_look_keeps_its_eastern_hour_over_both_clock_changes(
    monday: date, utc: datetime, instance: DagsterInstance, tmp_path: Path
) -> None:
    friday = monday - timedelta(days=3)
    made(instance, friday)
    first = next(looks(settings(tmp_path), at(friday, time(13, 0))))
    assert first.astimezone(UTC) == utc
    assert asked(instance, settings(tmp_path), first) == [monday]


def test_no_look_falls_on_a_weekend_and_between_friday_and_monday_nothing_is_missing(instance: DagsterInstance, tmp_path: Path) -> None:
    within_two_weeks = itertools.takewhile(lambda look: look < at(MONDAY + timedelta(days=14)), looks(settings(tmp_path), at(MONDAY)))
    assert {look.astimezone(EASTERN).weekday() for look in within_two_weeks} == {0, 1, 2, 3, 4}
    made(instance, *TWO_WEEKS)
    assert asked(instance, settings(tmp_path), at(FRIDAY + timedelta(days=1))) == []
    assert asked(instance, settings(tmp_path), at(FRIDAY + timedelta(days=2), time(23, 0))) == []


# -- catching up -------------------------------------------------------------------------------------


def test_after_three_days_asleep_the_missed_listings_come_oldest_first(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, MONDAY)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [TUESDAY, WEDNESDAY, THURSDAY, FRIDAY]


@pytest.mark.parametrize(("limit", "expected"), [("0", [FRIDAY]), ("2", [WEDNESDAY, THURSDAY, FRIDAY])])
def test_no_more_listings_are_made_up_for_than_the_setting_says(limit: str, expected: list[date], instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, date(2025, 5, 1))
    assert asked(instance, settings(tmp_path, DIGEST_SCHEDULE_CATCHUP_LISTINGS=limit), at(FRIDAY)) == expected


def test_a_hole_in_the_middle_is_filled(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, MONDAY, TUESDAY, THURSDAY, FRIDAY)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [WEDNESDAY]


def test_a_first_start_asks_for_the_newest_alone_because_history_costs_money(instance: DagsterInstance, tmp_path: Path) -> None:
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [FRIDAY]


def test_nothing_before_the_oldest_digest_is_asked_for(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, THURSDAY)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [FRIDAY]


def test_nothing_before_the_first_listing_of_the_settings_is_asked_for(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, date(2025, 6, 2))
    assert asked(instance, settings(tmp_path, DIGEST_FIRST_LISTING="2025-06-11"), at(FRIDAY)) == [WEDNESDAY, THURSDAY, FRIDAY]


# -- again, or not -----------------------------------------------------------------------------------


def test_a_listing_that_was_not_published_is_asked_for_again_at_the_next_tick(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, THURSDAY)
    [first] = tick(instance, settings(tmp_path), at(FRIDAY))  # type: ignore[misc]
    ran(instance, FRIDAY, DagsterRunStatus.SUCCESS)  # it ended quietly: nothing was there yet
    [second] = tick(instance, settings(tmp_path), at(FRIDAY, time(0, 40)))  # type: ignore[misc]
    assert first.partition_key == second.partition_key
    assert first.run_key != second.run_key  # with the same key Dagster would start nothing


@pytest.mark.parametrize("status", [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
def test_nothing_is_asked_twice_while_its_run_is_under_way_and_the_others_are(
    status: DagsterRunStatus, instance: DagsterInstance, tmp_path: Path
) -> None:
    made(instance, WEDNESDAY)
    ran(instance, THURSDAY, status)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [FRIDAY]
    ran(instance, FRIDAY, status)
    answer = tick(instance, settings(tmp_path), at(FRIDAY))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "2025-06-12 is under way; 2025-06-13 is under way"


def test_a_failed_listing_gets_a_few_more_tries_and_is_then_left_to_a_person(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, THURSDAY)
    ran(instance, FRIDAY, DagsterRunStatus.FAILURE, TRIES_A_DAY - 1)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [FRIDAY]
    ran(instance, FRIDAY, DagsterRunStatus.FAILURE)
    answer = tick(instance, settings(tmp_path), at(FRIDAY))
    assert isinstance(answer, dg.SkipReason)
    assert "2025-06-13 failed 3 times" in (answer.skip_message or "")
    assert "materialize it by hand" in (answer.skip_message or "")


def test_failures_of_another_day_take_no_tries_away(instance: DagsterInstance, tmp_path: Path) -> None:
    made(instance, WEDNESDAY)
    ran(instance, THURSDAY, DagsterRunStatus.FAILURE, TRIES_A_DAY)
    assert asked(instance, settings(tmp_path), at(FRIDAY)) == [FRIDAY]


def test_failures_of_the_day_before_are_forgiven_the_next_morning(instance: DagsterInstance, tmp_path: Path) -> None:
    """Runs carry the real clock's time, so the tick is placed relative to it."""
    soon, tomorrow = datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC) + LOOKS_FOR + timedelta(minutes=5)
    ran(instance, FRIDAY, DagsterRunStatus.FAILURE, TRIES_A_DAY)
    assert schedules._requests(instance, [FRIDAY], soon)[0] == []
    assert len(schedules._requests(instance, [FRIDAY], tomorrow)[0]) == 1


# -- in Dagster's hands --------------------------------------------------------------------------------


def test_dagster_takes_the_requests_as_partitions_of_the_daily_job(instance: DagsterInstance, tmp_path: Path) -> None:
    with_settings = settings(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of what Dagster itself calls
        repository = build_definitions(with_settings).get_repository_def()
    made(instance, WEDNESDAY)
    with dg.build_schedule_context(instance, at(FRIDAY), repository_def=repository) as context:
        data = repository.get_schedule_def("daily_listing").evaluate_tick(context)
    assert [request.tags["dagster/partition"] for request in data.run_requests or []] == ["2025-06-12", "2025-06-13"]


@pytest.mark.parametrize(
    ("environ", "status"), [({}, "RUNNING"), ({"DIGEST_SCHEDULE_ENABLED": "false"}, "STOPPED"), ({"DIGEST_DEMO": "true"}, "STOPPED")]
)
def test_the_schedule_runs_unless_switched_off_or_in_the_sample(environ: dict[str, str], status: str, tmp_path: Path) -> None:
    assert daily_listing_schedule(settings(tmp_path, **environ)).default_status.value == status


@given(st.times())
def test_looks_begin_at_the_settings_time_and_follow_every_twenty_minutes_for_twelve_hours_over_midnight_too(first: time) -> None:
    first = first.replace(second=0, microsecond=0)
    with_settings = Settings(schedule_time=first)
    of_tuesday = list(itertools.takewhile(lambda look: look < at(WEDNESDAY, first), looks(with_settings, at(TUESDAY, first) - timedelta(seconds=1))))
    assert of_tuesday[0] == at(TUESDAY, first)
    assert all(later - earlier == timedelta(minutes=LOOKS_EVERY_MINUTES) for earlier, later in itertools.pairwise(of_tuesday))
    assert len(of_tuesday) == LOOKS_FOR / timedelta(minutes=LOOKS_EVERY_MINUTES)


@pytest.mark.parametrize("clock", [time(0, 20), time(23, 50)])
def test_the_schedules_cron_line_finds_room_in_the_ui(clock: time) -> None:
    assert len(str(daily_listing_schedule(Settings(schedule_time=clock)).cron_schedule)) <= len("10,30,50 * * * 1-6")


def test_a_run_key_says_its_instant_in_utc(instance: DagsterInstance, tmp_path: Path) -> None:
    [request] = tick(instance, settings(tmp_path), at(FRIDAY))  # type: ignore[misc]
    assert request.run_key == "2025-06-13 at 2025-06-13T04:20Z"


def test_daily_runs_go_before_a_backfills_in_the_queue(instance: DagsterInstance, tmp_path: Path) -> None:
    [request] = tick(instance, settings(tmp_path), at(FRIDAY))  # type: ignore[misc]
    assert int(request.tags["dagster/priority"]) > 0  # a backfill's runs have none, which counts as 0

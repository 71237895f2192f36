"""When a listing day runs: after the feed turns at midnight US Eastern, and again until it is there.

The schedule does not trust its own history: at each tick it looks which of the last listings have no digest
and asks for those. So a listing that is not published yet is asked for again, a machine that was off catches
up, and a failed day gets a few more tries. Dagster's own word: https://docs.dagster.io/guides/automate/schedules
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from digest_pipeline.calendar import EASTERN, newest_listing_day, previous_weekday
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, SUMMARIES, WEEKLY
from digest_pipeline.orchestration.failures import SCHEDULED
from digest_pipeline.orchestration.jobs import DAILY_DIGEST, look_back
from digest_pipeline.orchestration.retention import delete_old_runs
from digest_pipeline.settings import Settings
from digest_pipeline.weekly.week import Week, last_whole_week

LOOKS_EVERY_MINUTES = 20
LOOKS_FOR = timedelta(hours=12)
TRIES_A_DAY = 3
"""A listing whose runs failed so often in the last twelve hours is left to a person: the failure has been told."""
PRIORITY = "10"
"""`dagster/priority` of daily runs: in the queue they go before those of a backfill, which have 0."""
WEEK_TICKS = "30 14 * * 6,0"
"""US Eastern. The looks for Friday's listing go on for twelve hours, at the latest into Saturday noon."""
_SATURDAY = 5
_UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def ticks(first: time) -> str:
    """A cron line, US Eastern, whose words fit their place in the UI: every hour of weekdays, of which `is_time_to_look` takes its part."""
    minutes = [(first.minute + n) % 60 for n in range(0, 60, LOOKS_EVERY_MINUTES)]
    goes_on_after_midnight = first > time(12)
    return f"{f'*/{LOOKS_EVERY_MINUTES}' if 0 in minutes else ','.join(map(str, sorted(minutes)))} * * * 1-{6 if goes_on_after_midnight else 5}"


def is_time_to_look(now: datetime, first: time) -> bool:
    """True for twelve hours from `first` of each listing's date, over midnight too."""
    local = now.astimezone(EASTERN).replace(tzinfo=None)
    begun = datetime.combine(local.date(), first)
    if begun > local:
        begun -= timedelta(days=1)
    return local < begun + LOOKS_FOR and begun.weekday() < _SATURDAY


def listings_to_ask_for(newest: date, have: set[date], limit: int, first_listing: date) -> list[date]:
    """The newest listing and up to `limit` before it that have no digest, oldest first.

    Nothing before the oldest digest is asked for: catching up is not a backfill, which somebody must want to pay.
    """
    days = [newest]
    while len(days) <= limit and (before := previous_weekday(days[-1])) >= first_listing:
        days.append(before)
    oldest = min(have, default=newest)
    return sorted(day for day in days if day not in have and day >= oldest)


def daily_listing_schedule(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_listing",
        job_name=DAILY_DIGEST,
        cron_schedule=ticks(settings.schedule_time),
        execution_timezone=str(EASTERN),
        default_status=_status(settings),
        description=f"From {settings.schedule_time:%H:%M} US Eastern for twelve hours: asks for the listing, and for the last ones that are missing.",
    )
    def daily_listing(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time
        if not is_time_to_look(now, settings.schedule_time):
            return dg.SkipReason(f"looks begin at {settings.schedule_time:%H:%M} US Eastern and go on for twelve hours")
        newest = newest_listing_day(now)
        have = {date.fromisoformat(key) for key in context.instance.get_materialized_partitions(dg.AssetKey(DIGESTS))}
        wanted = listings_to_ask_for(newest, have, settings.schedule_catchup_listings, settings.first_listing)
        if not wanted:
            return dg.SkipReason(f"every listing up to {newest} has its digest")
        requests, reasons = _requests(context.instance, wanted, now)
        return requests or dg.SkipReason("; ".join(reasons))

    return daily_listing


def _requests(instance: dg.DagsterInstance, wanted: Sequence[date], now: datetime) -> tuple[list[dg.RunRequest], list[str]]:
    requests: list[dg.RunRequest] = []
    reasons: list[str] = []
    for day in wanted:
        key = day.isoformat()
        if _runs(instance, key, _UNDER_WAY):
            reasons.append(f"{key} is under way")
        elif len(_runs(instance, key, [dg.DagsterRunStatus.FAILURE], since=now - LOOKS_FOR)) >= TRIES_A_DAY:
            reasons.append(f"{key} failed {TRIES_A_DAY} times: see its runs, then materialize it by hand")
        else:
            tags = {SCHEDULED: "true", "digest/listing": key, "dagster/priority": PRIORITY}
            requests.append(dg.RunRequest(partition_key=key, run_key=f"{key} at {now.astimezone(UTC):%Y-%m-%dT%H:%MZ}", tags=tags))
    return requests, reasons


def _runs(instance: dg.DagsterInstance, key: str, statuses: list[dg.DagsterRunStatus], since: datetime | None = None) -> Sequence[dg.DagsterRun]:
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": key}, statuses=statuses, created_after=since))
    return [run for run in runs if run.job_name != WEEKLY]  # a week has the key of its Monday


def weekly_digest_schedule(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="weekly_digest",
        job_name=WEEKLY,
        cron_schedule=WEEK_TICKS,
        execution_timezone=str(EASTERN),
        default_status=_status(settings),
        description="Saturday, when the last look for Friday's listing is over, and Sunday: the week that ended, and the one before where a day of it came later.",
    )
    def weekly_digest(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        newest = last_whole_week(context.scheduled_execution_time)
        weeks = [week for week in (newest.before(1), newest) if _is_to_be_made(context.instance, week)]
        at = f"{context.scheduled_execution_time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        requests = [dg.RunRequest(partition_key=key, run_key=f"week {key} at {at}", tags={SCHEDULED: "true"}) for key in map(_key, weeks)]
        return requests or dg.SkipReason(f"{newest} is made of all its days that are there")

    return weekly_digest


def _is_to_be_made(instance: dg.DagsterInstance, week: Week) -> bool:
    """Where any of its days was made since the week was."""
    days = {day.isoformat() for day in week.days}
    newest = max((id_ for asset in (PAPERS, SUMMARIES) for key, id_ in _newest_events(instance, asset).items() if key in days), default=None)
    return newest is not None and _newest_events(instance, WEEKLY).get(_key(week), -1) < newest


def _newest_events(instance: dg.DagsterInstance, asset: str) -> dict[str, int]:
    """Partition → the id of its newest materialization; later ones have greater ids."""
    found = instance.event_log_storage.get_latest_storage_id_by_partition(dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION)
    return dict(found)


def _key(week: Week) -> str:
    return week.monday.isoformat()


def _status(settings: Settings) -> dg.DefaultScheduleStatus:
    is_on = settings.schedule_enabled and not settings.is_sample
    return dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED


def all_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    return [
        daily_listing_schedule(settings),
        weekly_digest_schedule(settings),
        dg.ScheduleDefinition(
            name="daily_look_back",
            job=look_back,
            cron_schedule="40 13 * * 1-5",
            execution_timezone=str(EASTERN),
            default_status=_status(settings),
            description="Looks for papers that turned up in the last listings after they were fetched, and whether the newest digest is there.",
        ),
        dg.ScheduleDefinition(
            name="weekly_clean_up",
            job=delete_old_runs,
            cron_schedule="10 15 * * 6",
            execution_timezone=str(EASTERN),
            default_status=_status(settings),
            description="Saturday afternoon, when arXiv announces nothing.",
        ),
    ]

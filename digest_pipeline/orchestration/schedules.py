"""When a listing day runs: after the feed turns at midnight US Eastern, and again until it is there.

The schedule does not trust its own history: at each tick it looks which of the last listings have no digest
and asks for those. So a listing that is not published yet is asked for again, a machine that was off catches
up, and a failed day gets a few more tries. Dagster's own word: https://docs.dagster.io/guides/automate/schedules
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import dagster as dg

from digest_pipeline.calendar import EASTERN, newest_listing_day, previous_weekday
from digest_pipeline.orchestration.assets import DIGESTS, SCHEDULED
from digest_pipeline.orchestration.reconcile import reconcile_last_listings
from digest_pipeline.settings import Settings

LOOKS_EVERY_MINUTES = 20
LOOKS_FOR_HOURS = 12
TRIES_A_DAY = 3
"""A listing whose runs failed so often since midnight is left to a person: the failure has been told."""
_UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def ticks(first: time) -> list[str]:
    """Cron lines, US Eastern: at `first`, then every 20 minutes for 12 hours, Monday to Friday."""
    start = first.hour * 60 + first.minute
    minutes = sorted({(start + n) % 1440 for n in range(0, LOOKS_FOR_HOURS * 60, LOOKS_EVERY_MINUTES) if start + n < 1440})
    by_hour: dict[int, list[str]] = {}
    for minute in minutes:
        by_hour.setdefault(minute // 60, []).append(str(minute % 60))
    return [f"{','.join(marks)} {hour} * * 1-5" for hour, marks in by_hour.items()]


def listings_to_ask_for(newest: date, have: set[date], limit: int, first_listing: date) -> list[date]:
    """The newest listing and up to `limit` before it that have no digest, oldest first.

    Nothing before the oldest digest is asked for: catching up is not a backfill, which somebody must want to pay.
    """
    days = [newest]
    while len(days) <= limit and (before := previous_weekday(days[-1])) >= first_listing:
        days.append(before)
    oldest = min(have, default=newest)
    return sorted(day for day in days if day not in have and day >= oldest)


def daily_listing_schedule(settings: Settings, job_name: str) -> dg.ScheduleDefinition:
    is_on = settings.schedule_enabled and not settings.is_sample

    @dg.schedule(
        name="daily_listing",
        job_name=job_name,
        cron_schedule=ticks(settings.schedule_time),
        execution_timezone=str(EASTERN),
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
        description="Asks for the day's listing, and for the last ones that are missing, until they are there.",
    )
    def daily_listing(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        now = context.scheduled_execution_time
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
        elif len(_runs(instance, key, [dg.DagsterRunStatus.FAILURE], since=now - timedelta(hours=LOOKS_FOR_HOURS))) >= TRIES_A_DAY:
            reasons.append(f"{key} failed {TRIES_A_DAY} times: see its runs, then materialize it by hand")
        else:
            requests.append(
                dg.RunRequest(partition_key=key, run_key=f"{key} at {now:%Y-%m-%dT%H:%MZ}", tags={SCHEDULED: "true", "digest/listing": key})
            )
    return requests, reasons


def _runs(instance: dg.DagsterInstance, key: str, statuses: list[dg.DagsterRunStatus], since: datetime | None = None) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(tags={"dagster/partition": key}, statuses=statuses, created_after=since), limit=TRIES_A_DAY)


def reconciliation_schedule(settings: Settings) -> dg.ScheduleDefinition:
    is_on = settings.schedule_enabled and not settings.is_sample
    return dg.ScheduleDefinition(
        name="daily_look_back",
        job=reconcile_last_listings,
        cron_schedule="40 13 * * 1-5",
        execution_timezone=str(EASTERN),
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
        description="Looks for papers that turned up in the last listings after they were fetched.",
    )

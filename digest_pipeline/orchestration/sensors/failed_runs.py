"""An alert for each failed run that is not retried by itself: one for a backfill, and one for all scheduled runs of the same cause.

What lives here: which failures are the same. What does not: that the same is told once a week (`notify/ongoing.py`).
"""

import re
from datetime import date

import dagster as dg

from digest_pipeline.calendar import load_calendar
from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import BackfillFailed, RunFailed
from digest_pipeline.orchestration import failures
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage


def failed_runs_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="failed_runs_sensor",
        minimum_interval_seconds=30,
        default_status=status,
        description="Puts an alert into the outbox for each failed run that is not retried by itself; once for a backfill, or for a dead key.",
    )
    def failed_runs(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if failures.will_be_retried(run):
            context.log.info("run %s failed and is retried by itself", run.run_id)
            return
        posted = alerts.post(storage, settings, _message(context, settings), now=now)
        context.log.info("run %s failed; %s", run.run_id, "an alert is on its way" if posted else "nobody is to be told, or was told before")

    return failed_runs


def _message(context: dg.RunFailureSensorContext, settings: Settings) -> RunFailed | BackfillFailed:
    run, cause, days = context.dagster_run, failures.cause_of_run(context), failures.days_of(context.dagster_run)
    link = f"{settings.dagster_url.rstrip('/')}/runs/{run.run_id}"
    message = f"{cause.stage}: {cause.message}" if cause.stage else cause.message
    backfill = failures.backfill_of(run)
    if days and failures.BACKFILL in run.tags and cause.error in failures.MET_BY_EVERY_DAY:
        not_tried = _days_after(days[0], run.tags[failures.BACKFILL], settings)
        return BackfillFailed(run.tags[failures.BACKFILL], run.run_id, days, message, cause.hint, link, not_tried, goes_on=False)
    is_dead_key = cause.error == EndpointConfigurationError.__name__
    if backfill and not is_dead_key:
        return BackfillFailed(backfill, run.run_id, days, message, cause.hint, link)
    lasts = is_dead_key or failures.SCHEDULED in run.tags
    job = "materialization" if run.job_name.startswith("__") else run.job_name  # Dagster's hidden job of the button
    return RunFailed(run.run_id, job, days, message, cause.hint, link, _without_numbers(cause.message) if lasts else run.run_id)


def _days_after(day: str, backfill: str, settings: Settings) -> tuple[str, ...]:
    """The listing days of `digest backfill` that come after `day`, in its own order: `first...last`, or the newest first."""
    first, last = (date.fromisoformat(end) for end in backfill.split("..."))
    days = load_calendar(settings.skipped_evenings_file).listing_days(min(first, last), max(first, last))
    return tuple(one.isoformat() for one in days if (one.isoformat() < day if first > last else one.isoformat() > day))


def _without_numbers(message: str) -> str:
    """What failures of the same cause have in common, however often something was tried."""
    return re.sub(r"[0-9]+", "#", message)[:120]

"""An alert for each failed run that is not retried by itself; one for a backfill, and one for all runs that a dead key ends."""

import re

import dagster as dg

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
    if cause.error == EndpointConfigurationError.__name__:
        # of whatever day or backfill: `alerts.post` reminds of what lasts once a week
        return RunFailed(run.run_id, run.job_name, days, message, cause.hint, link, _without_numbers(cause.message))
    if backfill:
        goes_on = failures.BACKFILL not in run.tags or cause.error not in failures.MET_BY_EVERY_DAY
        return BackfillFailed(backfill, run.run_id, days, message, cause.hint, link, goes_on=goes_on)
    return RunFailed(run.run_id, run.job_name, days, message, cause.hint, link, _occasion(run, days, cause.message))


def _occasion(run: dg.DagsterRun, days: tuple[str, ...], message: str) -> str:
    """The run, or for the schedule's repeated tries of one listing their common cause."""
    return f"{days} {_without_numbers(message)}" if failures.SCHEDULED in run.tags else run.run_id


def _without_numbers(message: str) -> str:
    return re.sub(r"[0-9]+", "#", message)[:120]

"""An alert for each asset check that did not pass, once for a check and day, or a check and backfill."""

import dagster as dg
from dagster import AssetCheckKey, DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus

from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import CheckFailed
from digest_pipeline.orchestration import failures
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage

_OVERLAP_SECONDS = 900.0
_NEWEST_EVALUATIONS = 200


def failed_checks_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="failed_checks_sensor",
        minimum_interval_seconds=60,
        default_status=status,
        description="Puts an alert into the outbox for each asset check that did not pass; once for a check and day.",
    )
    def failed_checks(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        at = now().timestamp()
        since = float(context.cursor) - _OVERLAP_SECONDS if context.cursor else at
        found = [record for check in CHECKS for record in _failed_since(context.instance, AssetCheckKey(dg.AssetKey(check.asset), check.name), since)]
        posted = sum(alerts.post(storage, settings, _message(context.instance, record, settings), now=now) for record in found)
        context.update_cursor(str(at))
        return dg.SkipReason(f"{posted} new failed checks" if posted else "no new failed check")

    return failed_checks


def _failed_since(instance: DagsterInstance, key: AssetCheckKey, since: float) -> list[AssetCheckExecutionRecord]:
    """Evaluations that failed after the moment `since`; what is found twice is told once, by its key.

    By time and not by record id, because a record made when its run was planned gets its outcome later. The public
    event query cannot be asked across runs on SQLite.
    """
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=_NEWEST_EVALUATIONS, status={AssetCheckExecutionRecordStatus.FAILED}
    )
    return [record for record in history if record.event is not None and record.event.timestamp >= since and record.evaluation is not None]


def _message(instance: DagsterInstance, record: AssetCheckExecutionRecord, settings: Settings) -> CheckFailed:
    evaluation = record.evaluation
    assert evaluation is not None, "_failed_since lets no other through"
    run = instance.get_run_by_id(record.run_id) if record.run_id else None
    (day,) = (failures.days_of(run) if run else ()) or (None,)
    backfill = failures.backfill_of(run) if run else None
    asset = evaluation.asset_key.to_user_string()
    url = settings.dagster_url.rstrip("/")
    more = f"\nThe run belongs to backfill {backfill}; its further days that fail this check are not told one by one." if backfill else ""
    return CheckFailed(
        check=evaluation.check_name,
        asset=asset,
        day=day,
        is_error=evaluation.severity is dg.AssetCheckSeverity.ERROR,
        description=f"{evaluation.description or ''}{more}",
        occasion=_occasion(evaluation, day, backfill),
        link=f"{url}/runs/{record.run_id}" if run else f"{url}/assets/{asset}?view=checks",
    )


def _occasion(evaluation: dg.AssetCheckEvaluation, day: str | None, backfill: str | None) -> str:
    """What makes it news: the backfill or the day; for a check of no day in particular, what it says."""
    if day is None or evaluation.check_name == "the_calendar_covers_the_coming_weeks":
        return str(evaluation.description)
    return backfill or day

"""Who is told, and when: failed runs and checks, a listing that is late, and the digest that is ready.

What lives here: noticing. What does not: words and delivery (`notify/`), the e-mail (`mailing.py`). A sensor
here only puts a message into the outbox; `deliver_messages` alone sends, so that a dead service delays
nothing else and fails no run. Dagster's own word: https://docs.dagster.io/guides/automate/sensors
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import dagster as dg
from dagster import AssetCheckKey, DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord, AssetCheckExecutionRecordStatus

from digest_pipeline.calendar import EASTERN, newest_listing_day, previous_weekday
from digest_pipeline.errors import DeliveryError
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import BackfillFailed, CheckFailed, ListingLate, RunFailed
from digest_pipeline.notify.mail import read_mail_day
from digest_pipeline.notify.mail_sections import MailDay
from digest_pipeline.orchestration import failures
from digest_pipeline.orchestration.assets import SCHEDULED, SITE
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.orchestration.liveness import end_dead_runs
from digest_pipeline.orchestration.mailing import mail_run_request, public_page, watch_lists
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.settings import Settings
from digest_pipeline.translation.validation.flags import FlagCode
from digest_pipeline.workshop import Workshop

LATE_AFTER_HOURS = 6
"""Hours after the schedule's first look; arXiv itself is seldom later."""
RECENT_LISTINGS = 3
"""Readers are told of these many newest listings; a backfill of older days is nobody's news."""
_OVERLAP_SECONDS = 900.0
_NEWEST_EVALUATIONS = 200
_EVERY_DAY_THE_SAME = frozenset({"the_calendar_covers_the_coming_weeks"})
"""Checks about no day in particular: told once, not every day."""


def all_sensors(settings: Settings, shop: Workshop, mail_job: dg.JobDefinition) -> list[dg.SensorDefinition]:
    """Running where the schedule is; those for readers stay off in the sample."""
    on, off = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    status = on if settings.schedule_enabled else off
    for_live_days = on if settings.schedule_enabled and not settings.is_sample else off
    return [
        end_dead_runs(status),
        tell_of_failed_runs(settings, shop, status),
        tell_of_failed_checks(settings, shop, status),
        tell_of_late_listings(settings, shop, for_live_days),
        tell_readers(settings, shop, mail_job, for_live_days),
        deliver_messages(settings, shop, status),
    ]


# -- failures -------------------------------------------------------------------------------------------


def tell_of_failed_runs(settings: Settings, shop: Workshop, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="tell_of_failed_runs",
        minimum_interval_seconds=30,
        default_status=status,
        description="Puts an alert into the outbox for each failed run that is not retried by itself; once for a whole backfill.",
    )
    def tell_of_failed_runs_sensor(context: dg.RunFailureSensorContext) -> None:
        if failures.will_be_retried(context.dagster_run):
            context.log.info("run %s failed and is retried by itself", context.dagster_run.run_id)
            return
        posted = alerts.post(shop.storage, settings, _run_message(context, settings), now=shop.now)
        context.log.info(
            "run %s failed; %s", context.dagster_run.run_id, "an alert is on its way" if posted else "nobody is to be told, or was told before"
        )

    return tell_of_failed_runs_sensor


def _run_message(context: dg.RunFailureSensorContext, settings: Settings) -> RunFailed | BackfillFailed:
    run = context.dagster_run
    message, hint = failures.cause(context)
    days, link = failures.days_of(run), _run_link(settings, run.run_id)
    backfill = run.tags.get("dagster/backfill")
    if backfill:
        return BackfillFailed(backfill, run.run_id, days, message, hint, link)
    return RunFailed(run.run_id, run.job_name, days, message, hint, link, _occasion(run, days, message))


def _occasion(run: dg.DagsterRun, days: tuple[str, ...], message: str) -> str:
    """The run, or for the schedule's repeated tries of one listing their common cause, whatever numbers are in its words."""
    return f"{days} {re.sub(r'[0-9]+', '#', message)[:120]}" if SCHEDULED in run.tags else run.run_id


def _run_link(settings: Settings, run_id: str) -> str:
    return f"{settings.dagster_url.rstrip('/')}/runs/{run_id}"


def tell_of_failed_checks(settings: Settings, shop: Workshop, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="tell_of_failed_checks",
        minimum_interval_seconds=60,
        default_status=status,
        description="Puts an alert into the outbox for each asset check that did not pass; once for a check and day.",
    )
    def tell_of_failed_checks_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = shop.now().timestamp()
        since = float(context.cursor) - _OVERLAP_SECONDS if context.cursor else now
        found = [record for check in CHECKS for record in _failed_since(context.instance, AssetCheckKey(dg.AssetKey(check.asset), check.name), since)]
        posted = sum(alerts.post(shop.storage, settings, _check_message(context.instance, record, settings), now=shop.now) for record in found)
        context.update_cursor(str(now))
        return dg.SkipReason(f"{posted} new failed checks" if posted else "no new failed check")

    return tell_of_failed_checks_sensor


def _failed_since(instance: DagsterInstance, key: AssetCheckKey, since: float) -> list[AssetCheckExecutionRecord]:
    """Evaluations that failed after the moment `since`; what is found twice is told once, by its key.

    By time and not by record id, because a record made when its run was planned gets its outcome later. The public
    event query cannot be asked across runs on SQLite.
    """
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=_NEWEST_EVALUATIONS, status={AssetCheckExecutionRecordStatus.FAILED}
    )
    return [record for record in history if record.event is not None and record.event.timestamp >= since and record.evaluation is not None]


def _check_message(instance: DagsterInstance, record: AssetCheckExecutionRecord, settings: Settings) -> CheckFailed:
    evaluation = record.evaluation
    assert evaluation is not None, "_failed_since lets no other through"
    run = instance.get_run_by_id(record.run_id) if record.run_id else None
    day = evaluation.partition
    range_of_days = failures.range_of(run) if run else None
    occasion = (
        record.run_id if range_of_days else str(evaluation.description) if evaluation.check_name in _EVERY_DAY_THE_SAME else day or record.run_id
    )
    asset = evaluation.asset_key.to_user_string()
    link = _run_link(settings, record.run_id) if run else f"{settings.dagster_url.rstrip('/')}/assets/{asset}?view=checks"
    more = f"\nThe run covers {range_of_days}; further days that fail this check in it are not told one by one." if range_of_days else ""
    is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
    return CheckFailed(evaluation.check_name, asset, day, is_error, f"{evaluation.description or ''}{more}", occasion, link)


# -- the listing that is late ---------------------------------------------------------------------------


def tell_of_late_listings(settings: Settings, shop: Workshop, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="tell_of_late_listings",
        minimum_interval_seconds=1800,
        default_status=status,
        description=f"Puts an alert into the outbox where a listing has no digest {LATE_AFTER_HOURS} hours after the schedule's first look.",
    )
    def tell_of_late_listings_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        day = _newest_due(shop.now(), settings)
        known = shop.storage.days_of("ledger")
        if not known or day in known or day < known[0]:  # a pipeline that never made a digest misses none
            return dg.SkipReason(f"no listing up to {day} is late")
        link = f"{settings.dagster_url.rstrip('/')}/runs?q[]=tag%3Adigest%2Flisting%3D{day}"
        alerts.post(shop.storage, settings, ListingLate(day.isoformat(), LATE_AFTER_HOURS, link), now=shop.now)
        context.log.warning("the listing of %s is late", day)
        return dg.SkipReason(f"the listing of {day} is late")

    return tell_of_late_listings_sensor


def _newest_due(now: datetime, settings: Settings) -> date:
    """The newest listing day whose digest should be there by now."""
    day = newest_listing_day(now)
    while now < datetime.combine(day, settings.schedule_time, EASTERN) + timedelta(hours=LATE_AFTER_HOURS):
        day = previous_weekday(day)
    return day


# -- the digest that is ready ---------------------------------------------------------------------------


def tell_readers(settings: Settings, shop: Workshop, mail_job: dg.JobDefinition, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="tell_readers",
        job=mail_job,
        minimum_interval_seconds=60,
        default_status=status,
        description=f"When one of the {RECENT_LISTINGS} newest listings is on the site: the announcement, and a run that sends the e-mail.",
    )
    def tell_readers_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        after, published = _published_since(context)
        recent = set(_recent_keys(shop))
        requests = [request for key in published if key in recent for request in _announce(context, settings, shop, key)]
        if not published:
            return dg.SensorResult(skip_reason="nothing new on the site", cursor=str(after))
        return dg.SensorResult(run_requests=requests, cursor=str(after))

    return tell_readers_sensor


def _published_since(context: dg.SensorEvaluationContext) -> tuple[int, list[str]]:
    """(new cursor, partition keys on the site since the old one); the first look only sets the cursor."""
    records = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(SITE), after_storage_id=int(context.cursor) if context.cursor else None),
        limit=500,
        ascending=bool(context.cursor),
    ).records
    newest = max((record.storage_id for record in records), default=int(context.cursor or 0))
    keys = [record.partition_key for record in records if record.partition_key] if context.cursor else []
    return newest, list(dict.fromkeys(keys))


def _recent_keys(shop: Workshop) -> Iterator[str]:
    day = newest_listing_day(shop.now())
    for _ in range(RECENT_LISTINGS):
        yield day.isoformat()
        day = previous_weekday(day)


def _announce(context: dg.SensorEvaluationContext, settings: Settings, shop: Workshop, key: str) -> Sequence[dg.RunRequest]:
    from digest_pipeline.notify.ready import announcement

    day = read_mail_day(shop.storage, day_of(key), settings.languages, watch_lists(settings))
    if _waits_for_its_batch(day):
        context.log.info("%s waits for its batch; readers are told when it is whole", key)
        return []
    alerts.post(shop.storage, settings, announcement(day, public_page(settings, day_of(key))), now=shop.now)
    return [mail_run_request(key)] if settings.smtp_url is not None else []


def _waits_for_its_batch(day: MailDay) -> bool:
    return any(flag.startswith(FlagCode.BATCH_OPEN) for entry in day.entries for flag in entry.summary.flags)


# -- delivery ---------------------------------------------------------------------------------------------


def deliver_messages(settings: Settings, shop: Workshop, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="deliver_messages",
        minimum_interval_seconds=30,
        default_status=status,
        description="Sends what waits in the outbox; what a service does not take is tried again for three days.",
    )
    def deliver_messages_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            sent = alerts.deliver_waiting(shop.storage, settings, now=shop.now)
        except DeliveryError as error:
            context.log.error("%s", error)
            return dg.SkipReason(str(error))
        return dg.SkipReason(f"{sent} messages sent" if sent else "nothing to send")

    return deliver_messages_sensor

"""When one of the newest listings is on the site: the announcement in the readers' chats, and a run that sends the e-mail."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
from dagster import DagsterInstance

from digest_pipeline.calendar import newest_listing_day, previous_weekday
from digest_pipeline.notify import alerts
from digest_pipeline.notify.mail import public_page, read_mail_day
from digest_pipeline.notify.mail_sections import MailDay
from digest_pipeline.orchestration.assets import DIGESTS, SITE
from digest_pipeline.orchestration.jobs import mail_digest, mail_run_request
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.render.watch_lists import load_watch_lists
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.flags import FlagCode

RECENT_LISTINGS = 3
"""Readers are told of these many newest listings; a backfill of older days is nobody's news."""


def readers_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="readers_sensor",
        job=mail_digest,
        minimum_interval_seconds=60,
        default_status=status,
        description=f"When one of the {RECENT_LISTINGS} newest listings is on the site: the announcement, and a run that sends the e-mail.",
    )
    def readers(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        after, published = _published_since(context.instance, context.cursor)
        recent = set(_recent_keys(now()))
        requests = [request for key in published if key in recent for request in _announce(context, settings, storage, now, key)]
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "nothing new on the site", cursor=str(after))

    return readers


def _published_since(instance: DagsterInstance, cursor: str | None) -> tuple[int, list[str]]:
    """(new cursor, days whose digest is on the site and was not at the old one); the first look only sets the cursor.

    A digest is on the site when the site was begun after it was made; until then the cursor stays before it.
    """
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(DIGESTS), after_storage_id=int(cursor) if cursor else None), limit=500, ascending=bool(cursor)
    ).records
    if not cursor:
        return max((record.storage_id for record in records), default=0), []
    begun = _site_begun_at(instance)
    on_site = [record for record in records if record.timestamp <= begun]
    newest = max((record.storage_id for record in on_site), default=int(cursor))
    return newest, list(dict.fromkeys(record.partition_key for record in on_site if record.partition_key))


def _site_begun_at(instance: DagsterInstance) -> float:
    """When the step that last made the site began; 0 where there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(SITE))
    if event is None:
        return 0.0
    starts = [entry.timestamp for entry in instance.all_logs(event.run_id, of_type=dg.DagsterEventType.STEP_START) if entry.step_key == SITE]
    return max((start for start in starts if start <= event.timestamp), default=event.timestamp)


def _recent_keys(now: datetime) -> Iterator[str]:
    day = newest_listing_day(now)
    for _ in range(RECENT_LISTINGS):
        yield day.isoformat()
        day = previous_weekday(day)


def _announce(context: dg.SensorEvaluationContext, settings: Settings, storage: Storage, now: Clock, key: str) -> Sequence[dg.RunRequest]:
    from digest_pipeline.notify.ready import announcement

    day = read_mail_day(storage, day_of(key), settings.languages, load_watch_lists(settings.watch_file))
    if _waits_for_its_batch(day):
        context.log.info("%s waits for its batch; readers are told when it is whole", key)
        return []
    alerts.post(storage, settings, announcement(day, public_page(settings, day_of(key))), now=now)
    return [mail_run_request(key)] if settings.smtp_url is not None else []


def _waits_for_its_batch(day: MailDay) -> bool:
    return any(flag.startswith(FlagCode.BATCH_OPEN) for entry in day.entries for flag in entry.summary.flags)

"""An alert where the newest listing has no digest long after its time."""

from datetime import timedelta

import dagster as dg

from digest_pipeline.calendar import newest_due
from digest_pipeline.notify import alerts
from digest_pipeline.notify.alerts import ListingLate
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage

LATE_AFTER_HOURS = 6
"""Hours after the schedule's first look; arXiv itself is seldom later."""


def late_listing_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="late_listing_sensor",
        minimum_interval_seconds=1800,
        default_status=status,
        description=f"Puts an alert into the outbox where a listing has no digest {LATE_AFTER_HOURS} hours after the schedule's first look.",
    )
    def late_listing(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        first_look = timedelta(hours=settings.schedule_time.hour, minutes=settings.schedule_time.minute)
        day = newest_due(now(), first_look + timedelta(hours=LATE_AFTER_HOURS))
        known = storage.days_of("ledger")
        if not known or day in known or day < known[0]:  # a pipeline that never made a digest misses none
            return dg.SkipReason(f"no listing up to {day} is late")
        context.log.warning("the listing of %s is late", day)
        link = f"{settings.dagster_url.rstrip('/')}/runs?q[]=tag%3Adigest%2Flisting%3D{day}"
        alerts.post(storage, settings, ListingLate(day.isoformat(), LATE_AFTER_HOURS, link), now=now)
        return dg.SkipReason(f"the listing of {day} is late")

    return late_listing

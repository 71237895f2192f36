"""Batches of the model's endpoint are looked after between runs, so that no run holds a slot for a day.

While a batch is open, a short job keeps the answers of those that ended and notes the listing days that can go on; this
sensor then asks for those days. All of it survives restarts, because the batches stand in the answer store and the days in
`state/batch-days.json`.
"""

from contextlib import closing

import dagster as dg

from digest_pipeline.orchestration.failures import SCHEDULED
from digest_pipeline.orchestration.jobs import DAILY_DIGEST, collect_batches_job, daily_digest
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.batch_days import ready_days
from digest_pipeline.translation.cache.open import open_cache

LOOK_EVERY_SECONDS = 300


def batches_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="batches_sensor",
        jobs=[collect_batches_job, daily_digest],
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=status,
        description="While batches are open, collects what ended; then runs the listing days that waited for them.",
    )
    def batches() -> list[dg.RunRequest] | dg.SkipReason:
        requests = [
            dg.RunRequest(run_key=f"batch of {day}, collected {at}", job_name=DAILY_DIGEST, partition_key=day, tags={SCHEDULED: "true"})
            for day, at in ready_days(storage).items()
        ]
        with closing(open_cache(settings.answers_root, now)) as store:
            if store.open_batches():
                requests.append(dg.RunRequest(job_name=collect_batches_job.name))
        return requests or dg.SkipReason("no batch is open")

    return batches

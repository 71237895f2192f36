"""Batches of the model's endpoint: looked after between runs, so that no run holds a slot for a day.

A sensor starts a short job while a batch is open; the job keeps the answers of those that ended and notes the
listing days that can go on; the sensor then asks for those days. All of it survives restarts, because the
batches stand in the answer store and the days in `state/batch-days.json`. What does not live here: the Batch
API itself (`translation/batch/submit.py`).
"""

from typing import Any

import dagster as dg

from digest_pipeline.orchestration.assets import SCHEDULED
from digest_pipeline.settings import BatchMode, Settings
from digest_pipeline.stages import collect_batches, ready_days
from digest_pipeline.workshop import Workshop

LOOK_EVERY_SECONDS = 300


@dg.op(name="collect_answers")
def collect_answers(context: dg.OpExecutionContext, workshop: dg.ResourceParam[Workshop]) -> None:
    """Keeps what ended batches answered, and notes the days that can go on."""
    days, words = collect_batches(workshop)
    context.log.info("%s; ready: %s", words, ", ".join(map(str, days)) or "none")


@dg.job(name="collect_batches", description="Keeps the answers of the endpoint's batches that ended.")
def collect_batches_job() -> None:
    collect_answers()


def batch_sensor(settings: Settings, shop: Workshop, daily_job: Any) -> dg.SensorDefinition:
    """`daily_job` is what `define_asset_job` gives; its class is not public."""
    is_on = settings.batch is not BatchMode.NEVER and not settings.is_sample

    @dg.sensor(
        name="look_after_batches",
        jobs=[collect_batches_job, daily_job],
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED,
        description="While batches are open, collects what ended; then runs the listing days that waited for them.",
    )
    def look_after_batches() -> list[dg.RunRequest] | dg.SkipReason:
        requests = [
            dg.RunRequest(run_key=f"batch of {day}, collected {at}", job_name=daily_job.name, partition_key=day, tags={SCHEDULED: "true"})
            for day, at in ready_days(shop).items()
        ]
        if shop.translator.store.open_batches():
            requests.append(dg.RunRequest(job_name=collect_batches_job.name))
        if requests:
            return requests
        return dg.SkipReason("no batch is open")

    return look_after_batches

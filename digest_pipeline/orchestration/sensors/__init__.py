"""What is noticed between runs: failures, a listing that is late, a digest that is ready, batches that came back, dead runs.

One module each. A sensor that has something to tell only puts a message into the outbox; `delivery.py` alone sends, so that a
dead service delays nothing else and fails no run. What does not live here: words and delivery (`notify/`).
Dagster's own word: https://docs.dagster.io/guides/automate/sensors
"""

import dagster as dg

from digest_pipeline.clients import open_storage
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.orchestration.sensors.batches import batches_sensor
from digest_pipeline.orchestration.sensors.dead_runs import dead_runs_sensor
from digest_pipeline.orchestration.sensors.delivery import delivery_sensor
from digest_pipeline.orchestration.sensors.failed_checks import failed_checks_sensor
from digest_pipeline.orchestration.sensors.failed_runs import failed_runs_sensor
from digest_pipeline.orchestration.sensors.late_listing import late_listing_sensor
from digest_pipeline.orchestration.sensors.readers import readers_sensor
from digest_pipeline.settings import BatchMode, Settings


def all_sensors(settings: Settings, now: Clock) -> list[dg.SensorDefinition]:
    """Running where the schedule is; those for readers stay off in the sample."""
    storage = open_storage(settings)
    on, off = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    status = on if settings.schedule_enabled else off
    for_live_days = on if settings.schedule_enabled and not settings.is_sample else off
    for_batches = on if settings.batch is not BatchMode.NEVER and not settings.is_sample else off
    return [
        dead_runs_sensor(status),
        failed_runs_sensor(settings, storage, now, status),
        failed_checks_sensor(settings, storage, now, status),
        late_listing_sensor(settings, storage, now, for_live_days),
        readers_sensor(settings, storage, now, for_live_days),
        batches_sensor(settings, storage, now, for_batches),
        delivery_sensor(settings, storage, now, status),
        dg.AutomationConditionSensorDefinition(
            "site_sensor",
            target=dg.AssetSelection.assets("site"),
            default_status=status,
            description="Brings the site up to date once no digest is being made: a day after its run, a backfill after its last.",
        ),
    ]

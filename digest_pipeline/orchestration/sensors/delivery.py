"""Sends what waits in the outbox."""

import dagster as dg

from digest_pipeline.errors import DeliveryError
from digest_pipeline.notify import alerts
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage


def delivery_sensor(settings: Settings, storage: Storage, now: Clock, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="delivery_sensor",
        minimum_interval_seconds=30,
        default_status=status,
        description="Sends what waits in the outbox; what a service does not take is tried again for three days.",
    )
    def delivery(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            sent = alerts.deliver_waiting(storage, settings, now=now)
        except DeliveryError as error:
            context.log.error("%s", error)
            return dg.SkipReason(str(error))
        return dg.SkipReason(f"{sent} messages sent" if sent else "nothing to send")

    return delivery

"""Started runs whose process is gone are reported as failed: see `liveness.py`."""

import dagster as dg

from digest_pipeline.orchestration.liveness import end_dead_runs

LOOK_EVERY_SECONDS = 20
"""With Dagster's own look after ended runs (`run_monitoring` in dagster.yaml) a killed run's place is free within a minute."""


def dead_runs_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="dead_runs_sensor",
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=status,
        description="Reports started runs whose process is gone as failed, so that they are started again and their day is not taken for under way.",
    )
    def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        dead = end_dead_runs(context.instance)
        return dg.SkipReason(f"without a process: {', '.join(dead)}" if dead else "every started run has its process")

    return dead_runs

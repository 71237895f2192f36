"""Which started runs still have a process: each holds a lock while it lives, and the system lets go of it at any death.

Dagster's launcher for one machine never asks whether a started run is still there: killed together with the code server,
by a power cut or in a terminal, it would stay "started" for ever, hold its pool slot, and keep the schedule from its day.

What lives here: the lock, held by the resource that every step of ours uses, and the sensor that reports runs without
one as failed; run_retries, the schedule and the alerts then do what they do after any crash. What does not: runs on
other machines, whose locks cannot be seen here; Dagster's launchers for those look after them.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from digest_pipeline.workshop import Workshop

LOOK_EVERY_SECONDS = 60
PROCESS_GONE = "the process of this run is gone: killed, out of memory, or the machine went off → run it again; what was fetched and paid for is kept"


@contextmanager
def alive(instance: DagsterInstance, run_id: str) -> Iterator[None]:
    """Holds the run's lock. The file gets its name only when it is locked, so that nobody sees it without the lock before the end."""
    lock = _lock_file(instance, run_id)
    lock.parent.mkdir(parents=True, exist_ok=True)
    unnamed = lock.with_suffix(f".{os.getpid()}")
    with unnamed.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        unnamed.replace(lock)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def is_dead(instance: DagsterInstance, run_id: str) -> bool:
    """True where the run left its lock file and no process holds it; false also where nothing is known."""
    try:
        file = _lock_file(instance, run_id).open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _lock_file(instance: DagsterInstance, run_id: str) -> Path:
    """Beside the runs' logs: wherever the database is, code server and runs of one machine share that folder."""
    return Path(instance.storage_directory()) / "running" / f"{run_id}.lock"


def workshop_resource(shop: Workshop) -> dg.ResourceDefinition:
    """The workshop, and the run's lock for as long as the run has it: over all its steps, retries and pauses between."""

    @dg.resource(description="The run's tools; while it is in use, the run is known to be alive.")
    def workshop(context: dg.InitResourceContext) -> Iterator[Workshop]:
        if context.instance is None or context.run is None:  # made outside a run
            yield shop
            return
        with alive(context.instance, context.run.run_id), closing(shop):
            yield shop

    return workshop


def end_dead_runs(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="end_dead_runs",
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=status,
        description="Reports started runs whose process is gone as failed, so that they are started again and their day is not taken for under way.",
    )
    def end_dead_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        instance = context.instance
        started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        dead = [run for run in started if is_dead(instance, run.run_id)]
        for run in dead:
            instance.report_run_failed(run, PROCESS_GONE)
            _lock_file(instance, run.run_id).unlink(missing_ok=True)
        return dg.SkipReason(
            f"without a process: {', '.join(run.run_id for run in dead)}" if dead else f"{len(started)} runs started, none without a process"
        )

    return end_dead_runs_sensor

"""Which started runs still have a process: each holds a lock while it lives, and the system lets go of it at any death.

Dagster's launcher for one machine never asks whether a started run is still there: killed together with the code server,
by a power cut or in a terminal, it would stay "started" for ever, hold its pool slot, and keep the schedule from its day.

What lives here: the lock, held by the resource that every step of ours uses (`resources.DataDirectory`), and the ending of runs
without one; run_retries, the schedule and the alerts then do what they do after any crash. What does not: runs on
other machines, whose locks cannot be seen here; Dagster's launchers for those look after them.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

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


@contextmanager
def run_lock(context: dg.InitResourceContext) -> Iterator[None]:
    """Holds the run's lock as long as the run has its resources: over all its steps, retries and pauses between.

    Runs that died without it being noticed are ended first, for with a pool of one place they would keep this run waiting
    for ever where no daemon looks after them.
    """
    if context.instance is None or context.run is None:  # made outside a run
        yield
        return
    end_dead_runs(context.instance)
    with alive(context.instance, context.run.run_id):
        yield


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Reports started runs whose process is gone as failed and frees their places in the pools; returns their ids."""
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    dead = [run for run in started if is_dead(instance, run.run_id)]
    for run in dead:
        instance.report_run_failed(run, PROCESS_GONE)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        _lock_file(instance, run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in dead]

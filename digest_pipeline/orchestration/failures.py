"""What a failed run says for itself: its days, its cause in words, and whether Dagster retries it.

What lives here: reading runs and their failure events. What does not: telling anybody (`sensors.py`).
"""

import dagster as dg
from dagster import DagsterRun
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
    WILL_RETRY_TAG,
)
from dagster_shared.error import SerializableErrorInfo


def will_be_retried(run: DagsterRun) -> bool:
    """True where the daemon launches the run again by itself, as it does after a crash; it cannot for a run of the command line."""
    return run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None


def days_of(run: DagsterRun) -> tuple[str, ...]:
    """The run's partition, or the two ends of its range with `…` between; empty for a run without."""
    if key := run.tags.get(PARTITION_NAME_TAG):
        return (key,)
    whole = range_of(run)
    return (whole,) if whole else ()


def range_of(run: DagsterRun) -> str | None:
    """`2026-06-01 … 2026-06-30` of a run over several days, or the backfill it belongs to; None for one day's run."""
    first, last = run.tags.get(ASSET_PARTITION_RANGE_START_TAG), run.tags.get(ASSET_PARTITION_RANGE_END_TAG)
    if first and last and first != last:
        return f"{first} … {last}"
    return f"backfill {run.tags[BACKFILL_ID_TAG]}" if BACKFILL_ID_TAG in run.tags else None


def cause(context: dg.RunFailureSensorContext) -> tuple[str, str]:
    """(what happened, what to do) from the first failed step, else from the run's own failure event."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        said = data.user_failure_data
        if said is not None and said.description:
            return split_advice(said.description)
        if data.error is not None:
            return split_advice(_innermost(data.error))
    return split_advice(context.failure_event.message or "the run ended without saying why")


def split_advice(text: str) -> tuple[str, str]:
    """Our errors read `what happened → what to do`; of several in one text, the whole is what happened."""
    happened, arrow, to_do = text.strip().partition(" → ")
    return (happened, to_do) if arrow and " → " not in to_do else (text.strip(), "")


def _innermost(error: SerializableErrorInfo) -> str:
    while error.cause is not None:
        error = error.cause
    name, message = (error.cls_name or ""), error.message.strip()
    return message.removeprefix(f"{name}: ").split("\nStack Trace:")[0].strip()

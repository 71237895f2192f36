"""How our errors end a step, and what a failed run says for itself.

Three states, as everywhere in the pipeline, and the Dagster mechanism that each reaches:

    not published yet    RetryRequested until DIGEST_PUBLICATION_WAIT_SECONDS are over; a run of the schedule ends at once
                         instead, since the schedule asks again; neither uses up the attempts that faults have
    transient            Failure, retried by the stage's own RetryPolicy
    permanent            Failure(allow_retries=False) with what to do: no retry can help until somebody acts

Anything else is a bug, and fails at once too: a RetryPolicy of its own accord would try every exception again.

`run_retries` of the instance is a fourth thing: it starts a crashed run again, and never one that ended by these.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRun
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARTITION_NAME_TAG, WILL_RETRY_TAG
from dagster_shared.error import SerializableErrorInfo

from digest_pipeline.errors import AnswerStoreError, DigestError, EndpointConfigurationError, EndpointUnavailable, NotPublishedYet, StorageError

SCHEDULED = "digest/scheduled"
"""Run tag of runs that the schedule or a sensor started: they are asked for again, so they need not wait."""
BACKFILL = "digest/backfill"
"""Run tag of the runs of one `digest backfill`."""
A_BUG = "this should not happen: report it with the traceback below; what was fetched and paid for is kept"
NOT_PUBLISHED = NotPublishedYet.__name__
MET_BY_EVERY_DAY = frozenset(error.__name__ for error in (EndpointConfigurationError, EndpointUnavailable, AnswerStoreError, StorageError))
"""The next day would meet the same: `digest backfill` stops, and no answer is paid for that nothing could keep."""


class StopRequested(dg.DagsterError, DagsterExecutionInterruptedError):
    """Ctrl-C, SIGTERM or Terminate. A step with a RetryPolicy would take a plain interruption for a fault and begin again;
    Dagster lets its own errors through, and this one ends the run as canceled."""


@contextmanager
def errors_as_failures(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """Our errors in this block end the step as the table above says; a bug ends it at once, with its traceback."""
    stage, day = _stage_of(context), context.partition_key if context.has_partition_key else None
    try:
        yield
    except (DagsterExecutionInterruptedError, KeyboardInterrupt) as error:
        raise StopRequested("the run was told to stop; what was fetched and paid for is kept") from error
    except (dg.RetryRequested, dg.Failure):
        raise
    except DigestError as error:
        raise failure_of(error, stage=stage, day=day) from None
    except Exception as error:  # nothing is swallowed: the traceback stays as the cause
        raise failure_of(DigestError(f"{type(error).__name__}: {error}", hint=A_BUG), stage=stage, day=day, name=type(error).__name__) from error


def _stage_of(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> str:
    return (context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context).op_handle.name


def failure_of(error: DigestError, *, stage: str, day: str | None, allow_retries: bool | None = None, name: str = "") -> dg.Failure:
    """Retried by the stage's policy where the error says that waiting helps, unless told otherwise; `name` in place of its class."""
    where = f"{stage} of {day}" if day else stage
    return dg.Failure(
        f"{where}: {error}",
        metadata={"stage": stage, "error": name or type(error).__name__, "what happened": error.message, "what to do": error.hint},
        allow_retries=error.retryable if allow_retries is None else allow_retries,
    )


def attempts_for_faults(context: dg.AssetExecutionContext) -> int:
    """Retries of this step that a fault caused; those that only waited for the listing are not counted."""
    events = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    errors = [entry.dagster_event.step_retry_data.error for entry in events if entry.dagster_event and entry.step_key == _stage_of(context)]
    return sum(1 for error in errors if error is None or NOT_PUBLISHED not in str(error))


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run failed, from its first failed step, else from the run's own failure event."""

    stage: str
    error: str
    """The class of our error; empty for anything else."""
    message: str
    hint: str

    @property
    def sentence(self) -> str:
        """Without the stage and the day: the same for every run that met the same."""
        return f"{self.message} → {self.hint}" if self.hint else self.message


def cause_of(event: dg.DagsterEvent) -> Cause:
    """Of a step's failure event."""
    data, stage = event.step_failure_data, event.step_key or ""
    said = data.user_failure_data
    if said is not None and "error" in said.metadata:
        values = {name: str(value.value) for name, value in said.metadata.items()}
        return Cause(stage, values["error"], values["what happened"], values["what to do"])
    if said is not None and said.description:
        return Cause(stage, "", *split_advice(said.description))
    return Cause(stage, "", *split_advice(_innermost(data.error) if data.error else "the step ended without saying why"))


def cause_of_run(context: dg.RunFailureSensorContext) -> Cause:
    for event in context.get_step_failure_events():
        return cause_of(event)
    return Cause("", "", *split_advice(context.failure_event.message or "the run ended without saying why"))


def will_be_retried(run: DagsterRun) -> bool:
    """True where the daemon launches the run again by itself, as it does after a crash; it cannot for a run of the command line."""
    return run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None


def days_of(run: DagsterRun) -> tuple[str, ...]:
    """The run's partition; empty for a run without."""
    key = run.tags.get(PARTITION_NAME_TAG)
    return (key,) if key else ()


def backfill_of(run: DagsterRun) -> str | None:
    """The backfill that the run belongs to, of the UI or of the command line."""
    return run.tags.get(BACKFILL_ID_TAG) or run.tags.get(BACKFILL)


def split_advice(text: str) -> tuple[str, str]:
    """Our errors read `what happened → what to do`; of several in one text, the whole is what happened."""
    happened, arrow, to_do = text.strip().partition(" → ")
    return (happened, to_do) if arrow and " → " not in to_do else (text.strip(), "")


def _innermost(error: SerializableErrorInfo) -> str:
    while error.cause is not None:
        error = error.cause
    name, message = (error.cls_name or ""), error.message.strip()
    return message.removeprefix(f"{name}: ").split("\nStack Trace:")[0].strip()

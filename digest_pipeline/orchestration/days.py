"""Listing days one after another in this process, each a run of its own: what `digest run` and `digest backfill` do.

The runs are those of the schedule and of the UI's backfills, with the same records in DAGSTER_HOME; no daemon is needed.
While one day is translated the next is fetched, in a thread that calls the plain function: `execute_in_process` itself from
several threads hangs. What does not live here: what is run (`jobs.py`), and what is printed (`cli/`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import dagster as dg

from digest_pipeline.arxiv.raw_store import RawManifest
from digest_pipeline.arxiv.sample import fetch_day
from digest_pipeline.clients import listing_fetcher, open_storage, utc_now
from digest_pipeline.errors import ListingDateError
from digest_pipeline.orchestration.assets import RAW, SUMMARIES
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.failures import BACKFILL, MET_BY_EVERY_DAY, NOT_PUBLISHED, cause_of
from digest_pipeline.orchestration.home import is_shared_by_machines, prepare_dagster_home, records_in_words
from digest_pipeline.orchestration.jobs import DAILY_DIGEST, DAY_AND_SITE, UPDATE_SITE
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.settings import Settings
from digest_pipeline.translation.translator import Translator


class State(Enum):
    DONE = "done"
    NOT_PUBLISHED = "not published yet"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DayResult:
    """How one listing day, or the site (`day` None), ended."""

    day: date | None
    state: State
    seconds: float
    message: str = ""
    """Why it is not done, with what to do."""
    stops: bool = False
    """Every further day would meet the same."""
    papers: int = 0
    """Rows of summaries: one a paper and language."""
    deferred: int = 0
    """Of them those that wait for budget or batch."""
    cost_usd: float | None = 0.0
    """None where a price is unknown."""


def run_day(settings: Settings, day: date, *, refetch: bool = False, now: Clock = utc_now) -> DayResult:
    """One listing day and then the site, in one run."""
    with _Days(settings, [day], now) as days:
        return days.materialize(day, DAY_AND_SITE, refetch=refetch, tags={"digest/listing": day.isoformat()})


def run_days(settings: Settings, days: Sequence[date], report: Callable[[DayResult], None], *, now: Clock = utc_now) -> list[DayResult]:
    """The days in the order given, and the site once at the end where any is done; `report` is called after each.

    Stops after a day whose fault every further day would meet. The first day goes alone: a key that is refused is found
    before arXiv is asked for more.
    """
    results: list[DayResult] = []
    tags = {BACKFILL: f"{days[0]}...{days[-1]}"}

    def keep(result: DayResult) -> None:
        results.append(result)
        report(result)

    with _Days(settings, days, now) as runs, _Prefetch(settings, now) as prefetch:
        for number, day in enumerate(days):
            prefetch.wait(day)
            if number and number + 1 < len(days) and not runs.share_arxiv:
                prefetch.begin(days[number + 1])
            keep(runs.materialize(day, DAILY_DIGEST, tags=tags))
            if results[-1].stops:
                break
            if number == 0 and len(days) > 1 and not runs.share_arxiv:
                prefetch.begin(days[1])
        if any(result.state is State.DONE for result in results):
            keep(runs.materialize(None, UPDATE_SITE, tags=tags))
    return results


class _Prefetch:
    """Fetches one day ahead; what goes wrong is said by the day's own run, which then fetches for itself."""

    def __init__(self, settings: Settings, now: Clock) -> None:
        self._settings, self._now = settings, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._begun: dict[date, Future[RawManifest]] = {}

    def __enter__(self) -> _Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def begin(self, day: date) -> None:
        fetcher = listing_fetcher(self._settings, open_storage(self._settings), self._now)
        self._begun[day] = self._thread.submit(fetch_day, day, fetcher, is_sample=self._settings.is_sample)

    def wait(self, day: date) -> None:
        if (begun := self._begun.pop(day, None)) is not None:
            begun.exception()


class _Days:
    """One instance, one translator and one set of definitions for all runs: the endpoint is greeted once, its limits learnt once,
    and DIGEST_BUDGET_PER_RUN_USD counts over all days."""

    def __init__(self, settings: Settings, days: Sequence[date], now: Clock) -> None:
        _require_partition(settings, min(days))
        self._home = prepare_dagster_home()
        self._translator = Translator.from_settings(settings, now=now)
        fetcher = listing_fetcher(settings, open_storage(settings), now)
        self._definitions = build_definitions(settings, resources={"translator": self._translator, "listing_fetcher": fetcher}, now=now)
        self._jobs: dict[str, dg.JobDefinition] = {}

    def __enter__(self) -> _Days:
        self._open = self._opened()
        self._instance = next(self._open)
        self.share_arxiv = is_shared_by_machines(self._instance)
        """Runs of other machines ask arXiv too: then only who holds its pool may, which a prefetch does not."""
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    def _opened(self) -> Generator[dg.DagsterInstance, None, None]:
        with closing(self._translator), self._translator.session(), dg.DagsterInstance.get() as instance:
            yield instance

    def materialize(self, day: date | None, job_name: str, *, tags: dict[str, str], refetch: bool = False) -> DayResult:
        if job_name not in self._jobs:
            self._jobs[job_name] = self._definitions.resolve_job_def(job_name)
        started = time.monotonic()
        with records_in_words(self._home):
            result = self._jobs[job_name].execute_in_process(
                instance=self._instance,
                partition_key=day.isoformat() if day else None,
                raise_on_error=False,
                run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},  # what went wrong is said in words by who called
                    **({"ops": {RAW: {"config": {"refetch": True}}}} if refetch else {}),
                },
                tags=tags,
            )
        return _result_of(day, result, time.monotonic() - started)


def _require_partition(settings: Settings, first: date) -> None:
    """Dagster's own refusal of a day without a partition is a stack of its insides."""
    if first < settings.first_listing:
        raise ListingDateError(
            f"{first} lies before DIGEST_FIRST_LISTING={settings.first_listing}", hint=f"set it to {first} or earlier; 2007-04-02 is the earliest"
        )


def _result_of(day: date | None, result: dg.ExecuteInProcessResult, seconds: float) -> DayResult:
    if result.success:
        numbers = _numbers(result)
        cost = numbers.get("cost_usd", 0.0)
        papers, deferred = (int(numbers.get(name, 0)) for name in ("dagster/partition_row_count", "status deferred"))
        return DayResult(day, State.DONE, seconds, papers=papers, deferred=deferred, cost_usd=cost if isinstance(cost, float) else None)
    causes = [cause_of(event) for event in result.all_events if event.is_step_failure]
    if not causes:
        return DayResult(day, State.FAILED, seconds, "the run could not begin: `digest doctor` names most causes; its page in the UI has the rest")
    cause = causes[0]
    state = State.NOT_PUBLISHED if cause.error == NOT_PUBLISHED else State.FAILED
    return DayResult(day, state, seconds, f"{cause.stage}: {cause.sentence}", stops=cause.error in MET_BY_EVERY_DAY)


def _numbers(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of the day's summaries."""
    for event in result.get_asset_materialization_events():
        if event.asset_key == dg.AssetKey(SUMMARIES):
            return {name: value.value for name, value in event.materialization.metadata.items()}
    return {}

"""The five assets of a listing day, materialized by one step that takes the days one after another.

One step, not five, because of what one failed day may cost. In a run over a range, five separate steps would
go stage by stage, and a day that fails in the first would keep all others from the second. Here each day goes
through all selected stages by itself; what is done is recorded at once, so that a killed run keeps its
records; and the failed days are named at the end. Any subset can be materialized alone.

Dagster's own word: https://docs.dagster.io/guides/build/assets/defining-assets (multi-assets, `can_subset`)
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import dagster as dg

from digest_pipeline import tables
from digest_pipeline.calendar import EASTERN
from digest_pipeline.errors import AnswerStoreError, DigestError, EndpointConfigurationError, EndpointUnavailable, NotPublishedYet, StorageError
from digest_pipeline.orchestration import reporting
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.stages import FetchAhead, StageReport, assemble, collect_batches, fetch, publish, render, submit_batch, translate
from digest_pipeline.workshop import Workshop

GROUP = "listing_day"
OWNER = "team:digest"
FRESH_BY_NOON = dg.FreshnessPolicy.cron(deadline_cron="30 12 * * 1-5", lower_bound_delta=timedelta(hours=17), timezone=str(EASTERN))
"""Something was made between the announcement and half past noon, US Eastern. It looks at any partition, so a backfill
hides a missing day; the alert for a late listing (`sensors.py`) does not."""
SCHEDULED = "digest/scheduled"
"""Run tag of runs that the schedule started: it asks again by itself, so these need not wait."""
BACKFILL_TAG = "dagster/backfill"
FIGURES_UP_TO_DAYS = 5
MET_BY_EVERY_DAY = (EndpointConfigurationError, EndpointUnavailable, AnswerStoreError, StorageError)
"""The next day would meet the same: it is not tried, and no answer is paid for that nothing could keep."""
TRANSIENT_RETRIES = 1
TRANSIENT_PAUSE_SECONDS = 30

RAW, PAPERS, SUMMARIES, DIGESTS, SITE = "raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"


class ListingDayConfig(dg.Config):
    """Run config of a listing day."""

    refetch: bool = False
    """Ask arXiv again for a day that is already kept. What was kept stays beside it; translations are not paid again."""


def asset_specs(partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    """What the UI shows of each asset. All are skippable: a day's own events record it, not the step's end."""

    def spec(name: str, upstream: list[str], description: str, kinds: set[str], **metadata: object) -> dg.AssetSpec:
        return dg.AssetSpec(
            name,
            deps=upstream,
            description=description,
            kinds=kinds,
            metadata=metadata,
            partitions_def=partitions,
            group_name=GROUP,
            owners=[OWNER],
            skippable=True,
            freshness_policy=FRESH_BY_NOON,
        )

    return [
        spec(
            RAW,
            [],
            "What arXiv answered for this listing day, kept whole and compressed under `raw/<day>/` with a manifest of URLs, times and hashes.",
            {"python", "xml"},
        ),
        spec(
            PAPERS,
            [RAW],
            f"{tables.describe(tables.PAPERS).capitalize()}. `papers/date=<day>/papers.parquet`",
            {"python", "parquet"},
            **{"dagster/column_schema": reporting.column_schema(tables.PAPERS)},
        ),
        spec(
            SUMMARIES,
            [PAPERS],
            f"{tables.describe(tables.TRANSLATED_SUMMARIES).capitalize()}. `translated_summaries/date=<day>/language=<tag>/summaries.parquet`",
            {"openai", "parquet"},
            **{"dagster/column_schema": reporting.column_schema(tables.TRANSLATED_SUMMARIES)},
        ),
        spec(
            DIGESTS,
            [SUMMARIES],
            "The digests people read: `digests/<tag>/<day>/<category>.md` and `all.md`, and the day's ledger.",
            {"jinja", "markdown"},
        ),
        spec(
            SITE,
            [DIGESTS],
            "The static site under `site/`: pages, feeds, search and exports over all days, rebuilt where something changed.",
            {"html"},
        ),
    ]


def listing_day_assets(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The assets' definition; the workshop comes from the resource of that name."""

    @dg.multi_asset(
        name="listing_day",
        specs=asset_specs(partitions),
        check_specs=[dg.AssetCheckSpec(c.name, asset=c.asset, description=c.description) for c in CHECKS if c.is_of_a_step],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="listing_day",
    )
    def listing_day(
        context: dg.AssetExecutionContext, config: ListingDayConfig, workshop: dg.ResourceParam[Workshop]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.to_user_string() for key in context.selected_asset_keys}
        report = _materialize_days(context, config, workshop, selected)
        report.raise_if_any(context, workshop)
        yield from ()  # every event is already recorded, a day at a time

    return listing_day


class _Report:
    """What went wrong over the days of one run."""

    def __init__(self) -> None:
        self.not_published: dict[str, NotPublishedYet] = {}
        self.failed: dict[str, DigestError] = {}
        self.untried: list[str] = []

    def raise_if_any(self, context: dg.AssetExecutionContext, shop: Workshop) -> None:
        """Waiting, transient and permanent trouble each end the step in their own way."""
        if self.not_published and not self.failed:
            _wait_or_leave(context, shop, self.not_published)
        elif (error := self._worth_another_try()) and len(context.partition_keys) == 1:
            context.log.warning("%s", error)
            raise dg.RetryRequested(max_retries=TRANSIENT_RETRIES, seconds_to_wait=TRANSIENT_PAUSE_SECONDS) from error
        elif self.failed:
            raise reporting.failure(self._sentence(), {day: str(error) for day, error in {**self.failed, **self.not_published}.items()})

    def _worth_another_try(self) -> DigestError | None:
        """A single transient failure; not of the model's endpoint, whose own patience has run out by then."""
        errors = list(self.failed.values())
        return errors[0] if len(errors) == 1 and errors[0].retryable and not isinstance(errors[0], EndpointUnavailable) else None

    def _sentence(self) -> str:
        parts = [f"{day}: {error}" for day, error in self.failed.items()]
        parts += [f"{day}: not published yet" for day in self.not_published]
        if self.untried:
            parts.append(f"not tried after that: {len(self.untried)} days from {self.untried[0]} to {self.untried[-1]}")
        return "; ".join(parts)


def _wait_or_leave(context: dg.AssetExecutionContext, shop: Workshop, waiting: dict[str, NotPublishedYet]) -> None:
    """Not published yet: a scheduled run ends quietly and is asked for again; any other waits a while first."""
    for day, error in waiting.items():
        context.log.warning("%s is not published yet: %s", day, error)
        context.log_event(dg.AssetObservation(RAW, partition=day, metadata={"state": "not published yet", "why": str(error)}))
    if SCHEDULED in context.run.tags:
        return
    looks = int(shop.settings.publication_wait_seconds // shop.settings.publication_poll_seconds)
    error = next(iter(waiting.values()))
    if context.retry_number < looks:
        raise dg.RetryRequested(max_retries=looks, seconds_to_wait=shop.settings.publication_poll_seconds) from error
    raise reporting.failure("; ".join(f"{day} is not published yet: {why}" for day, why in waiting.items()), {"state": "not published yet"})


def _materialize_days(context: dg.AssetExecutionContext, config: ListingDayConfig, shop: Workshop, selected: set[str]) -> _Report:
    """Each day through the selected stages; with a batch, all days are fetched first, so that it holds them all."""
    outcome = _Report()
    days = sorted(context.partition_keys)
    with contextlib.ExitStack() as over_all_days:
        if SUMMARIES in selected:
            _collect_what_came_back(context, shop)
            over_all_days.enter_context(shop.translator.session())
        if SUMMARIES in selected and shop.sends_batches(is_backfill=len(days) > 1 or BACKFILL_TAG in context.run.tags):
            days = _take_through(context, config, shop, selected & {RAW, PAPERS}, days, outcome)
            if days:
                context.log.info("batch: %s", submit_batch(shop, [day_of(key) for key in days]))
            selected = selected - {RAW, PAPERS}
        done = _take_through(context, config, shop, selected, days, outcome)
    if SITE in selected and done:
        try:
            site = publish(shop)
        except DigestError as error:
            outcome.failed[SITE] = error  # of no day in particular; what the days made is recorded
        else:
            for key in done:
                _record(context, SITE, key, site, shop)
    return outcome


def _collect_what_came_back(context: dg.AssetExecutionContext, shop: Workshop) -> None:
    """Without a daemon, or with batches switched off since, no sensor would: their papers would be deferred for ever."""
    try:
        days, words = collect_batches(shop)
    except DigestError as error:  # the run has other work; what it cannot do without fails there, in its own words
        context.log.warning("open batches could not be looked at, their papers wait on: %s", error)
        return
    if days:
        context.log.info("batch: %s", words)


def _take_through(
    context: dg.AssetExecutionContext, config: ListingDayConfig, shop: Workshop, selected: set[str], keys: list[str], outcome: _Report
) -> list[str]:
    """The days that went well; the others are in `outcome`, each at its own cost only."""
    done: list[str] = []
    ahead = FetchAhead(lambda day: fetch(shop, day, refetch=config.refetch), [day_of(key) for key in keys])
    for number, key in enumerate(keys, start=1):
        context.log.info("%s (%d of %d)", key, number, len(keys))
        try:
            _materialize_day(context, shop, key, selected, ahead, is_first=not done, with_figure=len(keys) <= FIGURES_UP_TO_DAYS)
            done.append(key)
        except NotPublishedYet as error:
            outcome.not_published[key] = error
        except MET_BY_EVERY_DAY as error:
            outcome.failed[key] = error
            outcome.untried = keys[number:]
            break
        except DigestError as error:
            context.log.error("%s failed: %s", key, error)
            outcome.failed[key] = error
    return done


def _materialize_day(
    context: dg.AssetExecutionContext, shop: Workshop, key: str, selected: set[str], ahead: FetchAhead, *, is_first: bool, with_figure: bool
) -> None:
    day = day_of(key)

    def translated() -> StageReport:
        if RAW in selected and not is_first:  # the first day goes alone: a key that is refused is found before arXiv is asked for more
            ahead.begin_after(day)
        return translate(shop, day, lambda progress: context.log.info("%s: %s", key, progress))

    steps: list[tuple[str, Callable[[], StageReport]]] = [
        (RAW, lambda: ahead.report(day)),
        (PAPERS, lambda: assemble(shop, day)),
        (SUMMARIES, translated),
        (DIGESTS, lambda: render(shop, day, with_figure=with_figure)),
    ]
    for asset, step in steps:
        if asset in selected:
            _record(context, asset, key, step(), shop)


def _record(context: dg.AssetExecutionContext, asset: str, key: str, report: StageReport, shop: Workshop) -> None:
    context.log_event(reporting.materialization(asset, key, report, f"{shop.storage.root}/{report.path}"))
    for finding in report.findings:
        context.log_event(reporting.check_evaluation(asset, key, finding))

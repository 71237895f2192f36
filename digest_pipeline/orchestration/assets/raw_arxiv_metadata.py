"""`raw_arxiv_metadata`: what arXiv answered for a listing day, kept whole. The only asset that asks arXiv."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.arxiv.raw_store import RawManifest
from digest_pipeline.arxiv.sample import fetch_day
from digest_pipeline.clients import DigestOptions
from digest_pipeline.errors import DigestError, NotPublishedYet
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import GROUP, OWNER, RAW
from digest_pipeline.orchestration.failures import SCHEDULED, attempts_for_faults, errors_as_failures, failure_of
from digest_pipeline.orchestration.home import is_shared_by_machines
from digest_pipeline.orchestration.metadata import metadata
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.orchestration.resources import PublicationWait

RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
STATE = "state"
"""Metadata of the observation that says that a listing was not published yet."""


class FetchConfig(dg.Config):
    """Run config of raw_arxiv_metadata."""

    refetch: bool = False
    """Ask arXiv again for a day that is already kept. What was kept stays beside it; translations are not paid again."""


@dg.asset(
    name=RAW,
    group_name=GROUP,
    owners=[OWNER],
    kinds={"python", "xml"},
    pool="arxiv",
    retry_policy=RETRIES,
    output_required=False,  # a listing that is not published yet materializes nothing, and the stages after it are skipped
    check_specs=checks.specs_of(RAW),
    description="What arXiv answered for this listing day, kept whole and compressed under `raw/<day>/` with a manifest of URLs, times and hashes.",
)
def raw_arxiv_metadata(
    context: dg.AssetExecutionContext,
    config: FetchConfig,
    listing_fetcher: dg.ResourceParam[ListingFetcher],
    digest_options: dg.ResourceParam[DigestOptions],
    publication_wait: PublicationWait,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    day = day_of(context.partition_key)
    with errors_as_failures(context):
        try:
            if is_shared_by_machines(context.instance):  # the pool hands over at once; the file that spaces requests is this machine's
                listing_fetcher.arxiv.stand_back()
            manifest = fetch_day(day, listing_fetcher, is_sample=digest_options.is_sample, refetch=config.refetch)
        except NotPublishedYet as error:
            _wait(context, error, publication_wait)
            yield checks.result("arxiv_kept_to_its_calendar", True, f"{day} is not published yet", announced=0)
            yield _calendar_is_known(day, listing_fetcher)
            return
        except DigestError as error:
            _retry_beyond_waits(context, error)
            raise
    yield dg.MaterializeResult(
        metadata=metadata(
            f"{listing_fetcher.storage.root}/raw/{day}/",
            sum(file.records for file in manifest.files),
            {
                "announced": str(manifest.announced),
                "evidence": manifest.evidence.value if manifest.evidence else "none",
                "requests_to_arxiv": manifest.requests,
                "kept_answers": len(manifest.files),
                "id_range": "–".join(manifest.block) if manifest.block else "",
            },
            preview=dg.MetadataValue.md("\n".join(f"- {note}" for note in manifest.notes) or "nothing of note"),
        ),
        check_results=_calendar_checks(manifest, listing_fetcher),
    )


def _wait(context: dg.AssetExecutionContext, error: NotPublishedYet, limits: PublicationWait) -> None:
    """Asks Dagster for another look while the limits allow; a run of the schedule leaves, as the schedule asks again."""
    context.log.warning("%s is not published yet: %s", context.partition_key, error)
    context.log_event(dg.AssetObservation(RAW, partition=context.partition_key, metadata={STATE: "not published yet", "why": str(error)}))
    if SCHEDULED in context.run.tags:
        return
    waits = context.retry_number - attempts_for_faults(context)
    if (waits + 1) * limits.publication_poll_seconds <= limits.publication_wait_seconds:
        raise dg.RetryRequested(max_retries=context.retry_number + 1, seconds_to_wait=limits.publication_poll_seconds) from error
    told = NotPublishedYet(f"not published yet: {error.message}", hint=error.hint)
    raise failure_of(told, stage=RAW, day=context.partition_key, allow_retries=False) from None


def _retry_beyond_waits(context: dg.AssetExecutionContext, error: DigestError) -> None:
    """The policy counts every retry; after some that only waited, a fault gets its attempts all the same."""
    faults = attempts_for_faults(context)
    if error.retryable and faults < min(context.retry_number, RETRIES.max_retries):
        raise dg.RetryRequested(max_retries=context.retry_number + 1, seconds_to_wait=RETRIES.calculate_delay(faults + 1)) from error


def _calendar_checks(manifest: RawManifest, fetcher: ListingFetcher) -> list[dg.AssetCheckResult]:
    day = manifest.listing_date
    contradiction = [note for note in manifest.notes if "calendar" in note]
    announced = "announced" if manifest.announced else "no announcement"
    return [
        checks.result(
            "arxiv_kept_to_its_calendar",
            fetcher.calendar.is_announced(day) == manifest.announced and not contradiction,
            "; ".join(contradiction) or f"{day}: {announced}, as the calendar says",
            announced=int(manifest.announced),
        ),
        _calendar_is_known(day, fetcher),
    ]


def _calendar_is_known(day: date, fetcher: ListingFetcher) -> dg.AssetCheckResult:
    today = fetcher.now().date()
    coming = max(day, today).year + (1 if today.month == 12 else 0)
    is_known = fetcher.calendar.covers_year(coming)
    what = "known" if is_known else "not in the calendar → add them in a file named by DIGEST_SKIPPED_EVENINGS_FILE"
    return checks.result("the_calendar_covers_the_coming_weeks", is_known, f"skipped evenings of {coming} are {what}", year=coming)

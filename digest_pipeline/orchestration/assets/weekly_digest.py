"""`weekly_digest`: the week for everybody, and each profile's best of it where profiles.toml is; of these it shows names and numbers only.

A job of its own makes it and reports it. Dagster takes assets of one kind of partitions only into a run, so an asset with weeks that could be
materialized like the others would end `dagster asset materialize --select '*' --partition DAY`, and "materialize all" of a day in the UI.
Dagster's own word: https://docs.dagster.io/guides/build/assets/external-assets
"""

from datetime import date

import dagster as dg

from digest_pipeline.calendar import load_calendar
from digest_pipeline.clients import DigestOptions
from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.assets import OWNER, PAPERS, SUMMARIES, WEEK_GROUP, WEEKLY
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import metadata
from digest_pipeline.orchestration.partitions import day_of, days_of_week, listing_week_partitions
from digest_pipeline.personal.week import write_personal_weeks
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.weekly.digest import week_file, write_week
from digest_pipeline.weekly.week import Week


def weekly_digest(first_listing: date) -> dg.AssetSpec:
    """The asset as the graph shows it."""
    return dg.AssetSpec(
        WEEKLY,
        deps=[dg.AssetDep(PAPERS, partition_mapping=days_of_week()), dg.AssetDep(SUMMARIES, partition_mapping=days_of_week())],
        partitions_def=listing_week_partitions(first_listing),
        group_name=WEEK_GROUP,
        owners=[OWNER],
        kinds={"markdown"},
        description=f"A week's counts and rising terms, `digests/<tag>/week-<YYYY-Www>.md`, and each profile's best ten, `private/<profile>/<tag>/`. No model is asked. Made by the job `{WEEKLY}`.",
    )


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=10))
def make_week(
    context: dg.OpExecutionContext,
    storage: dg.ResourceParam[Storage],
    settings: dg.ResourceParam[Settings],
    digest_options: dg.ResourceParam[DigestOptions],
) -> None:
    """Writes the week and reports the asset. A week of which days are lacking is made all the same, and says so."""
    week = Week.of(day_of(context.partition_key))

    def warn(profile: str, error: DigestError) -> None:  # its words may quote the library
        context.log.warning("no week %s for %s: %s → `digest profile check %s`", week, profile, type(error).__name__, profile)

    with errors_as_failures(context):
        digest = write_week(storage, week, load_calendar(settings.skipped_evenings_file), digest_options)
        shown = write_personal_weeks(storage, digest.listing, settings, warn)
    listing = digest.listing
    if listing.lacking:
        context.log.warning("%s lacks %s → materialize papers of those days, then the week again", week, ", ".join(map(str, listing.lacking)))
    numbers: dict[str, int | float | str | None] = {
        "week": str(week),
        "days": len(listing.papers),
        "lacking": ", ".join(map(str, listing.lacking)) or "none",
        "weeks_compared": digest.trends.weeks_before,
        "rising_terms": len(digest.trends.terms),
        **{f"shown to {name}": count for name, count in shown.items()},
    }
    location = f"{storage.root}/{week_file(digest_options.languages[0].tag, week)}"
    context.log_event(dg.AssetMaterialization(WEEKLY, partition=context.partition_key, metadata=metadata(location, len(listing.all_papers), numbers)))


def weekly_digest_job(first_listing: date) -> dg.JobDefinition:
    @dg.job(name=WEEKLY, partitions_def=listing_week_partitions(first_listing), description="One week out of its listing days; no model is asked.")
    def job() -> None:
        make_week()

    return job

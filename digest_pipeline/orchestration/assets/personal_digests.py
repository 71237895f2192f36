"""`personal_digests`: what each profile is shown of a day, under `private/`. There only where profiles.toml is; shows names and numbers only."""

import dagster as dg

from digest_pipeline.errors import DigestError
from digest_pipeline.orchestration.assets import GROUP, OWNER, PERSONAL, RANKINGS, SUMMARIES
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import metadata
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.personal.digest import write_day
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage


@dg.asset(
    name=PERSONAL,
    deps=[RANKINGS, SUMMARIES],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"markdown", "html"},
    description="Each profile's best papers of the day with the reasons, as Markdown, page and feed. `private/<profile>/<language>/<day>.md`",
)
def personal_digests(
    context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    shown: dict[str, int] = {}
    with errors_as_failures(context):
        at_hand = PapersAtHand(storage)
        for profile in load_profiles(settings.profiles_file):
            try:
                shown[profile.name] = write_day(storage, at_hand, day, profile, settings.profiles_file.parent, settings.languages)
            except DigestError as error:  # its words may quote the library
                context.log.warning("no digest of %s for %s: %s → `digest profile check %s`", day, profile.name, type(error).__name__, profile.name)
    return dg.MaterializeResult(
        metadata=metadata(f"{storage.root}/private/", sum(shown.values()), {f"shown to {name}": count for name, count in shown.items()})
    )

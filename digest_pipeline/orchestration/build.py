"""All definitions from the settings; a test, or definitions of your own, put other resources in their place."""

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from digest_pipeline.calendar import load_calendar
from digest_pipeline.clients import digest_options, utc_now
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import PERSONAL, RANKINGS, READING_NOTES, SITE, SUMMARIES
from digest_pipeline.orchestration.assets.digest_files import digest_files
from digest_pipeline.orchestration.assets.papers import papers
from digest_pipeline.orchestration.assets.personal_digests import personal_digests
from digest_pipeline.orchestration.assets.rankings import rankings
from digest_pipeline.orchestration.assets.raw_arxiv_metadata import raw_arxiv_metadata
from digest_pipeline.orchestration.assets.reading_notes import reading_notes
from digest_pipeline.orchestration.assets.site import site
from digest_pipeline.orchestration.assets.translated_summaries import prompt_version, translated_summaries
from digest_pipeline.orchestration.assets.weekly_digest import weekly_digest, weekly_digest_job
from digest_pipeline.orchestration.jobs import ALL_JOBS
from digest_pipeline.orchestration.partitions import listing_day_partitions
from digest_pipeline.orchestration.resources import Clock, all_resources, export_secrets
from digest_pipeline.orchestration.retention import delete_old_runs
from digest_pipeline.orchestration.schedules import all_schedules
from digest_pipeline.orchestration.sensors import all_sensors
from digest_pipeline.settings import Settings, load_settings


def build_definitions(settings: Settings | None = None, *, resources: Mapping[str, Any] | None = None, now: Clock = utc_now) -> dg.Definitions:
    """`resources` replaces any of `all_resources` by name, by a resource or by the client itself.

    Raises SettingsError, before anything is fetched or written, for a setting that is refused.
    """
    if settings is None:
        settings = load_settings()
        export_secrets(settings)
    options = digest_options(settings)
    load_calendar(settings.skipped_evenings_file)  # a bad file is refused here, at load
    partitions = listing_day_partitions(settings.first_listing)

    has_profiles = settings.profiles_file.is_file()
    reads = bool(settings.read_top) and has_profiles  # the best papers of a profile
    optional = [
        *([rankings, personal_digests] if has_profiles else []),
        *([reading_notes] if reads else []),
    ]  # what is off is not shown

    def by_settings(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key.to_user_string() == SITE:
            return spec
        spec = spec.replace_attributes(partitions_def=partitions)
        if reads and spec.key.to_user_string() == PERSONAL:  # which shows the notes
            spec = spec.replace_attributes(deps=[*spec.deps, dg.AssetDep(READING_NOTES)])
        if spec.key.to_user_string() != SUMMARIES:
            return spec
        deps = [*spec.deps, *([dg.AssetDep(RANKINGS)] if settings.translated_best else [])]  # which say what is translated at all
        return spec.replace_attributes(code_version=prompt_version(options, settings.structured_summary), deps=deps)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of Dagster's own constructors; what we use stands in the lock file
        definitions = dg.Definitions(
            assets=[
                *dg.map_asset_specs(by_settings, [raw_arxiv_metadata, papers, translated_summaries, digest_files, *optional, site]),
                weekly_digest(settings.first_listing),
            ],
            asset_checks=[checks.no_paper_turned_up_later, checks.the_newest_listing_has_its_digest],
            jobs=[*ALL_JOBS, weekly_digest_job(settings.first_listing), delete_old_runs],
            schedules=all_schedules(settings),
            sensors=all_sensors(settings, now),
            resources={**all_resources(settings, now), **(resources or {})},
            executor=dg.in_process_executor,  # the steps are one chain bound by input and output; a process each would only add its start
        )
        definitions.get_repository_def()  # resolved once, here: it warns of beta parameters too, and errors are told at load
    return definitions

"""All definitions from the settings; a test builds them with its own settings and workshop."""

import warnings

import dagster as dg

from digest_pipeline.orchestration.assets import GROUP, listing_day_assets
from digest_pipeline.orchestration.batching import batch_sensor, collect_batches_job
from digest_pipeline.orchestration.liveness import workshop_resource
from digest_pipeline.orchestration.mailing import mail_digest
from digest_pipeline.orchestration.partitions import listing_day_partitions
from digest_pipeline.orchestration.reconcile import reconcile_last_listings
from digest_pipeline.orchestration.retention import delete_old_runs, retention_schedule
from digest_pipeline.orchestration.schedules import daily_listing_schedule, reconciliation_schedule
from digest_pipeline.orchestration.sensors import all_sensors
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.workshop import Workshop

JOB = "daily_digest"  # not the step's name: Dagster takes job and step names from one pot


def build_definitions(settings: Settings | None = None, workshop: Workshop | None = None) -> dg.Definitions:
    """Raises SettingsError, before anything is fetched or written, for a setting that is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of Dagster's own constructors; what we use stands in the lock file
        return _definitions(settings or load_settings(), workshop)


def _definitions(settings: Settings, workshop: Workshop | None) -> dg.Definitions:
    workshop = workshop or Workshop(settings)
    workshop.calendar, workshop.languages  # noqa: B018 - a bad calendar file or language is refused here, at load
    assets = listing_day_assets(listing_day_partitions(settings.first_listing))
    job = dg.define_asset_job(JOB, selection=dg.AssetSelection.groups(GROUP), description="One listing day from arXiv's announcement to the site.")
    return dg.Definitions(
        assets=[assets],
        jobs=[job, reconcile_last_listings, collect_batches_job, mail_digest, delete_old_runs],
        schedules=[daily_listing_schedule(settings, JOB), reconciliation_schedule(settings), retention_schedule(settings)],
        sensors=[*all_sensors(settings, workshop, mail_digest), batch_sensor(settings, workshop, job)],
        resources={"workshop": workshop_resource(workshop)},
        executor=dg.in_process_executor,  # the steps are one chain bound by input and output; a process each would only add its start
    )

"""Old runs are deleted, because Dagster itself only forgets ticks: a four-asset run leaves 155 KB of events.

What lives here: which runs may go, and the job that deletes them. A run stays while it is the newest that made
any partition of any asset, for with its events Dagster would forget that the partition is there. What the
pipeline made (`data/`) is never touched.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterInstance
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from digest_pipeline.notify.deliveries import Deliveries
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.storage import Storage

KEEP_DAYS = 120
KEEP_DELIVERIES_DAYS = 400
_AT_ONCE = 500


class RetentionConfig(dg.Config):
    """Run config of the clean-up."""

    keep_days: int = KEEP_DAYS
    """Runs younger than this stay, whatever they made."""


def runs_needed_by_partitions(instance: DagsterInstance) -> set[str]:
    """The runs that made the newest materialization of some partition, or of an asset without partitions."""
    needed: set[str] = set()
    for asset in instance.all_asset_keys():
        newest = list(instance.event_log_storage.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION).values())
        for start in range(0, len(newest), _AT_ONCE):
            wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=newest[start : start + _AT_ONCE])
            needed |= {record.run_id for record in instance.fetch_materializations(wanted, limit=_AT_ONCE).records}
        if (event := instance.get_latest_materialization_event(asset)) is not None:
            needed.add(event.run_id)
    return needed


def deletable_runs(instance: DagsterInstance, before: datetime) -> Iterator[str]:
    """Ids of finished runs made before `before` that no partition needs, oldest first."""
    needed = runs_needed_by_partitions(instance)
    records = instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before), ascending=True)
    return (record.dagster_run.run_id for record in records if record.dagster_run.run_id not in needed)


@dg.op(name="delete_runs")
def delete_runs(context: dg.OpExecutionContext, config: RetentionConfig, storage: dg.ResourceParam[Storage], clock: dg.ResourceParam[Clock]) -> None:
    """Deletes runs with their events and logs, and forgets deliveries of long ago."""
    now = clock()
    runs = list(deletable_runs(context.instance, now - timedelta(days=config.keep_days)))
    for run_id in runs:
        context.instance.compute_log_manager.delete_logs(prefix=[run_id])
        context.instance.delete_run(run_id)
    forgotten = Deliveries(storage, clock).forget_before(now - timedelta(days=KEEP_DELIVERIES_DAYS))
    context.log.info("%d runs older than %d days deleted, %d deliveries forgotten", len(runs), config.keep_days, forgotten)


@dg.job(name="delete_old_runs", description=f"Deletes runs older than {KEEP_DAYS} days that no partition needs. data/ is not touched.")
def delete_old_runs() -> None:
    delete_runs()

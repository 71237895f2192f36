"""Running Dagster from the command line: its home, one day or a range in this process.

What lives here: how `digest run` and `digest backfill` start Dagster. What does not: what is run (`build.py`), the UI (`dev.py`).
"""

import os
import warnings
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path

import dagster as dg

from digest_pipeline.errors import ListingDateError, SettingsError
from digest_pipeline.orchestration.build import JOB, build_definitions
from digest_pipeline.settings import project_root
from digest_pipeline.workshop import Workshop


def prepare_dagster_home() -> Path:
    """DAGSTER_HOME, or `.dagster_home` of the project, made with our instance settings if it is new.

    Opened once here, because a fresh SQLite home that several processes open at once fails on its migrations.
    """
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(project_root() / ".dagster_home")))
    if not home.is_absolute():
        raise SettingsError(f"DAGSTER_HOME={home} is not absolute", hint="write the whole path")
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_bytes(resources.files("digest_pipeline.orchestration").joinpath("dagster.yaml").read_bytes())
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
    return home


def _job(shop: Workshop) -> dg.JobDefinition:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # of Dagster's own constructors, as in `build.py`
        return build_definitions(shop.settings, shop).resolve_job_def(JOB)


def run_listing_day(shop: Workshop, day: date, *, refetch: bool = False) -> bool:
    """Materializes one listing day in this process, recorded in DAGSTER_HOME; true where it succeeded. Raises ListingDateError."""
    _require_partition(shop, day)
    prepare_dagster_home()
    job = _job(shop)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            partition_key=day.isoformat(),
            instance=instance,
            raise_on_error=False,
            run_config={"ops": {"listing_day": {"config": {"refetch": refetch}}}, "loggers": {"console": {"config": {"log_level": "WARNING"}}}},
            tags={"digest/listing": day.isoformat()},
        )
    return result.success


def run_listing_days(shop: Workshop, days: Sequence[date]) -> bool:
    """Materializes a range of listing days in one run; a failed day costs only itself. Raises ListingDateError."""
    _require_partition(shop, days[0])
    prepare_dagster_home()
    job = _job(shop)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "INFO"}}}},
            tags={
                "dagster/asset_partition_range_start": days[0].isoformat(),
                "dagster/asset_partition_range_end": days[-1].isoformat(),
                "digest/backfill": f"{days[0]}...{days[-1]}",
            },
        )
    return result.success


def _require_partition(shop: Workshop, first: date) -> None:
    """Dagster's own refusal of a day without a partition is a stack of its insides."""
    if first < shop.settings.first_listing:
        raise ListingDateError(
            f"{first} lies before DIGEST_FIRST_LISTING={shop.settings.first_listing}",
            hint=f"set it to {first} or earlier; 2007-04-02 is the earliest",
        )

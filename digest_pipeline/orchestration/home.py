"""DAGSTER_HOME, made with our instance settings where it is new.

What does not live here: those settings (`dagster.yaml` beside this file; `deploy/` has one for a team).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import InMemoryEventLogStorage, SqliteEventLogStorage
from filelock import FileLock
from sqlalchemy.exc import DBAPIError

from digest_pipeline.errors import SettingsError, StorageError
from digest_pipeline.settings import project_root

_ONE_AT_A_TIME = "arxiv"


@contextmanager
def records_in_words(home: Path) -> Iterator[None]:
    """What the folder or the database of Dagster's records says when it is full or closed becomes a StorageError."""
    try:
        yield
    except (OSError, DBAPIError) as error:
        reason = str(error.orig) if isinstance(error, DBAPIError) else error.strerror or str(error)
        raise StorageError(
            f"Dagster's records in {home} cannot be read or written: {reason.strip()}",
            hint="see DAGSTER_HOME: space and owner of the folder, or the database it names; what was fetched and paid for is kept",
        ) from error


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".being-made.lock"):
        yield


def is_shared_by_machines(instance: dg.DagsterInstance) -> bool:
    """True where Dagster's records lie in a database server, so that runs of other machines take turns in the same pools."""
    return not isinstance(instance.event_log_storage, SqliteEventLogStorage | InMemoryEventLogStorage)


def prepare_dagster_home() -> Path:
    """DAGSTER_HOME, or `.dagster_home` of the project, ready for any number of processes.

    Opened once here, one process at a time: several that open a fresh SQLite home at once leave it with two heads of its
    migrations, broken until it is deleted (dagster#27390). Raises StorageError where it cannot be made or written.
    """
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(project_root() / ".dagster_home")))
    if not home.is_absolute():
        raise SettingsError(f"DAGSTER_HOME={home} is not absolute", hint="write the whole path")
    with records_in_words(home), _locked(home):
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_bytes(resources.files("digest_pipeline.orchestration").joinpath("dagster.yaml").read_bytes())
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            if _ONE_AT_A_TIME not in instance.event_log_storage.get_concurrency_keys():
                instance.event_log_storage.set_concurrency_slots(_ONE_AT_A_TIME, 1)  # homes made earlier allow four by default
    return home

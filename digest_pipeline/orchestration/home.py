"""DAGSTER_HOME, made with our instance settings where it is new.

What does not live here: those settings (`dagster.yaml` beside this file; `deploy/` has one for a team).
"""

import os
from importlib import resources
from pathlib import Path

import dagster as dg
from filelock import FileLock

from digest_pipeline.errors import SettingsError
from digest_pipeline.settings import project_root

_ONE_AT_A_TIME = "arxiv"


def prepare_dagster_home() -> Path:
    """DAGSTER_HOME, or `.dagster_home` of the project, ready for any number of processes.

    Opened once here, one process at a time: several that open a fresh SQLite home at once leave it with two heads of its
    migrations, broken until it is deleted (dagster#27390).
    """
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(project_root() / ".dagster_home")))
    if not home.is_absolute():
        raise SettingsError(f"DAGSTER_HOME={home} is not absolute", hint="write the whole path")
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".being-made.lock"):
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_bytes(resources.files("digest_pipeline.orchestration").joinpath("dagster.yaml").read_bytes())
        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            if _ONE_AT_A_TIME not in instance.event_log_storage.get_concurrency_keys():
                instance.event_log_storage.set_concurrency_slots(_ONE_AT_A_TIME, 1)  # homes made earlier allow four by default
    return home

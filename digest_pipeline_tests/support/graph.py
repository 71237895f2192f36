"""The whole graph as text: assets, checks, jobs, schedules, sensors, resources of `build_definitions`.

Run as a program it rewrites the golden text: `python -m digest_pipeline_tests.support.graph`; read the difference.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.settings import load_settings

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "graph.txt"


def graph_text(folder: Path) -> str:
    """Of the definitions that live settings give; names alone, so that wording may change and the graph may not."""
    (folder / "profiles.toml").write_text("", encoding="utf-8")
    settings = load_settings({"DIGEST_DEMO": "false", "DIGEST_READ_TOP": "3", "DIGEST_DATA_DIR": str(folder)}, folder)
    definitions = build_definitions(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        repository = definitions.get_repository_def()
    return "\n".join([*_assets(repository), *_jobs(repository), *_schedules(repository), *_sensors(repository)]) + "\n"


def _assets(repository: dg.RepositoryDefinition) -> Iterator[str]:
    graph = repository.asset_graph
    yield "ASSETS"
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        yield f"{key.to_user_string()}"
        yield f"  from     {', '.join(sorted(parent.to_user_string() for parent in node.parent_keys)) or '(nothing)'}"
        yield f"  group    {node.group_name}"
        yield f"  kinds    {', '.join(sorted(node.kinds))}"
        yield f"  owners   {', '.join(node.owners)}"
        yield f"  days     {_partitions(node.partitions_def)}"
        yield f"  pools    {', '.join(sorted(node.pools or ())) or '(none)'}"
        yield f"  makes    {node.automation_condition.get_label() if node.automation_condition else '(by schedule or by hand)'}"
        for check in sorted(graph.get_check_keys_for_assets({key}), key=lambda check: check.name):
            yield f"  check    {check.name}"


def _partitions(partitions: Any) -> str:
    if partitions is None:
        return "(none)"
    return f"{partitions.cron_schedule} {partitions.timezone}, end offset {partitions.end_offset}"


def _jobs(repository: dg.RepositoryDefinition) -> Iterator[str]:
    yield "\nJOBS"
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            yield f"{job.name}: {', '.join(sorted(node.name for node in job.nodes))}"


def _schedules(repository: dg.RepositoryDefinition) -> Iterator[str]:
    yield "\nSCHEDULES"
    for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name):
        cron = schedule.cron_schedule
        yield f"{schedule.name}: {schedule.job_name}, {schedule.execution_timezone}, {schedule.default_status.value}"
        yield from (f"  {line}" for line in ([cron] if isinstance(cron, str) else cron))


def _sensors(repository: dg.RepositoryDefinition) -> Iterator[str]:
    yield "\nSENSORS"
    for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        jobs = ", ".join(sorted(target.job_name for target in sensor.targets)) if sensor.has_jobs else "(no run)"
        yield f"{sensor.name}: {jobs}, every {sensor.minimum_interval_seconds} s, {sensor.default_status.value}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GOLDEN.write_text(graph_text(Path(scratch)), encoding="utf-8")

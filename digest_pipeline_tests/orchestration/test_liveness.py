"""A run whose process is gone does not stay "started" for ever, which would keep its day from the schedule and nobody would hear of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from digest_pipeline.orchestration.failures import will_be_retried
from digest_pipeline.orchestration.liveness import PROCESS_GONE, alive, is_dead
from digest_pipeline.orchestration.resources import DataDirectory
from digest_pipeline.orchestration.sensors.dead_runs import dead_runs_sensor
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.runs import materialize, sample_clients

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

_HOLDER = """
import sys, time
from dagster import DagsterInstance
from digest_pipeline.orchestration.liveness import alive
with DagsterInstance.from_config(sys.argv[1]) as instance, alive(instance, sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """In a folder, so that a second process can open it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with DagsterInstance.from_config(str(tmp_path / "home")) as made:
        yield made


def started(instance: DagsterInstance) -> DagsterRun:
    return instance.add_run(DagsterRun(job_name="daily_digest", status=DagsterRunStatus.STARTED, tags={"dagster/partition": "2026-06-02"}))


@contextmanager
def held_by_another_process(instance: DagsterInstance, run_id: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "ignore", "-c", _HOLDER, str(instance.root_directory), run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def look(instance: DagsterInstance) -> str:
    answer = dead_runs_sensor(dg.DefaultSensorStatus.RUNNING)(dg.build_sensor_context(instance=instance))
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message or ""


def status(instance: DagsterInstance, run: DagsterRun) -> DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_whose_process_was_killed_is_failed_once_in_words_and_a_living_one_is_left_alone(instance: DagsterInstance) -> None:
    run = started(instance)
    with held_by_another_process(instance, run.run_id) as process:
        look(instance)
        assert status(instance, run) is DagsterRunStatus.STARTED
        process.kill()
        process.wait()
        assert run.run_id in look(instance)
    assert status(instance, run) is DagsterRunStatus.FAILURE
    [event] = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert event.dagster_event is not None
    assert event.dagster_event.message == PROCESS_GONE
    assert "every started run has its process" in look(instance)


def test_a_run_without_a_lock_here_is_left_to_who_started_it(instance: DagsterInstance) -> None:
    """On another machine, say: nothing is known of it, and a wrong "failed" would be worse than none."""
    run = started(instance)
    look(instance)
    assert status(instance, run) is DagsterRunStatus.STARTED


def test_an_ended_run_leaves_no_lock_behind(instance: DagsterInstance) -> None:
    with alive(instance, "r"):
        assert not is_dead(instance, "r")
    assert list((Path(instance.storage_directory()) / "running").iterdir()) == []


def test_the_runs_of_the_pipeline_hold_their_lock_from_first_to_last(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest_pipeline.orchestration.assets import site as site_module

    held: list[list[str]] = []
    build_site = site_module.build_site

    def looking(*arguments: Any, **named: Any) -> Any:
        held.append([file.name for file in (Path(instance.storage_directory()) / "running").iterdir()])
        return build_site(*arguments, **named)

    monkeypatch.setattr(site_module, "build_site", looking)
    clients = sample_clients(tmp_path / "data")
    result = materialize(clients, instance, SAMPLE_DAY.isoformat(), storage=DataDirectory.of(clients.settings))
    assert result.success
    assert held == [[f"{result.run_id}.lock"]]
    assert not list((Path(instance.storage_directory()) / "running").iterdir())


def test_the_lock_is_one_and_the_same_over_a_retry(instance: DagsterInstance, tmp_path: Path) -> None:
    """While a run pauses before a retry it must not look dead."""
    seen: list[int] = []

    @dg.op(required_resource_keys={"storage"}, retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    def twice(context: dg.OpExecutionContext) -> None:
        seen.append((Path(instance.storage_directory()) / "running" / f"{context.run_id}.lock").stat().st_ino)
        if context.retry_number == 0:
            raise ValueError("once")

    @dg.job(resource_defs={"storage": DataDirectory.of(sample_clients(tmp_path).settings)})
    def job() -> None:
        twice()

    assert job.execute_in_process(instance=instance).success
    assert len(seen) == 2
    assert len(set(seen)) == 1


@pytest.mark.parametrize("by_daemon", [True, False], ids=["of the daemon", "of the command line"])
def test_a_crashed_run_is_retried_by_itself_only_where_the_daemon_can(by_daemon: bool) -> None:
    """Dagster marks every crashed run so, and then cannot start again what a terminal had started: somebody must be told."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("digest_pipeline"), "__repository__"), "daily_digest")
    run = DagsterRun(job_name="daily_digest", tags={"dagster/will_retry": "true"}, remote_job_origin=origin if by_daemon else None)
    assert will_be_retried(run) is by_daemon

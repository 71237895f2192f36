"""A real `digest dev` on a scratch DAGSTER_HOME, spoken to as the UI does: through GraphQL on loopback.

What lives here: starting and stopping it, its queries, and a model's endpoint that answers at once. What does not:
arXiv (`fake_arxiv.py`), a place for alerts (`loopback.py`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests

from digest_pipeline_tests.support.loopback import free_port
from digest_pipeline_tests.support.serving import serving

START_SECONDS = 120.0
_SELECTOR = {"repositoryLocationName": "digest_pipeline", "repositoryName": "__repository__"}


@dataclass
class Ui:
    """The running webserver."""

    url: str
    log: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Raises AssertionError with Dagster's own words where the query failed."""
        response = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def materialize(self, day: str, assets: list[str], job: str = "__ASSET_JOB") -> str:
        """What the button “Materialize selected” sends, or that of a job's page for all its assets; returns the run's id."""
        params = {
            "mode": "default",
            "selector": {
                **_SELECTOR,
                "pipelineName": job,
                "assetSelection": [{"path": [asset]} for asset in assets] or None,
                "assetCheckSelection": None,
            },
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
        }
        query = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }"""
        answer = self.ask(query, p=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def backfill(self, days: list[str], assets: list[str]) -> str:
        """What the backfill dialogue sends; returns the backfill's id."""
        query = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
            __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
        answer = self.ask(query, p={"assetSelection": [{"path": [asset]} for asset in assets], "partitionNames": days})["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def retry_from_failure(self, run_id: str) -> str:
        """What the button “Re-execute from failure” of a run sends; returns the new run's id."""
        query = """mutation($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
        answer = self.ask(query, p={"parentRunId": run_id, "strategy": "FROM_FAILURE"})["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def failed_runs(self) -> dict[str, str]:
        """Partition → the newest of its runs, of those whose newest failed."""
        answer = self.ask("{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }")
        newest: dict[str, tuple[str, str]] = {}
        for run in reversed(answer["runsOrError"]["results"]):
            for tag in run["tags"]:
                if tag["key"] == "dagster/partition":
                    newest[tag["value"]] = (run["status"], run["runId"])
        return {day: run_id for day, (status, run_id) in newest.items() if status == "FAILURE"}

    def steps(self, run_id: str) -> set[str]:
        """The steps that the run executed."""
        answer = self.ask("query($r: ID!) { runOrError(runId: $r) { ... on Run { stepStats { stepKey } } } }", r=run_id)
        return {step["stepKey"] for step in answer["runOrError"]["stepStats"]}

    def run_status(self, run_id: str) -> str:
        return str(self.ask("query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)["runOrError"]["status"])

    def finished(self, run_id: str, seconds: float = 180) -> str:
        """SUCCESS, FAILURE or CANCELED, when it comes to that."""
        wait_for(lambda: self.run_status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"), seconds, f"run {run_id} to end")
        return self.run_status(run_id)

    def backfill_status(self, backfill_id: str) -> str:
        answer = self.ask("query($b: String!) { partitionBackfillOrError(backfillId: $b) { ... on PartitionBackfill { status } } }", b=backfill_id)
        return str(answer["partitionBackfillOrError"]["status"])

    def launched(self) -> int:
        """Runs and backfills so far."""
        answer = self.ask("{ runsOrError { ... on Runs { count } } partitionBackfillsOrError { ... on PartitionBackfills { results { id } } } }")
        return int(answer["runsOrError"]["count"]) + len(answer["partitionBackfillsOrError"]["results"])

    def materialized(self, asset: str) -> set[str]:
        """The asset's partitions that the UI shows as materialized."""
        query = """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { assetPartitionStatuses {
            ... on TimePartitionStatuses { ranges { status startKey endKey } } }
            partitionKeys } } }"""
        node = self.ask(query, k={"path": [asset]})["assetNodeOrError"]
        keys = list(node["partitionKeys"])
        ranges = [r for r in node["assetPartitionStatuses"].get("ranges", []) if r["status"] == "MATERIALIZED"]
        return {key for r in ranges for key in keys[keys.index(r["startKey"]) : keys.index(r["endKey"]) + 1]}

    def times_made(self, asset: str) -> int:
        """How often an asset without partitions was materialized, up to a hundred."""
        query = "query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { assetMaterializations(limit: 100) { runId } } } }"
        return len(self.ask(query, k={"path": [asset]})["assetNodeOrError"]["assetMaterializations"])

    def execute_check(self, asset: str, check: str) -> str:
        """What the button “Execute” of an asset check sends; returns the run's id."""
        selector = {"pipelineName": "__ASSET_JOB", "assetSelection": [], "assetCheckSelection": [{"assetKey": {"path": [asset]}, "name": check}]}
        params = {"mode": "default", "selector": {**_SELECTOR, **selector}, "runConfigData": "{}", "executionMetadata": {"tags": []}}
        query = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
        answer = self.ask(query, p=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def executable_checks(self) -> dict[str, str]:
        """Each asset check by name → whether the UI offers to execute it by itself."""
        query = """{ assetNodes { assetChecksOrError { ... on AssetChecks { checks { name canExecuteIndividually } } } } }"""
        nodes = self.ask(query)["assetNodes"]
        return {check["name"]: check["canExecuteIndividually"] for node in nodes for check in node["assetChecksOrError"].get("checks", [])}

    def schedule_asks_for(self, schedule: str, timestamp: float) -> list[str]:
        """The partitions that the schedule would run at that instant: the UI's “Preview tick result”."""
        query = """mutation($s: ScheduleSelector!, $t: Float) { scheduleDryRun(selectorData: $s, timestamp: $t) { __typename
            ... on DryRunInstigationTick { evaluationResult { runRequests { tags { key value } } error { message } } }
            ... on PythonError { message } } }"""
        answer = self.ask(query, s={**_SELECTOR, "scheduleName": schedule}, t=timestamp)["scheduleDryRun"]
        assert answer["__typename"] == "DryRunInstigationTick", answer
        assert answer["evaluationResult"]["error"] is None, answer
        requested = answer["evaluationResult"]["runRequests"] or []
        return sorted(tag["value"] for request in requested for tag in request["tags"] if tag["key"] == "dagster/partition")

    def instigators(self) -> dict[str, str]:
        """Schedules and sensors by name, with RUNNING or STOPPED."""
        query = """query($r: RepositorySelector!) {
            schedulesOrError(repositorySelector: $r) { ... on Schedules { results { name scheduleState { status } } } }
            sensorsOrError(repositorySelector: $r) { ... on Sensors { results { name sensorState { status } } } } }"""
        answer = self.ask(query, r=_SELECTOR)
        schedules = {one["name"]: str(one["scheduleState"]["status"]) for one in answer["schedulesOrError"]["results"]}
        return schedules | {one["name"]: str(one["sensorState"]["status"]) for one in answer["sensorsOrError"]["results"]}

    def _is_loaded(self) -> bool:
        try:
            answer = self.ask(
                "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename ... on PythonError { message } } } } } }"
            )
        except requests.RequestException:
            return False
        [entry] = answer["workspaceOrError"]["locationEntries"]
        state = entry["locationOrLoadError"]
        assert state is None or state["__typename"] == "RepositoryLocation", state
        return state is not None


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises AssertionError when `condition` is still false after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)


@contextmanager
def digest_dev(
    folder: Path, environ: Mapping[str, str], dagster_yaml: str | None = None, module: str = "digest_pipeline.definitions"
) -> Iterator[Ui]:
    """`digest dev` with its home and data below `folder` and the definitions of `module`; ended as Ctrl-C would end it."""
    port = free_port()
    storage = folder / "dagster_home"
    storage.mkdir(parents=True)
    if dagster_yaml is not None:
        (storage / "dagster.yaml").write_text(dagster_yaml)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "OPENAI_", "DAGSTER_"))}
    given = clean | {
        "DAGSTER_HOME": str(storage),
        "DIGEST_DATA_DIR": str(folder / "data"),
        "PYTHONWARNINGS": "ignore",
        "DIGEST_DAGSTER_URL": f"http://127.0.0.1:{port}",
    }
    log = folder / "dev.log"
    program = f"import sys\nfrom digest_pipeline import cli\nfrom digest_pipeline.orchestration import dev\ndev.MODULE = {module!r}\nsys.exit(cli.main(['dev', '--port', '{port}']))"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=given | dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ui = Ui(f"http://127.0.0.1:{port}", log)
    try:
        wait_for(lambda: process.poll() is not None or ui._is_loaded(), START_SECONDS, f"the UI; see {log}")
        assert process.poll() is None, log.read_text()
        yield ui
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


@dataclass
class FakeModel:
    """An OpenAI-compatible endpoint whose answers need no model. `status` other than 200 refuses everything."""

    url: str = ""
    status: int = 200
    answer: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def fake_model(answer: Mapping[str, str]) -> Iterator[FakeModel]:
    model = FakeModel(answer=json.dumps(dict(answer), ensure_ascii=False))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": model.answer}}
            usage = {"prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600}
            good = {"id": "c1", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice], "usage": usage}
            body = (
                good
                if model.status == 200
                else {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key", "type": "invalid_request_error"}}
            )
            content = json.dumps(body).encode()
            self.send_response(model.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as server:
        model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield model

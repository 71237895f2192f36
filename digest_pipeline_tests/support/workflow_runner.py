"""Runs a workflow file as the host's runners would: its own `run:` lines, in order, each runner a fresh clone of a bare repository.

What lives here: jobs, steps, conditions and expressions as far as our workflows use them, and what the `uses:` steps
would do (checkout, set-up, artifact, deploy). What does not: arXiv and the model, which are loopback servers of the test,
and the host's API, likewise.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ".github/workflows/digest.yml"
TOKEN = "ghs_token_of_one_run_0123456789"
_WATCH = "digest_pipeline.hosted.watch"
_STEP_SECONDS = 300


def bare_repository(folder: Path) -> Path:
    """A bare repository whose `main` is the checkout as it stands, uncommitted changes too."""
    source, bare = folder / "source", folder / "repository.git"
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], [*identity, "commit", "-q", "-m", "as it stands"]):
        subprocess.run(["git", *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(source), str(bare)], check=True)
    return bare


@dataclass
class StepResult:
    name: str
    status: int | None
    """None where the step was skipped."""
    log: str = ""
    seconds: float = 0.0


@dataclass
class WorkflowResult:
    """What one run of the workflow showed: conclusions by job, steps by name, the run's page, the published pages."""

    jobs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, StepResult] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    """Of the step `run`."""
    summary: str = ""
    published: Path | None = None
    workspace: Path | None = None

    @property
    def log(self) -> str:
        return "\n".join(step.log for step in self.steps.values())

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith(("::error", "::notice", "::warning"))]


class RunnerLost(Exception):
    """The machine under the job is gone: no later step runs."""


@dataclass
class WorkflowRunner:
    """`vars` and `secrets` as the repository has them; `api_url` stands for GitHub's API."""

    bare: Path
    folder: Path
    vars: dict[str, str]
    secrets: dict[str, str]
    api_url: str
    _count: int = 0

    def run(
        self,
        now: datetime,
        *,
        event: str = "schedule",
        inputs: Mapping[str, str] | None = None,
        kill: Callable[[], bool] | None = None,
        lose_runner: bool = False,
        before: Mapping[str, Callable[[], object]] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> WorkflowResult:
        """One run. `kill` is asked during the step `Run`: once true, the step is killed with SIGKILL, and with `lose_runner` the machine."""
        self._count += 1
        number, result = self._count, WorkflowResult()
        workflow = yaml.safe_load((ROOT / WORKFLOW).read_text(encoding="utf-8"))
        for name, job in workflow["jobs"].items():
            run = _Job(self, self.folder / f"run-{number}-{name}", name, job, now, event, dict(inputs or {}), result)
            run.kill, run.lose_runner, run.before, run.environ = kill, lose_runner, dict(before or {}), dict(environ or {})
            run.execute()
        return result


class _Job:
    kill: Callable[[], bool] | None = None
    lose_runner = False
    before: Mapping[str, Callable[[], object]]
    environ: Mapping[str, str]

    def __init__(
        self,
        runner: WorkflowRunner,
        folder: Path,
        name: str,
        job: dict[str, Any],
        now: datetime,
        event: str,
        inputs: dict[str, str],
        result: WorkflowResult,
    ) -> None:
        self.runner, self.folder, self.name, self.job, self.now, self.event, self.inputs, self.result = (
            runner,
            folder,
            name,
            job,
            now,
            event,
            inputs,
            result,
        )
        self.failed = False
        self.step_outputs: dict[str, dict[str, str]] = {}
        self.workspace = folder / "workspace"
        folder.mkdir(parents=True)

    def execute(self) -> None:
        needs = self.job.get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        condition = str(self.job.get("if", "success()"))
        self.failed = any(self.result.jobs[one] == "failure" for one in needs)
        skipped = any(self.result.jobs[one] != "success" for one in needs) and "always()" not in condition
        if skipped or not self._holds(condition):
            self.result.jobs[self.name] = "skipped"
            return
        self.failed = False
        try:
            for step in self.job["steps"]:
                self._step(step)
        except RunnerLost:
            self.failed = True
            self.step_outputs = {}
        self.result.jobs[self.name] = "failure" if self.failed else "success"
        if self.name == "make":
            self.result.outputs = {name: self._text(value) for name, value in self.job.get("outputs", {}).items()}

    def _step(self, step: dict[str, Any]) -> None:
        name = step.get("name") or step["uses"].partition("@")[0]
        if name in self.before:
            self.before[name]()
        if not self._holds(str(step.get("if", "success()"))):
            self.result.steps.setdefault(name, StepResult(name, None))
            return
        if "uses" in step:
            self._use(step)
            self.result.steps[name] = StepResult(name, 0)
            return
        done = self._shell(step, name)
        self.result.steps[name] = done
        if done.status:
            self.failed = True
        if done.status and name == "Run" and self.lose_runner:
            raise RunnerLost

    def _use(self, step: dict[str, Any]) -> None:
        action = step["uses"].partition("@")[0]
        assert re.fullmatch(r"[0-9a-f]{40}", step["uses"].partition("@")[2]), f"{step['uses']} is not pinned by commit"
        if action == "actions/checkout":
            subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{self.runner.bare}", str(self.workspace)], check=True)
            self.result.workspace = self.workspace
        elif action == "actions/setup-python":
            _write_shims(self.folder / "bin", self.now)
        elif action == "actions/upload-pages-artifact":
            shutil.copytree(self.workspace / step["with"]["path"], self.runner.folder / "artifact", dirs_exist_ok=True)
        elif action == "actions/deploy-pages":
            pages = self.runner.folder / "pages"
            shutil.rmtree(pages, ignore_errors=True)
            (self.runner.folder / "artifact").rename(pages)
            self.result.published = pages
        else:
            raise AssertionError(f"{action} is not known to the stand-in")

    def _shell(self, step: dict[str, Any], name: str) -> StepResult:
        files = {key: self.folder / f"{key}-{len(self.result.steps)}" for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.touch()
        script = self.folder / "step.sh"
        assert "${{" not in step["run"], "an expression inside a run line"
        script.write_text(step["run"], encoding="utf-8")
        _write_shims(self.folder / "bin", self.now)
        started = time.monotonic()
        log = self.folder / f"log-{len(self.result.steps)}.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-e", str(script)],
                cwd=self.workspace,
                env=self._environment(step, files),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            status = self._wait(process, name)
        for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            self.step_outputs.setdefault(step.get("id", name), {})[key] = value
        self.result.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        return StepResult(name, status, log.read_text(encoding="utf-8", errors="replace"), time.monotonic() - started)

    def _wait(self, process: subprocess.Popen[bytes], name: str) -> int:
        until = time.monotonic() + _STEP_SECONDS
        while (status := process.poll()) is None:
            if time.monotonic() > until or (name == "Run" and self.kill is not None and self.kill()):
                os.killpg(process.pid, signal.SIGKILL)
                return process.wait() or 1
            time.sleep(0.05)
        return status

    def _environment(self, step: dict[str, Any], files: Mapping[str, Path]) -> dict[str, str]:
        given = {**self.job.get("env", {}), **step.get("env", {})}
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.runner.api_url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "reader/arxiv-digest",
            "GITHUB_RUN_ID": "42",
            "GITHUB_EVENT_NAME": self.event,
            "DAGSTER_DISABLE_TELEMETRY": "1",
            **{key: str(path) for key, path in files.items()},
            **{key: self._text(value) for key, value in given.items()},
            **self.environ,
        }

    # -- expressions ------------------------------------------------------------------------------

    def _text(self, value: Any) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda match: _shown(self._evaluate(match[1])), str(value))

    def _holds(self, condition: str) -> bool:
        text = condition.removeprefix("${{").removesuffix("}}")
        if not re.search(r"\b(always|success|failure|cancelled)\(", text) and self.failed:
            return False
        return bool(self._evaluate(text))

    def _evaluate(self, expression: str) -> Any:
        python = re.sub(
            r"'[^']*'|[A-Za-z_][\w.-]*(?=\()|[A-Za-z_][\w.-]*",
            lambda match: match[0] if match[0][0] == "'" or match.string[match.end() : match.end() + 1] == "(" else f"look({match[0]!r})",
            expression,
        )
        python = python.replace("&&", " and ").replace("||", " or ")
        names = {
            "look": self._look,
            "toJSON": lambda value: json.dumps(value, indent=2),
            "always": lambda: True,
            "success": lambda: not self.failed,
            "failure": lambda: self.failed,
        }
        return eval(python.strip(), {"__builtins__": {}}, names)

    def _look(self, path: str) -> Any:
        found: Any = {
            "vars": self.runner.vars,
            "secrets": self.runner.secrets,
            "inputs": self.inputs,
            "github": {"token": TOKEN, "event_name": self.event},
            "steps": {key: {"outputs": value} for key, value in self.step_outputs.items()},
            "needs": {key: {"result": value, "outputs": self.result.outputs} for key, value in self.result.jobs.items()},
        }
        for part in path.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return found


def _shown(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _write_shims(folder: Path, now: datetime) -> None:
    """`python`, which installs nothing, and `digest` and the watch at the run's instant, all with the packages of this test run."""
    folder.mkdir(exist_ok=True)
    watch = f"import sys; from datetime import datetime; from {_WATCH} import main; sys.exit(main(now=datetime.fromisoformat('{now.isoformat()}')))"
    python = (
        f'#!/bin/sh\ncase "$1 $2" in\n"-m pip") exit 0 ;;\n"-m {_WATCH}") exec {sys.executable} -c "{watch}" ;;\nesac\nexec {sys.executable} "$@"\n'
    )
    scripts = {
        "python": python,
        "python3": python,
        "digest": f'#!/bin/sh\nexec {sys.executable} -m digest_pipeline_tests.support.at_instant {now.isoformat()} "$@"\n',
    }
    for name, text in scripts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)

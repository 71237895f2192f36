"""A scratch deployment: data and Dagster's records in a temporary folder, the command `digest` run in it, what it cost.

What lives here: running the pipeline as its users do, in a process of its own, and reading wall time by stage from
Dagster's records. What does not: the servers it talks to (`standins.py`), what is compared with what.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dagster as dg

from benchmarks.standins import ArxivProcess
from digest_pipeline.errors import DigestError

STAGES = ("raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site")


@dataclass(frozen=True, slots=True)
class Ran:
    """One command: seconds on the wall, the largest memory of its process, its exit status and what it printed."""

    seconds: float
    peak_megabytes: float
    status: int
    output: str
    started_at: float
    ended_at: float
    """Both as seconds since 1970, as Dagster's records have them."""


class Scratch:
    """One deployment. `environ` are the settings; Python's compiled files are kept as an installation would."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.dagster_home = folder / "dagster"
        self.environ = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "OPENAI_")) and name != "PYTHONDONTWRITEBYTECODE"
            },
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DIGEST_DATA_DIR": str(folder / "data"),
            "PYTHONPYCACHEPREFIX": _compiled_folder(),
            **environ,
        }

    def digest(self, *arguments: str, must_succeed: bool = True) -> Ran:
        """`digest …`; raises DigestError with what it printed where it had to succeed and did not."""
        return self.module("digest_pipeline.cli", *arguments, must_succeed=must_succeed)

    def module(self, *arguments: str, must_succeed: bool = True) -> Ran:
        """`python -m …`; raises as `digest` does."""
        command = [sys.executable, "-W", "ignore", "-m", *arguments]
        started_at = time.time()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=self.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            ended_at = time.time()
            output.seek(0)
            text = output.read()
        if must_succeed and process.returncode:
            raise DigestError(f"`python -m {' '.join(arguments)}` failed:\n{text[-3_000:]}")
        return Ran(ended_at - started_at, usage.ru_maxrss * 1024 / 1e6, process.returncode, text, started_at, ended_at)

    def stage_seconds(self, ran: Ran) -> dict[str, float]:
        """Wall seconds of a command that made one day, by stage; `start` is up to the first stage, `end` after the last."""
        before, seconds = ran.started_at, dict.fromkeys(("start", *STAGES), 0.0)
        for stage, started_at, ended_at in self._steps(ran):
            seconds["start" if stage == STAGES[0] else stage] += started_at - before
            seconds[stage] += ended_at - started_at
            before = ended_at
        return {**seconds, "end": ran.ended_at - before}

    def mean_stage_seconds(self, ran: Ran, days: int) -> dict[str, float]:
        """Seconds within the steps of each stage, over the number of days; the site is made once, for all."""
        total = dict.fromkeys(STAGES, 0.0)
        for stage, started_at, ended_at in self._steps(ran):
            total[stage] += ended_at - started_at
        return {stage: seconds / days for stage, seconds in total.items()}

    def _steps(self, ran: Ran) -> list[tuple[str, float, float]]:
        """(stage, start, end) of all steps that the command ran, in order."""
        with dg.DagsterInstance.from_config(str(self.dagster_home)) as instance:
            runs = [record for record in instance.get_run_records() if record.start_time and record.start_time >= ran.started_at]
            steps = [step for record in runs for step in instance.get_run_step_stats(record.dagster_run.run_id)]
        return sorted(
            ((step.step_key, step.start_time, step.end_time) for step in steps if step.start_time and step.end_time), key=lambda step: step[1]
        )

    def materialized(self, asset: str) -> set[str]:
        with dg.DagsterInstance.from_config(str(self.dagster_home)) as instance:
            return set(instance.get_materialized_partitions(dg.AssetKey(asset)))

    def record_bytes(self) -> int:
        """Size of Dagster's records."""
        return sum(file.stat().st_size for file in self.dagster_home.rglob("*") if file.is_file())


@cache
def _compiled_folder() -> str:
    """One for all benchmarks of a process; the first command fills it, so let it be one that is not measured."""
    folder = Path(tempfile.gettempdir()) / f"digest-benchmarks-compiled-{os.getuid()}-{sys.version_info.major}.{sys.version_info.minor}"
    folder.mkdir(exist_ok=True)
    return str(folder)


@contextmanager
def scratch(environ: Mapping[str, str]) -> Iterator[Scratch]:
    with tempfile.TemporaryDirectory() as folder:
        yield Scratch(Path(folder), environ)


def live_settings(arxiv: ArxivProcess, model_url: str, **more: str) -> dict[str, str]:
    """Settings of a live deployment against the two servers, without arXiv's pause between requests."""
    return {
        "DIGEST_ARXIV_API_URL": arxiv.api_url,
        "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
        "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
        "DIGEST_MODEL": "fake-model",
        "OPENAI_API_KEY": "not-a-key",  # pragma: allowlist secret
        "OPENAI_BASE_URL": model_url,
        **more,
    }


def load_everything() -> None:
    """One run of the sample, so that no measured run is the first to read its code from the disk."""
    with scratch({"DIGEST_DEMO": "true"}) as warm:
        warm.digest("run")

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
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
        self._environ = {
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
        command = [sys.executable, "-W", "ignore", "-m", "digest_pipeline.cli", *arguments]
        started_at = time.time()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=self._environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            ended_at = time.time()
            output.seek(0)
            text = output.read()
        if must_succeed and process.returncode:
            raise DigestError(f"`digest {' '.join(arguments)}` failed:\n{text[-3_000:]}")
        return Ran(ended_at - started_at, usage.ru_maxrss * 1024 / 1e6, process.returncode, text, started_at, ended_at)

    def stage_seconds(self, ran: Ran, day: date) -> dict[str, float]:
        """Wall seconds of the command by stage of one day; `start` is up to the first stage, `end` after the last."""
        marks = self._marks(day)
        steps = dict(zip((*STAGES, "end"), (*(marks[name] for name in STAGES), ran.ended_at), strict=True))
        seconds, before = {"start": marks["step"] - ran.started_at}, marks["step"]
        for name, at in steps.items():
            seconds[name], before = at - before, at
        return seconds

    def mean_stage_seconds(self, days: Sequence[date]) -> dict[str, float]:
        """Wall seconds a day by stage of the newest run, which went over these days; the site is made once, for all."""
        step, made = self._made()
        total, before = dict.fromkeys(STAGES, 0.0), step
        for asset, partition, at in made:
            if asset != STAGES[-1] or partition == days[0].isoformat():
                total[asset] += at - before
            before = at
        return {asset: seconds / len(days) for asset, seconds in total.items()}

    def _marks(self, day: date) -> dict[str, float]:
        step, made = self._made()
        return {"step": step, **{asset: at for asset, partition, at in made if partition == day.isoformat()}}

    def _made(self) -> tuple[float, list[tuple[str, str, float]]]:
        """When the newest run's step began, and (asset, partition, when) of what it made, in order."""
        with dg.DagsterInstance.from_config(str(self.dagster_home)) as instance:
            newest = instance.get_run_records(limit=1)[0].dagster_run
            steps = instance.all_logs(newest.run_id, of_type=dg.DagsterEventType.STEP_START)
            made = instance.all_logs(newest.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        found = []
        for entry in made:
            event = entry.dagster_event
            if event is not None and event.partition is not None and event.asset_key is not None:
                found.append((event.asset_key.to_user_string(), event.partition, entry.timestamp))
        return steps[0].timestamp, found

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

"""What Dagster adds to a backfill: one run over all days against a run a day, its overhead and records per day, and a failed day.

The stages are replaced by ones that do nothing but report, so that what is measured is the recording: five
materializations and ten check evaluations a day, in a SQLite home as one person has it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

from dagster import AssetKey, DagsterInstance
from digest_pipeline.stages import Finding, StageReport
from digest_pipeline.workshop import Workshop

from benchmarks.table import growth, print_result
from digest_pipeline.errors import SourceError
from digest_pipeline.orchestration import assets
from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.settings import load_settings
from digest_pipeline_tests.support.runs import materialize

SIZES = (5, 50, 150)
"""1,000 and 5,000 can be measured by naming them; the latter takes most of an hour on SQLite."""
QUICK_SIZES = (5, 10)
SINGLE_RUNS = (5,)
FIRST = date(2007, 4, 2)


def weekdays(count: int) -> list[date]:
    days: list[date] = []
    day = FIRST
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    return days


def stage(asset: str, fails_on: date | None = None):  # type: ignore[no-untyped-def]
    """A step that only reports, with as many numbers and checks as the real one."""
    findings = tuple(Finding(check.name, True, "well") for check in CHECKS if check.asset == asset and check.is_of_a_step)

    def report(_shop: Workshop, day: date | None = None, *_: object, **__: object) -> StageReport:
        if day is not None and day == fails_on:
            raise SourceError(f"{day} fails", hint="nothing: it is meant to")
        return StageReport(path=asset, rows=100, numbers={f"number {n}": n for n in range(12)}, preview="| a | b |\n" * 12, findings=findings)

    return report


def run(folder: Path, groups: Sequence[Sequence[date]], fails_on: date | None = None) -> tuple[float, int, int]:
    """(seconds, bytes of the Dagster home, days recorded) of one run for each group of days."""
    folder.mkdir(parents=True)
    shop = Workshop(
        load_settings({"DIGEST_DATA_DIR": str(folder / "data"), "DIGEST_DEMO": "false", "DIGEST_FIRST_LISTING": FIRST.isoformat()}, folder)
    )
    names = {"fetch": assets.RAW, "assemble": assets.PAPERS, "translate": assets.SUMMARIES, "render": assets.DIGESTS, "publish": assets.SITE}
    stages = {name: stage(asset, fails_on if name == "fetch" else None) for name, asset in names.items()}
    storage = folder / "dagster"
    storage.mkdir()
    with DagsterInstance.local_temp(str(storage), overrides={"telemetry": {"enabled": False}}) as instance, patch.multiple(assets, **stages):
        started = time.perf_counter()
        for days in groups:
            first, last = days[0].isoformat(), days[-1].isoformat()
            materialize(shop, instance, first, last if len(days) > 1 else "")
        seconds = time.perf_counter() - started
        recorded = len(instance.get_materialized_partitions(AssetKey(assets.DIGESTS)))
    return seconds, sum(path.stat().st_size for path in storage.rglob("*") if path.is_file()), recorded


def row(way: str, count: int, measured: tuple[float, int, int]) -> list[object]:
    seconds, size, recorded = measured
    return [way, f"{count:,}", f"{recorded:,}", f"{seconds:.1f}", f"{seconds / count:.3f}", f"{size / count / 1e3:.0f}", f"{size / 1e6:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("days", nargs="*", type=int, metavar="DAYS", help="numbers of days to measure in one run")
    parser.add_argument("--quick", action="store_true", help="few days only")
    arguments = parser.parse_args()
    sizes = arguments.days or (QUICK_SIZES if arguments.quick else SIZES)
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):  # where its log lines go
        for count in sizes:
            rows.append(row("one run over all", count, run(Path(folder) / f"one-{count}", [weekdays(count)])))
        for count in SINGLE_RUNS:
            rows.append(row("a run a day", count, run(Path(folder) / f"each-{count}", [[day] for day in weekdays(count)])))
        days = weekdays(sizes[-1])
        rows.append(row("one run, one day fails", len(days), run(Path(folder) / "failing", [days], fails_on=days[len(days) // 2])))
    print_result(
        "Backfill: what Dagster adds",
        ["way", "days", "days recorded", "seconds", "seconds a day", "kB of records a day", "MB of records"],
        rows,
        notes=[
            "In one process; a run of its own that the daemon starts costs two to four seconds more.",
            "A day that fails costs only itself: the others are recorded.",
            growth("what Dagster adds to one run over a range", "days", sizes, [float(str(cells[3])) for cells in rows[: len(sizes)]]),
            growth("the size of Dagster's records", "days", sizes, [float(str(cells[6])) for cells in rows[: len(sizes)]]),
        ],
    )


if __name__ == "__main__":
    main()

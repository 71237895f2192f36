"""One day as a process of its own, `dagster asset materialize`, beyond the same shape without any work in it.

Data: an invented small listing day (about 20 papers) and a usual one (about 570), read by id block; arXiv and the model
answer on loopback at once. The bare run is four partitioned assets that return nothing, in one process, on the same instance settings.
"""

from __future__ import annotations

import argparse

from benchmarks.scratch import Ran, Scratch, live_settings, load_everything, scratch
from benchmarks.standins import FIRST, arxiv_process, model_process, papers_per_day_for
from benchmarks.table import print_result, progress

CATEGORIES = ("cs", "eess", "stat", "math", "quant-ph")
SMALL, USUAL = 20, 570
GOALS = {"small": 2.0, "done": 4.0}
REPEAT = 3
_BARE = f"""
import dagster as dg

days = dg.DailyPartitionsDefinition("{FIRST}")


@dg.asset(partitions_def=days)
def raw() -> None: ...


@dg.asset(partitions_def=days, deps=[raw])
def papers() -> None: ...


@dg.asset(partitions_def=days, deps=[papers])
def summaries() -> None: ...


@dg.asset(partitions_def=days, deps=[summaries])
def files() -> None: ...


defs = dg.Definitions([raw, papers, summaries, files], executor=dg.in_process_executor)
"""


def fastest(deployment: Scratch, *target: str, repeat: int = REPEAT) -> Ran:
    """The fastest of some runs of the whole graph for the day."""
    command = ("dagster", "asset", "materialize", *target, "--select", "*", "--partition", FIRST.isoformat())
    return min((deployment.module(*command) for _ in range(repeat)), key=lambda ran: ran.seconds)


def bare() -> float:
    """Seconds of the run without work."""
    with scratch({}) as deployment:
        deployment.dagster_home.mkdir()
        program = deployment.folder / "bare.py"
        program.write_text(_BARE, encoding="utf-8")
        fastest(deployment, "-f", str(program), repeat=1)  # makes the records' files
        return fastest(deployment, "-f", str(program)).seconds


def measured(papers: int, bare_seconds: float) -> list[list[object]]:
    """Two rows: the day for the first time, and done already."""
    target = ("-m", "digest_pipeline.definitions")
    with arxiv_process(1, papers_per_day_for(papers, CATEGORIES)) as arxiv, model_process(0) as model:
        settings = live_settings(arxiv, model, DIGEST_CATEGORIES=",".join(CATEGORIES), DIGEST_MAX_CONCURRENCY="32")
        with scratch({**settings, "DIGEST_FIRST_LISTING": FIRST.isoformat()}) as deployment:
            deployment.dagster_home.mkdir()
            first = fastest(deployment, *target, repeat=1)
            done = fastest(deployment, *target)
    progress(f"process: {papers} papers, {first.seconds:.1f} s, again {done.seconds:.1f} s")
    goals = (GOALS["small"], GOALS["small"]) if papers == SMALL else ("–", GOALS["done"])
    runs = zip(("first", "done"), (first, done), goals, strict=True)
    return [
        [papers, which, f"{ran.seconds:.1f}", f"{ran.seconds - bare_seconds:.1f}", goal, f"{ran.peak_megabytes:.0f}"] for which, ran, goal in runs
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.process", description="A day as a process of its own, beyond bare Dagster.")
    parser.add_argument("--quick", action="store_true", help="the small day only")
    arguments = parser.parse_args()
    load_everything()
    bare_seconds = bare()
    rows = [row for papers in ((SMALL,) if arguments.quick else (SMALL, USUAL)) for row in measured(papers, bare_seconds)]
    print_result(
        "A day as a process of its own",
        ["papers, about", "run", "whole, s", "beyond bare Dagster, s", "goal, s", "peak memory, MB"],
        [["0", "bare", f"{bare_seconds:.1f}", "0", "–", "–"], *rows],
        notes=[
            "`bare`: four partitioned assets without any work, in one process, likewise by `dagster asset materialize`.",
            f"The fastest of {REPEAT} runs, apart from a day's first. `done`: everything is kept and paid already.",
        ],
    )


if __name__ == "__main__":
    main()

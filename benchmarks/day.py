"""One whole listing day as `digest run` makes it, start of the process and Dagster included: wall by stage, memory, requests.

Data: invented listing days read by id block, categories `cs` (or, for the largest recorded day, everything), one
language; arXiv and the model answer on loopback, in processes of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.scratch import live_settings, load_everything, scratch
from benchmarks.standins import FIRST, arxiv_process, model_process, papers_per_day_for
from benchmarks.table import growth, print_result, progress

SIZES = (300, 600, 2_855)
"""A usual day of two categories, of seven, and the largest recorded day."""
QUICK_SIZES = (60, 150)
AT_ONCE = 32
LATENCY_SECONDS = 1.0
CATEGORIES = ("cs", "eess", "stat", "math", "quant-ph")


def measured(papers: int, categories: Sequence[str]) -> list[list[object]]:
    """Two rows: the day for the first time, and again with all of it kept and paid."""
    per_day = papers_per_day_for(papers, categories)
    with arxiv_process(1, per_day) as arxiv, model_process(LATENCY_SECONDS) as model:
        settings = live_settings(arxiv, model, DIGEST_CATEGORIES=",".join(categories), DIGEST_MAX_CONCURRENCY=str(AT_ONCE))
        with scratch({**settings, "DIGEST_FIRST_LISTING": FIRST.isoformat()}) as deployment:
            rows: list[list[object]] = []
            for time_of_day in ("first", "again"):
                ran = deployment.digest("run", "--day", FIRST.isoformat())
                seconds = deployment.stage_seconds(ran)
                count = _papers(ran.output)
                floor = count * LATENCY_SECONDS / AT_ONCE
                over = f"{seconds['translated_summaries'] / floor:.2f}" if time_of_day == "first" else "–"
                stages = [f"{value:.1f}" for value in seconds.values()]
                others = sum(value for name, value in seconds.items() if name not in ("start", "end", "translated_summaries"))
                rows.append(
                    [
                        f"{count:,}",
                        time_of_day,
                        *stages,
                        f"{ran.seconds:.1f}",
                        over,
                        f"{1e3 * others / count:.1f}",
                        f"{ran.peak_megabytes:.0f}",
                        arxiv.asked().requests,
                    ]
                )
                progress(f"day: {count} papers, {time_of_day}, {ran.seconds:.1f} s")
    return rows


def _papers(output: str) -> int:
    """From the line that closes a run: `zh: announced 300 = fetched 300 = …`."""
    line = next(line for line in output.splitlines() if " announced " in line and " rendered " in line)
    return int(line.rsplit(" ", 1)[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description="One whole listing day, by stage.")
    parser.add_argument("sizes", nargs="*", type=int, metavar="PAPERS", help="numbers of papers to measure, about")
    parser.add_argument("--quick", action="store_true", help="one small day only")
    arguments = parser.parse_args()
    load_everything()
    rows = [row for size in arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES) for row in measured(size, CATEGORIES)]
    first = [row for row in rows if row[1] == "first"]
    sizes = [float(str(row[0]).replace(",", "")) for row in first]
    print_result(
        f"A whole day: {AT_ONCE} requests at once, {LATENCY_SECONDS:g} s each",
        [
            "papers",
            "run",
            "start, s",
            "fetch",
            "papers table",
            "translate",
            "digests",
            "site",
            "end",
            "whole, s",
            "translate ÷ floor",
            "other stages, ms a paper",
            "peak memory, MB",
            "requests to arXiv",
        ],
        rows,
        notes=[
            "Stages by the time stamps of Dagster's own records. `start`: Python, Dagster and the project loading. The floor is papers × latency ÷ requests at once.",
            "No pause between requests to arXiv here; in life each costs 3 s. Peak memory is that of the run's process, Dagster included.",
            "`again`: the same day run a second time, with nothing to fetch and nothing to pay.",
            growth("the whole of a day's run", "papers", sizes, [float(str(row[9])) for row in first]),
            growth(
                "a day's stages other than translation", "papers", sizes, [size * float(str(row[11])) for size, row in zip(sizes, first, strict=True)]
            ),
            growth("a run's peak memory", "papers", sizes, [float(str(row[12])) for row in first]),
        ],
    )


if __name__ == "__main__":
    main()

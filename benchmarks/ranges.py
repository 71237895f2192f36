"""Days made by `digest backfill` (5, 20, 60), by a `digest run` each, and with one day that fails.

Data: invented listing days read by id block, about 90 papers a day, two categories, one language; arXiv and the model
answer on loopback, in processes of their own. What the pipeline adds to a day is the wall time less arXiv's own
answering and less the model's floor (papers × latency ÷ concurrency).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from benchmarks.scratch import Ran, Scratch, live_settings, load_everything, scratch
from benchmarks.standins import ArxivProcess, Asked, arxiv_process, listing_dates, listing_days, model_process
from benchmarks.table import growth, print_result, progress

SIZES, QUICK_SIZES = (5, 20, 60), (3,)
A_RUN_A_DAY, QUICK_A_RUN_A_DAY = 5, 2
WITH_A_FAILURE = 5
PAPERS_PER_DAY = 200
CATEGORIES = ("cs.CL", "cs.IR")
LATENCY_SECONDS, AT_ONCE = 0.25, 32
LAST_STAGE = "digest_files"


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of making some days."""

    days: Sequence[date]
    papers: int
    seconds: float
    asked: Asked
    records_bytes: int
    peak_megabytes: float
    recorded: int

    @property
    def model_seconds(self) -> float:
        return self.papers * LATENCY_SECONDS / AT_ONCE

    @property
    def own_seconds(self) -> float:
        return self.seconds - self.asked.busy_seconds - self.model_seconds

    def row(self, way: str, smaller: Measured | None = None) -> list[object]:
        """`smaller` is the same way with fewer days: what they differ in is what a further day costs."""
        days = len(self.days)
        further = (days - len(smaller.days)) if smaller else 0
        own = f"{(self.own_seconds - smaller.own_seconds) / further:.2f}" if smaller else "–"
        records = f"{(self.records_bytes - smaller.records_bytes) / further / 1e3:.0f}" if smaller else "–"
        return [
            way,
            days,
            self.recorded,
            f"{self.papers:,}",
            f"{self.seconds:.1f}",
            f"{self.asked.busy_seconds + self.model_seconds:.1f}",
            f"{self.own_seconds / days:.2f}",
            own,
            f"{self.asked.requests / days:.1f}",
            f"{self.records_bytes / 1e6:.1f}",
            records,
            f"{self.peak_megabytes:.0f}",
        ]


def papers_of(days: Sequence[date], most: int) -> int:
    """Papers of the two categories that the id blocks of these days hold."""
    return sum(len(day.block_ids(CATEGORIES)) for day in listing_days(most, PAPERS_PER_DAY) if day.listing_date in days)


class Bench:
    """The servers, and how a deployment is set up against them."""

    def __init__(self, arxiv: ArxivProcess, model_url: str, most_days: int) -> None:
        self.arxiv, self.days = arxiv, listing_dates(most_days)
        self.stage_seconds: dict[str, float] = {}
        """A day's wall time by stage in the last run over a range."""
        self._settings = live_settings(
            arxiv,
            model_url,
            DIGEST_CATEGORIES=",".join(CATEGORIES),
            DIGEST_MAX_CONCURRENCY=str(AT_ONCE),
            DIGEST_FIRST_LISTING=self.days[0].isoformat(),
        )

    def one_run(self, count: int) -> Measured:
        days = self.days[:count]
        with scratch(self._settings) as deployment:
            ran = self._backfill(deployment, days)
            progress(f"ranges: {count} days by digest backfill, {ran.seconds:.1f} s")
            self.stage_seconds = deployment.mean_stage_seconds(ran, count)
            return self._measured(deployment, days, ran.seconds, ran.peak_megabytes)

    def a_run_a_day(self, count: int) -> Measured:
        days = self.days[:count]
        with scratch(self._settings) as deployment:
            runs = [deployment.digest("run", "--day", day.isoformat()) for day in days]
            progress(f"ranges: {count} days, a run each, {sum(ran.seconds for ran in runs):.1f} s")
            return self._measured(deployment, days, sum(ran.seconds for ran in runs), max(ran.peak_megabytes for ran in runs))

    def with_a_failure(self, count: int) -> Measured:
        """One run in which arXiv refuses the block of the middle day."""
        days = self.days[:count]
        block = next(day.block for day in listing_days(len(self.days), PAPERS_PER_DAY) if day.listing_date == days[count // 2])
        self.arxiv.refuse(block[len(block) // 2].arxiv_id)
        with scratch(self._settings) as deployment:
            ran = self._backfill(deployment, days, must_succeed=False)
            assert ran.status != 0, "the day that fails must be seen"
            return self._measured(deployment, days, ran.seconds, ran.peak_megabytes)

    @staticmethod
    def _backfill(deployment: Scratch, days: Sequence[date], *, must_succeed: bool = True) -> Ran:
        return deployment.digest("backfill", days[0].isoformat(), days[-1].isoformat(), "--yes", must_succeed=must_succeed)

    def _measured(self, deployment: Scratch, days: Sequence[date], seconds: float, peak: float) -> Measured:
        done = deployment.materialized(LAST_STAGE)
        made = [day for day in days if day.isoformat() in done]
        return Measured(days, papers_of(made, len(self.days)), seconds, self.arxiv.asked(), deployment.record_bytes(), peak, len(done))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranges", description="Backfills: overhead, requests and records a day.")
    parser.add_argument("days", nargs="*", type=int, metavar="DAYS", help="numbers of days to measure in one run")
    parser.add_argument("--quick", action="store_true", help="three days only")
    arguments = parser.parse_args()
    sizes = arguments.days or (QUICK_SIZES if arguments.quick else SIZES)
    each = QUICK_A_RUN_A_DAY if arguments.quick else A_RUN_A_DAY
    load_everything()
    most = max(*sizes, WITH_A_FAILURE)
    with arxiv_process(most, PAPERS_PER_DAY) as arxiv, model_process(LATENCY_SECONDS) as model:
        bench = Bench(arxiv, model, most)
        one_run = [bench.one_run(size) for size in sizes]
        stages = bench.stage_seconds
        rows = [measured.row("digest backfill", smaller) for smaller, measured in zip((None, *one_run), one_run, strict=False)]
        rows.append(bench.a_run_a_day(each).row("digest run, day after day"))
        rows.append(bench.with_a_failure(WITH_A_FAILURE).row("digest backfill, one day refused"))
    print_result(
        f"A backfill: {LATENCY_SECONDS:g} s an answer, {AT_ONCE} at once",
        [
            "way",
            "days",
            "days made",
            "papers",
            "wall, s",
            "arXiv's and the model's, s",
            "own s a day",
            "own s a further day",
            "requests to arXiv a day",
            "Dagster's records, MB",
            "kB a further day",
            "peak memory, MB",
        ],
        rows,
        notes=[
            "Own seconds: the wall time less arXiv's answering and less papers × latency ÷ concurrency; the start of Python and Dagster is in them. "
            "`a further day` compares with the row above, so that the start drops out: the goal is at most 1 s.",
            f"Wall time of a day by stage, over {sizes[-1]} days: {', '.join(f'{name} {seconds:.2f} s' for name, seconds in stages.items())}; "
            f"of the translation {one_run[-1].model_seconds / sizes[-1]:.2f} s are the floor.",
            growth("a backfill's own time", "days", sizes, [measured.own_seconds for measured in one_run]),
            "The refused day is missing, its run ends as failed and names it; all others are made and recorded.",
        ],
    )


if __name__ == "__main__":
    main()

"""How far a backfill is: a line that renews itself in a terminal, a line a day in a log."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from digest_pipeline.orchestration.days import DayResult, State

_MARKS = {State.DONE: "✓", State.NOT_PUBLISHED: "…", State.FAILED: "✗"}


class BackfillProgress:
    """`report` is called after each day, and after the site."""

    def __init__(self, days: int, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._total, self._started = days, time.monotonic()
        self._done = self._failed = 0
        self._cost: float | None = 0.0
        self._line = Progress(
            TextColumn("[bold]backfill"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._line.add_task("backfill", total=days, counts="")

    def __enter__(self) -> BackfillProgress:
        self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.stop()

    def report(self, result: DayResult) -> None:
        if result.day is None:
            self._print(f"{_MARKS[result.state]} site  {result.seconds:.1f} s  {result.message}")
            return
        self._done += result.state is State.DONE
        self._failed += result.state is not State.DONE
        self._cost = None if self._cost is None or result.cost_usd is None else self._cost + result.cost_usd
        cost = "cost unknown" if self._cost is None else f"${self._cost:.4f}"
        self._line.update(self._task, advance=1, counts=f"{self._done} done, {self._failed} failed, {cost}")
        if self._line.disable or result.state is not State.DONE or result.deferred:
            self._print(f"{_MARKS[result.state]} {result.day}  {self._outcome(result)}  [{self._standing(cost)}]")

    def _outcome(self, result: DayResult) -> str:
        if result.state is not State.DONE:
            return result.message
        waiting = f", {result.deferred} of them deferred" if result.deferred else ""
        return f"{result.papers} summaries{waiting} in {result.seconds:.1f} s"

    def _standing(self, cost: str) -> str:
        left = self._total - self._done - self._failed
        spent = timedelta(seconds=round(time.monotonic() - self._started))
        return f"{self._done} done, {self._failed} failed, {left} left, {spent}, {cost}"

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False)

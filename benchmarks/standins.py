"""arXiv and the model's endpoint on loopback, each in a process of its own, so that their work is not the pipeline's.

What lives here: starting them, asking arXiv's what it was asked, and the invented listing days both benchmarks and
floors count from. What does not: how they answer (`digest_pipeline_tests/support/`). The clock is the real one, so the
days lie in the past and are read by id block, as a backfill reads them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from digest_pipeline.calendar import load_calendar
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, Refusal, Request
from digest_pipeline_tests.support.listing_days import ListingDay, generate_days

FIRST = date(2025, 7, 8)
"""The first listing day that benchmarks ask for; of the sixty weekdays that follow arXiv skips one."""
_LAST_OF_YEARS = date(2026, 10, 30)
"""Where a benchmark of years ends: 5,000 weekdays fit between it and arXiv's first present id, of April 2007."""
_MARGIN = timedelta(days=6)
"""Days around those asked for, because a block of ids has edges only where it has neighbours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What arXiv's stand-in was asked: how often, and the seconds it spent answering."""

    requests: int
    busy_seconds: float


@cache
def listing_days(count: int, papers_per_day: int) -> tuple[ListingDay, ...]:
    """`count` listing days from FIRST on with their neighbours; `papers_per_day` are those of all archives on a weekday."""
    wanted = listing_dates(count)
    return tuple(
        generate_days(wanted[0] - _MARGIN, wanted[-1] + _MARGIN, skipped_evenings=load_calendar().skipped.keys(), papers_per_day=papers_per_day)
    )


def listing_dates(count: int) -> list[date]:
    """The first `count` weekdays from FIRST on, those that arXiv skips among them; of more than a year, the last ones."""
    if count > 250:
        return load_calendar().listing_days(_LAST_OF_YEARS - timedelta(days=2 * count), _LAST_OF_YEARS)[-count:]
    return load_calendar().listing_days(FIRST, FIRST + timedelta(days=2 * count + 6))[:count]


def papers_per_day_for(papers: int, categories: Sequence[str]) -> int:
    """How many papers of all archives make about `papers` of these categories on FIRST."""
    trial = 1_000
    found = next(day for day in listing_days(1, trial) if day.listing_date == FIRST)
    return round(papers * trial / len(found.block_ids(categories)))


# -- from the benchmark's side --------------------------------------------------------------------------


class ArxivProcess:
    """The stand-in for arXiv, running. `refuse` makes it refuse one paper's block from then on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        addresses = self._read()
        self.api_url, self.rss_url = addresses["api"], addresses["rss"]

    def asked(self) -> Asked:
        """Since the last call."""
        return Asked(**self._tell("asked"))

    def refuse(self, arxiv_id: str) -> None:
        self._tell(f"refuse {arxiv_id}")

    def _tell(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the stand-in for arXiv ended before it answered; its message stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def arxiv_process(days: int, papers_per_day: int) -> Iterator[ArxivProcess]:
    """arXiv with `listing_days(days, papers_per_day)`, for as long as the block runs."""
    command = [sys.executable, "-m", "benchmarks.standins", str(days), str(papers_per_day)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield ArxivProcess(process)
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def model_process(latency_seconds: float) -> Iterator[str]:
    """Address of an endpoint that answers each question after `latency_seconds`."""
    command = [sys.executable, "-m", "digest_pipeline_tests.support.fake_openai", str(latency_seconds), "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


# -- the process ----------------------------------------------------------------------------------------


class _CountingArxiv(FakeArxiv):
    """Counts its own seconds; refuses requests for one id where told to."""

    busy_seconds = 0.0
    refused = ""

    def begin(self, request: Request) -> None:
        super().begin(request)
        if self.refused and f"{self.refused}v1" in request.query:
            self.faults.api_statuses.append(Refusal(400, b"refused for this benchmark"))
        self._began = time.monotonic()

    def end(self) -> None:
        self.busy_seconds += time.monotonic() - self._began  # requests come one at a time
        super().end()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standins", description="arXiv on loopback until standard input ends.")
    parser.add_argument("days", type=int)
    parser.add_argument("papers_per_day", type=int)
    arguments = parser.parse_args()
    arxiv = _CountingArxiv(listing_days(arguments.days, arguments.papers_per_day), now=lambda: datetime.now(UTC))
    with arxiv:
        print(json.dumps({"api": arxiv.api_url, "rss": arxiv.rss_url}), flush=True)
        for line in sys.stdin:
            print(json.dumps(_obey(arxiv, line.split())), flush=True)


def _obey(arxiv: _CountingArxiv, words: Sequence[str]) -> dict[str, Any]:
    if words[0] == "refuse":
        arxiv.refused = words[1]
        return {}
    counted = {"requests": len(arxiv.requests), "busy_seconds": arxiv.busy_seconds}
    arxiv.requests.clear()
    arxiv.busy_seconds = 0.0
    return counted


if __name__ == "__main__":
    main()

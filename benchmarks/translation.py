"""The translation stage: wall time over the floor (papers × latency ÷ concurrency), requests a paper, memory of a day, a kill.

Data: generated papers, an endpoint on loopback in a process of its own, latency 1 s with a deviation of 0.3 s.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.table import PeakMemory, print_result
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.translators import papers, translator_for

LATENCY, JITTER = 1.0, 0.3
DAYS = ((8, 120), (32, 600), (128, 1200))
LARGEST = 2855
KILLED_PAPERS, KILLED_AT_ONCE = 320, 32


@contextmanager
def endpoint(latency: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address of the endpoint, and after the block what it counted."""
    command = [sys.executable, "-m", "digest_pipeline_tests.support.fake_openai", str(latency), str(JITTER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        counted: dict[str, Any] = {}
        yield process.stdout.readline().strip(), counted
        out, _ = process.communicate()
        counted.update(json.loads(out))


def measured(at_once: int, count: int, latency: float = LATENCY) -> list[object]:
    """One row of the table: a day paid for, then the same day reused."""
    zh = load_language("zh")
    with tempfile.TemporaryDirectory() as folder, endpoint(latency) as (url, counted):  # noqa: SIM117 - the endpoint counts until after the translator is closed
        with (
            translator_for(url, folder, at_once=at_once, paper_timeout_seconds=120.0, least_timeout_seconds=30.0) as translator,
            PeakMemory() as memory,
        ):
            start = time.perf_counter()
            outcome = translate_papers(papers(count), [zh], translator)
            seconds = time.perf_counter() - start
            start = time.perf_counter()
            again = translate_papers(papers(count), [zh], translator)
            reusing = time.perf_counter() - start
    assert outcome.asked == again.reused == count
    floor = count * latency / at_once
    row = [at_once, f"{count:,}", f"{latency:g}", f"{floor:.1f}", f"{seconds:.1f}", f"{seconds / floor:.3f}"]
    return [*row, f"{counted['requests'] / count:.3f}", f"{1e3 * reusing / count:.1f}", f"{memory.grown_megabytes:.0f}"]


def killed(count: int, latency: float = LATENCY) -> list[object]:
    """One row: a day whose process is killed when half of it should be answered, run again, and a third time."""
    with tempfile.TemporaryDirectory() as folder, endpoint(latency) as (url, counted):
        command = [sys.executable, "-m", "digest_pipeline_tests.support.translate_day", url, folder, str(count), str(KILLED_AT_ONCE)]
        with subprocess.Popen(command) as process:  # noqa: S603
            time.sleep(2.0 + count * latency / KILLED_AT_ONCE / 2)  # its start, and half of the floor
            process.kill()
        runs = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(2)]  # noqa: S603
    kept, asked_again = runs[0]["reused"], runs[1]["requests"]
    return [KILLED_AT_ONCE, count, kept, runs[0]["requests"], f"{counted['requests'] / count:.3f}", asked_again]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.translation", description="Translation against its floor.")
    parser.add_argument("--quick", action="store_true", help="short days only")
    arguments = parser.parse_args()
    import openai

    assert openai.__version__  # loaded before the clock starts: in a run it is loaded while arXiv is waited for, or once
    rows = [measured(16, 160, 0.5)] if arguments.quick else [*(measured(*day) for day in DAYS), measured(64, LARGEST, 0.5)]
    print_result(
        "Translation",
        ["at once", "papers", "latency s", "floor s", "wall s", "wall ÷ floor", "requests a paper", "reuse ms a paper", "MB on top"],
        rows,
        notes=(
            "The floor is papers × latency ÷ concurrency. The first request goes alone for up to 0.3 s, so that a dead key costs one request.",
            "The last round of a day is not full; with this deviation it adds about half a second to a day of any size.",
        ),
    )
    print()
    print_result(
        "Translation, killed half-way",
        ["at once", "papers", "kept at the kill", "requests of the second run", "requests a paper in all", "requests of a third run"],
        [killed(96 if arguments.quick else KILLED_PAPERS)],
        notes=["SIGKILL: what was answered is kept; at most the requests under way are sent, and paid, again."],
    )


if __name__ == "__main__":
    main()

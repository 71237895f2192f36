"""How a benchmark shows its result: a heading, the command that made it, the machine, and one Markdown table."""

from __future__ import annotations

import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def print_result(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, notes: Sequence[str] = ()) -> None:
    """Prints the result as Markdown; the command is the one this process was started with."""
    print(f"## {title}\n\n`{command()}`: {machine()}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{' ---: |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print("".join(f"\n- {note}" for note in notes if note))


GROWTH = "Growth: "
"""How a note begins that says what grows how; the document gathers these at its head."""


def growth(what: str, unit: str, sizes: Sequence[float], costs: Sequence[float], *, fixed: float = 0.0) -> str:
    """A note: how `what` grows from the smallest to the largest of `sizes`, in words and numbers; `fixed` cost is left out. Empty for one size.

    The exponent of a power of the size: about 0 stays level, about 1 grows in proportion, more grows faster.
    """
    if sizes[0] == sizes[-1] or min(costs) <= fixed:
        return ""  # one size, or too small to measure
    bigger, dearer = sizes[-1] / sizes[0], (costs[-1] - fixed) / (costs[0] - fixed)
    exponent = math.log(dearer) / math.log(bigger)
    words = ((0.15, "stays level"), (0.85, "grows slower than"), (1.15, "grows in proportion to"), (math.inf, "grows faster than"))
    verb = next(word for limit, word in words if exponent < limit)
    place = f"with more {unit}" if verb == "stays level" else f"the number of {unit}"
    return f"{GROWTH}{what} {verb} {place} ({bigger:.3g} times the {unit}: {dearer:.2g} times as much)."


def command() -> str:
    """`python -m benchmarks.parquet 300`, as it can be typed again."""
    module = Path(sys.argv[0]).stem
    return " ".join(["python", "-m", f"benchmarks.{module}", *sys.argv[1:]])


def machine() -> str:
    """With the load: processes that wanted a core during the last minutes, this benchmark's own among them."""
    load = "/".join(f"{average:.1f}" for average in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, load {load} (1, 5, 15 minutes)"


def progress(text: str) -> None:
    """For whoever waits; on standard error, because standard output becomes the document."""
    print(text, file=sys.stderr, flush=True)


def seconds_of(*works: Callable[[], object], repeat: int = 3) -> list[float]:
    """Wall time of the fastest of `repeat` runs of each; they take turns, so that the machine's other work meets all alike."""
    fastest = [float("inf")] * len(works)
    for _ in range(repeat):
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            fastest[index] = min(fastest[index], time.perf_counter() - start)
    return fastest


class PeakMemory:
    """The most memory (MB, resident) that came on top of what was held before the `with` block; sampled every 5 ms, Linux only."""

    grown_megabytes = 0.0

    def __enter__(self) -> PeakMemory:
        self._before = _resident_megabytes()
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._done.wait(0.005):
            self.grown_megabytes = max(self.grown_megabytes, _resident_megabytes() - self._before)


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

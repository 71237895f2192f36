"""Runs that kill themselves with SIGKILL in one stage of one day.

The stage has done its work, or for translation half of it, and Dagster has not recorded it yet: the worst moment.

    python -m …killed_backfill STAGE DAY FIRST LAST     `digest backfill`
    killed_backfill.defs                                definitions for a code server: a file `STAGE@DAY` in the folder that
                                                        KILLED_RUNS names kills the next run that comes there, and goes with it
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from digest_pipeline.orchestration.assets import digest_files, papers, raw_arxiv_metadata, translated_summaries
from digest_pipeline.orchestration.build import build_definitions

PLACES: dict[str, tuple[Any, str]] = {
    "raw_arxiv_metadata": (raw_arxiv_metadata, "fetch_day"),
    "papers": (papers, "write_papers"),
    "translated_summaries": (translated_summaries, "translate_day"),
    "digest_files": (digest_files, "write_digests"),
}


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dg.definitions
def defs() -> dg.Definitions:
    folder = Path(os.environ["KILLED_RUNS"])

    def is_marked(stage: str, day: str) -> bool:
        try:
            (folder / f"{stage}@{day}").unlink()
        except FileNotFoundError:
            return False
        return True

    for stage, (module, name) in PLACES.items():
        setattr(module, name, killing(getattr(module, name), lambda day, stage=stage: is_marked(stage, day)))  # type: ignore[misc]
    return build_definitions()


def killing(function: Callable[..., Any], is_fatal: Callable[[str], bool]) -> Callable[..., Any]:
    def killed(of: Any, *arguments: Any, progress: Callable[[Any], None] | None = None, **named: Any) -> Any:
        if not is_fatal(str(of)):
            return function(of, *arguments, **named, **({"progress": progress} if progress else {}))
        if progress is not None:
            arguments[-1].progress_seconds = 0.05
            named["progress"] = lambda so_far: die() if so_far.done >= so_far.total // 2 > 0 else None
        function(of, *arguments, **named)
        die()

    return killed


if __name__ == "__main__":
    stage, day, first, last = sys.argv[1:]
    module, name = PLACES[stage]
    setattr(module, name, killing(getattr(module, name), lambda of: of == day))
    from digest_pipeline.cli import main

    sys.exit(main(["backfill", first, last, "--yes"]))

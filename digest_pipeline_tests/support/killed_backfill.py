"""`digest backfill` that kills itself with SIGKILL in one stage of one day: `python -m …killed_backfill STAGE DAY FIRST LAST`.

The stage has done its work, or for translation half of it, and Dagster has not recorded it yet: the worst moment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from digest_pipeline.orchestration.assets import digest_files, papers, raw_arxiv_metadata, translated_summaries

PLACES: dict[str, tuple[Any, str]] = {
    "raw_arxiv_metadata": (raw_arxiv_metadata, "fetch_day"),
    "papers": (papers, "write_papers"),
    "translated_summaries": (translated_summaries, "translate_day"),
    "digest_files": (digest_files, "write_digests"),
}


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing(function: Callable[..., Any], day: str) -> Callable[..., Any]:
    def killed(of: Any, *arguments: Any, progress: Callable[[Any], None] | None = None, **named: Any) -> Any:
        if str(of) != day:
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
    setattr(module, name, killing(getattr(module, name), day))
    from digest_pipeline.cli import main

    sys.exit(main(["backfill", first, last, "--yes"]))

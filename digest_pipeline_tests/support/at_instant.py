"""The command `digest` at another instant: `python -m digest_pipeline_tests.support.at_instant 2026-06-02T05:23:00+00:00 hosted run`.

The clock goes on from there. PUSH_EVERY_SECONDS in the environment shortens the time between a hosted run's pushes.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timedelta

from digest_pipeline import clients


def main(arguments: list[str]) -> int:
    began, instant = time.monotonic(), datetime.fromisoformat(arguments[0])
    clients.utc_now = lambda: instant + timedelta(seconds=time.monotonic() - began)  # before anything takes it over
    from digest_pipeline import cli
    from digest_pipeline.hosted import run

    run.PUSH_EVERY_SECONDS = float(os.environ.get("PUSH_EVERY_SECONDS", run.PUSH_EVERY_SECONDS))
    return cli.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

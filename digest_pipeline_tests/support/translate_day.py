"""Translates the first COUNT test papers as a process of its own: `python -m … URL FOLDER COUNT AT_ONCE`. Prints what it did as JSON."""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import NoReturn

from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.translators import papers, translator_for


def main(url: str, folder: str, count: int, at_once: int) -> None:
    with translator_for(url, folder, at_once=at_once, paper_timeout_seconds=60.0) as translator:
        outcome = translate_papers(papers(count), [load_language("zh")], translator)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    translated = sum(row.is_translated for row in outcome.summaries["zh"])
    print(json.dumps({"translated": translated, "reused": outcome.reused, "requests": outcome.requests, "peak_mb": peak_mb}))


class Terminated(Exception):
    """SIGTERM; Dagster's handler too raises an error where the program happens to be."""


def terminate(*_: object) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

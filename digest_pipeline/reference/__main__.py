"""`python -m digest_pipeline.reference --write docs` or `--check docs`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from digest_pipeline.reference import outdated_documents, write_documents


def main(arguments: list[str] | None = None) -> int:
    """Status 1 where `--check` found a document that is out of date."""
    parser = argparse.ArgumentParser(prog="python -m digest_pipeline.reference", description="The reference documents made from code.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FOLDER", type=Path, help="write them")
    what.add_argument("--check", metavar="FOLDER", type=Path, help="say which are out of date")
    given = parser.parse_args(arguments)
    if given.write is not None:
        for path in write_documents(given.write):
            print(f"written: {path}")
        return 0
    outdated = outdated_documents(given.check)
    for path in outdated:
        print(f"out of date: {path} → run: python -m digest_pipeline.reference --write {given.check}")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())

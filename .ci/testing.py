"""Writes docs/testing.md from coverage's own report: `make coverage` runs the tests and then this.

The words come from `testing.md.head` beside this file, the numbers from the report, summed by folder.
"""

import json
import sys
from collections import Counter
from pathlib import Path

HEAD = Path(__file__).with_name("testing.md.head")
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "testing.md"
SUMMED = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def folder_of(path: str) -> str:
    """`digest_pipeline/site/feeds.py` → `site/`; a module of no folder stands for itself."""
    parts = Path(path).parts
    return f"{parts[1]}/" if len(parts) > 2 else parts[1]


def row(name: str, sums: Counter[str]) -> str:
    shares = [
        f"{sums[taken] / sums[of]:.0%}" if sums[of] else "–"
        for taken, of in (("covered_lines", "num_statements"), ("covered_branches", "num_branches"))
    ]
    return f"| {name} | {sums['num_statements']:,} | {shares[0]} | {sums['num_branches']:,} | {shares[1]} |"


def main() -> int:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    by_folder: dict[str, Counter[str]] = {}
    for path, file in report["files"].items():
        by_folder.setdefault(folder_of(path), Counter()).update({key: file["summary"][key] for key in SUMMED})
    total: Counter[str] = sum(by_folder.values(), Counter())
    order = sorted(by_folder, key=lambda folder: (not folder.endswith("/"), folder))
    table = [*(row(f"`{folder}`", by_folder[folder]) for folder in order), row("**all**", total)]
    DOCUMENT.write_text(HEAD.read_text(encoding="utf-8").replace("{table}", "\n".join(table)), encoding="utf-8")
    print(f"written: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

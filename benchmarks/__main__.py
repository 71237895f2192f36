"""Runs the benchmarks one after another; all of them together write docs/performance.md."""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmarks
from benchmarks.table import GROWTH, machine

HELPERS = frozenset({"__main__", "table", "standins", "scratch"})
ORDER = ("day", "process", "translation", "arxiv", "ranges", "records", "parquet", "markdown", "site", "search", "ranking", "hosted")
"""As a reader asks: a day, what it consists of, many days, the parts. A benchmark not named here comes last."""
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
HEAD = Path(__file__).with_name("performance.md.head")


def names() -> list[str]:
    """The modules that are benchmarks, in the document's order."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def run(name: str, *arguments: str) -> tuple[int, str]:
    """Exit status and output. A process of its own, because one benchmark's memory must not count as another's."""
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def document(outputs: Sequence[str]) -> str:
    """What the benchmarks printed, with what grows how gathered at the head."""
    notes = [line.removeprefix(f"- {GROWTH}") for output in outputs for line in output.splitlines() if line.startswith(f"- {GROWTH}")]
    tables = "\n".join("\n".join(line for line in output.splitlines() if not line.startswith(f"- {GROWTH}")).rstrip() + "\n" for output in outputs)
    head = HEAD.read_text(encoding="utf-8").format(machine=machine(), growth="\n".join(f"- {note}" for note in notes))
    return f"{head}\n{tables}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure; see benchmarks/README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; without a name, all, and {DOCUMENT.name} is written")
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes in all; writes no document")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write what they print to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    results = [run(name, *(["--quick"] if arguments.quick else [])) for name in arguments.names or names()]
    target = arguments.write or (DOCUMENT if not arguments.names and not arguments.quick else None)
    if target and not any(status for status, _ in results):
        target.write_text(document([output for _, output in results]), encoding="utf-8")
    return max(status for status, _ in results)


if __name__ == "__main__":
    raise SystemExit(main())

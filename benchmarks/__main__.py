"""Runs the benchmarks one after another and, if asked, keeps what they print as one document."""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from pathlib import Path

import benchmarks

HELPERS = frozenset({"__main__", "table", "standins", "scratch"})


def names() -> list[str]:
    """The modules that are benchmarks, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS)


def run(name: str) -> tuple[int, str]:
    """Exit status and output. A process of its own, because one benchmark's memory must not count as another's."""
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure; see benchmarks/README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; without a name, all")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write what they print to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    results = [run(name) for name in arguments.names or names()]
    if arguments.write and not any(status for status, _ in results):
        head = "# Performance\n\nMeasured by `python -m benchmarks`; not written by hand. Compare the ratios: the bare times are of one machine.\n"
        arguments.write.write_text("\n".join([head, *(output for _, output in results)]), encoding="utf-8")
    return max(status for status, _ in results)


if __name__ == "__main__":
    raise SystemExit(main())

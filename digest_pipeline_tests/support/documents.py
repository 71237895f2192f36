"""The project's documents as data: their links, fenced blocks and commands, and a scratch copy to run these in.

What lives here: reading Markdown and copying the checkout. What does not: what must hold of them (`test_documents_*.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
SHELLS = frozenset({"sh", "bash", "shell", "console"})
RUN, SLOW, NOT_RUN = "run", "run in the slow suite", "not run: "
"""What the comment before a command says. A command without one is never run: it might be for somebody's server."""
NOT_COPIED = frozenset({"data", "build", "dist", "images", "pictures", "__pycache__"})
PROGRAMS = {"python": "", "digest": "-m digest_pipeline.cli", "dagster": "-m dagster", "pytest": "-m pytest", "ruff": "-m ruff"}
"""Programs of `.venv/bin` that documents call → how this Python starts them, so that the scratch copy's own package is run."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `marker` is the text of an HTML comment right before it, empty where there is none."""

    document: str
    line: int
    language: str
    text: str
    marker: str

    @property
    def is_command(self) -> bool:
        return self.language in SHELLS

    @property
    def is_run(self) -> bool:
        return self.is_command and self.marker in (RUN, SLOW)


def documents() -> list[str]:
    """All Markdown that people read, relative to the checkout: not the tests' golden digests."""
    places = [
        ROOT,
        ROOT / "docs",
        ROOT / "docs" / "decisions",
        ROOT / "benchmarks",
        ROOT / "deploy",
        ROOT / "data",
        ROOT / "digest_pipeline" / "sample",
    ]
    return sorted(path.relative_to(ROOT).as_posix() for place in places for path in place.glob("*.md"))


@cache
def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str) -> list[Block]:
    """The fenced blocks in their order, with the comment before each."""
    found: list[Block] = []
    marker, ended_at = "", -1
    for token in MarkdownIt().parse(read(document)):
        if token.type == "html_block" and (comment := re.fullmatch(r"<!-- (.*) -->", token.content.strip(), re.DOTALL)) and token.map:
            marker, ended_at = comment[1], token.map[1]
        elif token.type == "fence" and token.map:
            found.append(Block(document, token.map[0] + 1, token.info.split(" ")[0], token.content, marker if token.map[0] - ended_at <= 1 else ""))
    return found


def commands(document: str) -> Iterator[str]:
    """What a reader might type: lines of shell blocks, and inline code that begins like a command; joined lines are one."""
    for block in blocks(document):
        if block.is_command:
            yield from (line for line in block.text.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for token in MarkdownIt().enable("table").parse(read(document)):
        yield from (child.content for child in token.children or [] if child.type == "code_inline")


def links(document: str) -> Iterator[str]:
    """Targets of links and pictures."""
    for token in MarkdownIt().enable("table").parse(read(document)):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def anchors(document: str) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    tokens = MarkdownIt().parse(read(document))
    headings = [tokens[number + 1].content for number, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- running ------------------------------------------------------------------------------------------


def scratch_copy(folder: Path) -> Path:
    """The checkout as a fresh clone with its packages installed: no data, and `.venv/bin` that starts this Python in it."""

    def skip(place: str, names: list[str]) -> set[str]:
        return {name for name in names if name in NOT_COPIED or name.startswith(".") or name.endswith(".egg-info")}

    copy = Path(shutil.copytree(ROOT, folder / "checkout", ignore=skip))
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, start in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    for stamp in (".runtime", ".dev", ".slow"):
        (copy / ".venv" / stamp).touch()
    return copy


def run(block: Block, checkout: Path, *, seconds: float) -> subprocess.CompletedProcess[str]:
    """The block as one shell script in the checkout's root, without anything of the developer's own settings."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "OPENAI_", "DAGSTER_", "PYTHON", "PYTEST", "MAKE"))
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text], cwd=checkout, env=environ, capture_output=True, text=True, timeout=seconds, check=False
    )

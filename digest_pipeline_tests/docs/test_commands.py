"""Every fenced command of the documents is run, or says why not; every command named in passing exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from digest_pipeline.cli import COMMANDS, digest
from digest_pipeline_tests.support.documents import NOT_RUN, ROOT, RUN, SLOW, Block, blocks, commands, documents, run, scratch_copy

ALL = [block for document in documents() for block in blocks(document)]
RUN_HERE = [block for block in ALL if block.is_command and block.marker == RUN]
WITH_SLOW_ONES = sorted({block.document for block in ALL if block.is_command and block.marker == SLOW})
PLACEHOLDERS = {"ID": "2606.01234", "DAY": "2026-01-15", "FIRST": "2026-01-12", "LAST": "2026-01-16", "FILE": "answers.jsonl", "…": "2026-01-15"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scratch_copy(tmp_path_factory.mktemp("documents"))


def test_every_fence_says_its_language() -> None:
    assert [f"{block.document}:{block.line}" for block in ALL if not block.language] == []


def test_every_command_is_run_or_says_why_not() -> None:
    unmarked = [block for block in ALL if block.is_command and block.marker not in (RUN, SLOW) and len(block.marker) < len(NOT_RUN) + 10]
    places = [f"{block.document}:{block.line}" for block in unmarked]
    assert places == [], f"put <!-- {RUN} -->, <!-- {SLOW} --> or <!-- {NOT_RUN}why --> before each"


@pytest.mark.parametrize("block", [block for block in ALL if block.is_command], ids=lambda block: f"{block.document}:{block.line}")
def test_every_command_is_well_formed(block: Block) -> None:
    assert subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("block", RUN_HERE, ids=lambda block: f"{block.document}:{block.line}")
def test_a_command_does_what_the_document_says(block: Block, checkout: Path) -> None:
    done = run(block, checkout, seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("document", WITH_SLOW_ONES)
def test_all_commands_of_a_document_in_their_order(document: str, tmp_path: Path) -> None:
    fresh = scratch_copy(tmp_path)
    for block in blocks(document):
        if block.is_run:
            done = run(block, fresh, seconds=300)
            assert done.returncode == 0, f"{document}:{block.line}\n{done.stdout}{done.stderr}"


# -- what is named in passing ------------------------------------------------------------------------


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("document", documents())
def test_every_make_target_that_is_named_exists(document: str) -> None:
    named = {target for line in commands(document) for target in re.findall(r"(?:^|&& )make ([a-z-]+)", line)}
    assert named <= make_targets()


@pytest.mark.parametrize("document", documents())
def test_every_digest_command_that_is_named_is_understood(document: str) -> None:
    for line in commands(document):
        for words in re.findall(rf"(?:^|[ /])digest ((?:{'|'.join(COMMANDS)})\b[^`|&>;#]*)", line):
            arguments = [PLACEHOLDERS.get(word, word) for word in words.split()]
            if len(arguments) == 1:
                continue  # the command's name alone
            command = digest.get_command(click.Context(digest), arguments[0])
            assert command is not None
            try:
                command.make_context(arguments[0], arguments[1:])
            except click.ClickException as error:
                pytest.fail(f"{document}: digest {words}: {error.format_message()}")


@pytest.mark.parametrize("document", documents())
def test_every_module_that_is_named_can_be_started(document: str) -> None:
    for line in commands(document):
        for module in re.findall(r"python -m ((?:digest_pipeline|digest_pipeline_tests|benchmarks|examples)[\w.]*)", line):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{document}: {module}"

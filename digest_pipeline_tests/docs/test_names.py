"""What the documents name is there: linked files and headings, settings, checks, folders; and both READMEs say the same."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from digest_pipeline.settings import Settings, load_settings, setting_name
from digest_pipeline_tests.support.documents import ROOT, anchors, blocks, documents, links, read

SETTINGS = {setting_name(field) for field in Settings.model_fields}
FILE_VARIANTS = {"OPENAI_API_KEY_FILE", "DIGEST_ENABLED"}
"""Read by deploy/bin and by the workflow file, not by the settings."""


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_somewhere(document: str) -> None:
    for target in links(document):
        if re.match(r"(https?|mailto):", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (ROOT / document).parent / path if path else ROOT / document
        assert found.exists(), f"{document}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found.resolve().relative_to(ROOT).as_posix()), f"{document}: {target}"


@pytest.mark.parametrize("document", documents())
def test_every_setting_that_is_named_exists(document: str) -> None:
    named = set(re.findall(r"\b(?:DIGEST|OPENAI)_[A-Z_]*[A-Z]\b", read(document)))
    assert named - FILE_VARIANTS <= SETTINGS


@pytest.mark.parametrize("document", [name for name in documents() if name.startswith("docs/")])
def test_every_module_that_is_named_exists(document: str) -> None:
    packages = "arxiv|papers|translation|markdown|site|notify|orchestration|sample|reference"
    for path in re.findall(rf"`((?:{packages})/[\w/]+\.(?:py|toml|csv|jinja))`", read(document)):
        assert (ROOT / "digest_pipeline" / path).exists(), path


def test_every_document_is_reached_from_the_readme() -> None:
    reached, waiting = {"README.md"}, ["README.md"]
    while waiting:
        document = waiting.pop()
        for target in links(document):
            path = ((ROOT / document).parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_file() and (name := path.relative_to(ROOT).as_posix()) not in reached:
                reached.add(name)
                waiting.append(name)
    assert {name for name in documents() if name.startswith(("docs/", "README"))} <= reached


def test_both_readmes_have_the_same_commands_links_and_pictures() -> None:
    english, chinese = "README.md", "README.zh.md"
    assert [(b.text, b.marker) for b in blocks(english) if b.is_command] == [(b.text, b.marker) for b in blocks(chinese) if b.is_command]
    assert [link for link in links(english) if link != chinese] == [link for link in links(chinese) if link != english]
    settings = [
        re.findall(r"^\w+=", block.text, re.MULTILINE) for document in (english, chinese) for block in blocks(document) if block.language == "ini"
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_a_readme_is_one_screen(name: str) -> None:
    assert len(read(name).splitlines()) <= 60


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_lines_to_go_live_are_settings_as_they_stand(name: str, tmp_path: Path) -> None:
    (lines,) = [block.text for block in blocks(name) if block.language == "ini"]
    (tmp_path / ".env").write_text(lines.replace("OPENAI_API_KEY=…", "OPENAI_API_KEY=not-a-key"), encoding="utf-8")
    settings = load_settings({}, tmp_path)
    assert not settings.is_sample
    assert (settings.categories, settings.languages, settings.contact) == (("cs.CL", "cs.IR"), ("zh",), "you@example.org")
    assert len(lines.splitlines()) <= 5

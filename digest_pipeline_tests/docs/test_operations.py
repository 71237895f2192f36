"""The operator's pages speak of what exists: each check and alert has its entry, each setting, file and link is real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.settings import Settings, setting_name

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ["operating.md", "runbook.md", "security.md", "deploying.md"]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def headings(name: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page(name), re.M))


def anchors(name: str) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(name)}


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_each_check_has_its_entry_in_the_runbook(name: str) -> None:
    assert name in headings("runbook.md")


@pytest.mark.parametrize(
    "template", sorted(path.name.removesuffix(".txt.jinja") for path in (ROOT / "digest_pipeline/notify/templates").glob("*_*.txt.jinja"))
)
def test_each_kind_of_alert_has_its_entry_in_the_runbook(template: str) -> None:
    assert template in headings("runbook.md")


SOURCES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "digest_pipeline").rglob("*.py"))


def test_the_causes_in_the_runbook_are_words_that_an_error_says() -> None:
    causes = re.findall(r"^\| (`.+?) \|", page("runbook.md").split("### run_failed")[1].split("### backfill_failed")[0], re.M)
    said = {words.strip() for cause in causes for phrase in re.findall(r"`([^`]+)`", cause) for words in phrase.split("…")}
    assert len(said) > 10
    assert {words for words in said if words not in SOURCES} == set()


def test_what_errors_point_to_in_the_runbook_is_there() -> None:
    pointed = set(re.findall(r"docs/runbook\.md, “([^”]+)”", SOURCES))
    assert pointed
    assert pointed <= headings("runbook.md")


@pytest.mark.parametrize("name", PAGES)
def test_each_setting_that_is_named_exists(name: str) -> None:
    ours = {setting_name(field) for field in Settings.model_fields}
    assert set(re.findall(r"\b(?:DIGEST|OPENAI)_[A-Z_]+[A-Z]\b", page(name))) - {"OPENAI_API_KEY_FILE"} <= ours


@pytest.mark.parametrize("name", PAGES)
def test_each_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        assert not path or (DOCS / path).exists(), target
        assert not anchor or anchor in anchors(path or name), target


@pytest.mark.parametrize("name", PAGES)
def test_each_file_of_deploy_that_is_named_exists(name: str) -> None:
    for path in re.findall(r"`(deploy/[\w./-]+?)/?`", page(name)):
        assert (ROOT / path).exists(), path

"""Stars, marks and the order from them, as a person uses them in Chromium: finger, keys, files, and without storage."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline.models import Paper
from digest_pipeline.site.build import build_site
from digest_pipeline.storage import Storage
from digest_pipeline_tests.site.test_pages import OPTIONS
from digest_pipeline_tests.support.site_days import generated_papers, write_day
from digest_pipeline_tests.support.tastes import papers_of_all_fields

pytestmark = pytest.mark.slow

PHONE, WIDE = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
FIRST, SECOND = date(2026, 5, 26), date(2026, 5, 27)


def listed(day: date, first: int) -> list[Paper]:
    documents = papers_of_all_fields(24, seed=first, first=first)
    made = zip(generated_papers(day, 24), documents, strict=True)
    return [
        replace(
            paper, arxiv_id=f"2605.{number:05d}", title=document.title, abstract=document.abstract, categories=document.categories,
            primary_category=document.categories[0],
        )
        for number, (paper, document) in enumerate(made, first)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = Storage(tmp_path_factory.mktemp("stars"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        write_day(storage, FIRST, listed(FIRST, 1), languages=OPTIONS.languages)
        write_day(storage, SECOND, listed(SECOND, 100), languages=OPTIONS.languages)
        build_site(storage, OPTIONS, now=lambda: datetime(2026, 5, 29, 12, tzinfo=UTC))
    return storage.local_path("site")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from digest_pipeline_tests.support.browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture(params=[PHONE, WIDE], ids=["phone", "wide"])
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=request.param, accept_downloads=True)
    opened = context.new_page()
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    yield opened
    assert opened.problems == []
    context.close()


def show(page: Any, folder: Path, day: date) -> None:
    page.goto(f"file://{folder}/zh/{day}/index.html")


def of_field(page: Any, category: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "article.paper", "(rows, category) => rows.filter((r) => r.querySelector('.cats').textContent === category).map((r) => r.id)", category
    )
    return found


def star(page: Any, row: str) -> None:
    page.locator(f"[id='{row}']").scroll_into_view_if_needed()
    page.locator(f"[id='{row}'] .mine .star").click()


def kept(page: Any) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate("JSON.parse(localStorage.getItem('digest.mine'))")
    return result


def test_stars_of_one_day_rank_another_and_say_why(page: Any, folder: Path) -> None:
    show(page, folder, FIRST)
    for row in of_field(page, "cs.RO")[:3]:
        star(page, row)
    page.wait_for_function("Object.values(JSON.parse(localStorage.getItem('digest.mine')).stars).every((star) => star.terms && star.bibtex)")
    show(page, folder, SECOND)
    before = page.eval_on_selector_all("article.paper", "(rows) => rows.map((row) => row.id)")
    page.locator(".chips .first").click()
    page.wait_for_selector(".papers.ranked")
    after = page.eval_on_selector_all("article.paper", "(rows) => rows.map((row) => row.id)")
    assert set(after[:6]) == set(of_field(page, "cs.RO"))
    assert page.locator(".why-mine").first.is_visible()
    page.locator(".chips .first").click()
    assert page.eval_on_selector_all("article.paper", "(rows) => rows.map((row) => row.id)") == before


def test_read_and_hidden_papers_go_and_come_back(page: Any, folder: Path) -> None:
    show(page, folder, FIRST)
    first, second = page.locator("article.paper").nth(0), page.locator("article.paper").nth(1)
    first.locator(".mine .read").click()
    second.locator(".mine .hide").click()
    assert not second.is_visible()
    page.locator(".mine-bar .filter").nth(0).click()
    assert not page.locator("article.paper").nth(0).is_visible()
    page.locator(".mine-bar .filter").nth(2).click()
    assert page.locator("article.paper").nth(1).is_visible()
    page.locator("article.paper").nth(1).locator(".mine .hide").click()
    assert kept(page)["hidden"] == {}


def test_all_is_done_by_keys_alone(page: Any, folder: Path) -> None:
    show(page, folder, FIRST)
    page.keyboard.press("j")
    page.keyboard.press("s")
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.wait_for_function("JSON.parse(localStorage.getItem('digest.mine') ?? '{}').read")
    assert (len(kept(page)["stars"]), len(kept(page)["read"])) == (1, 1)
    page.locator(".chips .first").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".papers.ranked")


def test_stars_are_saved_in_three_forms_and_loaded_again(page: Any, folder: Path, tmp_path: Path) -> None:
    from digest_pipeline.ranking.library import read_library

    show(page, folder, FIRST)
    rows = of_field(page, "cs.RO")[:2]
    for row in rows:
        star(page, row)
    page.wait_for_function("Object.values(JSON.parse(localStorage.getItem('digest.mine')).stars).every((star) => star.bibtex)")
    page.locator(".mine-files summary").click()
    saved = {}
    for name in ("stars.bib", "stars.txt", "stars.json"):
        with page.expect_download() as started:
            page.get_by_role("button", name=name).click()
        saved[name] = tmp_path / name
        started.value.save_as(saved[name])
        library = read_library(saved[name])
        assert sorted(entry.arxiv_id for entry in library.entries) == sorted(row.removeprefix("p-") for row in rows)
        assert library.problems == ()
    for name in ("stars.json", "stars.txt"):
        page.evaluate("localStorage.clear()")
        page.reload()
        page.locator(".mine-files summary").click()
        page.set_input_files(".mine-files input", saved[name])
        page.wait_for_function(
            "Object.values(JSON.parse(localStorage.getItem('digest.mine') ?? '{\"stars\":{\"a\":{}}}').stars).every((star) => star.terms)"
        )
        assert len(kept(page)["stars"]) == 2


def test_a_file_without_stars_is_refused_in_words(page: Any, folder: Path, tmp_path: Path) -> None:
    show(page, folder, FIRST)
    (tmp_path / "x.json").write_text(json.dumps({"starred": [{"arxiv_id": "<script>"}]}))
    page.set_input_files(".mine-files input", tmp_path / "x.json")
    page.wait_for_function("document.querySelector('.mine-bar [role=status]').textContent !== ''")
    assert page.evaluate("localStorage.getItem('digest.mine')") is None


def test_buttons_have_a_fingers_size(page: Any, folder: Path) -> None:
    show(page, folder, FIRST)
    page.wait_for_selector(".mine .star")
    for selector in (".mine .star", ".mine .read", ".mine .hide", ".chips .first"):
        box = page.locator(selector).first.bounding_box()
        assert min(box["width"], box["height"]) >= 44


def test_nothing_leaves_the_browser(page: Any, folder: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    show(page, folder, FIRST)
    star(page, of_field(page, "cs.RO")[0])
    page.locator(".chips .first").click()
    page.wait_for_selector(".papers.ranked")
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []


def test_without_storage_the_page_has_no_marks_and_works(page: Any, folder: Path) -> None:
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('switched off'); } })")
    show(page, folder, FIRST)
    assert page.locator(".mine, .mine-bar").count() == 0
    page.locator("article.paper h3 a").first.click()
    page.wait_for_selector(".details")


def test_without_scripts_there_is_no_trace_of_it(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    show(page, folder, FIRST)
    assert page.locator(".mine, .mine-bar").count() == 0
    assert page.locator("article.paper").count() == 24
    context.close()

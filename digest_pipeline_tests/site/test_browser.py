"""The pages as a person reads them: in Chromium, on a phone and a wide screen, light and dark, with and without scripts."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline.site.build import build_site
from digest_pipeline.site.serve import site_server
from digest_pipeline.storage import Storage
from digest_pipeline_tests.site.test_pages import OPTIONS, write_days_with_everything
from digest_pipeline_tests.support.site_days import generated_papers, write_day

pytestmark = pytest.mark.slow

PHONE, WIDE = (390, 844), (1440, 900)
DAY = "zh/2026-05-27/index.html"
PLAIN_DAY = "zh/2026-05-28/index.html"
PAGES = [
    DAY,
    PLAIN_DAY,
    "zh/2026-05-27/cs.IR.html",
    "zh/2026-05-25/index.html",
    "zh/paper/2605.11111/index.html",
    "zh/paper/2605.20009/index.html",
    "zh/archive/index.html",
    "zh/categories/index.html",
    "zh/about/index.html",
    "zh/watch/dialogue/index.html",
    "zh/statistics/index.html",
    "zh/search/index.html",
    "en/2026-05-27/index.html",
    "index.html",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = Storage(tmp_path_factory.mktemp("browser"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        write_days_with_everything(storage)
        write_day(storage, date(2026, 5, 28), generated_papers(date(2026, 5, 28), 12), languages=OPTIONS.languages)
        build_site(storage, OPTIONS, now=lambda: datetime(2026, 5, 29, 12, tzinfo=UTC))
    return storage.local_path("site")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with site_server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from digest_pipeline_tests.support.browser import chromium

    with chromium() as started:
        yield started


def watched(browser: Any, size: tuple[int, int] = WIDE, scheme: str = "light", scripts: bool = True) -> Any:
    from digest_pipeline_tests.support.browser import watched_page

    return watched_page(browser, width=size[0], height=size[1], scheme=scheme, scripts=scripts)


OPEN_EVERYTHING = "for (const one of document.querySelectorAll('details')) one.open = true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_no_page_complains_asks_others_scrolls_sideways_or_fails_the_accessibility_rules(
    browser: Any, address: str, size: tuple[int, int], scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    problems: list[str] = []
    for path in PAGES:
        with watched(browser, size, scheme) as seen:
            seen.page.goto(address + path)
            seen.page.evaluate(OPEN_EVERYTHING)
            if (width := seen.page.evaluate("document.documentElement.scrollWidth")) > size[0]:
                problems.append(f"{path}: {width} px wide")
            results = Axe().run(seen.page)
            problems += [
                f"{path}: {one['id']} ({one['help']}): {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')[:300]}"
                for one in results.response["violations"]
            ]
            problems += [f"{path}: {one}" for one in [*seen.complaints, *seen.dialogs]]
            problems += [f"{path} asks {one}" for one in seen.requests if not one.startswith(address)]
    assert not problems, "\n".join(problems)


def test_hostile_titles_run_nothing_and_break_no_layout(browser: Any, address: str) -> None:
    for path in [DAY, *(f"zh/paper/2605.210{n:02d}/index.html" for n in range(13))]:
        with watched(browser, PHONE) as seen:
            seen.page.goto(address + path)
            seen.page.evaluate(OPEN_EVERYTHING)
            assert seen.page.title() != "owned", path
            assert seen.page.evaluate("document.title === document.querySelector('title').textContent"), path
            assert not seen.dialogs
            assert seen.page.evaluate("document.scripts.length") <= 1, path
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path
            assert not seen.complaints, path


def test_a_person_reads_the_day_from_title_to_abstract(browser: Any, address: str) -> None:
    with watched(browser, PHONE) as seen:
        page = seen.page
        page.goto(address + "zh/index.html")
        assert page.get_by_role("heading", level=1).inner_text() == "2026年5月28日 星期四"
        paper = page.locator("article.paper").first
        assert paper.locator(".tldr").is_visible()
        original = paper.locator(".original")
        assert not original.is_visible()
        paper.get_by_text("摘要", exact=True).click()
        assert original.is_visible()
        assert original.bounding_box()["y"] > paper.locator(".text").first.bounding_box()["y"], "on a phone the original stands under the translation"
        paper.locator("h3 a").click()
        page.wait_for_url("**/zh/paper/**")
        page.get_by_role("navigation", name="主导航").get_by_text("存档").click()
        page.wait_for_url("**/archive/**")
        page.locator("td a").last.click()
        page.wait_for_url("**/zh/2026-05-*/**")
        assert page.locator("h1 time").count() == 1


def test_on_a_wide_screen_the_original_stands_beside_the_translation_and_the_contents_beside_the_papers(browser: Any, address: str) -> None:
    with watched(browser, WIDE) as seen:
        seen.page.goto(address + PLAIN_DAY)
        paper = seen.page.locator("article.paper").first
        paper.locator("details.abstract > summary").click()
        left, right = paper.locator(".text").first.bounding_box(), paper.locator(".original").bounding_box()
        assert abs(left["y"] - right["y"]) < 2
        assert right["x"] > left["x"] + left["width"]
        contents = seen.page.locator(".contents").bounding_box()
        assert contents["x"] + contents["width"] < paper.bounding_box()["x"]


def test_lines_are_never_too_long_to_read(browser: Any, address: str) -> None:
    with watched(browser, WIDE) as seen:
        seen.page.goto(address + PLAIN_DAY)
        seen.page.evaluate(OPEN_EVERYTHING)
        widest = seen.page.evaluate(
            "Math.max(...[...document.querySelectorAll('.tldr-text, .text p, .prose p')].map(p => p.clientWidth / parseFloat(getComputedStyle(p).fontSize)))"
        )
        assert widest <= 42


def test_keys_walk_through_the_papers_open_abstracts_and_search(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + PLAIN_DAY)
        current = "document.querySelector('article.paper.current')?.id"
        ids = page.evaluate("[...document.querySelectorAll('article.paper')].map(one => one.id)")
        page.keyboard.press("j")
        assert page.evaluate(current) == ids[0]
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert page.evaluate(current) == ids[1]
        assert page.evaluate("document.activeElement.id") == ids[1]
        page.keyboard.press("o")
        assert page.locator(f"[id='{ids[1]}'] details.abstract").get_attribute("open") is not None
        page.keyboard.press("o")
        assert page.locator(f"[id='{ids[1]}'] details.abstract").get_attribute("open") is None
        page.keyboard.press("Control+j")
        assert page.evaluate(current) == ids[1]
        page.evaluate("document.querySelector('article.paper.current details.abstract').outerHTML = '<a class=to-abstract href=#end>…</a>'")
        page.keyboard.press("o")
        assert page.url.endswith("#end")
        page.keyboard.press("/")
        page.wait_for_url("**/zh/search/index.html")
        page.locator("input[type=search]").click()
        page.keyboard.type("jk/o")
        assert page.locator("input[type=search]").input_value() == "jk/o"


def test_the_first_tab_stop_skips_to_the_papers_and_the_focus_follows_the_order_of_the_page(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + PLAIN_DAY)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tops = []
        for _ in range(40):
            page.keyboard.press("Tab")
            tops.append(page.evaluate("(({ y }) => Math.round(y + scrollY))(document.activeElement.getBoundingClientRect())"))
        assert sum(later < earlier - 60 for earlier, later in itertools.pairwise(tops)) <= 2, "contents beside the papers is the only step back"


def test_everything_but_search_works_with_scripts_off(browser: Any, address: str) -> None:
    with watched(browser, PHONE, scripts=False) as seen:
        page = seen.page
        page.goto(address + PLAIN_DAY)
        paper = page.locator("article.paper").first
        paper.locator("details.abstract > summary").click()
        assert paper.locator(".original").is_visible()
        page.get_by_role("link", name="cs.IR").first.click()
        page.wait_for_url("**/cs.IR.html")
        assert page.locator("article.paper").count() > 0
        page.goto(address + "zh/search/index.html")
        assert page.locator("noscript").count() == 1


def test_opened_as_a_file_pages_have_their_style_keys_and_links(browser: Any, folder: Path) -> None:
    with watched(browser, PHONE) as seen:
        page = seen.page
        page.goto((folder / "index.html").as_uri())
        page.get_by_role("link", name="简体中文").first.click()
        page.wait_for_url("**/zh/index.html")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 252, 249)"
        page.keyboard.press("j")
        assert page.locator("article.paper.current").count() == 1
        page.locator("article.paper h3 a").first.click()
        page.wait_for_url("**/zh/paper/**")
        assert page.locator("h1").count() == 1
        assert not seen.complaints
        assert all(one.startswith("file://") for one in seen.requests)


def test_mathematics_is_drawn_and_its_tex_can_be_copied(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        seen.page.goto(address + "zh/paper/2605.20009/index.html")
        formula = seen.page.locator("math").first
        box = formula.bounding_box()
        assert box["width"] > 3
        assert box["height"] > 5
        assert seen.page.locator("annotation[encoding='application/x-tex']").first.text_content() == "k"


def test_print_opens_the_abstracts_and_hides_what_can_only_be_clicked(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + PLAIN_DAY)
        page.emulate_media(media="print")
        assert not page.locator(".site-header").is_visible()
        assert page.locator("article.paper .original p").first.bounding_box()["height"] > 20


def test_a_day_of_three_thousand_authors_and_hundreds_of_papers_opens_quickly(browser: Any, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    day = date(2026, 5, 28)
    write_day(storage, day, generated_papers(day, 600))
    build_site(storage, OPTIONS, now=lambda: datetime(2026, 5, 29, 12, tzinfo=UTC))
    with watched(browser, PHONE) as seen:
        seen.page.goto((storage.local_path("site") / PLAIN_DAY).as_uri())
        timing = seen.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert seen.page.locator("article.paper").count() == 600
        assert timing < 5_000

"""The pages as a person reads them: in Chromium, on a phone and a wide screen, light and dark, with and without scripts."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
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

PHONE, WIDE = (360, 740), (1440, 900)
DAY = "zh/2026-05-27/index.html"
LONG_DAY = "zh/2026-05-28/index.html"
PAGES = [
    DAY,
    "zh/index.html",
    "zh/2026-05-25/index.html",
    "zh/paper/2605.11111/index.html",
    "zh/paper/2605.20009/index.html",
    "zh/archive/index.html",
    "zh/categories/index.html",
    "zh/about/index.html",
    "zh/watch/index.html",
    "zh/watch/dialogue/index.html",
    "zh/statistics/index.html",
    "zh/search/index.html",
    "en/2026-05-27/index.html",
    "index.html",
    "404.html",
]
ROWS = "article.paper"
GAP = 24
"""Pixels that a jump leaves above its target."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = Storage(tmp_path_factory.mktemp("browser"))
    day = date(2026, 5, 28)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        write_days_with_everything(storage)
        crowd = replace(
            generated_papers(day, 1)[0], arxiv_id="2605.99999", authors=tuple(f"Author Number{n}" for n in range(574)), affiliations=("",) * 574
        )
        write_day(storage, day, [crowd, *generated_papers(day, 200)], languages=OPTIONS.languages)
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


def whole_rows_on_screen(page: Any) -> int:
    count: int = page.evaluate(
        f"[...document.querySelectorAll('{ROWS}')].map((row) => row.getBoundingClientRect()).filter((at) => at.top >= 0 && at.bottom <= innerHeight).length"
    )
    return count


def top_of(page: Any, selector: str) -> float:
    top: float = page.evaluate("(selector) => document.querySelector(selector).getBoundingClientRect().top", selector)
    return top


def wait_until(page: Any, condition: str) -> None:
    """Asks from outside: the pages' policy lets nothing within them evaluate words."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{condition}, but {page.evaluate('[scrollY, JSON.stringify(history.state)]')}")


def row(page: Any, number: int) -> Any:
    return page.locator(ROWS).nth(number)


def open_row(page: Any, number: int) -> Any:
    """The row, opened by a click on its title."""
    row(page, number).locator("h3 a").click()
    row(page, number).locator(".original").wait_for()
    return row(page, number)


OPEN_EVERYTHING = """async () => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  if (window.digest?.open) await Promise.all(digest.rows.map(digest.open));
  for (const one of document.querySelectorAll('.details details')) one.open = true;
}"""


# -- every kind of page -----------------------------------------------------------------------------


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
            seen.page.wait_for_load_state("networkidle")
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


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_a_finger_hits_everything_that_can_be_pressed(browser: Any, address: str, size: tuple[int, int]) -> None:
    small = (
        "(least) => (one) => { const at = one.getBoundingClientRect(); return at.width && (at.height < least || at.width < Math.min(least, 24)); }"
    )
    with watched(browser, size) as seen:
        seen.page.goto(address + LONG_DAY)
        open_row(seen.page, 0)
        for selector, least in (("main :is(a, button, summary):not(p a)", 24), ("article h3 a, .chips a, .days a, .links a, header a", 43.5)):
            found = seen.page.evaluate(
                f"([selector, least]) => [...document.querySelectorAll(selector)].filter(({small})(least)).map((one) => one.outerHTML)",
                [selector, least],
            )
            assert not found, f"below {least} px: {found[:5]}"


def test_hostile_titles_run_nothing_and_break_no_layout(browser: Any, address: str) -> None:
    for path in [DAY, *(f"zh/paper/2605.210{n:02d}/index.html" for n in range(13))]:
        with watched(browser, PHONE) as seen:
            seen.page.goto(address + path)
            seen.page.evaluate(OPEN_EVERYTHING)
            assert seen.page.title() != "owned", path
            assert seen.page.evaluate("document.title === document.querySelector('title').textContent"), path
            assert not seen.dialogs
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path
            assert not seen.complaints, path


# -- rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "least"), [(PHONE, 4), (WIDE, 9)], ids=["phone", "wide"])
@pytest.mark.parametrize("tag", OPTIONS.languages)
def test_a_screen_shows_many_papers_and_the_first_screen_as_many(browser: Any, address: str, tag: str, size: tuple[int, int], least: int) -> None:
    """Long titles, as many English ones are: on a phone three lines of each stay, and the rest when its row is open."""
    with watched(browser, size) as seen:
        seen.page.goto(f"{address}{tag}/2026-05-28/index.html")
        assert whole_rows_on_screen(seen.page) >= least
        if size == PHONE:
            long = "A title of many words that nobody would cut to fit three lines of the screen of a telephone, as there are some every day"
            seen.page.evaluate("(long) => document.querySelectorAll('article.paper h3 a').forEach((one) => (one.textContent = long))", long)
            assert whole_rows_on_screen(seen.page) >= least - 1, "were every title as long"
            assert open_row(seen.page, 0).locator("h3").bounding_box()["height"] > row(seen.page, 1).locator("h3").bounding_box()["height"]
            seen.page.reload()
        assert top_of(seen.page, f"{ROWS} .tldr") < size[1] / 2
        seen.page.evaluate("document.querySelectorAll('article.paper')[40].scrollIntoView()")
        assert whole_rows_on_screen(seen.page) >= least


def test_a_paper_of_574_authors_takes_no_more_room_than_another(browser: Any, address: str) -> None:
    with watched(browser, PHONE) as seen:
        seen.page.goto(f"{address}{LONG_DAY}#p-2605.99999")
        crowd = seen.page.locator("#p-2605\\.99999")
        crowd.locator(".original").wait_for()
        assert crowd.locator(".by").bounding_box()["height"] < 40
        assert crowd.locator("h3").bounding_box()["y"] < crowd.locator(".tldr").bounding_box()["y"] < PHONE[1] / 2


def test_a_row_opens_in_place_with_one_request_for_many(browser: Any, address: str) -> None:
    with watched(browser, PHONE) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        first = open_row(page, 0)
        assert first.locator("h3 a").get_attribute("aria-expanded") == "true"
        assert first.locator(".original").bounding_box()["y"] > first.locator(".text").first.bounding_box()["y"], "one under the other on a phone"
        for number in (1, 2, 3):
            open_row(page, number)
        assert sum("abstracts-" in one for one in seen.requests) == 1
        assert page.url == address + LONG_DAY
        row(page, 1).locator("h3 a").click()
        assert not row(page, 1).locator(".original").is_visible()


def test_on_a_wide_screen_the_original_stands_beside_the_translation(browser: Any, address: str) -> None:
    with watched(browser, WIDE) as seen:
        seen.page.goto(address + LONG_DAY)
        opened = open_row(seen.page, 0)
        left, right = opened.locator(".text").first.bounding_box(), opened.locator(".original").bounding_box()
        assert abs(left["y"] - right["y"]) < 2
        assert right["x"] > left["x"] + left["width"]
        widest = seen.page.evaluate(
            "Math.max(...[...document.querySelectorAll('.text p')].map((p) => p.clientWidth / parseFloat(getComputedStyle(p).fontSize)))"
        )
        assert widest <= 42


def test_abstracts_that_cannot_be_had_are_said_with_a_way_to_them(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.route(re.compile("abstracts-"), lambda route: route.abort())
        page.goto(address + LONG_DAY)
        row(page, 0).locator("h3 a").click()
        assert "摘要未能载入" in row(page, 0).locator(".details").inner_text()
        page.unroute(re.compile("abstracts-"))
        row(page, 0).locator("h3 a").click()
        open_row(page, 0)
        assert row(page, 0).locator(".details").count() == 1


def test_bibtex_of_a_paper_goes_to_the_clipboard(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(address + LONG_DAY)
        button = row(page, 3).locator(".meta > button")
        button.click()
        wait_until(page, "document.querySelectorAll('article.paper')[3].querySelector('.meta > button').textContent === '已复制'")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("@misc{arxiv-" + row(page, 3).get_attribute("data-arxiv-id"))


def test_every_paper_is_a_heading_and_takes_few_stops_of_the_tab_key(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        papers = page.locator(ROWS).count()
        assert page.get_by_role("heading", level=3).count() == papers == 201
        assert page.locator(f"{ROWS} :is(a, button, [tabindex])").count() <= 6 * papers


def test_the_keyboard_alone_walks_opens_and_searches(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        ids = page.evaluate(f"[...document.querySelectorAll('{ROWS}')].map((one) => one.id)")
        current = f"document.querySelector('{ROWS}.current')?.id"
        for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            page.keyboard.press(key)
            assert page.evaluate(current) == ids[at]
        assert page.evaluate("document.activeElement.closest('article').id") == ids[1]
        page.keyboard.press("Enter")
        row(page, 1).locator(".original").wait_for()
        page.keyboard.press("o")
        assert not row(page, 1).locator(".original").is_visible()
        page.keyboard.press("Control+j")
        assert page.evaluate(current) == ids[1]
        page.keyboard.press("/")
        page.wait_for_url("**/zh/search/index.html")
        page.locator("input[type=search]").click()
        page.keyboard.type("jk/o")
        assert page.locator("input[type=search]").input_value() == "jk/o"


def test_the_first_tab_stop_skips_to_the_papers_and_the_focus_follows_the_order_of_the_page(browser: Any, address: str) -> None:
    with watched(browser, PHONE) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tops = []
        for _ in range(40):
            page.keyboard.press("Tab")
            tops.append(page.evaluate("(({ y }) => Math.round(y + scrollY))(document.activeElement.getBoundingClientRect())"))
        assert all(later > earlier - 40 for earlier, later in itertools.pairwise(tops))


# -- jumps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_jumps_permalinks_and_back_end_exactly_where_they_should(browser: Any, address: str, size: tuple[int, int]) -> None:
    with watched(browser, size) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        ids = page.evaluate(f"[...document.querySelectorAll('{ROWS}')].map((one) => one.id)")
        for number in (150, 20, 199):
            page.goto("about:blank")
            page.goto(f"{address}{LONG_DAY}#{ids[number]}")
            row(page, number).locator(".original").wait_for()
            page.wait_for_timeout(150)
            at_end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
            assert at_end or abs(top_of(page, f"[id='{ids[number]}']") - GAP) <= 2, number
        page.goto(address + LONG_DAY)
        row(page, 120).locator(".meta a").click()
        row(page, 120).locator(".original").wait_for()
        assert abs(top_of(page, f"[id='{ids[120]}']") - GAP) <= 2
        assert page.url.endswith(f"#{ids[120]}")


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_back_from_elsewhere_finds_the_place_and_what_was_open(browser: Any, address: str, size: tuple[int, int]) -> None:
    with watched(browser, size) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        for number in (30, 31, 90):
            open_row(page, number)
        page.evaluate("document.querySelectorAll('article.paper')[100].scrollIntoView()")
        page.wait_for_timeout(300)
        there = page.evaluate("scrollY")
        page.evaluate("document.querySelector('.main-nav a[href*=about]').click()")
        page.wait_for_url("**/about/index.html")
        page.go_back()
        row(page, 90).locator(".original").wait_for()
        wait_until(page, f"Math.abs(scrollY - {there}) <= 2")
        page.wait_for_timeout(300)
        assert abs(page.evaluate("scrollY") - there) <= 2


# -- narrowing --------------------------------------------------------------------------------------


def test_one_page_narrows_to_a_category_a_type_and_a_watch_list_and_its_address_can_be_shared(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + DAY)
        shown = page.locator(f"{ROWS}:visible")
        chip = page.locator(".chips a", has_text="cs.IR")
        count = int(chip.locator(".n").inner_text())
        chip.click()
        assert page.url == f"{address}{DAY}?category=cs.IR"
        assert shown.count() == count == 2
        assert "显示 2 篇，共 20 篇" in page.locator(".narrowed").inner_text()
        page.locator(".chips a", has_text="交叉列表").click()
        assert page.url.endswith("?category=cs.IR&type=cross")
        assert shown.count() == 1
        shared = page.url
        page.go_back()
        assert shown.count() == 2
        page.locator(".narrowed a").click()
        assert shown.count() == 20
        page.goto("about:blank")
        page.goto(shared)
        assert shown.count() == 1
        page.goto(f"{address}{DAY}?watch=dialogue")
        assert [one.get_attribute("data-arxiv-id") for one in shown.all()] == ["2605.20005"]
        page.goto(f"{address}{DAY}?category=cs.IR#p-2605.20005")
        assert page.locator("#p-2605\\.20005").is_visible(), "a paper that was asked for is shown"


def test_addresses_of_earlier_releases_lead_to_the_same_papers(browser: Any, address: str, folder: Path) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(f"{address}zh/2026-05-27/cs.IR.html")
        page.wait_for_url(f"{address}{DAY}?category=cs.IR")
        for old in ("zh/paper/2605.99999/index.html", "zh/paper/2605.99999/", "en/paper/2605.99999"):
            moved = folder / "zh/paper/2605.99999"
            if moved.exists():
                for tag in ("zh", "en"):
                    (folder / tag / "paper/2605.99999/index.html").unlink()
                    (folder / tag / "paper/2605.99999").rmdir()
            page.goto(address + old)
            page.wait_for_url(f"{address}{old[:2]}/2026-05-28/index.html#p-2605.99999")
            page.locator("#p-2605\\.99999 .original").wait_for()
        for kind, sign in (("bib", "@misc{"), ("jsonl", '{"arxiv_id"')):
            with page.expect_download() as saved:
                page.goto(f"{address}zh/2026-05-27/cs.IR.{kind}")
            lines = saved.value.path().read_text(encoding="utf-8").splitlines()
            shown = sum("cs.IR" in line for line in (folder / "zh/2026-05-27/all.jsonl").read_text(encoding="utf-8").splitlines())
            assert saved.value.suggested_filename == f"cs.IR.{kind}"
            assert sum(line.startswith(sign) for line in lines) == shown > 0
        page.goto(f"{address}zh/paper/1234.56789/index.html")
        page.get_by_text("这里没有这个页面").wait_for()
        page.get_by_role("link", name="存档").click()
        page.wait_for_url("**/zh/archive/index.html")


# -- without scripts, from a disk, on paper ----------------------------------------------------------


def test_without_scripts_a_row_leads_to_its_paper_and_a_category_to_its_place(browser: Any, address: str) -> None:
    with watched(browser, PHONE, scripts=False) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        assert row(page, 0).locator("h3 a").get_attribute("href").startswith("../paper/")
        assert not row(page, 0).locator(".meta > button").is_visible()
        page.locator(".chips a", has_text="cs.IR").click()
        page.wait_for_url("**/index.html?category=cs.IR#cs-IR")
        assert abs(page.locator("#cs-IR").bounding_box()["y"]) < PHONE[1] / 2
        page.goto(address + "zh/search/index.html")
        assert page.locator("noscript").count() == 1


def test_opened_from_a_disk_pages_have_their_style_keys_abstracts_and_narrowing(browser: Any, folder: Path) -> None:
    with watched(browser, PHONE) as seen:
        page = seen.page
        page.goto((folder / "index.html").as_uri())
        page.get_by_role("link", name="简体中文").first.click()
        page.wait_for_url("**/zh/index.html")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 252, 249)"
        page.keyboard.press("j")
        assert page.locator(f"{ROWS}.current").count() == 1
        open_row(page, 0)
        page.locator(".chips a", has_text="cs.IR").click()
        page.wait_for_url("**/index.html?category=cs.IR")
        assert page.locator(f"{ROWS}:visible").count() < 201
        assert not seen.complaints
        assert all(one.startswith("file://") for one in seen.requests)


def test_mathematics_is_drawn_and_its_tex_can_be_copied(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        seen.page.goto(address + "zh/paper/2605.20009/index.html")
        box = seen.page.locator("math").first.bounding_box()
        assert box["width"] > 3
        assert box["height"] > 5
        assert seen.page.locator("annotation[encoding='application/x-tex']").first.text_content() == "k"


def test_paper_gets_titles_and_tldrs_and_the_abstracts_on_wish(browser: Any, address: str) -> None:
    with watched(browser) as seen:
        page = seen.page
        page.goto(address + LONG_DAY)
        pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
        assert pages <= 201 / 10 + 1
        page.emulate_media(media="print")
        assert not page.locator(".site-header").is_visible()
        assert not page.locator(".original").first.is_visible()
        page.emulate_media(media="screen")
        page.evaluate("window.print = () => { window.printed = document.querySelectorAll('article.open .original').length }")
        page.get_by_role("button", name="连同摘要打印").click()
        wait_until(page, "window.printed === 201")
        assert page.locator(f"{ROWS}.open").count() == 0

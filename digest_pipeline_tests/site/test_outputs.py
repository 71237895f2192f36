"""Everything that is not a page, as a whole build leaves it; and the search and statistics pages in a browser."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.site.build import SiteOptions, SiteReport, build_site
from digest_pipeline.site.search import SearchOutcome
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.serving import folder_served
from digest_pipeline_tests.support.site_days import CATEGORIES, listing_days, write_day, write_generated_days

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import feedparser

DAYS = listing_days(date(2026, 5, 28), 5)
LISTS = (WatchList("routing", "Routing", keywords=("sparse routing", "稀疏路由")),)
OPTIONS = SiteOptions(languages=("zh", "ja"), categories=CATEGORIES, watch_lists=LISTS, feed_days=3)


def build(storage: Storage) -> SiteReport:
    return build_site(storage, OPTIONS, now=lambda: datetime(2026, 6, 4, 16, tzinfo=UTC))


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Five days in two languages, built once; the tests only look, but for the holiday, which comes last and changes no page they look at."""
    made = Storage(tmp_path_factory.mktemp("outputs") / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)  # durability is the data home's promise and tested there
        write_generated_days(made, DAYS, 6, languages=("zh", "ja"))
        assert build(made).search_problem == ""
        yield made


def feed(storage: Storage, path: str) -> Any:
    parsed = feedparser.parse(storage.read_bytes(f"site/{path}"))
    assert parsed.bozo == 0
    return parsed


def test_a_build_leaves_feeds_exports_statistics_and_search_for_every_language(storage: Storage) -> None:
    for tag in OPTIONS.languages:
        for category in ("all", *CATEGORIES):
            assert feed(storage, f"{tag}/feeds/{category}.xml").entries
            assert feed(storage, f"{tag}/feeds/{category}.rss.xml").entries
            assert json.loads(storage.read_text(f"site/{tag}/feeds/{category}.json"))["items"]
        assert storage.exists(f"site/{tag}/{DAYS[0]}/all.jsonl")
        assert storage.exists(f"site/{tag}/{DAYS[0]}/all.bib")
        assert len(storage.read_text(f"site/{tag}/statistics/statistics.csv").splitlines()) == 1 + len(DAYS)
        assert storage.exists(f"site/{tag}/search/index.json")
        assert "搜索" in storage.read_text("site/zh/search/index.html")


def test_every_feed_a_page_names_exists_and_so_does_every_chart(storage: Storage) -> None:
    site = storage.local_path("site")
    wanted: set[Path] = set()
    for page in site.rglob("*.html"):
        tree = html.fromstring(page.read_bytes())
        links = [*tree.xpath("//link/@href"), *tree.xpath("//a/@href"), *tree.xpath("//img/@src"), *tree.xpath("//script/@src")]
        wanted |= {
            (page.parent / link.partition("?")[0].partition("#")[0]).resolve()
            for link in links
            if "://" not in link and not link.startswith(("data:", "#"))
        }
    assert {path.relative_to(site).as_posix() for path in wanted if not path.exists()} == set()
    assert site / "zh/feeds/watch-routing.xml" in wanted
    assert site / "zh/statistics/tokens.svg" in wanted


def test_a_holiday_empties_no_feed_and_the_next_build_changes_no_byte_of_it(storage: Storage) -> None:
    before = {path: storage.read_bytes(f"site/{path}") for path in ("zh/feeds/all.xml", "zh/feeds/cs.CL.json", "zh/feeds/watch-routing.xml")}
    write_day(storage, date(2026, 6, 4), languages=("zh", "ja"), announced=False)
    build(storage)
    assert {path: storage.read_bytes(f"site/{path}") for path in before} == before
    assert storage.read_text("site/zh/statistics/statistics.csv").splitlines()[-1].startswith("2026-06-04,0,0,")


def test_a_watch_lists_feed_says_why_each_paper_is_there(storage: Storage) -> None:
    entries = feed(storage, "zh/feeds/watch-routing.xml").entries
    assert entries
    assert all("为何显示" in entry.content[0].value for entry in entries)


def test_an_index_that_could_not_be_made_is_reported_until_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path / "data")
    write_generated_days(storage, DAYS[:1], 2, languages=("zh", "ja"))
    monkeypatch.setattr("digest_pipeline.site.overviews.update_search", lambda *_: SearchOutcome(problem="1 days are not in the index"))
    for _ in range(2):
        assert "not in the index" in build(storage).search_problem
        assert "未能建立搜索索引" in storage.read_text("site/zh/search/index.html")
    monkeypatch.undo()
    assert build(storage).search_problem == ""
    assert "未能建立搜索索引" not in storage.read_text("site/zh/search/index.html")


# -- in a browser


@pytest.fixture
def served(storage: Storage) -> Iterator[str]:
    with folder_served(storage.local_path("site")) as address:
        yield address


@pytest.mark.slow
def test_search_and_statistics_are_accessible_and_fit_a_phone_and_a_wide_screen_in_light_and_dark(served: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from digest_pipeline_tests.support.browser import chromium

    with chromium() as browser:
        for width in (390, 1440):
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                refused: list[str] = []
                page.on("console", lambda message, refused=refused: refused.append(message.text) if message.type == "error" else None)
                for path in ("zh/search/index.html?q=路由", "zh/statistics/index.html", "ja/statistics/index.html"):
                    page.goto(f"{served}/{path}")
                    if "search" in path:
                        page.wait_for_selector("#search-results li")
                    page.wait_for_timeout(300)
                    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
                    assert found.response["violations"] == [], f"{path} {width} {scheme}: {found.generate_report()}"
                    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
                assert refused == []
                page.close()

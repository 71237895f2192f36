"""Search: which bundles are rebuilt, what happens without the program, and what a reader finds in a browser."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline.models import DigestEntry
from digest_pipeline.site import paths
from digest_pipeline.site.search import SearchOutcome, bundle_of, id_word, record_html, search_page_values, update_search
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import HOSTILE, an_entry, an_untranslated_entry
from digest_pipeline_tests.support.serving import folder_served

ZH = load_language("zh")
MAY, JUNE, OLD = date(2026, 5, 29), date(2026, 6, 2), date(2024, 3, 4)


class Days:
    """Days of entries that remember which of them were asked for."""

    def __init__(self, days: dict[date, list[DigestEntry]]) -> None:
        self.days = days
        self.loaded: list[date] = []

    def __call__(self, day: date) -> Sequence[DigestEntry]:
        self.loaded.append(day)
        return self.days[day]

    def keys(self) -> dict[date, str]:
        return {day: str(hash(tuple(entries))) for day, entries in self.days.items()}


def update(storage: Storage, days: Days, tag: str = "zh") -> SearchOutcome:
    return update_search(storage, load_language(tag), days.keys(), days, ["cs.CL", "cs.IR"])


@pytest.fixture
def three_days() -> Days:
    return Days(
        {
            OLD: [an_entry(arxiv_id="2403.00003", listing_date=OLD)],
            MAY: [an_entry(arxiv_id="2605.00007", listing_date=MAY)],
            JUNE: [an_entry(listing_date=JUNE)],
        }
    )


def test_the_newest_two_years_have_a_bundle_a_month_and_older_ones_a_year() -> None:
    assert [bundle_of(day, JUNE) for day in (JUNE, MAY, date(2025, 1, 2), OLD)] == ["2026-06", "2026-05", "2025-01", "2024"]


def test_one_new_day_rebuilds_only_its_month(tmp_path: Path, three_days: Days) -> None:
    storage = Storage(tmp_path)
    first = update(storage, three_days)
    assert first == SearchOutcome(("2026-06", "2026-05", "2024"), ("2026-06", "2026-05", "2024"), 3)
    three_days.loaded.clear()
    assert update(storage, three_days) == SearchOutcome(first.bundles)
    assert three_days.loaded == []
    three_days.days[date(2026, 6, 3)] = [an_entry(arxiv_id="2606.00009", listing_date=date(2026, 6, 3))]
    assert update(storage, three_days).rebuilt == ("2026-06",)
    assert three_days.loaded == [date(2026, 6, 3), JUNE]


def test_a_bundle_has_what_the_browser_needs_and_nothing_stale(tmp_path: Path, three_days: Days) -> None:
    storage = Storage(tmp_path)
    update(storage, three_days)
    folder = tmp_path / "site/zh/search/2026-06"
    assert len(list(folder.glob("fragment/*"))) == 1
    assert {"pagefind.js", "pagefind-entry.json"} <= set(storage.names("site/zh/search/2026-06"))
    assert not list(folder.glob("*ui*"))
    three_days.days[JUNE] = [an_entry(listing_date=JUNE, title="Changed")]
    update(storage, three_days)
    assert len(list(folder.glob("fragment/*"))) == 1


def test_a_bundle_of_days_that_are_gone_is_removed(tmp_path: Path, three_days: Days) -> None:
    storage = Storage(tmp_path)
    update(storage, three_days)
    del three_days.days[OLD]
    assert update(storage, three_days).bundles == ("2026-06", "2026-05")
    assert not list((tmp_path / "site/zh/search/2024").rglob("*.*"))


def test_a_paper_of_two_days_is_indexed_once_as_it_stands_last(tmp_path: Path) -> None:
    june_3 = date(2026, 6, 3)
    days = Days({JUNE: [an_entry(listing_date=JUNE)], june_3: [an_entry(listing_date=june_3, version=2)]})
    assert update(Storage(tmp_path), days).indexed_papers == 1


def test_a_torn_state_file_means_that_everything_is_built_again(tmp_path: Path, three_days: Days, caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage(tmp_path)
    update(storage, three_days)
    storage.write_text("site/zh/search/bundles.json", "{")
    assert len(update(storage, three_days).rebuilt) == 3
    assert "torn" in caplog.text


def a_program(folder: Path, script: str) -> Path:
    program = folder / "pagefind_extended"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo broken >&2; exit 3", "status 3: broken"), ("exit 0", "wrote no index"), (None, "could not run")],
)
def test_a_failing_program_is_loud_and_leaves_the_old_index(
    tmp_path: Path, three_days: Days, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, script: str | None, reason: str
) -> None:
    storage = Storage(tmp_path / "data")
    update(storage, three_days)
    three_days.days[JUNE] = [an_entry(listing_date=JUNE, title="Changed")]
    program = a_program(tmp_path, script) if script else tmp_path / "pagefind_extended_missing"
    monkeypatch.setenv("PAGEFIND_BINARY_PATH", str(program))
    with caplog.at_level(logging.ERROR):
        outcome = update(storage, three_days)
    assert reason in outcome.problem
    assert reason in caplog.text
    assert "pagefind[extended]" in outcome.problem
    assert outcome.bundles == ("2026-06", "2026-05", "2024")
    assert reason in search_page_values(outcome, ZH, [])["problem"]
    monkeypatch.delenv("PAGEFIND_BINARY_PATH")
    assert update(storage, three_days).rebuilt == ("2026-06",)


def test_a_program_without_chinese_is_refused(tmp_path: Path, three_days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEFIND_BINARY_PATH", "/usr/bin/pagefind")
    assert "without Chinese" in update(Storage(tmp_path), three_days).problem


def test_a_torn_file_of_the_program_is_not_published(tmp_path: Path, three_days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'mkdir -p "$4"; echo "{}" > "$4/pagefind-entry.json"; printf "torn" > "$4/wasm.unknown.pagefind"'
    monkeypatch.setenv("PAGEFIND_BINARY_PATH", str(a_program(tmp_path, script)))
    outcome = update(Storage(tmp_path / "data"), three_days)
    assert "only in part" in outcome.problem


def test_a_full_folder_for_temporary_files_costs_the_index_in_words_and_nothing_else(
    tmp_path: Path, three_days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
    outcome = update(Storage(tmp_path), three_days)
    assert "the folder for temporary files cannot be used" in outcome.problem
    assert "TMPDIR" in outcome.problem
    monkeypatch.undo()
    assert update(Storage(tmp_path), three_days).problem == ""
    assert outcome.bundles == ()


def test_ids_become_one_word() -> None:
    assert [id_word(one) for one in ("2404.01438", "hep-ex/0406020", "math.GT/0309136")] == ["240401438", "hepex0406020", "mathgt0309136"]


def test_hostile_texts_are_escaped_in_the_record_and_long_author_lists_cut() -> None:
    authors = tuple(f"Author Number{n}" for n in range(3000))
    html = record_html(an_entry(title=HOSTILE, abstract=HOSTILE, authors=authors, summary={"translated_title": HOSTILE}), ZH, ["cs.CL"])
    assert "<script" not in html
    assert "\u202e" not in html
    assert "Number199" in html
    assert "Number200" not in html
    assert "另有 2996 位" in html


def test_an_object_store_gets_the_same_files(three_days: Days) -> None:
    from upath import UPath

    root = UPath("memory://outputs-search")
    storage = Storage(root)
    update(storage, three_days)
    assert storage.exists("site/zh/search/2026-06/pagefind-entry.json")
    assert json.loads(storage.read_text("site/zh/search/bundles.json")).keys() == {"2024", "2026-05", "2026-06"}
    three_days.days[JUNE] = [an_untranslated_entry(listing_date=JUNE)]
    assert update(storage, three_days).rebuilt == ("2026-06",)


# -- in a browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    with folder_served(tmp_path / "site") as address:
        yield address


def write_search_site(tmp_path: Path, days: Days, tag: str) -> None:
    """The search page and what it needs, without the rest of the site."""
    from digest_pipeline.site import render
    from digest_pipeline.site.options import SiteOptions

    storage, language = Storage(tmp_path), load_language(tag)
    outcome = update(storage, days, tag)
    renderer = render.Renderer(SiteOptions(languages=(tag,), categories=("cs.CL", "cs.IR")))
    page = renderer.page(
        "search", paths.search_page(tag), language, place=paths.search_page, **search_page_values(outcome, language, ["cs.CL", "cs.IR"])
    )
    storage.write_bytes(f"site/{paths.search_page(tag)}", page)
    for name in ("search.js", "outputs.css"):
        storage.write_bytes(f"site/assets/{name}", render.asset(name))


def search_in(page: Any, words: str) -> tuple[list[str], str]:
    page.fill("#query", words)
    page.press("#query", "Enter")
    page.wait_for_function(
        "() => !['', document.getElementById('search').dataset.searching].includes(document.getElementById('search-status').textContent)"
    )
    page.wait_for_timeout(200)
    return page.locator("#search-results h2").all_inner_texts(), page.inner_text("#search-status")


@pytest.mark.slow
def test_a_reader_finds_chinese_words_authors_and_ids_over_all_months(tmp_path: Path, served: str) -> None:
    from digest_pipeline_tests.support.browser import chromium

    quantum = {"translated_title": "量子纠错码的解码器", "translated_abstract": "我们研究表面码的解码。", "tldr": "更快的解码。"}
    retrieval = {"translated_title": "面向检索增强生成的重排序", "translated_abstract": "本文提出一种重排序方法。", "tldr": "重排序更准。"}
    evil = {
        "translated_title": "<img src=x onerror=\"document.title='owned'\"> 恶意标题",
        "translated_abstract": "<script>document.title='owned'</script> 恶意摘要",
        "tldr": "恶意",
    }
    days = Days(
        {
            OLD: [
                an_entry(
                    arxiv_id="2403.00003", listing_date=OLD, title="Surface codes", abstract="Decoders.", authors=("Paul Erdős",), summary=quantum
                )
            ],
            MAY: [
                an_entry(
                    arxiv_id="2605.00007", listing_date=MAY, title="Reranking", abstract="For retrieval.", categories=("cs.IR",), summary=retrieval
                )
            ],
            JUNE: [
                an_entry(listing_date=JUNE),
                an_entry(arxiv_id="2606.00002", listing_date=JUNE, title="Evil", abstract="Evil.", summary=evil),
                an_entry(
                    arxiv_id="hep-ex/0406020",
                    version=2,
                    listing_date=JUNE,
                    title="Old particles",
                    abstract="Old.",
                    summary={"translated_title": "旧粒子"},
                ),
            ],
        }
    )
    write_search_site(tmp_path, days, "zh")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None)
        outside: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(served) else outside.append(request.url))
        page.goto(f"{served}/{paths.search_page('zh')}")

        assert search_in(page, "纠错")[0] == ["量子纠错码的解码器"]
        assert search_in(page, "检索增强")[0] == ["面向检索增强生成的重排序"]
        assert "论语言模型如何泡茶" in search_in(page, "语言模型")[0]
        assert search_in(page, "erdos")[0] == ["量子纠错码的解码器"]
        assert search_in(page, "Erdős")[0] == ["量子纠错码的解码器"]
        assert search_in(page, "arXiv:2605.00007v1")[0] == ["面向检索增强生成的重排序"]
        assert search_in(page, "hep-ex/0406020")[0] == ["旧粒子"]
        assert search_in(page, "reranking")[0] == ["面向检索增强生成的重排序"]
        assert search_in(page, "zzzqqq") == ([], ZH.label("search", "none"))
        found, status = search_in(page, "恶意")
        assert found == ["<img src=x onerror=\"document.title='owned'\"> 恶意标题"]
        assert "1" in status
        assert "owned" not in page.title()
        assert not page.locator("#search-results img, #search-results script").count()

        search_in(page, "Muster")
        page.select_option("#order", "day")
        page.wait_for_timeout(500)
        assert page.locator("#search-results .muted").all_inner_texts()[-1].find("2026-05-29") > 0
        page.select_option("#category", "cs.CL")
        page.wait_for_timeout(500)
        assert "c=cs.CL" in page.url
        assert "3" in page.inner_text("#search-status")
        page.reload()
        page.wait_for_selector("#search-results li")
        link = page.locator("#search-results a").first.get_attribute("href")
        assert link.startswith("../../zh/paper/")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert refused == []
        assert outside == []


@pytest.mark.slow
def test_japanese_is_segmented_too_and_a_page_opened_as_a_file_says_why_it_cannot_search(tmp_path: Path, served: str) -> None:
    from digest_pipeline_tests.support.browser import chromium

    japanese = {
        "translated_title": "大規模言語モデルによる自動要約",
        "translated_abstract": "本研究では要約の手法を提案する。",
        "tldr": "要約が速い。",
    }
    days = Days(
        {
            JUNE: [
                an_entry("ja", listing_date=JUNE, summary=japanese),
                an_entry(
                    "ja",
                    arxiv_id="2606.00002",
                    listing_date=JUNE,
                    summary={**japanese, "translated_title": "量子計算", "translated_abstract": "量子の話。", "tldr": "量子。"},
                ),
            ]
        }
    )
    write_search_site(tmp_path, days, "ja")
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{served}/{paths.search_page('ja')}?q=自動要約")
        page.wait_for_selector("#search-results li")
        assert page.locator("#search-results h2").all_inner_texts()[0] == "大規模言語モデルによる自動要約"
        page.goto((tmp_path / "site" / paths.search_page("ja")).as_uri())
        page.wait_for_timeout(300)
        assert page.inner_text("#search-status") == load_language("ja").label("search", "needs_server")

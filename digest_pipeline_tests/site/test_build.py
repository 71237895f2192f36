"""The site is whole after every build, and a build does only what is due."""

from __future__ import annotations

import ast
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import digest_pipeline.site
from digest_pipeline.models import AnnounceType, SummaryStatus
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.site import paths
from digest_pipeline.site.build import SiteOptions, SiteReport, build_site
from digest_pipeline.site.details import read_details
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import (
    CATEGORIES,
    generated_papers,
    listing_days,
    make_paper,
    make_summary,
    write_day,
    write_generated_days,
)

DAYS = listing_days(date(2026, 6, 1), 4)
OPTIONS = SiteOptions(languages=("zh",), categories=CATEGORIES, pages_only=True)
WITH_PAPERS = replace(OPTIONS, paper_pages=True)


def build(storage: Storage, options: SiteOptions = OPTIONS, today: date = DAYS[-1]) -> SiteReport:
    return build_site(storage, options, now=lambda: datetime(today.year, today.month, today.day, 16, tzinfo=UTC))


def files(storage: Storage) -> dict[str, tuple[int, int]]:
    """Each file below site/ with its inode and time: equal means untouched."""
    site = storage.local_path("site")
    return {
        one.relative_to(site).as_posix(): (one.stat().st_ino, one.stat().st_mtime_ns)
        for one in site.rglob("*")
        if one.is_file() and ".build" not in one.relative_to(site).parts[0]
    }


def opened(storage: Storage, path: str) -> str:
    """What opens below the rows of one file of abstracts."""
    return "\n".join(html for html, _ in read_details(storage.read_bytes(f"site/{path}")).values())


def page(storage: Storage, path: str) -> str:
    return storage.read_text(f"site/{path}")


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durability is the data home's promise and tested there; here thousands of flushes would only cost time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "data")
    write_generated_days(made, DAYS[:3], 5)
    return made


def test_a_first_build_makes_every_page_readers_were_promised(storage: Storage) -> None:
    report = build(storage)
    made = files(storage)
    assert {"index.html", "zh/index.html", "zh/archive/index.html", "zh/categories/index.html", "zh/about/index.html"} <= made.keys()
    assert {
        "zh/2026-06-01/index.html",
        "zh/2026-06-01/abstracts-00.js",
        "zh/2026-06-01/all.jsonl",
        "zh/2026-06-01/all.bib",
        "404.html",
    } <= made.keys()
    assert {"zh/feeds/all.xml", "zh/feeds/cs.CL.rss.xml", "zh/feeds/cs.IR.json", "assets/style.css"} <= made.keys()
    assert not any(path.endswith(("cs.CL.html", "cs.CL.bib")) or "/paper/" in path for path in made)
    assert report.days == report.days_built == 3
    assert report.unfinished_days == ()


def test_a_second_build_reads_no_day_and_touches_no_file(storage: Storage) -> None:
    build(storage)
    before = files(storage)
    report = build(storage)
    assert (report.days_read, report.days_built, report.papers_built, report.files_written) == (0, 0, 0, 0)
    assert files(storage) == before


def test_a_new_day_makes_its_own_pages_and_its_neighbours_again_and_leaves_the_others(storage: Storage) -> None:
    build(storage)
    before = files(storage)
    write_day(storage, DAYS[3], generated_papers(DAYS[3], 5))
    report = build(storage)
    touched = {path for path, stamp in files(storage).items() if before.get(path) != stamp}
    assert report.days_built == 2
    assert "zh/2026-06-04/index.html" in touched
    assert "2026-06-04/index.html" in page(storage, "zh/2026-06-03/index.html"), "the day before links to the new one"
    assert not any(path.startswith(("zh/2026-06-01/", "zh/2026-06-02/")) for path in touched)
    assert "2026-06-04" in page(storage, "zh/index.html")


def test_a_day_written_again_with_the_same_content_is_left_alone(storage: Storage) -> None:
    build(storage)
    before = files(storage)
    for file in (storage.papers_file(DAYS[0]), storage.summaries_file(DAYS[0], "zh")):
        storage.write_bytes(file, storage.read_bytes(file))
    assert build(storage).days_built == 0
    assert files(storage) == before


def test_a_mended_translation_reaches_the_day_and_the_paper(storage: Storage) -> None:
    build(storage, WITH_PAPERS)
    papers = generated_papers(DAYS[2], 5)
    write_day(storage, DAYS[2], papers, summaries=[make_summary(papers[0], translated_title="改过的标题")])
    build(storage, WITH_PAPERS)
    assert "改过的标题" in page(storage, "zh/2026-06-03/index.html")
    assert "改过的标题" in page(storage, f"zh/paper/{papers[0].arxiv_id}/index.html")


def test_a_replacement_joins_the_paper_page_of_the_first_version(storage: Storage) -> None:
    first = make_paper("2606.77777", DAYS[0], abstract="We measure ten things and find that eight of them are large enough to matter.")
    write_day(storage, DAYS[0], [first])
    build(storage, WITH_PAPERS)
    assert "v2" not in page(storage, "zh/paper/2606.77777/index.html")
    second = replace(first, version=2, announce_type=AnnounceType.REPLACE, listing_date=DAYS[3], abstract=first.abstract.replace("eight", "nine"))
    write_day(storage, DAYS[3], [second])
    report = build(storage, WITH_PAPERS)
    html = page(storage, "zh/paper/2606.77777/index.html")
    assert "<del>eight</del><ins>nine</ins>" in html
    assert "2026-06-01/index.html#p-2606.77777" in html
    assert "2026-06-04/index.html#p-2606.77777" in html
    assert "<del>eight</del><ins>nine</ins>" in opened(storage, "zh/2026-06-04/abstracts-00.js")
    assert json.loads(page(storage, "ids/2606-77.json")) == {"2606.77777": "2026-06-01 2026-06-04"}
    assert report.days_built == 2, "the first version's own day is not made again"


def test_a_paper_that_vanished_from_a_day_loses_its_page_and_its_rows(storage: Storage) -> None:
    build(storage, WITH_PAPERS)
    papers = generated_papers(DAYS[2], 5)
    write_day(storage, DAYS[2], papers[1:])
    report = build(storage, WITH_PAPERS)
    assert f"zh/paper/{papers[0].arxiv_id}/index.html" not in files(storage)
    assert report.files_removed == 1
    assert papers[0].arxiv_id not in page(storage, "zh/2026-06-03/index.html")
    assert papers[0].arxiv_id not in page(storage, paths.listing_index(papers[0].arxiv_id))


def test_a_day_that_vanished_takes_its_pages_along_but_not_those_of_papers_listed_elsewhere(storage: Storage) -> None:
    first = make_paper("2606.77777", DAYS[1])
    write_day(storage, DAYS[1], [first, make_paper("2606.77776", DAYS[1])])
    write_day(storage, DAYS[2], [replace(first, version=2, announce_type=AnnounceType.REPLACE, listing_date=DAYS[2])])
    build(storage, WITH_PAPERS)
    for file in ("papers", "ledger"):
        for one in storage.local_path(f"{file}/date={DAYS[1]}").iterdir():
            one.unlink()
    build(storage, WITH_PAPERS)
    made = files(storage)
    assert not any(path.startswith("zh/2026-06-02/") for path in made)
    assert "zh/paper/2606.77776/index.html" not in made
    assert json.loads(page(storage, "ids/2606-77.json")) == {"2606.77777": "2026-06-03"}
    assert "2026-06-02" not in page(storage, "zh/paper/2606.77777/index.html")
    assert "2026-06-02/index.html" not in page(storage, "zh/2026-06-01/index.html")


def test_changed_options_make_every_page_again(storage: Storage) -> None:
    build(storage)
    assert build(storage, replace(OPTIONS, site_url="https://digest.example")).days_built == 3


def test_a_changed_template_makes_every_page_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    build(storage)
    monkeypatch.setattr("digest_pipeline.site.build.room_key", lambda: "other templates")
    assert build(storage).days_built == 3


def test_a_language_that_is_dropped_leaves_nothing_behind(storage: Storage) -> None:
    write_generated_days(storage, DAYS[:3], 3, languages=("zh", "fr"))
    build(storage, replace(OPTIONS, languages=("zh", "fr")))
    assert any(path.startswith("fr/") for path in files(storage))
    build(storage)
    assert not any(path.startswith("fr/") for path in files(storage))


def test_a_language_configured_later_shows_older_days_in_the_original(storage: Storage) -> None:
    build(storage, replace(OPTIONS, languages=("zh", "fr")))
    assert "Pas encore traduit" in opened(storage, "fr/2026-06-01/abstracts-00.js")


class _Killed(BaseException):
    """As SIGKILL would end it: no handler runs."""


@pytest.mark.parametrize("after", [1, 9, 24])
def test_a_build_that_was_killed_is_finished_by_the_next_one(storage: Storage, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    build(storage)
    write_day(storage, DAYS[1], [*generated_papers(DAYS[1], 6), make_paper("2606.77770", DAYS[1])])
    write_day(storage, DAYS[3], generated_papers(DAYS[3], 5, replaced=generated_papers(DAYS[0], 5)[:2]))
    write = Storage.write_if_changed
    left = [after]

    def killing(self: Storage, relative: str, content: bytes) -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        return write(self, relative, content)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write_if_changed", killing)
        with pytest.raises(_Killed):
            build(storage)
    build(storage)
    finished = {path: storage.read_bytes(f"site/{path}") for path in files(storage)}
    whole = Storage(storage.root.parent / "whole")
    for table in ("papers", "translated_summaries", "ledger"):
        for one in sorted(storage.local_path(table).rglob("*")):
            if one.is_file():
                whole.write_bytes(one.relative_to(storage.local_path("")).as_posix(), one.read_bytes())
    build(whole)
    assert finished == {path: whole.read_bytes(f"site/{path}") for path in files(whole)}


def test_files_nobody_accounts_for_go_after_a_lost_manifest(storage: Storage) -> None:
    build(storage)
    storage.write_text("site/zh/paper/2601.00001/index.html", "left by somebody")
    storage.write_text("site/zh/2025-01-02/index.html", "left by somebody")
    storage.write_text("site/robots.txt", "the operator's own")
    storage.write_text("site/.build.json", '{"format": 1, "torn')
    build(storage)
    assert "zh/paper/2601.00001/index.html" not in files(storage)
    assert "zh/2025-01-02/index.html" not in files(storage)
    assert "robots.txt" in files(storage)


def test_a_day_without_ledger_is_not_shown_but_reported(storage: Storage) -> None:
    storage.write_bytes(storage.papers_file(DAYS[3]), storage.read_bytes(storage.papers_file(DAYS[0])))
    report = build(storage)
    assert report.unfinished_days == (DAYS[3],)
    assert not any(path.startswith("zh/2026-06-04") for path in files(storage))


def test_a_holiday_has_its_page_and_the_home_page_shows_the_last_listing_and_says_so(storage: Storage) -> None:
    write_day(storage, DAYS[3], [], announced=False)
    build(storage)
    assert "没有发布公告" in page(storage, "zh/2026-06-04/index.html")
    assert "2026年6月4日 星期四：arXiv 没有发布公告" in page(storage, "zh/index.html")
    assert 'class="paper"' in page(storage, "zh/index.html")


def gaps(storage: Storage, page_of_year: str = "zh/archive/index.html") -> int:
    return page(storage, page_of_year).count('<td class="gap"')


def test_only_what_was_asked_for_is_called_missing(storage: Storage) -> None:
    write_day(storage, date(2026, 6, 9), generated_papers(date(2026, 6, 9), 2))
    build(storage)
    assert gaps(storage) == 3, "between two days that are near each other"
    write_day(storage, date(2026, 3, 2), generated_papers(date(2026, 3, 2), 2))
    build(storage, today=date(2026, 11, 23))
    assert gaps(storage) == 3, "not back to a day that somebody tried once, and not on to today"
    storage.write_bytes(storage.papers_file(date(2026, 7, 1)), storage.read_bytes(storage.papers_file(DAYS[0])))
    write_day(storage, date(2025, 12, 30), generated_papers(date(2025, 12, 30), 2))
    build(storage)
    assert gaps(storage) == 4, "a day that was begun and has no digest"
    assert gaps(storage, "zh/archive/2025.html") == 0


def test_the_archive_has_a_page_a_year_and_only_the_years_that_changed_are_written(storage: Storage) -> None:
    for year in (2023, 2024, 2025):
        write_day(storage, date(year, 6, 5), generated_papers(date(year, 6, 5), 2))
    build(storage)
    assert 'href="2023.html"' in page(storage, "zh/archive/index.html")
    assert "2023-06-05/index.html" in page(storage, "zh/archive/2023.html")
    before = files(storage)
    write_day(storage, DAYS[3], generated_papers(DAYS[3], 2))
    build(storage)
    after = files(storage)
    assert before["zh/archive/2023.html"] == after["zh/archive/2023.html"]
    assert before["zh/archive/index.html"] != after["zh/archive/index.html"]


def test_no_day_at_all_still_makes_a_site(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    assert build(storage).days == 0
    assert "还没有数据" in page(storage, "index.html")
    write_day(storage, DAYS[0], generated_papers(DAYS[0], 2))
    build(storage)
    assert 'url=zh/index.html"' in page(storage, "index.html")
    assert 'class="paper"' in page(storage, "zh/index.html")


def test_several_languages_begin_with_a_choice(storage: Storage) -> None:
    build(storage, replace(OPTIONS, languages=("zh", "ja")))
    assert 'href="zh/index.html"' in page(storage, "index.html")
    assert 'href="ja/index.html"' in page(storage, "index.html")


def test_an_old_style_id_keeps_its_slash_in_the_address(storage: Storage) -> None:
    write_day(storage, DAYS[3], [make_paper("hep-ex/0406020", DAYS[3], version=3, announce_type=AnnounceType.REPLACE)])
    build(storage, WITH_PAPERS)
    assert "https://arxiv.org/abs/hep-ex/0406020" in page(storage, "zh/paper/hep-ex/0406020/index.html")
    assert json.loads(page(storage, "ids/hep-ex-0406.json")) == {"hep-ex/0406020": "2026-06-04"}
    assert 'href="../paper/hep-ex/0406020/index.html"' in page(storage, "zh/2026-06-04/index.html")


@pytest.fixture
def watching() -> SiteOptions:
    lists = (WatchList("tables", "表格", keywords=("reading tables",)), WatchList("nothing", "没有", keywords=("zymurgy",)))
    return replace(OPTIONS, watch_lists=lists)


def test_watched_papers_come_first_and_have_their_page_and_feed(storage: Storage, watching: SiteOptions) -> None:
    papers = [make_paper(f"2606.0100{n}", DAYS[3]) for n in range(3)] + [make_paper("2606.00999", DAYS[3], title="Reading Tables Aloud")]
    write_day(storage, DAYS[3], papers)
    build(storage, watching)
    html = page(storage, "zh/2026-06-04/index.html")
    assert html.index("p-2606.00999") < html.index("p-2606.01002")
    assert 'href="../../2026-06-04/index.html#p-2606.00999"' in page(storage, "zh/watch/tables/index.html")
    assert "Reading Tables" in page(storage, "zh/feeds/watch-tables.xml")
    assert "没有匹配的论文" in page(storage, "zh/watch/nothing/index.html")


def test_watched_papers_of_unchanged_days_stay_on_the_list_page(storage: Storage, watching: SiteOptions) -> None:
    write_day(storage, DAYS[0], [make_paper("2606.00999", DAYS[0], title="Reading Tables Aloud")])
    build(storage, watching)
    write_day(storage, DAYS[3], generated_papers(DAYS[3], 3))
    build(storage, watching)
    assert "2606.00999" in page(storage, "zh/watch/tables/index.html")


def test_deferred_papers_say_that_they_wait_and_quarantined_ones_why(storage: Storage) -> None:
    paper, other = make_paper("2606.00001", DAYS[3]), make_paper("2606.00002", DAYS[3])
    blank = {"translated_title": "", "translated_abstract": "", "tldr": "", "tldr_en": ""}
    waiting = make_summary(paper, status=SummaryStatus.DEFERRED, **blank)
    refused = make_summary(other, status=SummaryStatus.QUARANTINED, flags=("script: only 3 % Han letters",), **blank)
    write_day(storage, DAYS[3], [paper, other], summaries=[waiting, refused])
    build(storage)
    html = page(storage, "zh/2026-06-04/index.html")
    assert "待翻译" in html
    assert "尚未翻译" in opened(storage, "zh/2026-06-04/abstracts-00.js")
    assert "only 3 % Han letters" in opened(storage, "zh/2026-06-04/abstracts-00.js")


def test_an_error_while_writing_ends_the_build_and_the_next_one_repairs_it(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Storage.write_if_changed

    def full_disk(self: Storage, relative: str, content: bytes) -> bool:
        if relative.endswith("2026-06-02/index.html"):
            raise OSError(28, "No space left on device")
        return write(self, relative, content)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write_if_changed", full_disk)
        with pytest.raises(OSError, match="No space left"):
            build(storage)
    build(storage)
    assert "zh/2026-06-02/index.html" in files(storage)


def test_the_records_are_small_and_a_new_day_reads_no_list_of_another(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    write_generated_days(storage, listing_days(date(2025, 3, 3), 3), 5)
    build(storage)
    assert json.loads(storage.read_text("site/.build.json"))["is_complete"] is True
    assert len(storage.read_bytes("site/.build/2026.json")) < 3_000
    read: list[str] = []
    read_bytes = Storage.read_bytes

    def noting(self: Storage, relative: str) -> bytes:
        read.append(relative)
        return read_bytes(self, relative)

    write_day(storage, DAYS[3], generated_papers(DAYS[3], 5))
    monkeypatch.setattr(Storage, "read_bytes", noting)
    build(storage)
    assert "site/.build/2026-06.json" in read
    assert not any(one.startswith("site/.build/2025-") for one in read)


def test_papers_pages_go_where_they_are_switched_off(storage: Storage) -> None:
    build(storage, WITH_PAPERS)
    assert any("/paper/" in path for path in files(storage))
    build(storage)
    assert not any("/paper/" in path for path in files(storage))


def test_a_site_of_an_earlier_release_loses_the_files_that_are_no_longer_made(storage: Storage) -> None:
    for path in ("zh/paper/2606.00001/index.html", "zh/2026-06-01/cs.CL.html", "zh/2026-06-01/cs.CL.bib"):
        storage.write_text(f"site/{path}", "of an earlier release")
    storage.write_text("site/.build.json", '{"format": 1, "is_complete": true, "languages": ["zh"], "days": {}, "due_papers": [], "files": []}')
    assert build(storage).files_removed == 3


def test_a_whole_build_has_search_and_statistics(storage: Storage) -> None:
    report = build(storage, replace(OPTIONS, pages_only=False))
    assert report.search_problem == ""
    assert {"zh/search/index.html", "zh/statistics/index.html", "zh/statistics/statistics.csv"} <= files(storage).keys()
    assert build(storage, replace(OPTIONS, pages_only=False)).files_written == 0


def test_an_object_store_gets_the_same_site_with_the_same_economy(storage: Storage) -> None:
    store = Storage(f"memory://{storage.root.path}")
    for one in sorted(storage.local_path("").rglob("*.*")):
        if one.is_file():
            store.write_bytes(one.relative_to(storage.local_path("")).as_posix(), one.read_bytes())
    build(storage)
    build(store)
    assert {path: store.read_bytes(f"site/{path}") for path in files(storage)} == {
        path: storage.read_bytes(f"site/{path}") for path in files(storage)
    }
    assert build(store).files_written == 0
    write_day(store, DAYS[3], generated_papers(DAYS[3], 3))
    assert build(store).days_built == 2
    write_day(store, DAYS[3], generated_papers(DAYS[3], 2))
    build(store)
    assert generated_papers(DAYS[3], 3)[-1].arxiv_id not in store.read_text("site/zh/2026-06-04/index.html")


def test_this_room_does_not_import_dagster() -> None:
    folder = Path(digest_pipeline.site.__file__).parent
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = (
                [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
            assert not any(name.split(".")[0].startswith("dagster") for name in names), module.name


def test_only_the_newest_days_have_pages_where_a_host_has_a_limit_and_the_tables_stay_whole(storage: Storage) -> None:
    write_generated_days(storage, DAYS, 5)
    build(storage)
    tables = sorted(path for path in storage.local_path("papers").rglob("*") if path.is_file())
    report = build(storage, replace(OPTIONS, site_days=2))
    assert report.days == 2
    assert report.unfinished_days == ()
    shown = [day for day in DAYS if storage.exists(f"site/{paths.day_page('zh', day)}")]
    assert shown == DAYS[-2:]
    assert f"{DAYS[0]}/index.html" not in page(storage, paths.archive_page("zh"))
    assert sorted(path for path in storage.local_path("papers").rglob("*") if path.is_file()) == tables
    build(storage)
    assert storage.exists(f"site/{paths.day_page('zh', DAYS[0])}")


def test_two_builds_at_once_end_well_and_the_next_one_finds_everything_in_its_place(storage: Storage) -> None:
    build(storage)
    write_day(storage, DAYS[3], generated_papers(DAYS[3], 5, replaced=generated_papers(DAYS[0], 5)[:2]))
    write_day(storage, DAYS[1], generated_papers(DAYS[1], 4))
    with ThreadPoolExecutor(2) as pool:
        for report in [pool.submit(build, storage) for _ in range(2)]:
            assert report.result().days == 4
    build(storage)
    before = files(storage)
    assert build(storage).files_written == 0
    assert files(storage) == before
    assert "2026-06-04" in page(storage, "zh/index.html")


def test_a_long_build_says_how_far_it_is(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest_pipeline.site.build._SECONDS_BETWEEN_MESSAGES", 0)
    said: list[str] = []
    build_site(storage, OPTIONS, now=lambda: datetime(2026, 6, 4, 16, tzinfo=UTC), progress=said.append)
    assert said[0].startswith("site: 1 of 3 days, about ")

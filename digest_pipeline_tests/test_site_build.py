"""The site is whole after every build, and a build does only what is due."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import digest_pipeline.site
from digest_pipeline.home import DataHome
from digest_pipeline.model import AnnounceType, SummaryStatus
from digest_pipeline.site.build import SiteOptions, SiteReport, build_site
from digest_pipeline.site.watch import WatchList
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


def build(home: DataHome, options: SiteOptions = OPTIONS, today: date = DAYS[-1]) -> SiteReport:
    return build_site(home, options, now=lambda: datetime(today.year, today.month, today.day, 16, tzinfo=UTC))


def files(home: DataHome) -> dict[str, tuple[int, int]]:
    """Each file below site/ with its inode and time: equal means untouched."""
    site = home.local_path("site")
    return {
        one.relative_to(site).as_posix(): (one.stat().st_ino, one.stat().st_mtime_ns)
        for one in site.rglob("*")
        if one.is_file() and one.name != ".build.json"
    }


def page(home: DataHome, path: str) -> str:
    return home.read_text(f"site/{path}")


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durability is the data home's promise and tested there; here thousands of flushes would only cost time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def home(tmp_path: Path) -> DataHome:
    made = DataHome(tmp_path / "data")
    write_generated_days(made, DAYS[:3], 5)
    return made


def test_a_first_build_makes_every_page_readers_were_promised(home: DataHome) -> None:
    report = build(home)
    made = files(home)
    assert {"index.html", "zh/index.html", "zh/archive/index.html", "zh/categories/index.html", "zh/about/index.html"} <= made.keys()
    assert {"zh/2026-06-01/index.html", "zh/2026-06-01/cs.CL.html", "zh/2026-06-01/cs.IR.html", "zh/2026-06-01/all.bib"} <= made.keys()
    assert {"zh/feeds/all.xml", "zh/feeds/cs.CL.rss.xml", "zh/feeds/cs.IR.json", "assets/style.css"} <= made.keys()
    assert report.days == report.days_built == 3
    assert report.unfinished_days == ()


def test_a_second_build_reads_no_day_and_touches_no_file(home: DataHome) -> None:
    build(home)
    before = files(home)
    report = build(home)
    assert (report.days_read, report.days_built, report.papers_built, report.files_written) == (0, 0, 0, 0)
    assert files(home) == before


def test_a_new_day_makes_its_own_pages_and_its_neighbours_again_and_leaves_the_others(home: DataHome) -> None:
    build(home)
    before = files(home)
    write_day(home, DAYS[3], generated_papers(DAYS[3], 5))
    report = build(home)
    touched = {path for path, stamp in files(home).items() if before.get(path) != stamp}
    assert report.days_built == 2
    assert "zh/2026-06-04/index.html" in touched
    assert "2026-06-04/index.html" in page(home, "zh/2026-06-03/index.html"), "the day before links to the new one"
    assert not any(path.startswith(("zh/2026-06-01/", "zh/2026-06-02/")) for path in touched)
    assert "2026-06-04" in page(home, "zh/index.html")


def test_a_day_written_again_with_the_same_content_is_left_alone(home: DataHome) -> None:
    build(home)
    before = files(home)
    for file in (home.papers_file(DAYS[0]), home.summaries_file(DAYS[0], "zh")):
        home.write_bytes(file, home.read_bytes(file))
    assert build(home).days_built == 0
    assert files(home) == before


def test_a_mended_translation_reaches_the_day_and_the_paper(home: DataHome) -> None:
    build(home)
    papers = generated_papers(DAYS[2], 5)
    write_day(home, DAYS[2], papers, summaries=[make_summary(papers[0], translated_title="改过的标题")])
    build(home)
    assert "改过的标题" in page(home, "zh/2026-06-03/index.html")
    assert "改过的标题" in page(home, f"zh/paper/{papers[0].arxiv_id}/index.html")


def test_a_replacement_joins_the_paper_page_of_the_first_version(home: DataHome) -> None:
    first = make_paper("2606.77777", DAYS[0], abstract="We measure ten things and find that eight of them are large enough to matter.")
    write_day(home, DAYS[0], [first])
    build(home)
    assert "v2" not in page(home, "zh/paper/2606.77777/index.html")
    second = replace(first, version=2, announce_type=AnnounceType.REPLACE, listing_date=DAYS[3], abstract=first.abstract.replace("eight", "nine"))
    write_day(home, DAYS[3], [second])
    report = build(home)
    html = page(home, "zh/paper/2606.77777/index.html")
    assert "<del>eight</del><ins>nine</ins>" in html
    assert "2026-06-01/index.html#p-2606.77777" in html
    assert "2026-06-04/index.html#p-2606.77777" in html
    assert report.days_built == 2, "the first version's own day is not made again"


def test_a_paper_that_vanished_from_a_day_loses_its_page_and_its_rows(home: DataHome) -> None:
    build(home)
    papers = generated_papers(DAYS[2], 5)
    write_day(home, DAYS[2], papers[1:])
    report = build(home)
    assert f"zh/paper/{papers[0].arxiv_id}/index.html" not in files(home)
    assert report.files_removed == 1
    assert papers[0].arxiv_id not in page(home, "zh/2026-06-03/index.html")


def test_a_day_that_vanished_takes_its_pages_along_but_not_those_of_papers_listed_elsewhere(home: DataHome) -> None:
    first = make_paper("2606.77777", DAYS[1])
    write_day(home, DAYS[1], [first, make_paper("2606.77776", DAYS[1])])
    write_day(home, DAYS[2], [replace(first, version=2, announce_type=AnnounceType.REPLACE, listing_date=DAYS[2])])
    build(home)
    for file in ("papers", "ledger"):
        for one in home.local_path(f"{file}/date={DAYS[1]}").iterdir():
            one.unlink()
    build(home)
    made = files(home)
    assert not any(path.startswith("zh/2026-06-02/") for path in made)
    assert "zh/paper/2606.77776/index.html" not in made
    assert "2026-06-02" not in page(home, "zh/paper/2606.77777/index.html")
    assert "2026-06-02/index.html" not in page(home, "zh/2026-06-01/index.html")


def test_changed_options_make_every_page_again(home: DataHome) -> None:
    build(home)
    assert build(home, replace(OPTIONS, site_url="https://digest.example")).days_built == 3


def test_a_changed_template_makes_every_page_again(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    build(home)
    monkeypatch.setattr("digest_pipeline.site.build.room_key", lambda: "other templates")
    assert build(home).days_built == 3


def test_a_language_that_is_dropped_leaves_nothing_behind(home: DataHome) -> None:
    write_generated_days(home, DAYS[:3], 3, languages=("zh", "fr"))
    build(home, replace(OPTIONS, languages=("zh", "fr")))
    assert any(path.startswith("fr/") for path in files(home))
    build(home)
    assert not any(path.startswith("fr/") for path in files(home))


def test_a_language_configured_later_shows_older_days_in_the_original(home: DataHome) -> None:
    build(home, replace(OPTIONS, languages=("zh", "fr")))
    assert "Pas encore traduit" in page(home, "fr/2026-06-01/index.html")


class _Killed(BaseException):
    """As SIGKILL would end it: no handler runs."""


@pytest.mark.parametrize("after", [1, 9, 24])
def test_a_build_that_was_killed_is_finished_by_the_next_one(home: DataHome, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    build(home)
    write_day(home, DAYS[1], [*generated_papers(DAYS[1], 6), make_paper("2606.77770", DAYS[1])])
    write_day(home, DAYS[3], generated_papers(DAYS[3], 5, replaced=generated_papers(DAYS[0], 5)[:2]))
    write = DataHome.write_if_changed
    left = [after]

    def killing(self: DataHome, relative: str, content: bytes) -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        return write(self, relative, content)

    with monkeypatch.context() as patched:
        patched.setattr(DataHome, "write_if_changed", killing)
        with pytest.raises(_Killed):
            build(home)
    build(home)
    finished = {path: home.read_bytes(f"site/{path}") for path in files(home)}
    whole = DataHome(home.root.parent / "whole")
    for table in ("papers", "translated_summaries", "ledger"):
        for one in sorted(home.local_path(table).rglob("*")):
            if one.is_file():
                whole.write_bytes(one.relative_to(home.local_path("")).as_posix(), one.read_bytes())
    build(whole)
    assert finished == {path: whole.read_bytes(f"site/{path}") for path in files(whole)}


def test_files_nobody_accounts_for_go_after_a_lost_manifest(home: DataHome) -> None:
    build(home)
    home.write_text("site/zh/paper/2601.00001/index.html", "left by somebody")
    home.write_text("site/zh/2025-01-02/index.html", "left by somebody")
    home.write_text("site/robots.txt", "the operator's own")
    home.write_text("site/.build.json", '{"format": 1, "torn')
    build(home)
    assert "zh/paper/2601.00001/index.html" not in files(home)
    assert "zh/2025-01-02/index.html" not in files(home)
    assert "robots.txt" in files(home)


def test_a_day_without_ledger_is_not_shown_but_reported(home: DataHome) -> None:
    home.write_bytes(home.papers_file(DAYS[3]), home.read_bytes(home.papers_file(DAYS[0])))
    report = build(home)
    assert report.unfinished_days == (DAYS[3],)
    assert not any(path.startswith("zh/2026-06-04") for path in files(home))


def test_a_holiday_has_its_page_and_the_home_page_shows_the_last_listing_and_says_so(home: DataHome) -> None:
    write_day(home, DAYS[3], [], announced=False)
    build(home)
    assert "没有发布公告" in page(home, "zh/2026-06-04/index.html")
    assert "2026年6月4日 星期四：arXiv 没有发布公告" in page(home, "zh/index.html")
    assert 'class="paper"' in page(home, "zh/index.html")


def test_after_the_sample_day_no_day_is_called_missing(tmp_path: Path) -> None:
    home = DataHome(tmp_path)
    write_day(home, DAYS[0], generated_papers(DAYS[0], 2), is_sample=True)
    build(home, today=date(2026, 11, 23))
    assert '<td class="gap"' not in page(home, "zh/archive/index.html")
    write_day(home, DAYS[1], generated_papers(DAYS[1], 2))
    build(home, today=date(2026, 6, 4))
    assert page(home, "zh/archive/index.html").count('<td class="gap"') == 1


def test_no_day_at_all_still_makes_a_site(tmp_path: Path) -> None:
    home = DataHome(tmp_path)
    assert build(home).days == 0
    assert "还没有数据" in page(home, "index.html")
    write_day(home, DAYS[0], generated_papers(DAYS[0], 2))
    build(home)
    assert 'class="paper"' in page(home, "index.html")


def test_several_languages_begin_with_a_choice(home: DataHome) -> None:
    build(home, replace(OPTIONS, languages=("zh", "ja")))
    assert 'href="zh/index.html"' in page(home, "index.html")
    assert 'href="ja/index.html"' in page(home, "index.html")


def test_an_old_style_id_keeps_its_slash_in_the_address(home: DataHome) -> None:
    write_day(home, DAYS[3], [make_paper("hep-ex/0406020", DAYS[3], version=3, announce_type=AnnounceType.REPLACE)])
    build(home)
    assert "https://arxiv.org/abs/hep-ex/0406020" in page(home, "zh/paper/hep-ex/0406020/index.html")
    assert 'href="../paper/hep-ex/0406020/index.html"' in page(home, "zh/2026-06-04/index.html")


@pytest.fixture
def watching() -> SiteOptions:
    lists = (WatchList("tables", "表格", keywords=("reading tables",)), WatchList("nothing", "没有", keywords=("zymurgy",)))
    return replace(OPTIONS, watch_lists=lists)


def test_watched_papers_come_first_and_have_their_page_and_feed(home: DataHome, watching: SiteOptions) -> None:
    papers = [make_paper(f"2606.0100{n}", DAYS[3]) for n in range(3)] + [make_paper("2606.00999", DAYS[3], title="Reading Tables Aloud")]
    write_day(home, DAYS[3], papers)
    build(home, watching)
    html = page(home, "zh/2026-06-04/index.html")
    assert html.index("p-2606.00999") < html.index("p-2606.01002")
    assert "Reading Tables" in page(home, "zh/watch/tables/index.html")
    assert "Reading Tables" in page(home, "zh/feeds/watch-tables.xml")
    assert "没有匹配的论文" in page(home, "zh/watch/nothing/index.html")


def test_watched_papers_of_unchanged_days_stay_on_the_list_page(home: DataHome, watching: SiteOptions) -> None:
    write_day(home, DAYS[0], [make_paper("2606.00999", DAYS[0], title="Reading Tables Aloud")])
    build(home, watching)
    write_day(home, DAYS[3], generated_papers(DAYS[3], 3))
    build(home, watching)
    assert "2606.00999" in page(home, "zh/watch/tables/index.html")


def test_deferred_papers_say_that_they_wait_and_quarantined_ones_why(home: DataHome) -> None:
    paper, other = make_paper("2606.00001", DAYS[3]), make_paper("2606.00002", DAYS[3])
    blank = {"translated_title": "", "translated_abstract": "", "tldr": "", "tldr_en": ""}
    waiting = make_summary(paper, status=SummaryStatus.DEFERRED, **blank)
    refused = make_summary(other, status=SummaryStatus.QUARANTINED, flags=("script: only 3 % Han letters",), **blank)
    write_day(home, DAYS[3], [paper, other], summaries=[waiting, refused])
    build(home)
    html = page(home, "zh/2026-06-04/index.html")
    assert "尚未翻译" in html
    assert "only 3 % Han letters" in html


def test_an_error_while_writing_ends_the_build_and_the_next_one_repairs_it(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    write = DataHome.write_if_changed

    def full_disk(self: DataHome, relative: str, content: bytes) -> bool:
        if relative.endswith("2026-06-02/cs.CL.html"):
            raise OSError(28, "No space left on device")
        return write(self, relative, content)

    with monkeypatch.context() as patched:
        patched.setattr(DataHome, "write_if_changed", full_disk)
        with pytest.raises(OSError, match="No space left"):
            build(home)
    build(home)
    assert "zh/2026-06-02/cs.CL.html" in files(home)


def test_the_manifest_is_small(home: DataHome) -> None:
    build(home)
    data = json.loads(home.read_text("site/.build.json"))
    assert data["is_complete"] is True
    assert len(home.read_bytes("site/.build.json")) < 6_000


def test_a_whole_build_has_search_and_statistics(home: DataHome) -> None:
    report = build(home, replace(OPTIONS, pages_only=False))
    assert report.search_problem == ""
    assert {"zh/search/index.html", "zh/statistics/index.html", "zh/statistics/statistics.csv"} <= files(home).keys()
    assert build(home, replace(OPTIONS, pages_only=False)).files_written == 0


def test_an_object_store_gets_the_same_site_with_the_same_economy(home: DataHome) -> None:
    store = DataHome(f"memory://{home.root.path}")
    for one in sorted(home.local_path("").rglob("*.*")):
        if one.is_file():
            store.write_bytes(one.relative_to(home.local_path("")).as_posix(), one.read_bytes())
    build(home)
    build(store)
    assert {path: store.read_bytes(f"site/{path}") for path in files(home)} == {path: home.read_bytes(f"site/{path}") for path in files(home)}
    assert build(store).files_written == 0
    write_day(store, DAYS[3], generated_papers(DAYS[3], 3))
    assert build(store).days_built == 2
    write_day(store, DAYS[3], generated_papers(DAYS[3], 2))
    assert build(store).files_removed == 1


def test_this_room_does_not_import_dagster() -> None:
    folder = Path(digest_pipeline.site.__file__).parent
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = (
                [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
            assert not any(name.split(".")[0].startswith("dagster") for name in names), module.name

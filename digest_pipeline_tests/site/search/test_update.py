"""The search index from day to day: what a new, a changed and a lost day cost, and what is found afterwards."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline.models import DigestEntry
from digest_pipeline.site import search
from digest_pipeline.site.search import SearchOutcome, search_page_values, update_search
from digest_pipeline.site.search.segments import read_segment
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import HOSTILE, an_entry, an_untranslated_entry

ZH = load_language("zh")
FIRST = date(2026, 6, 2)


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


def some_days(count: int, papers: int = 2) -> Days:
    days = [FIRST + timedelta(days=n) for n in range(count)]
    return Days({day: [an_entry(arxiv_id=f"2606.{k:02}{n:03}", listing_date=day) for k in range(1, papers + 1)] for n, day in enumerate(days)})


def update(storage: Storage, days: Days) -> SearchOutcome:
    days.loaded.clear()
    return update_search(storage, ZH, days.keys(), days, ["cs.CL", "cs.IR"])


def index(storage: Storage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(storage.read_text("site/zh/search/index.json"))
    return found


def found(storage: Storage, term: str) -> list[tuple[str, str]]:
    """(day, id) of the papers that the files lead to, as the browser reads them."""
    results = []
    for stored in index(storage)["segments"]:
        segment = read_segment(storage, f"site/zh/search/{stored['name']}", stored["shards"])
        days = {paper: day for day, (first, count, _) in stored["days"].items() for paper in range(first, first + count)}
        papers = papers_of(segment.postings[term].data) if term in segment.postings else []
        results += [(days[paper], segment.ids[paper]) for paper in papers if paper in days]
    return sorted(results)


def papers_of(data: bytearray) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    papers, paper, at = [], 0, 0
    while at < len(numbers):
        paper += numbers[at] >> 1
        papers.append(paper)
        at += 2 + (numbers[at] & 1 and numbers[at + 1])
    return papers


def test_a_new_day_reads_only_itself_and_every_day_is_found(tmp_path: Path) -> None:
    storage, days = Storage(tmp_path), some_days(3)
    assert update(storage, days).papers == 6
    later = FIRST + timedelta(days=3)
    days.days[later] = [an_entry(arxiv_id="2606.09999", listing_date=later)]
    outcome = update(storage, days)
    assert (days.loaded, outcome.indexed_papers, outcome.papers, outcome.problem) == ([later], 1, 7, "")
    assert [one for _, one in found(storage, "泡茶")][-1] == "2606.09999"
    assert len(found(storage, "泡茶")) == 7


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    storage, days = Storage(tmp_path), some_days(3)
    update(storage, days)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    update(storage, days)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()} == before


def test_days_fill_large_segments_and_the_older_ones_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HEAD_PAPERS", 4)
    monkeypatch.setattr(search, "SEGMENT_PAPERS", 10)
    storage, all_days = Storage(tmp_path), some_days(12)
    names: list[set[str]] = []
    for day in all_days.days:
        update(storage, Days({one: entries for one, entries in all_days.days.items() if one <= day}))
        names.append({one["name"] for one in index(storage)["segments"]})
    assert len(found(storage, "泡茶")) == 24
    stored = index(storage)["segments"]
    assert [one["papers"] for one in stored] == [8, 8, 8]
    assert names[4] & names[-1], "a full segment is not written again"
    assert {path.name for path in (tmp_path / "site/zh/search").iterdir()} == {"index.json", *(one["name"] for one in stored)}


def test_four_full_segments_become_one_and_every_day_is_still_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HEAD_PAPERS", 4)
    monkeypatch.setattr(search, "SEGMENT_PAPERS", 10)
    storage, all_days = Storage(tmp_path), some_days(23)
    for day in all_days.days:
        update(storage, Days({one: entries for one, entries in all_days.days.items() if one <= day}))
    stored = index(storage)["segments"]
    assert [one["papers"] for one in stored] == [32, 8, 4, 2]
    listed = {(entry.paper.listing_date.isoformat(), entry.paper.arxiv_id) for entries in all_days.days.values() for entry in entries}
    assert set(found(storage, "泡茶")) == listed


def test_a_changed_day_is_found_as_it_is_now_and_a_lost_day_not_at_all(tmp_path: Path) -> None:
    storage, days = Storage(tmp_path), some_days(4)
    update(storage, days)
    days.days[FIRST] = [an_untranslated_entry(arxiv_id="2606.01000", listing_date=FIRST)]
    del days.days[FIRST + timedelta(days=1)]
    assert update(storage, days).papers == 5
    assert ("2026-06-02", "2606.01000") not in found(storage, "泡茶")
    assert ("2026-06-02", "2606.01000") in found(storage, "brewing")
    assert {day for day, _ in found(storage, "brewing")} == {"2026-06-02", "2026-06-04", "2026-06-05"}


def test_a_segment_that_is_mostly_gone_is_indexed_again_without_the_rest(tmp_path: Path) -> None:
    storage, days = Storage(tmp_path), some_days(4)
    update(storage, days)
    for day in list(days.days)[:3]:
        del days.days[day]
    update(storage, days)
    assert [one["papers"] for one in index(storage)["segments"]] == [2]


def test_a_torn_index_is_built_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage, days = Storage(tmp_path), some_days(2)
    update(storage, days)
    storage.write_text("site/zh/search/index.json", "{")
    with caplog.at_level(logging.WARNING):
        assert update(storage, days).papers == 4
    assert "torn" in caplog.text
    assert len(found(storage, "泡茶")) == 4


def test_a_segment_that_cannot_be_read_is_left_alone_and_the_new_day_goes_into_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage, days = Storage(tmp_path), some_days(1)
    update(storage, days)
    (name,) = [one["name"] for one in index(storage)["segments"]]
    storage.write_bytes(f"site/zh/search/{name}/p-000.bin", b"torn")
    later = FIRST + timedelta(days=1)
    days.days[later] = [an_entry(arxiv_id="2606.09999", listing_date=later)]
    assert update(storage, days).problem == ""
    assert "cannot be read" in caplog.text
    assert len(index(storage)["segments"]) == 2


def test_the_index_of_an_earlier_release_goes(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_text("site/zh/search/bundles.json", "{}")
    storage.write_text("site/zh/search/2026-06/fragment/zh_1.pf_fragment", "old")
    storage.write_text("site/zh/search/index.html", "the page")
    update(storage, some_days(1))
    names = {path.name for path in (tmp_path / "site/zh/search").iterdir()}
    assert "2026-06" not in names
    assert "bundles.json" not in names
    assert "index.html" in names


def test_authors_ids_originals_and_formulas_are_indexed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    entry = an_entry(title=r"G\"odel's $\alpha$-tea", abstract=r"The \textbf{stronger} $x_{leaf}$ brew.", authors=("Ludwig van Beethoven",))
    update(storage, Days({FIRST: [entry]}))
    for term in ("godel", "alpha", "tea", "stronger", "leaf", "brew", "beethoven", "泡茶"):
        assert found(storage, term), term


def test_hostile_texts_and_three_thousand_authors_do_no_harm(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    authors = tuple(f"Ána Number{n}" for n in range(3000))
    update(storage, Days({FIRST: [an_entry(title=HOSTILE, abstract=HOSTILE, authors=authors)]}))
    assert found(storage, "number2999")
    assert found(storage, "script")


def test_an_object_store_gets_the_same_files() -> None:
    from upath import UPath

    storage, days = Storage(UPath("memory://outputs-search")), some_days(2)
    update(storage, days)
    days.days[FIRST] = [an_untranslated_entry(arxiv_id="2606.01000", listing_date=FIRST)]
    update(storage, days)
    assert len(found(storage, "brewing")) == 3


def test_the_page_says_what_is_wrong() -> None:
    assert search_page_values(SearchOutcome(), ZH, ["cs.CL"])["problem"] == ""
    assert "2 days" in search_page_values(SearchOutcome(problem="2 days are not in the index"), ZH, [])["problem"]

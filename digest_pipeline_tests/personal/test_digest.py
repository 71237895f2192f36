"""What a profile is shown of a day, and what of it lies where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from digest_pipeline import tables
from digest_pipeline.models import AnnounceType, Paper
from digest_pipeline.personal.digest import write_day
from digest_pipeline.personal.selection import select
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.ranking.rank import RankedPaper, Reason, Taste
from digest_pipeline.ranking.rankings import write_rankings
from digest_pipeline.ranking.taste import ProfileTaste
from digest_pipeline.reading.view import notes_file
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import generated_papers

MONDAY, TUESDAY, NEXT_WEEK = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 10)


def known(*ids: str, titles: Sequence[str] = ()) -> ProfileTaste:
    return ProfileTaste(Taste(()), frozenset(ids), frozenset(titles), frozenset(), ())


def listed(storage: Storage, day: date, papers: Sequence[Paper], scores: Sequence[float]) -> list[str]:
    storage.write_table(storage.papers_file(day), tables.papers_to_table([replace(paper, listing_date=day) for paper in papers]))
    why = (Reason("k", "A library's title", 0.5),)
    ranked = [RankedPaper(paper.arxiv_id, place, score, "its terms", why) for place, (paper, score) in enumerate(zip(papers, scores, strict=True), 1)]
    write_rankings(storage, day, "ada", ranked)
    return [paper.arxiv_id for paper in papers]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "data")


def test_a_paper_of_the_library_is_not_shown_by_id_or_title(storage: Storage) -> None:
    papers = generated_papers(MONDAY, 4)
    ids = listed(storage, MONDAY, papers, [0.9, 0.8, 0.7, 0.6])
    shown = select(storage, MONDAY, "ada", 2, known(ids[0], titles=[papers[1].title.casefold()]))
    assert [one.ranked.arxiv_id for one in shown] == ids[2:]


def test_a_new_version_of_a_paper_that_was_shown_is_not_shown_again(storage: Storage) -> None:
    papers = generated_papers(MONDAY, 3)
    ids = listed(storage, MONDAY, papers, [0.9, 0.8, 0.7])
    select(storage, MONDAY, "ada", 1, known())
    again = replace(papers[0], version=2, announce_type=AnnounceType.REPLACE)
    fresh = replace(papers[2], arxiv_id="2606.77777")
    listed(storage, TUESDAY, [again, fresh], [0.95, 0.9])
    assert ids[0] not in [one.ranked.arxiv_id for one in select(storage, TUESDAY, "ada", 2, known())]


def test_a_strong_paper_without_a_place_comes_back_once_within_the_week(storage: Storage) -> None:
    ids = listed(storage, MONDAY, generated_papers(MONDAY, 3), [0.9, 0.85, 0.2])
    assert [one.ranked.arxiv_id for one in select(storage, MONDAY, "ada", 1, known())] == ids[:1]
    weak = [replace(paper, arxiv_id=f"2606.7000{number}") for number, paper in enumerate(generated_papers(TUESDAY, 2))]
    listed(storage, TUESDAY, weak, [0.5, 0.1])
    shown = select(storage, TUESDAY, "ada", 1, known())
    assert [(one.ranked.arxiv_id, one.comes_back) for one in shown] == [(weak[0].arxiv_id, False), (ids[1], True)]
    assert select(storage, TUESDAY, "ada", 1, known()) == shown, "a day chosen again chooses the same"
    later = [replace(paper, arxiv_id=f"2606.8000{number}") for number, paper in enumerate(generated_papers(TUESDAY, 2))]
    listed(storage, date(2026, 6, 3), later, [0.5, 0.1])
    assert ids[1] not in [one.ranked.arxiv_id for one in select(storage, date(2026, 6, 3), "ada", 1, known())]


def test_after_a_week_nothing_comes_back(storage: Storage) -> None:
    listed(storage, MONDAY, generated_papers(MONDAY, 3), [0.9, 0.85, 0.2])
    select(storage, MONDAY, "ada", 1, known())
    listed(storage, NEXT_WEEK, [replace(generated_papers(NEXT_WEEK, 1)[0], arxiv_id="2606.70000")], [0.5])
    assert [one.comes_back for one in select(storage, NEXT_WEEK, "ada", 1, known())] == [False]


def test_the_files_say_how_many_why_and_what_else_there_was(storage: Storage, tmp_path: Path) -> None:
    papers = generated_papers(MONDAY, 5)
    listed(storage, MONDAY, papers, [0.9, 0.8, 0.7, 0.6, 0.5])
    assert write_day(storage, PapersAtHand(storage), MONDAY, Profile(name="ada", top=2), tmp_path, ("en", "zh")) == 2
    text = storage.read_text("private/ada/en/2026-06-01.md")
    assert "2 of 5 for you" in text
    assert "its terms" in text
    assert "like “A library's title” (50%)" in text.replace("\\", "")
    page = storage.read_text("private/ada/zh/2026-06-01.html")
    assert papers[0].abs_url in page
    assert papers[4].abs_url not in page
    assert "<script" not in page
    assert b"2026-06-01" in storage.read_bytes("private/ada/zh/feed.xml")
    assert not storage.exists("site")


def test_a_paper_that_was_read_whole_shows_its_claims_with_the_papers_own_words_beneath(storage: Storage) -> None:
    papers = generated_papers(MONDAY, 2)
    ids = listed(storage, MONDAY, papers, [0.9, 0.8])
    row = {"arxiv_id": ids[0], "version": 1, "language": "zh", "model": "m", "cost_usd": 0.0, "status": "shown", "dropped": 0, "detail": ""}
    url = f"https://arxiv.org/html/{ids[0]}v1#S4.p1"
    notes = [
        {
            **row,
            "kind": "limitation",
            "claim": "未尝试<其他>语言。",
            "quote": "We have not tried other languages",
            "section": "5 Limits",
            "anchor_url": url,
        },
        {
            **row,
            "kind": "result",
            "claim": "省去 61.4% 的调用。",
            "quote": "It saves 61.4% of the calls",
            "section": "4 Experiments",
            "anchor_url": url,
        },
    ]
    storage.write_table(notes_file(MONDAY, "zh"), pa.Table.from_pylist(notes, schema=tables.READING_NOTES))
    write_day(storage, PapersAtHand(storage), MONDAY, Profile(name="ada"), Path(), ["zh"])
    markdown, page = (storage.read_text(f"private/ada/zh/{MONDAY}.{kind}") for kind in ("md", "html"))
    assert markdown.index("**结果**") < markdown.index("**局限**")  # in the order of kinds, whatever the table's
    assert f"  > It saves 61.4% of the calls — [4 Experiments]({url})" in markdown
    assert "<summary>省去 61.4% 的调用。</summary>" in page
    assert "未尝试&lt;其他&gt;语言。" in page
    assert page.count("<details>") == 2

"""Profiles that name categories and watch lists: what orders a day without any library, and what they add to one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from digest_pipeline.cli import main
from digest_pipeline.ranking.features import FeatureSpace
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.ranking.rank import RankedPaper, Ranker, Taste
from digest_pipeline.ranking.taste import taste_of_profile
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage
from digest_pipeline_tests.ranking.test_commands import folder  # noqa: F401 - a fixture
from digest_pipeline_tests.ranking.test_profiles import write_papers, write_profiles
from digest_pipeline_tests.support.tastes import FIELDS, area_under_curve, library_of, papers_of_all_fields

ROBOTS = WatchList("robots", "Robots that grasp", keywords=("gripper",))


@pytest.fixture(scope="module")
def space() -> FeatureSpace:
    return FeatureSpace(papers_of_all_fields(200))


def ranked(space: FeatureSpace, taste: Taste) -> list[RankedPaper]:
    return Ranker(space, taste).rank(list(space.rows))


def of_field(space: FeatureSpace, field: str) -> set[str]:
    return {paper.key for paper in space.papers if field in paper.categories}


@pytest.mark.parametrize("field", FIELDS)
def test_a_category_alone_brings_its_papers_first_under_its_name(space: FeatureSpace, field: str) -> None:
    rows, mine = ranked(space, Taste((), categories=(field,))), of_field(space, field)
    assert {row.arxiv_id for row in rows[: len(mine)]} == mine
    assert rows[0].interest.startswith(f"{field} (")
    assert rows[0].why == ()


def test_an_archive_stands_for_all_its_categories_and_a_cross_list_counts_less() -> None:
    papers = papers_of_all_fields(40)
    papers[0] = replace(papers[0], categories=("math.CO",))
    papers[1] = replace(papers[1], categories=("cs.IT", "math.PR"))
    order = [row.arxiv_id for row in ranked(FeatureSpace(papers), Taste((), categories=("math",)))]
    assert order[:2] == [papers[0].key, papers[1].key]


def test_a_watch_list_alone_brings_what_it_shows_first_and_then_what_resembles_it(space: FeatureSpace) -> None:
    rows = ranked(space, Taste((), watch_lists=(ROBOTS,)))
    shown = {paper.key for paper in space.papers if "gripper" in f"{paper.title} {paper.abstract}".lower()}
    assert {row.arxiv_id for row in rows[: len(shown)]} == shown
    assert rows[0].interest == "Robots that grasp"
    rest = [row.arxiv_id for row in rows[len(shown) :]]
    assert area_under_curve(rest, of_field(space, "cs.RO")) > 0.9


def test_two_categories_take_turns(space: FeatureSpace) -> None:
    first_ten = [row.arxiv_id for row in ranked(space, Taste((), categories=("cs.GT", "cs.IT")))[:10]]
    assert all(len(of_field(space, field) & set(first_ten)) >= 4 for field in ("cs.GT", "cs.IT"))


def test_beside_a_library_a_category_is_a_mild_leaning(space: FeatureSpace) -> None:
    library = library_of("cs.GT", 15)

    def mean_place(rows: list[RankedPaper], field: str) -> float:
        places = [row.rank for row in rows if row.arxiv_id in of_field(space, field)]
        return sum(places) / len(places)

    plain, leaning = ranked(space, Taste(library)), ranked(space, Taste(library, categories=("cs.RO",)))
    assert mean_place(leaning, "cs.RO") < mean_place(plain, "cs.RO")
    assert area_under_curve([row.arxiv_id for row in leaning], of_field(space, "cs.GT")) > 0.95
    assert leaning[0].why, "the library still says why"


def test_a_list_or_category_that_nothing_falls_under_leaves_the_newest_first(space: FeatureSpace) -> None:
    rows = ranked(space, Taste((), categories=("hep-ex",), watch_lists=(WatchList("none", "None", keywords=("zeppelin",)),)))
    assert [row.arxiv_id for row in rows] == sorted(space.rows, reverse=True)


def test_dislikes_alone_make_their_theme_sink(space: FeatureSpace) -> None:
    disliked = tuple(paper for paper in space.papers if "cs.CY" in paper.categories)[:6]
    order = [row.arxiv_id for row in ranked(space, Taste((), disliked))]
    assert area_under_curve(order, of_field(space, "cs.CY")) < 0.1


def test_a_profile_names_lists_of_watch_toml_and_is_told_of_one_that_is_not_there(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "data")
    write_papers(storage, date(2026, 6, 2), papers_of_all_fields(20))
    [profile] = load_profiles(write_profiles(tmp_path, '[[profile]]\nname = "ada"\nwatch_lists = ["robots", "gone"]\ncategories = ["cs.GT"]\n'))
    read = taste_of_profile(profile, tmp_path, PapersAtHand(storage), storage, watch_lists=[ROBOTS])
    assert (read.taste.watch_lists, read.taste.categories) == ((ROBOTS,), ("cs.GT",))
    assert [str(problem) for problem in read.problems] == ["profiles.toml, ada: watch_lists: 'gone' is no list of watch.toml"]


def test_the_commands_rank_and_show_a_profile_without_a_library(
    folder: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "watch.toml").write_text('[[list]]\nname = "robots"\ntitle = "Robots that grasp"\nkeywords = ["gripper"]\n')
    monkeypatch.setenv("DIGEST_WATCH_FILE", str(folder / "watch.toml"))
    (folder / "profiles.toml").write_text('[[profile]]\nname = "ada"\nwatch_lists = ["robots"]\ntop = 3\n')
    assert main(["rank", "2026-06-02", "2026-06-02"]) == 0
    assert "Robots that grasp" in capsys.readouterr().out
    assert main(["profile", "show"]) == 0
    assert "papers: Robots that grasp" in capsys.readouterr().out
    (folder / "profiles.toml").write_text('[[profile]]\nname = "ada"\n')
    assert main(["rank", "2026-06-02", "2026-06-02"]) == 2
    assert "no library, likes, categories or watch lists" in capsys.readouterr().err

"""The order of a day for one reader."""

from __future__ import annotations

from itertools import pairwise

import pytest

from digest_pipeline.ranking.features import Document, FeatureSpace
from digest_pipeline.ranking.rank import RankedPaper, Ranker, Taste
from digest_pipeline_tests.support.tastes import FIELDS, area_under_curve, library_of, paper, papers_of_all_fields

PAPERS = papers_of_all_fields(160)
KEYS = [one.key for one in PAPERS]


@pytest.fixture(scope="module")
def space() -> FeatureSpace:
    return FeatureSpace(PAPERS)


def ranked(space: FeatureSpace, liked: tuple[Document, ...], disliked: tuple[Document, ...] = ()) -> list[RankedPaper]:
    return Ranker(space, Taste(liked, disliked)).rank(KEYS)


def ids_of(field: str) -> set[str]:
    return {one.key for one in PAPERS if field in one.categories}


@pytest.mark.parametrize("field", FIELDS)
def test_papers_of_the_librarys_field_come_first_though_it_names_no_category(space: FeatureSpace, field: str) -> None:
    order = [one.arxiv_id for one in ranked(space, library_of(field, 8))]
    assert area_under_curve(order, ids_of(field)) > 0.97


def test_each_paper_of_the_day_has_one_rank_and_scores_never_rise(space: FeatureSpace) -> None:
    rows = ranked(space, library_of("cs.GT", 8))
    assert sorted(row.arxiv_id for row in rows) == sorted(KEYS)
    assert [row.rank for row in rows] == list(range(1, len(KEYS) + 1))
    assert all(first.score >= second.score for first, second in pairwise(rows))
    assert all(0 <= row.score <= 1 for row in rows)


def test_two_unrelated_interests_are_told_apart_and_both_are_among_the_first_ten(space: FeatureSpace) -> None:
    ranker = Ranker(space, Taste(library_of("cs.GT", 10) + library_of("cs.RO", 10)))
    assert [len(one.rows) for one in ranker.interests] == [10, 10]
    first = {row.arxiv_id for row in ranker.rank(KEYS)[:10]}
    assert len(first & ids_of("cs.GT")) >= 3
    assert len(first & ids_of("cs.RO")) >= 3


def test_a_rare_interest_has_its_papers_among_the_first_too() -> None:
    papers = papers_of_all_fields(160)
    space = FeatureSpace(papers)
    day = [one.key for one in papers if one.categories != ("cs.RO",)] + sorted(ids_of("cs.RO"))[:3]
    rows = Ranker(space, Taste(library_of("cs.GT", 12) + library_of("cs.RO", 9))).rank(day)
    assert {row.arxiv_id for row in rows[:10]} & ids_of("cs.RO")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("size", [5, 15, 30])
def test_a_library_of_one_field_stays_one_interest(space: FeatureSpace, field: str, size: int) -> None:
    assert len(Ranker(space, Taste(library_of(field, size))).interests) == 1


def test_an_interest_is_named_by_terms_of_its_field(space: FeatureSpace) -> None:
    words = ranked(space, library_of("cs.IT", 10))[0].interest.lower().replace(",", "").split()
    assert words
    assert set(words) <= {word.lower() for word in FIELDS["cs.IT"]}


def test_an_interest_of_a_single_paper_is_named_by_its_title(space: FeatureSpace) -> None:
    (only,) = library_of("cs.IT", 1)
    assert ranked(space, (only,))[0].interest == only.title


def test_why_names_library_papers_of_the_interest_with_falling_shares(space: FeatureSpace) -> None:
    library = library_of("cs.GT", 8)
    best = ranked(space, library)[0]
    titles = {one.key: one.title for one in library}
    assert 1 <= len(best.why) <= 3
    assert all(titles[reason.key] == reason.title for reason in best.why)
    assert all(first.share >= second.share for first, second in pairwise(best.why))
    assert 0 < sum(reason.share for reason in best.why) <= 1


def test_the_same_input_gives_the_same_rows_whatever_the_order_of_the_day() -> None:
    library = library_of("cs.GT", 8)
    first = Ranker(FeatureSpace(PAPERS), Taste(library)).rank(KEYS)
    assert Ranker(FeatureSpace(PAPERS), Taste(library)).rank(KEYS[::-1]) == first


def test_a_disliked_theme_sinks(space: FeatureSpace) -> None:
    library = library_of("cs.GT", 10) + library_of("cs.RO", 10)
    disliked = tuple(paper(95000 + number, "cs.RO") for number in range(5))
    before = {row.arxiv_id: row.rank for row in ranked(space, library)}
    after = {row.arxiv_id: row.rank for row in ranked(space, library, disliked)}
    theme = ids_of("cs.RO")
    assert sum(after[key] for key in theme) > 1.3 * sum(before[key] for key in theme)
    assert sum(after[key] <= 10 for key in theme) < sum(before[key] <= 10 for key in theme)


def test_likes_of_listed_papers_count_with_their_categories(space: FeatureSpace) -> None:
    likes = tuple(one for one in PAPERS if one.categories == ("cs.CY",))[:3]
    order = [row.arxiv_id for row in ranked(space, library_of("cs.GT", 3) + likes)]
    assert area_under_curve(order, ids_of("cs.CY") | ids_of("cs.GT")) > 0.95


def test_a_paper_by_an_author_of_the_library_comes_before_its_like(space: FeatureSpace) -> None:
    target = next(one for one in PAPERS if one.categories == ("cs.CY",))
    library = library_of("cs.GT", 6)
    known = Document("known", "A title without any such word", "", target.authors)
    before = {row.arxiv_id: row.rank for row in ranked(space, library)}[target.key]
    after = {row.arxiv_id: row.rank for row in ranked(space, (*library, known))}[target.key]
    assert after < before


def test_a_library_in_words_that_no_listed_paper_has_still_gives_every_rank(space: FeatureSpace) -> None:
    rows = ranked(space, (Document("a", "注意力机制", "一种新的方法"),))
    assert [row.rank for row in rows] == list(range(1, len(KEYS) + 1))
    assert {row.why for row in rows} == {()}


@pytest.mark.parametrize("count", [3, 4, 7, 39, 41])
def test_days_of_few_papers_are_ranked(count: int) -> None:
    papers = papers_of_all_fields(count)
    rows = Ranker(FeatureSpace(papers), Taste(library_of("cs.GT", 4))).rank([one.key for one in papers])
    assert len(rows) == count
    assert rows[0].arxiv_id in {one.key for one in papers if one.categories == ("cs.GT",)}

"""Which terms rise: what was planted is found, and nothing is where nothing changed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from digest_pipeline.models import Paper
from digest_pipeline.weekly.trends import find_trends
from digest_pipeline_tests.support.site_days import generated_papers

_TEMPLATE = generated_papers(date(2026, 6, 1), 1)[0]
_WORDS = [
    f"{first}{last}" for first in ("ba", "co", "du", "fe", "gi", "ho", "ju", "ke") for last in ("ral", "tin", "mor", "sel", "vip", "nad", "rux")
]


def week(seed: int, size: int = 150, planted: int = 0, *, authors: int = 1000, term: str = "lantern routing") -> list[Paper]:
    """Papers of random words; the first `planted` also have the term."""
    rng = random.Random(seed)
    papers = []
    for number in range(size):
        text = " ".join(rng.choice(_WORDS) for _ in range(40))
        papers.append(
            replace(
                _TEMPLATE,
                arxiv_id=f"2606.{seed:02}{number:03}",
                title=f"On {rng.choice(_WORDS)}",
                abstract=f"{text} {term} {rng.choice(_WORDS)}" if number < planted else text,
                authors=(f"Author {seed} {number % authors}",),
            )
        )
    return papers


def found(papers: Sequence[Paper], earlier: Sequence[Sequence[Paper]]) -> list[str]:
    return [one.term for one in find_trends(papers, earlier, 10).terms]


def test_a_term_that_rises_is_found_with_the_papers_behind_it_and_once() -> None:
    trends = find_trends(week(0, planted=15), [week(number, planted=1) for number in range(1, 9)], 10)
    [one] = trends.terms  # neither `lantern` nor `routing` besides: these are the same papers
    assert one.term == "lantern routing"
    assert [paper.arxiv_id for paper in one.papers] == [f"2606.00{number:03}" for number in reversed(range(15))]
    assert (round(one.share, 3), round(one.share_before, 4)) == (0.1, 0.0067)
    assert (trends.papers, trends.papers_before, trends.weeks_before) == (150, 1200, 8)


def test_where_nothing_changed_nineteen_weeks_of_twenty_name_no_term() -> None:
    named = sum(bool(found(week(seed), [week(100 + 8 * seed + number) for number in range(8)])) for seed in range(20))
    assert named <= 1


def test_with_one_earlier_week_nothing_is_said() -> None:
    trends = find_trends(week(0, planted=40), [week(1), [], []], 10)
    assert (trends.terms, trends.weeks_before) == ((), 1)


def test_a_series_of_one_group_is_no_trend() -> None:
    assert found(week(0, planted=30, authors=4), [week(1), week(2)]) == []


def test_a_term_that_one_earlier_week_had_as_often_is_no_trend() -> None:
    assert found(week(0, planted=15), [week(1, planted=15), *(week(number) for number in range(2, 9))]) == []


def test_formulas_commands_and_case_make_no_terms_and_a_sentence_ends_one() -> None:
    papers = week(0, planted=20, term=r". $\mathrm{spurious}_x$ \emph{Tidal Harbour}. Quartz.")
    assert found(papers, [week(1), week(2)]) in (["tidal harbour"], ["quartz"])  # the same papers, so only one of the two


def test_an_empty_week_and_an_empty_history_give_nothing() -> None:
    assert find_trends([], [week(1), week(2)], 10).terms == ()
    assert find_trends(week(0), [], 10).weeks_before == 0

"""The end of a run, told apart from the held papers behind it, on dense days and on sparse ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.id_boundaries import end_of_run, id_of
from digest_pipeline_tests.support.corpus import record

FREEZE = datetime(2026, 6, 10, 18, tzinfo=UTC)


def zone_of(*hours_before_freeze: float) -> list[ApiRecord]:
    """Papers by id, submitted so many hours before the freeze."""
    return [record(id_of("2606", 26000 + n), FREEZE - timedelta(hours=hours)) for n, hours in enumerate(hours_before_freeze)]


def count_before(zone: list[ApiRecord]) -> int:
    return end_of_run(zone, FREEZE - timedelta(days=1), FREEZE).stop


MORNING = [20 - n / 2 for n in range(30)]  # a run of a paper each half hour, from 20 to 5.5 hours before the freeze


def test_three_papers_of_the_last_hours_win_over_six_rising_held_ones_behind_them() -> None:
    """The longest rising run goes through the held papers; the boundary is behind the three that reach closest to the freeze."""
    zone = zone_of(*MORNING, 2.9, 1.6, 0.4, 2.8, 2.6, 2.4, 2.2, 2.0, 1.8, 30, 200, 15)
    assert count_before(zone) == len(MORNING) + 3


def test_a_quiet_end_of_the_day_belongs_to_the_day_and_old_papers_behind_it_do_not() -> None:
    zone = zone_of(*MORNING, 100, 60, 3, 90, 2, 1, 80)
    assert count_before(zone) == len(MORNING)


@pytest.mark.parametrize("swapped_hours", [0.01, 0.05])
def test_two_neighbours_that_changed_places_at_the_very_end_stay_together(swapped_hours: float) -> None:
    zone = zone_of(*MORNING, 1, 1 + swapped_hours, 0.5, 40, 12, 90)
    assert count_before(zone) == len(MORNING) + 3


def test_the_days_own_held_papers_at_its_beginning_do_not_count_against_it() -> None:
    held_before = [100 + (7 * n) % 50 for n in range(200)]
    assert count_before(zone_of(*held_before, *MORNING, 50, 70, 60)) == len(held_before) + len(MORNING)


def test_without_a_paper_there_is_no_run() -> None:
    assert not end_of_run([], FREEZE - timedelta(days=1), FREEZE)
    assert not end_of_run(zone_of(100, 60), FREEZE - timedelta(days=1), FREEZE)


@given(
    last_hours=st.lists(st.floats(0.3, 5), min_size=1, max_size=5).map(lambda hours: sorted(hours, reverse=True)),
    same_day=st.lists(st.floats(0.6, 12), max_size=12),
    older=st.lists(st.floats(30, 900), min_size=3, max_size=60),
    order=st.randoms(use_true_random=False),
)
def test_a_sparse_days_end_is_exact_whatever_was_held(last_hours: list[float], same_day: list[float], older: list[float], order: object) -> None:
    """Held papers of the same day, in rising order, come first among the held: the hardest way for them to lie.

    All but those that were submitted after the run's last paper, or so shortly before that the two may have changed places.
    """
    end = last_hours[-1]
    rising = sorted((end + hours for hours in same_day), reverse=True)
    order.shuffle(older)  # type: ignore[attr-defined]
    assert count_before(zone_of(*MORNING, *last_hours, *rising, *older)) == len(MORNING) + len(last_hours)

"""Which days a day is judged among, and what of them is in memory."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from digest_pipeline.ranking import papers_at_hand
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.storage import Storage
from digest_pipeline_tests.ranking.test_profiles import write_papers
from digest_pipeline_tests.support.tastes import papers_of_all_fields

FIRST = date(2026, 6, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(6)]


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Six days of ten papers; thirty papers and no more make a space."""
    monkeypatch.setattr(papers_at_hand, "MOST_PAPERS", 30)
    made = Storage(tmp_path)
    for number, day in enumerate(DAYS):
        write_papers(made, day, papers_of_all_fields(10, seed=number, first=100 * number))
    return made


def reads(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The days of which whole papers, not ids alone, are read."""
    seen: list[str] = []
    read_table = storage.read_table
    monkeypatch.setattr(
        storage, "read_table", lambda file, schema: (seen.append(file[len("papers/date=") :][:10]) if "abstract" in schema.names else None)
        or read_table(file, schema)
    )  # fmt: skip
    return seen


def test_a_day_is_judged_among_the_nearest_days_earlier_ones_first(storage: Storage) -> None:
    assert PapersAtHand(storage).days_around(DAYS[3]) == (DAYS[2], DAYS[3], DAYS[4])
    assert PapersAtHand(storage).days_around(DAYS[5]) == (DAYS[3], DAYS[4], DAYS[5])
    assert PapersAtHand(storage).days_around(DAYS[0], DAYS[1], DAYS[4]) == (DAYS[0], DAYS[1], DAYS[4])


def test_each_day_of_a_space_is_read_once_and_no_other_day_at_all(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(storage, monkeypatch)
    at_hand = PapersAtHand(storage)
    for _ in range(2):
        space = at_hand.space_around(DAYS[3])
        assert space is not None
        assert len(space.papers) == 30
        assert len(at_hand.of_day(DAYS[4])) == 10
    assert sorted(seen) == [day.isoformat() for day in DAYS[2:5]]


def test_the_days_of_an_earlier_space_leave_memory(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(storage, monkeypatch)
    at_hand = PapersAtHand(storage)
    at_hand.space_around(DAYS[1])
    at_hand.space_around(DAYS[4])
    seen.clear()
    at_hand.of_day(DAYS[0])
    assert seen == [DAYS[0].isoformat()]


def test_only_days_that_have_a_wanted_paper_are_read_whole(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(storage, monkeypatch)
    found = PapersAtHand(storage).find(["2606.00101", "2606.00403", "2401.00001"])
    assert set(found) == {"2606.00101", "2606.00403"}
    assert sorted(seen) == [DAYS[1].isoformat(), DAYS[4].isoformat()]


def test_the_newest_listing_of_a_paper_is_found(storage: Storage) -> None:
    again = papers_of_all_fields(1, seed=77, first=0)
    write_papers(storage, DAYS[5], again)
    assert PapersAtHand(storage).find([again[0].key])[again[0].key].abstract == again[0].abstract

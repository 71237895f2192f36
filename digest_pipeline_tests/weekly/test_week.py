"""ISO weeks of listings: their names, days, and which of them is the last whole one."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.errors import ListingDateError, SourceError
from digest_pipeline.storage import Storage
from digest_pipeline.weekly.week import Week, last_whole_week, read_week
from digest_pipeline_tests.support.site_days import generated_papers

MONDAY = date(2026, 6, 1)


@pytest.mark.parametrize("text", ["2026-W23", "2026w23", "2026-06-01", "2026-06-07", " 2026-06-03 "])
def test_a_week_is_named_by_its_number_or_by_any_of_its_days(text: str) -> None:
    assert Week.parse(text) == Week(MONDAY)
    assert str(Week.parse(text)) == "2026-W23"


@pytest.mark.parametrize("text", ["2026-W54", "2026-23", "last", "2026-02-30"])
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ListingDateError, match="neither a week nor a date"):
        Week.parse(text)


def test_the_first_days_of_a_year_may_be_in_the_last_week_of_the_one_before() -> None:
    assert str(Week.of(date(2027, 1, 1))) == "2026-W53"
    assert Week.parse("2026-W53").days[-1] == date(2027, 1, 1)


@pytest.mark.parametrize(
    ("day", "hour", "expected"), [(5, 23, "2026-W22"), (6, 0, "2026-W23"), (7, 12, "2026-W23"), (8, 9, "2026-W23"), (12, 9, "2026-W23")]
)
def test_a_week_is_whole_from_saturday_on(day: int, hour: int, expected: str) -> None:
    assert str(last_whole_week(datetime(2026, 6, day, hour, tzinfo=EASTERN))) == expected


def test_days_are_at_hand_lacking_or_without_announcement(tmp_path: Path) -> None:
    storage, calendar = Storage(tmp_path), load_calendar()
    thanksgiving = Week(date(2026, 11, 23))
    with pytest.raises(SourceError, match=r"no listing day of 2026-W48 \(2026-11-23 to 2026-11-27\) is at hand"):
        read_week(storage, thanksgiving, calendar)
    storage.write_table(storage.papers_file(thanksgiving.days[0]), tables.papers_to_table(generated_papers(thanksgiving.days[0], 3)))
    listing = read_week(storage, thanksgiving, calendar)
    skipped = {day for day in thanksgiving.days if not calendar.is_announced(day)}
    assert skipped
    assert (set(listing.papers), listing.without_announcement) == ({thanksgiving.days[0]}, skipped)
    assert set(listing.lacking) == set(thanksgiving.days[1:]) - skipped

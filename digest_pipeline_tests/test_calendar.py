"""The listing calendar against arXiv's own records: skipped evenings, real id bounds, daylight-saving changes."""

from __future__ import annotations

import contextlib
import csv
import time as time_module
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.calendar import (
    EASTERN,
    ListingCalendar,
    _parse_skipped,
    announcement_utc,
    id_month,
    id_month_is_certain,
    load_calendar,
    newest_listing_day,
    next_weekday,
    previous_weekday,
)
from digest_pipeline.errors import ListingDateError, SettingsError

CALENDAR = load_calendar()
DAYS = st.dates(date(2007, 4, 2), date(2027, 12, 31))
LISTINGS = DAYS.filter(CALENDAR.is_announced)
RECORDINGS = Path(__file__).parent / "recordings"


def skipped_evenings() -> list[date]:
    text = resources.files("digest_pipeline").joinpath("skipped_evenings.csv").read_text(encoding="utf-8")
    return [date.fromisoformat(row["freeze_skip_date"]) for row in csv.DictReader(text.splitlines())]


def id_bounds() -> list[tuple[date, str, str]]:
    with (RECORDINGS / "id_bounds_2023.csv").open(encoding="utf-8") as file:
        return [(date.fromisoformat(r["listing_date"]), r["lowest_new_id_seen"], r["highest_new_id_seen"]) for r in csv.DictReader(file)]


@pytest.mark.parametrize("evening", skipped_evenings(), ids=str)
def test_a_skipped_evening_removes_the_next_weekdays_listing_and_rolls_its_submissions_on(evening: date) -> None:
    lost = next_weekday(evening)
    assert not CALENDAR.is_announced(lost)
    assert CALENDAR.skip_reason(lost)
    following = CALENDAR.next_listing(lost)
    assert CALENDAR.window(following).opens_utc <= CALENDAR.freeze_utc(lost) < CALENDAR.window(following).closes_utc
    assert lost in CALENDAR.skipped_between(following)


def test_the_evenings_skipped_at_the_end_of_2026_remove_these_listings() -> None:
    expected = {date(2026, 11, 27), date(2026, 12, 28), date(2026, 12, 30), date(2027, 1, 1)}
    assert {d for d in CALENDAR.listing_days(date(2026, 11, 23), date(2027, 1, 8)) if not CALENDAR.is_announced(d)} == expected


def test_two_skips_that_mean_the_same_listing_remove_one() -> None:
    assert not CALENDAR.is_announced(date(2025, 7, 7))  # both Friday the 4th and Sunday the 6th were skipped
    assert CALENDAR.is_announced(date(2025, 7, 8))


def test_the_listings_seen_in_2023_are_listing_days_in_the_order_of_their_ids() -> None:
    seen = id_bounds()
    assert all(CALENDAR.is_announced(day) for day, _, _ in seen)
    assert [day for day, _, _ in seen] == sorted(day for day, _, _ in seen)
    for (_, _, highest), (_, lowest, _) in pairwise(seen):
        assert highest < lowest


@pytest.mark.parametrize(("day", "lowest", "highest"), id_bounds(), ids=str)
def test_the_ids_seen_in_2023_carry_the_month_of_the_freeze(day: date, lowest: str, highest: str) -> None:
    assert lowest[:4] == highest[:4] == id_month(day)


@pytest.mark.parametrize(
    ("day", "certain"),
    [
        (date(2023, 4, 3), False),
        (date(2026, 6, 1), True),
        (date(2026, 6, 2), True),
        (date(2026, 8, 3), False),
        (date(2026, 2, 2), False),
        (date(2026, 6, 10), True),
    ],
    ids=str,
)
def test_the_month_of_ids_is_uncertain_exactly_where_a_weekend_turns_it(day: date, certain: bool) -> None:
    """Frozen on a Friday of one month, announced on a Sunday of the next."""
    assert id_month_is_certain(day) is certain


@given(LISTINGS)
def test_windows_of_consecutive_listings_touch_and_never_overlap(day: date) -> None:
    following = CALENDAR.next_listing(day)
    assert CALENDAR.window(day).closes_utc == CALENDAR.window(following).opens_utc
    assert CALENDAR.previous_listing(following) == day


@given(LISTINGS)
def test_submissions_close_at_the_freeze_hour_of_the_weekday_before_whatever_the_clocks_do(day: date) -> None:
    local = CALENDAR.freeze_utc(day).astimezone(EASTERN)
    assert local.date() == previous_weekday(day)
    assert (local.hour, local.minute) == ((16, 0) if local.date() < date(2017, 1, 1) else (14, 0))
    assert CALENDAR.freeze_utc(day) < announcement_utc(day)


@given(LISTINGS)
def test_the_announcement_is_at_eight_in_the_evening_before_sunday_to_thursday(day: date) -> None:
    local = announcement_utc(day).astimezone(EASTERN)
    assert local.hour == 20
    assert local.date() == day - timedelta(days=1)
    assert local.weekday() in (6, 0, 1, 2, 3)


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [(date(2026, 3, 6), 19), (date(2026, 3, 10), 18), (date(2026, 10, 30), 18), (date(2026, 11, 3), 19)],
    ids=["before spring", "after spring", "before autumn", "after autumn"],
)
def test_the_freeze_moves_with_daylight_saving(day: date, utc_hour: int) -> None:
    assert CALENDAR.freeze_utc(day).hour == utc_hour


def test_instants_are_in_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Shanghai")
        time_module.tzset()
        instants = (CALENDAR.freeze_utc(date(2026, 6, 10)), announcement_utc(date(2026, 6, 10)))
    time_module.tzset()
    assert [instant.isoformat() for instant in instants] == ["2026-06-09T18:00:00+00:00", "2026-06-10T00:00:00+00:00"]


@given(st.integers(1_704_153_600, 1_830_297_600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_the_newest_listing_day_is_a_weekday_that_has_begun_in_eastern_time(now: datetime) -> None:
    newest = newest_listing_day(now)
    today = now.astimezone(EASTERN).date()
    assert newest.weekday() < 5
    assert newest <= today < next_weekday(newest) or (newest < today and next_weekday(newest) > today)


def test_a_weekend_is_refused_with_the_two_nearest_listings() -> None:
    with pytest.raises(ListingDateError, match=r"2026-11-28 is a Saturday.*2026-11-26 and 2026-11-30"):
        CALENDAR.require_listing_day(date(2026, 11, 28))


def test_a_date_before_the_present_ids_is_refused() -> None:
    with pytest.raises(ListingDateError, match=r"2007-03-30 lies before 2007-04-02.*ask for 2007-04-02 or later"):
        CALENDAR.require_listing_day(date(2007, 3, 30))


def test_a_future_listing_is_refused_with_the_time_of_its_announcement() -> None:
    with pytest.raises(ListingDateError, match=r"2026-11-24 at 20:00 US Eastern.*newest listing day now is 2026-11-23"):
        CALENDAR.require_announceable(date(2026, 11, 25), datetime(2026, 11, 23, 12, tzinfo=UTC))


def test_an_operator_adds_a_skipped_evening_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("freeze_skip_date,description\n# arXiv's list of 2027\n2027-01-18,MLK\n")
    extended = load_calendar(file)
    assert extended.skip_reason(date(2027, 1, 19)) == "MLK"
    assert extended.skip_reason(date(2026, 11, 27)) == CALENDAR.skip_reason(date(2026, 11, 27))
    assert extended.freeze_times == CALENDAR.freeze_times
    assert extended.covers_year(2027)
    assert not CALENDAR.covers_year(2027)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2027-13-01,x", "month must be in"),
        ("2027-02-30,x", "day"),
        ("next monday,x", "does not start with a date YYYY-MM-DD"),
        (";2027-01-01", "does not start with a date YYYY-MM-DD"),
        ('2027-05-31,"Memorial Day', "unexpected end of data"),
        ("2027-05-31," + "x" * 200_000, "field larger than field limit"),
    ],
    ids=["month", "day", "words", "semicolon", "open quote", "endless"],
)
def test_a_bad_line_in_the_calendar_file_is_refused_with_its_number_and_the_reason(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(f"freeze_skip_date,description\n2027-01-18,MLK\n{line}\n2027-07-05,Independence Day\n")
    with pytest.raises(SettingsError) as refused:
        load_calendar(file)
    assert refused.value.message.startswith(f"{file} line 3 ({line[:80]!r}) {why}")
    assert refused.value.hint == "write it as 2027-01-01,New Year"


def test_a_calendar_file_that_is_not_there_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"DIGEST_SKIPPED_EVENINGS_FILE.*freeze_skip_date,description"):
        load_calendar(tmp_path / "nowhere.csv")


def test_a_calendar_file_from_a_spreadsheet_is_read_or_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    file.write_text("freeze_skip_date,description\r\n2027-01-18,元旦\r\n", encoding="utf-8-sig")
    assert load_calendar(file).skip_reason(date(2027, 1, 19)) == "元旦"
    file.write_text("freeze_skip_date,description\n2027-01-18,元旦\n", encoding="gb18030")
    with pytest.raises(SettingsError, match=r"DIGEST_SKIPPED_EVENINGS_FILE.*UTF-8"):
        load_calendar(file)


@given(st.text())
def test_a_calendar_file_is_read_or_refused_whatever_is_in_it(text: str) -> None:
    with contextlib.suppress(SettingsError):
        _parse_skipped(text, "more.csv")


# -- exact bounds ------------------------------------------------------------------------------------


def test_partitions_run_from_the_first_to_the_last_day_inclusive() -> None:
    monday, friday, sunday = date(2026, 6, 8), date(2026, 6, 12), date(2026, 6, 14)
    assert CALENDAR.listing_days(monday, friday) == [date(2026, 6, day) for day in range(8, 13)]
    assert CALENDAR.listing_days(monday, monday) == [monday]
    assert CALENDAR.listing_days(monday, sunday)[-1] == friday
    assert CALENDAR.listing_days(friday, monday) == []


@pytest.mark.parametrize(
    ("day", "skipped"),
    [(date(2026, 12, 29), [date(2026, 12, 28)]), (date(2026, 12, 31), [date(2026, 12, 30)]), (date(2026, 12, 24), []), (date(2026, 6, 8), [])],
    ids=str,
)
def test_the_days_whose_submissions_rolled_into_a_listing_are_named(day: date, skipped: list[date]) -> None:
    assert CALENDAR.skipped_between(day) == skipped


def test_the_first_listing_with_present_ids_is_accepted_itself() -> None:
    CALENDAR.require_listing_day(date(2007, 4, 2))


def test_a_listing_can_be_asked_for_from_the_very_minute_of_its_announcement() -> None:
    due = announcement_utc(date(2026, 6, 10))
    CALENDAR.require_announceable(date(2026, 6, 10), due)
    with pytest.raises(ListingDateError):
        CALENDAR.require_announceable(date(2026, 6, 10), due - timedelta(seconds=1))


def test_the_hour_of_the_freeze_holds_from_its_first_date() -> None:
    calendar = ListingCalendar({}, ((date(2020, 1, 1), time(16)), (date(2026, 6, 9), time(14))))
    hours = [calendar.freeze_utc(day).astimezone(EASTERN).hour for day in (date(2026, 6, 9), date(2026, 6, 10), date(2026, 6, 11))]
    assert hours == [16, 14, 14]  # frozen on the 8th, the 9th and the 10th


def test_an_operators_file_may_have_no_header_blank_lines_comments_and_no_reasons(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("2027-01-18\n\n # spring, with a comma\n 2027-05-31 , Memorial Day \n2027-07-05,a, b\n")
    extended = load_calendar(file)
    assert [extended.skip_reason(date(2027, month, day)) for month, day in ((1, 19), (6, 1), (7, 6))] == ["", "Memorial Day", "a"]
    assert not extended.is_announced(date(2027, 1, 19))


def test_a_header_further_down_is_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("2027-01-18,MLK\nfreeze_skip_date,description\n")
    with pytest.raises(SettingsError, match="line 2"):
        load_calendar(file)

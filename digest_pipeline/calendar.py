"""arXiv's listing calendar: which dates have a listing, and which submissions it covers.

The rule, in US Eastern time with its daylight-saving changes: submissions freeze in the afternoon of a
weekday; they are announced at 20:00, Sunday to Thursday; the listing is dated the next day, Monday to
Friday. A skipped evening removes the next weekday's listing, and what was submitted rolls into the one
after it. The skipped evenings (`skipped_evenings.csv`, arXiv's own list since 2003) and the hour of the
freeze (`freeze_times.csv`: 16:00 until arXiv's policy change of January 2017, 14:00 since) are data.

What lives here: dates and cut-offs by the rule. What does not: what arXiv really did on a day
(`arxiv/`); where the two disagree, arXiv's content wins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from digest_pipeline.errors import ListingDateError, SettingsError

EASTERN = ZoneInfo("America/New_York")
ANNOUNCEMENT_TIME = time(20, 0)
FIRST_LISTING_WITH_PRESENT_IDS = date(2007, 4, 2)
"""The first listing with today's YYMM.NNNN ids; nothing older can be reconstructed by id block."""
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class SubmissionWindow:
    """What one listing covers: v1 submitted at or after `opens_utc` and before `closes_utc` (holds aside)."""

    opens_utc: datetime
    closes_utc: datetime


@dataclass(frozen=True)
class ListingCalendar:
    """The rule with its data. `skipped` maps an evening without announcement to its reason."""

    skipped: Mapping[date, str]
    freeze_times: tuple[tuple[date, time], ...]
    """(first freeze date, time US Eastern), oldest first."""

    # -- dates ------------------------------------------------------------------------------------

    @property
    def _skipped_listings(self) -> Mapping[date, str]:
        return _skipped_listings(tuple(sorted(self.skipped.items())))

    def skip_reason(self, day: date) -> str | None:
        """Why the weekday `day` has no listing; None on an ordinary day."""
        return self._skipped_listings.get(day)

    def is_announced(self, day: date) -> bool:
        """True on a weekday whose listing is not skipped."""
        return day.weekday() < _SATURDAY and day not in self._skipped_listings

    def previous_listing(self, day: date) -> date:
        """The last announced listing before `day`."""
        return self._step(day, -_ONE_DAY)

    def next_listing(self, day: date) -> date:
        """The first announced listing after `day`."""
        return self._step(day, _ONE_DAY)

    def _step(self, day: date, by: timedelta) -> date:
        day += by
        while not self.is_announced(day):
            day += by
        return day

    def listing_days(self, first: date, last: date) -> list[date]:
        """All Mondays to Fridays from `first` to `last` inclusive, skipped ones too: the partitions."""
        span = (last - first).days
        return [day for n in range(span + 1) if (day := first + n * _ONE_DAY).weekday() < _SATURDAY]

    # -- instants ---------------------------------------------------------------------------------

    def freeze_utc(self, day: date) -> datetime:
        """When submissions closed for the listing dated `day`: the afternoon of the weekday before."""
        frozen_on = previous_weekday(day)
        hour = [at for since, at in self.freeze_times if since <= frozen_on][-1]
        return datetime.combine(frozen_on, hour, EASTERN).astimezone(UTC)

    def window(self, day: date) -> SubmissionWindow:
        """The submissions that the listing dated `day` covers; after a skipped day it is the longer."""
        return SubmissionWindow(self.freeze_utc(self.previous_listing(day)), self.freeze_utc(day))

    def skipped_between(self, day: date) -> list[date]:
        """The skipped weekdays between the previous listing and `day`, whose submissions rolled into it."""
        before = self.previous_listing(day)
        return self.listing_days(before + _ONE_DAY, day - _ONE_DAY)

    def covers_year(self, year: int) -> bool:
        """False while arXiv's list of that year's skipped evenings is not in the data."""
        return any(evening.year == year for evening in self.skipped)

    # -- checks -----------------------------------------------------------------------------------

    def require_listing_day(self, day: date) -> None:
        """Raises ListingDateError for a weekend or a date before the present ids, naming the nearest listings."""
        if day < FIRST_LISTING_WITH_PRESENT_IDS:
            raise ListingDateError(
                f"{day} lies before {FIRST_LISTING_WITH_PRESENT_IDS}, arXiv's first listing with today's ids",
                hint=f"ask for {FIRST_LISTING_WITH_PRESENT_IDS} or later",
            )
        if day.weekday() >= _SATURDAY:
            before, after = self.previous_listing(day), self.next_listing(day)
            raise ListingDateError(
                f"{day} is a {day:%A}: arXiv's listings are dated Monday to Friday", hint=f"the nearest listings are {before} and {after}"
            )

    def require_announceable(self, day: date, now: datetime) -> None:
        """Raises ListingDateError where the announcement of `day` still lies in the future."""
        due = announcement_utc(day)
        if now < due:
            newest = newest_listing_day(now)
            raise ListingDateError(
                f"the listing of {day} will be announced on {due.astimezone(EASTERN):%Y-%m-%d at %H:%M} US Eastern",
                hint=f"run it after that; the newest listing day now is {newest}",
            )


def previous_weekday(day: date) -> date:
    day -= _ONE_DAY
    while day.weekday() >= _SATURDAY:
        day -= _ONE_DAY
    return day


def next_weekday(day: date) -> date:
    day += _ONE_DAY
    while day.weekday() >= _SATURDAY:
        day += _ONE_DAY
    return day


def announcement_utc(day: date) -> datetime:
    """20:00 US Eastern of the evening before (Sunday for a Monday listing), in UTC."""
    return datetime.combine(day - _ONE_DAY, ANNOUNCEMENT_TIME, EASTERN).astimezone(UTC)


def id_month(day: date) -> str:
    """YYMM of the ids assigned at this listing: the month in which its submissions were frozen.

    Usually that of the announcement evening too; not where a month turns on the weekend. The listing of
    Monday 2023-04-03, frozen Friday 03-31 and announced Sunday 04-02, has ids 2303.17607 to 2303.18246.
    """
    return f"{previous_weekday(day):%y%m}"


def id_month_is_certain(day: date) -> bool:
    """False where freeze and announcement evening lie in different months, so that the ids must be looked at."""
    return id_month(day) == f"{day - _ONE_DAY:%y%m}"


def today_eastern(now: datetime) -> date:
    return now.astimezone(EASTERN).date()


def newest_listing_day(now: datetime) -> date:
    """The newest weekday that has begun in US Eastern, skipped or not: the listing the feed may show now."""
    return previous_weekday(today_eastern(now) + _ONE_DAY)


def newest_due(now: datetime, after_midnight: timedelta) -> date:
    """The newest listing day of which something should be there `after_midnight` of its date, US Eastern."""
    day = newest_listing_day(now)
    while now < datetime.combine(day, time(), EASTERN) + after_midnight:
        day = previous_weekday(day)
    return day


@cache
def _skipped_listings(skipped: tuple[tuple[date, str], ...]) -> Mapping[date, str]:
    return MappingProxyType({next_weekday(evening): reason for evening, reason in skipped})


# -- loading ----------------------------------------------------------------------------------------


def load_calendar(further_evenings: Path | None = None) -> ListingCalendar:
    """The built-in calendar, with a user's file of further skipped evenings added; raises SettingsError on a bad line."""
    skipped = _parse_skipped(_packaged("skipped_evenings.csv"), "skipped_evenings.csv")
    if further_evenings is not None:
        skipped |= _parse_skipped(_read(further_evenings), str(further_evenings))
    freezes = [(date.fromisoformat(row[0]), time.fromisoformat(row[1])) for row in list(csv.reader(_packaged("freeze_times.csv").splitlines()))[1:]]
    return ListingCalendar(MappingProxyType(skipped), tuple(freezes))


def _packaged(name: str) -> str:
    return resources.files("digest_pipeline").joinpath(name).read_text(encoding="utf-8")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before UTF-8
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"DIGEST_SKIPPED_EVENINGS_FILE={path} cannot be read: {error}",
            hint="name a CSV file in UTF-8 with the columns freeze_skip_date,description",
        ) from error


def _parse_skipped(text: str, source: str) -> dict[date, str]:
    found: dict[date, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            evening, *reason = next(csv.reader([line], strict=True))  # each line apart: an open quote must not swallow the evenings below it
            if number == 1 and evening == "freeze_skip_date":
                continue
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", evening.strip()):
                raise _bad_line(source, number, line, "does not start with a date YYYY-MM-DD")
            found[date.fromisoformat(evening.strip())] = reason[0].strip() if reason else ""
        except (csv.Error, ValueError) as error:
            raise _bad_line(source, number, line, str(error)) from None
    return found


def _bad_line(source: str, number: int, line: str, why: str) -> SettingsError:
    return SettingsError(f"{source} line {number} ({line[:80]!r}) {why}", hint="write it as 2027-01-01,New Year")

"""Failures that go on: told when they begin, then once a week for as long as they last.

What lives here: one small file a cause, `notify/ongoing/<key>.json`: since when, which listing days it has cost, when it
was last told. What does not: which failures have the same cause (the sensors), words (`alerts.py`).

A cause is over when its newest day has got its digest after all, or when it was not met for five days, which is longer
than a weekend and a holiday. What comes then is told as new.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from digest_pipeline.storage import Storage

REMIND_AFTER = timedelta(days=7)
_QUIET = timedelta(days=5)
_FOLDER = "notify/ongoing"


@dataclass(frozen=True, slots=True)
class Ongoing:
    """One cause. Moments are ISO 8601 with offset."""

    key: str
    since: str
    met: str
    """The last time."""
    told: str
    """The last alert; empty before the first."""
    days: tuple[str, ...]
    """Listing days, oldest first; empty for what is about no day."""

    def is_due(self, now: datetime) -> bool:
        """Whether to tell of it now."""
        return not self.told or now - datetime.fromisoformat(self.told) >= REMIND_AFTER

    def was_told(self, now: datetime) -> Ongoing:
        return replace(self, told=now.isoformat())

    def missing(self, storage: Storage) -> tuple[str, ...]:
        """Its days that have no digest yet."""
        made = {day.isoformat() for day in storage.days_of("ledger")}
        return tuple(day for day in self.days if day not in made)


def meet(storage: Storage, key: str, days: Sequence[str], now: datetime) -> Ongoing:
    """The cause's record with this failure added, or a new one; not saved yet."""
    found = _read(storage, key)
    if found is None or _is_over(storage, found, now):
        return Ongoing(key, now.isoformat(), now.isoformat(), "", tuple(sorted(days)))
    return replace(found, met=now.isoformat(), days=tuple(sorted({*found.days, *days})))


def save(storage: Storage, record: Ongoing) -> None:
    storage.write_text(f"{_FOLDER}/{record.key}.json", json.dumps(asdict(record), indent=1))


def is_explained(storage: Storage, day: date | str, now: datetime, *, but_by: str) -> bool:
    """Whether a cause other than `but_by`, told and not over, is known to have cost that day; forgets the causes that are over."""
    explained = False
    for name in storage.names(_FOLDER):
        record = _read(storage, name.removesuffix(".json"))
        if record is None:
            continue
        if _is_over(storage, record, now):
            storage.delete(f"{_FOLDER}/{name}")
        else:
            explained = explained or (record.key != but_by and bool(record.told) and str(day) in record.days)
    return explained


def _is_over(storage: Storage, record: Ongoing, now: datetime) -> bool:
    return now - datetime.fromisoformat(record.met) > _QUIET or (bool(record.days) and record.days[-1] not in record.missing(storage))


def _read(storage: Storage, key: str) -> Ongoing | None:
    try:
        given = json.loads(storage.read_text(f"{_FOLDER}/{key}.json"))
    except FileNotFoundError:
        return None
    return Ongoing(**{**given, "days": tuple(given["days"])})

"""Which papers of a day a profile is shown: the best that are new to it, and once a strong one that had no place this week.

What lives here: the choice, and the note of what was shown (`private/<profile>/shown/<day>.json`). What does not: the ranks.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from digest_pipeline.ranking.rank import RankedPaper
from digest_pipeline.ranking.rankings import read_rankings
from digest_pipeline.ranking.taste import ProfileTaste
from digest_pipeline.ranking.votes import private_folder
from digest_pipeline.render.reading import read_papers
from digest_pipeline.storage import Storage

COMES_BACK_WITHIN = timedelta(days=7)
_MOST_RETURNS = 3
"""A day remains a day: so many papers of earlier ones at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One paper for the reader; `listed` is the day it was listed, which for a paper that comes back is an earlier one."""

    ranked: RankedPaper
    listed: date
    comes_back: bool


def select(storage: Storage, day: date, profile: str, top: int, read: ProfileTaste) -> list[Shown]:
    """Today's best, then papers that come back; empty where the day is not ranked. Remembers what it chose; a day chosen again chooses the same."""
    before = shown_before(storage, profile, day)
    today = _new_ones(storage, day, profile, read, before)
    chosen = [Shown(one, day, False) for one in today[:top]]
    chosen += _returns(storage, day, profile, top, read, before | {one.arxiv_id for one in today}, least=today[:top][-1].score) if chosen else []
    ids = [one.ranked.arxiv_id for one in chosen]
    storage.write_text(f"{_folder(profile)}/{day.isoformat()}.json", f"{json.dumps(ids)}\n")
    return chosen


def _new_ones(storage: Storage, day: date, profile: str, read: ProfileTaste, before: Collection[str]) -> list[RankedPaper]:
    """Neither in the library nor voted on, nor shown before: a new version of a paper one was shown is no news."""
    titles = {paper.arxiv_id: paper.title.casefold() for paper in read_papers(storage, day)}
    known = {*read.known_ids, *before, *(key for key, title in titles.items() if title in read.known_titles)}
    return [one for one in read_rankings(storage, day, profile) if one.arxiv_id not in known]


def _returns(storage: Storage, day: date, profile: str, top: int, read: ProfileTaste, taken: Collection[str], least: float) -> list[Shown]:
    """Papers of the week that had no place on their day and would have one today."""
    found: dict[str, Shown] = {}
    for earlier in (one for one in storage.days_of("rankings") if day - COMES_BACK_WITHIN <= one < day):
        for one in _new_ones(storage, earlier, profile, read, taken)[: 2 * top]:
            if one.score > least:
                found[one.arxiv_id] = Shown(one, earlier, True)
    return sorted(found.values(), key=lambda one: (-one.ranked.score, one.ranked.arxiv_id))[:_MOST_RETURNS]


def shown_before(storage: Storage, profile: str, day: date) -> set[str]:
    """Ids of what the profile's own digests of earlier days showed."""
    shown: set[str] = set()
    for name in storage.names(_folder(profile)):
        with suppress(ValueError):
            if date.fromisoformat(name.removesuffix(".json")) < day:
                shown.update(json.loads(storage.read_text(f"{_folder(profile)}/{name}")))
    return shown


def _folder(profile: str) -> str:
    return f"{private_folder(profile)}/shown"

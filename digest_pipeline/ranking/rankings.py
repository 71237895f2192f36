"""The days at hand in one reader's order, and the table of it.

What lives here: ranking days out of a data directory, `rankings/date=<day>/profile=<name>/rankings.parquet`. What does not: how a
day is ordered (`rank.py`) and who the reader is (`profiles.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.errors import SettingsError
from digest_pipeline.models import id_sort_key
from digest_pipeline.ranking.lookup import AskArxiv, nobody
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.ranking.rank import RankedPaper, Ranker, Reason, Taste
from digest_pipeline.ranking.taste import taste_of_profile
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage


def rank_days(at_hand: PapersAtHand, days: Sequence[date], taste: Taste) -> Iterator[tuple[date, list[RankedPaper]]]:
    """Each day at hand among `days` by itself, best first; days that are not kept are passed over."""
    for _, together in groupby((day for day in days if day in at_hand.days), key=at_hand.days_around):
        ranker: Ranker | None = None
        for day in together:
            ranker = ranker or _ranker(at_hand, [day], taste)
            yield day, _in_order(ranker, [paper.key for paper in at_hand.of_day(day)])


def rank_as_one(at_hand: PapersAtHand, days: Sequence[date], taste: Taste) -> list[RankedPaper]:
    """The papers of several days as if they were listed on one, so that interests take turns over all of them; each paper once."""
    return _in_order(_ranker(at_hand, days, taste), {paper.key for day in days for paper in at_hand.of_day(day)})


def _ranker(at_hand: PapersAtHand, days: Sequence[date], taste: Taste) -> Ranker | None:
    """None where there is nothing to order by: too few papers, or an empty taste."""
    space = None if taste.is_empty else at_hand.space_around(*days)
    return None if space is None else Ranker(space, taste)


def _in_order(ranker: Ranker | None, keys: Collection[str]) -> list[RankedPaper]:
    """Without a ranker the newest first."""
    if ranker is not None:
        return ranker.rank(keys)
    return [RankedPaper(key, place, 0.5, "", ()) for place, key in enumerate(sorted(keys, key=id_sort_key, reverse=True), 1)]


def rank_for_profile(
    storage: Storage,
    at_hand: PapersAtHand,
    day: date,
    profile: Profile,
    folder: Path,
    ask: AskArxiv = nobody,
    watch_lists: Sequence[WatchList] = (),
) -> int:
    """Writes the day's table for one profile; how many entries of its library cannot be used. `folder` is that of profiles.toml.

    A profile that names nothing usable gets the day newest id first, without interests. Raises SettingsError or SourceError for Zotero.
    """
    read = taste_of_profile(profile, folder, at_hand, storage, ask, watch_lists)
    for one, ranked in rank_days(at_hand, [day], read.taste):
        write_rankings(storage, one, profile.name, ranked)
    return len(read.problems)


def best_ranks(storage: Storage, day: date) -> dict[str, int]:
    """Id → the best rank that any profile gives the paper; empty where the day is ranked for nobody."""
    best: dict[str, int] = {}
    for name in storage.names(tables.partition_folder("rankings", day)):
        for row in read_rankings(storage, day, name.removeprefix("profile=")):
            best[row.arxiv_id] = min(row.rank, best.get(row.arxiv_id, row.rank))
    return best


def chosen_for_translation(storage: Storage, day: date, best: int | None) -> frozenset[str] | None:
    """The ids of the `best` first papers of each profile's ranking; None where `best` is, which means all.

    Raises SettingsError where the day is ranked for nobody: what is wanted is unknown then, and nothing may be left out silently.
    """
    if best is None:
        return None
    if not storage.names(tables.partition_folder("rankings", day)):
        raise SettingsError(
            f"DIGEST_TRANSLATE=ranked:{best} needs the rankings of {day}, and it is ranked for no profile",
            hint="materialize rankings of that day first (`digest run --day` does both); `digest profile check` says what is wrong with a profile",
        )
    return frozenset(arxiv_id for arxiv_id, rank in best_ranks(storage, day).items() if rank <= best)


def rankings_file(day: date, profile: str) -> str:
    """Below the data directory."""
    return f"{tables.partition_folder('rankings', day)}/profile={profile}/rankings.parquet"


def write_rankings(storage: Storage, day: date, profile: str, ranked: Sequence[RankedPaper]) -> None:
    """The table of one day and profile, replacing what was there."""
    rows = [
        {
            "arxiv_id": paper.arxiv_id,
            "rank": paper.rank,
            "score": paper.score,
            "interest": paper.interest,
            "why": [{"key": reason.key, "title": reason.title, "share": reason.share} for reason in paper.why],
        }
        for paper in ranked
    ]
    storage.write_table(rankings_file(day, profile), pa.Table.from_pylist(rows, schema=tables.RANKINGS))


def read_rankings(storage: Storage, day: date, profile: str) -> list[RankedPaper]:
    """Best first; empty where the day is not ranked for the profile."""
    file = rankings_file(day, profile)
    if not storage.exists(file):
        return []
    return [
        RankedPaper(r["arxiv_id"], r["rank"], r["score"], r["interest"], tuple(Reason(w["key"], w["title"], w["share"]) for w in r["why"]))
        for r in storage.read_table(file, tables.RANKINGS).to_pylist()
    ]

"""The days at hand in one reader's order, and the table of it.

What lives here: ranking days out of a data directory, `rankings/date=<day>/profile=<name>/rankings.parquet`. What does not: how a
day is ordered (`rank.py`) and who the reader is (`profiles.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.errors import SettingsError
from digest_pipeline.ranking.lookup import AskArxiv, nobody
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.ranking.rank import RankedPaper, Ranker, Reason, Taste
from digest_pipeline.ranking.taste import taste_of_profile
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage


def rank_days(at_hand: PapersAtHand, days: Sequence[date], taste: Taste) -> Iterator[tuple[date, list[RankedPaper]]]:
    """Each day at hand among `days` by itself, best first; days that are not kept are passed over."""
    ranker: Ranker | None = None
    space = None
    for day in days:
        if day not in at_hand.days:
            continue
        keys = [paper.key for paper in at_hand.of_day(day)]
        around = at_hand.space_around(day)
        if around is None or taste.is_empty:
            yield day, [RankedPaper(key, place, 0.5, "", ()) for place, key in enumerate(sorted(keys, reverse=True), 1)]
            continue
        if ranker is None or around is not space:
            space, ranker = around, Ranker(around, taste)
        yield day, ranker.rank(keys)


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

"""A reader's order of the days: how good it is, how long a paper takes, how much memory it needs.

Data: the papers tables of a data directory (`--data`, default that of the settings). Tastes are made from them: fifteen earlier papers
of a category, shown without it, and which of each later day's papers are of that category. Without enough days there is nothing to measure.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from pathlib import Path
from statistics import fmean

from benchmarks.table import print_result
from digest_pipeline.clients import open_storage
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.rank import Ranker, Taste
from digest_pipeline.ranking.rankings import rank_days
from digest_pipeline.settings import load_settings
from digest_pipeline.storage import Storage

SIZES = (5, 15, 30)
SEEDS = (1, 2, 3)
PAIR_SIZE, LEAST_EARLIER, LEAST_LATER, MOST_SHARE = 12, 15, 8, 0.15


@dataclass(frozen=True)
class Field:
    """A category with enough papers before and after the split."""

    name: str
    earlier: tuple[Document, ...]
    later: frozenset[str]

    def library(self, size: int, seed: int) -> tuple[Document, ...]:
        """Papers as a bibliography has them: neither id nor category."""
        chosen = random.Random(f"{seed} {self.name}").sample(self.earlier, min(size, len(self.earlier)))  # noqa: S311
        return tuple(replace(one, key=f"{self.name} {number}", categories=()) for number, one in enumerate(chosen))


class LaterDays(PapersAtHand):
    """Only these days are at hand, as on a machine that began with them."""

    def __init__(self, storage: Storage, days: Sequence[date]) -> None:
        super().__init__(storage)
        self.days = list(days)


def fields(at_hand: PapersAtHand, earlier: Sequence[date], later: Sequence[date]) -> list[Field]:
    before: dict[str, dict[str, Document]] = defaultdict(dict)
    after: dict[str, set[str]] = defaultdict(set)
    for day in earlier:
        for paper in at_hand.of_day(day):
            for category in paper.categories:
                before[category][paper.key] = paper
    for day in later:
        for paper in at_hand.of_day(day):
            for category in paper.categories:
                after[category].add(paper.key)
    return [
        Field(name, tuple(before[name][key] for key in sorted(before[name])), frozenset(after[name]))
        for name in sorted(before)
        if len(before[name]) >= LEAST_EARLIER and len(after[name]) >= LEAST_LATER
    ]


def area_under_curve(ranked: Sequence[str], relevant: Collection[str]) -> float | None:
    above = wins = 0
    for one in reversed(ranked):
        if one in relevant:
            wins += above
        else:
            above += 1
    good = len(ranked) - above
    return wins / (above * good) if above and good else None


def orders(at_hand: PapersAtHand, days: Sequence[date], library: tuple[Document, ...]) -> Iterator[list[str]]:
    for _, ranked in rank_days(at_hand, days, Taste(library)):
        yield [row.arxiv_id for row in ranked]


def of_one_field(at_hand: PapersAtHand, days: Sequence[date], found: Sequence[Field], size: int, seed: int) -> tuple[float, float, float]:
    """AUC, recall@10, and on what share of libraries a single interest was seen."""
    areas, recalls, whole = [], [], []
    for field in found:
        library = field.library(size, seed)
        for order in orders(at_hand, days, library):
            area = area_under_curve(order, field.later)
            if area is not None:
                areas.append(area)
                recalls.append(len(field.later & set(order[:10])) / min(10, len(field.later & set(order))))
        space = at_hand.space_around(days[-1])
        whole.append(space is not None and len(Ranker(space, Taste(library)).interests) == 1)
    return fmean(areas), fmean(recalls), fmean(whole)


def of_two_fields(at_hand: PapersAtHand, days: Sequence[date], found: Sequence[Field], seed: int) -> tuple[float, int]:
    """On what share of days both of two small fields are among the first ten, and of how many days."""
    total = sum(len(at_hand.of_day(day)) for day in days)
    small = [field for field in found if len(field.later) < MOST_SHARE * total]
    both = tried = 0
    for one, other in combinations(small, 2):
        first, second = one.later - other.later, other.later - one.later
        for order in orders(at_hand, days, one.library(PAIR_SIZE, seed) + other.library(PAIR_SIZE, seed)):
            if min(len(first & set(order)), len(second & set(order))) >= 3:
                tried += 1
                both += bool(first & set(order[:10])) and bool(second & set(order[:10]))
    return both / tried if tried else float("nan"), tried


def splits(days: Sequence[date]) -> dict[str, tuple[Sequence[date], Sequence[date]]]:
    """How the days are parted: (those of the libraries, those that are ranked)."""
    at = max(len(days) * 2 // 5, 1)
    return {"first days → last": (days[:at], days[at:]), "last days → first": (days[-at:], days[:-at]), "every other day": (days[0::2], days[1::2])}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking")
    parser.add_argument("--data", type=Path, help="a data directory; default: that of the settings")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    storage = Storage(arguments.data) if arguments.data else open_storage(load_settings())
    everything = PapersAtHand(storage)
    rows, pairs, papers, seconds = [], [], 0, 0.0
    for name, (earlier, later) in splits(everything.days).items() if len(everything.days) >= 4 else ():
        found = fields(everything, earlier, later)
        at_hand = LaterDays(storage, later)
        for seed in SEEDS[: 1 if arguments.quick else None]:
            for size in SIZES:
                started = time.monotonic()
                figures = of_one_field(at_hand, later, found, size, seed)
                seconds += time.monotonic() - started
                papers += len(found) * sum(len(at_hand.of_day(day)) for day in later)
                rows.append([name, seed, size, len(found), *(f"{figure:.3f}" for figure in figures)])
            share, tried = of_two_fields(at_hand, later, found, seed)
            pairs.append([name, seed, tried, f"{share:.0%}"])
    if not rows:
        print("## Ranking\n\nToo few days are at hand to make tastes from (four at least): `python -m benchmarks.ranking --data DIRECTORY`\n")
        return 0
    print_result("Ranking: tastes of one field", ["days", "seed", "library", "fields", "AUC", "recall@10", "one interest seen"], rows)
    print_result("Ranking: libraries of two fields", ["days", "seed", "days tried", "both in the first ten"], pairs)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{1000 * seconds / papers:.2f} ms a paper and reader, features included; peak memory {memory:.0f} MB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

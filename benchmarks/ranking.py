"""A reader's order of the days: how good it is, on the machine and in the browser, how long a paper takes, how much memory it needs.

Data: the papers tables of a data directory (`--data`, default that of the settings), ten days or so. Tastes are made from them: earlier
papers of a category, shown without it, and which of each later day's papers are of that category. Only the later days are at hand.
Votes: five more papers that are of the category and five that are not. Two interests: libraries of two small categories, and the days
that have three papers and more of each. Browser: the pages' own script and files, stars of earlier pages in the place of a library.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from pathlib import Path
from statistics import fmean

from benchmarks.scratch import scratch
from benchmarks.table import print_result, progress
from digest_pipeline.clients import open_storage
from digest_pipeline.ranking.features import Document, FeatureSpace
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.rank import Ranker, Taste
from digest_pipeline.render.reading import read_papers
from digest_pipeline.settings import load_settings
from digest_pipeline.site.render import asset
from digest_pipeline.site.terms import terms_file
from digest_pipeline.storage import Storage

SIZES, PAIR_SIZES = (5, 15, 30), (5, 8, 12)
LEAST_EARLIER, LEAST_LATER, MOST_SHARE = 15, 8, 0.15


@dataclass(frozen=True)
class Field:
    """A category with enough papers before and after the split."""

    name: str
    earlier: tuple[Document, ...]
    later: frozenset[str]

    def sample(self, size: int, seed: int) -> list[Document]:
        return random.Random(f"{seed} {self.name}").sample(self.earlier, min(size, len(self.earlier)))  # noqa: S311

    def library(self, size: int, seed: int) -> tuple[Document, ...]:
        """Papers as a bibliography has them: neither id nor category."""
        return tuple(replace(one, key=f"{self.name} {number}", categories=()) for number, one in enumerate(self.sample(size, seed)))


class Split:
    """Earlier days, whose papers make tastes, and later ones, which are ranked."""

    def __init__(self, storage: Storage, earlier: Sequence[date], later: Sequence[date]) -> None:
        at_hand = PapersAtHand(storage)
        before: dict[str, dict[str, Document]] = defaultdict(dict)
        after: dict[str, set[str]] = defaultdict(set)
        self.known = {paper.key: paper for day in earlier for paper in at_hand.of_day(day)}
        for paper in self.known.values():
            for category in paper.categories:
                before[category][paper.key] = paper
        later_papers = {day: at_hand.of_day(day) for day in later}
        self.days = {day: [paper.key for paper in papers] for day, papers in later_papers.items()}
        for paper in (paper for papers in later_papers.values() for paper in papers):
            for category in paper.categories:
                after[category].add(paper.key)
        self.fields = [
            Field(name, tuple(before[name][key] for key in sorted(before[name])), frozenset(after[name]))
            for name in sorted(before)
            if len(before[name]) >= LEAST_EARLIER and len(after[name]) >= LEAST_LATER
        ]
        distinct = {paper.key: paper for papers in later_papers.values() for paper in papers}
        self.space = FeatureSpace([distinct[key] for key in sorted(distinct)])

    def orders(self, ranker: Ranker) -> list[list[str]]:
        return [[row.arxiv_id for row in ranker.rank(keys)] for keys in self.days.values()]

    def small_pairs(self) -> list[tuple[Field, Field]]:
        most = MOST_SHARE * sum(map(len, self.days.values()))
        return list(combinations([field for field in self.fields if len(field.later) < most], 2))


def splits(days: Sequence[date]) -> dict[str, tuple[Sequence[date], Sequence[date]]]:
    """How the days are parted: (those of the libraries, those that are ranked)."""
    at = max(len(days) * 2 // 5, 1)
    return {"first days → last": (days[:at], days[at:]), "last days → first": (days[-at:], days[:-at]), "every other day": (days[0::2], days[1::2])}


# -- measures ------------------------------------------------------------------------------------------


def area_under_curve(ranked: Sequence[str], relevant: Collection[str]) -> float | None:
    """Of the ROC curve, best first; None for a day that has no relevant paper, or no other."""
    above = wins = 0
    for one in reversed(ranked):
        if one in relevant:
            wins += above
        else:
            above += 1
    good = len(ranked) - above
    return wins / (above * good) if above and good else None


def quality(orders: Iterable[tuple[Sequence[str], Collection[str]]]) -> tuple[float, float]:
    """Mean AUC and recall@10 of (order, relevant ids)."""
    areas, recalls = [], []
    for order, relevant in orders:
        if (area := area_under_curve(order, relevant)) is not None:
            areas.append(area)
            recalls.append(len(set(relevant) & set(order[:10])) / min(10, len(set(relevant) & set(order))))
    return fmean(areas), fmean(recalls)


def of_one_field(split: Split, size: int, seeds: Sequence[int]) -> list[str]:
    """AUC, recall@10, and on what share of libraries a single interest was seen."""
    orders, whole = [], []
    for field in split.fields:
        for seed in seeds:
            ranker = Ranker(split.space, Taste(field.library(size, seed)))
            orders += [(order, field.later) for order in split.orders(ranker)]
            whole.append(len(ranker.interests) == 1)
    return [*(f"{figure:.3f}" for figure in quality(orders)), f"{fmean(whole):.0%}"]


def of_votes(split: Split, seeds: Sequence[int]) -> list[str]:
    """AUC with a library of five, and with five likes and five dislikes of earlier papers besides."""
    plain, voted = [], []
    for field in split.fields:
        others = [paper for paper in split.known.values() if field.name not in paper.categories]
        for seed in seeds:
            drawn = field.sample(10, seed)
            library = tuple(replace(one, key=f"{field.name} {number}", categories=()) for number, one in enumerate(drawn[:5]))
            disliked = random.Random(f"{seed} not {field.name}").sample(others, 5)  # noqa: S311
            plain += [(order, field.later) for order in split.orders(Ranker(split.space, Taste(library)))]
            voted += [(order, field.later) for order in split.orders(Ranker(split.space, Taste((*library, *drawn[5:]), tuple(disliked))))]
    return [f"{quality(plain)[0]:.3f}", f"{quality(voted)[0]:.3f}"]


def of_two_fields(split: Split, size: int, seeds: Sequence[int]) -> list[str]:
    """Of how many days, and on what share of them both of two small fields are among the first ten; and how often two interests were seen."""
    both, seen = [], []
    for one, other in split.small_pairs():
        first, second = one.later - other.later, other.later - one.later
        for seed in seeds:
            ranker = Ranker(split.space, Taste(one.library(size, seed) + other.library(size, seed)))
            seen.append(len(ranker.interests) > 1)
            for order in split.orders(ranker):
                if min(len(first & set(order)), len(second & set(order))) >= 3:
                    both.append(bool(first & set(order[:10])) and bool(second & set(order[:10])))
    return [str(len(both)), f"{fmean(both):.0%}", f"{fmean(seen):.0%}"] if both else ["0", "–", "–"]


# -- in the browser ------------------------------------------------------------------------------------

_ON_DEVICE = """
globalThis.window = globalThis; globalThis.digest = {};
%s
const terms = {}; digest.addTerms = (found) => Object.assign(terms, found);
%s
const { categories, days, tastes } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const made = (ids) => ids.map((id) => ({ id, terms: digest.decodeTerms(terms[id] ?? ""), categories: categories[id] }));
const order = (day, stars) => digest.rankByStars(made(day), made(stars)).map(({ id }) => id);
console.log(JSON.stringify(tastes.map((stars) => days.map((day) => order(day, stars)))));
"""


def of_stars(split: Split, terms: Mapping[date, bytes], size: int) -> list[str]:
    """AUC and recall@10 of the pages' own script; a starred paper's categories stand on its page."""
    stars = [[paper.key for paper in field.sample(size, 1)] for field in split.fields]
    categories = {key: paper.categories for key, paper in split.known.items()} | {paper.key: paper.categories for paper in split.space.papers}
    given = json.dumps({"categories": categories, "days": list(split.days.values()), "tastes": stars})
    with tempfile.NamedTemporaryFile("w", suffix=".js", encoding="utf-8") as script:
        script.write(_ON_DEVICE % (asset("rank.js").decode(), b"".join(terms.values()).decode()))
        script.flush()
        done = subprocess.run(["node", script.name], input=given, capture_output=True, text=True, check=True)  # noqa: S603, S607
    orders = ((order, field.later) for field, of_days in zip(split.fields, json.loads(done.stdout), strict=True) for order in of_days)
    return [f"{figure:.3f}" for figure in quality(orders)]


# -- the command ---------------------------------------------------------------------------------------


def of_the_command(storage: Storage, days: Sequence[date]) -> list[str]:
    """`digest rank --json` of all days for a library of fifteen titles: papers, seconds, ms a paper, MB."""
    papers = read_papers(storage, days[0])[:15]
    with scratch({"DIGEST_DATA_DIR": str(storage.root), "DIGEST_DEMO": "false"}) as deployment:
        library = deployment.folder / "library.bib"
        library.write_text("\n".join(f"@misc{{k{number}, title = {{{one.title}}}}}" for number, one in enumerate(papers)), encoding="utf-8")
        words = ("rank", str(days[0]), str(days[-1]), "--library", str(library), "--json")
        ran = min((deployment.digest(*words) for _ in range(3)), key=lambda one: one.seconds)
    count = sum(line.startswith("{") for line in ran.output.splitlines())
    return [f"{count:,}", f"{ran.seconds:.1f}", f"{1000 * ran.seconds / count:.1f}", f"{ran.peak_megabytes:.0f}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking")
    parser.add_argument("--data", type=Path, help="a data directory; default: that of the settings")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="so many libraries of each field and size")
    parser.add_argument("--quick", action="store_true", help="one way to part the days, one size of library")
    arguments = parser.parse_args()
    storage = Storage(arguments.data.resolve()) if arguments.data else open_storage(load_settings())
    days = PapersAtHand(storage).days
    if len(days) < 4:
        print("## Ranking\n\nToo few days are at hand to make tastes from (four at least): `python -m benchmarks.ranking --data DIRECTORY`\n")
        return 0
    costs = of_the_command(storage, days)  # first: a process begins with the memory of the one that starts it
    seeds = range(1, arguments.seeds + 1)
    sizes, pair_sizes = ((15,), (12,)) if arguments.quick else (SIZES, PAIR_SIZES)
    terms = {day: terms_file(read_papers(storage, day)) for day in days}
    has_node = shutil.which("node") is not None
    single, pairs, votes, stars = [], [], [], []
    for name, (earlier, later) in list(splits(days).items())[: 1 if arguments.quick else None]:
        split = Split(storage, earlier, later)
        progress(f"{name}: {len(split.space.papers)} papers, {len(split.fields)} fields")
        single += [[name, size, len(split.fields), *of_one_field(split, size, seeds)] for size in sizes]
        votes.append([name, *of_votes(split, seeds)])
        pairs += [[name, f"{size} + {size}", *of_two_fields(split, size, seeds)] for size in pair_sizes]
        stars += [[name, size, *of_stars(split, terms, size)] for size in sizes if has_node]
    bytes_a_paper = sum(map(len, terms.values())) / sum(content.count(b'":"') for content in terms.values())
    shown = (
        (
            "Ranking: tastes of one field",
            ["days", "library", "fields", "AUC", "recall@10", "seen as one interest"],
            single,
            "AUC 0.90, recall@10 0.60",
        ),
        ("Ranking: libraries of two fields", ["days", "library", "days tried", "both in the first ten", "seen as several interests"], pairs, "75 %"),
        ("Ranking: ten votes beside a library of five", ["days", "AUC without", "AUC with"], votes, "0.03 more"),
        ("Ranking in the browser, by the pages' own script", ["days", "stars", "AUC", "recall@10"], stars, "AUC 0.82"),
        ("Ranking: `digest rank` of all days, its start included", ["papers", "s", "ms a paper", "peak memory, MB"], [costs], "5 ms a paper, 300 MB"),
    )
    for title, columns, rows, goal in shown:
        print_result(title, columns, rows, notes=[f"Goal: {goal}."])
        print()
    print(
        f"- The file by which browsers rank has {bytes_a_paper:.0f} bytes a paper (goal: 250).{'' if has_node else ' Their script was not measured: node is not installed.'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

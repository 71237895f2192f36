"""Invented fields with words of their own, papers of them, and tastes for them; no recording, no network.

What lives here: making them from a seed. What does not: what a ranking makes of them.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from digest_pipeline.ranking.features import Document

FIELDS = {
    "cs.GT": [
        "auction",
        "bidder",
        "equilibrium",
        "mechanism",
        "truthful",
        "welfare",
        "payoff",
        "strategic",
        "allocation",
        "revenue",
        "Nash",
        "player",
    ],
    "cs.RO": [
        "robot",
        "gripper",
        "manipulation",
        "trajectory",
        "locomotion",
        "torque",
        "grasping",
        "actuator",
        "navigation",
        "obstacle",
        "quadruped",
        "joint",
    ],
    "cs.IT": [
        "channel",
        "codeword",
        "decoding",
        "capacity",
        "entropy",
        "parity",
        "antenna",
        "fading",
        "modulation",
        "bandwidth",
        "polar",
        "rateless",
    ],
    "cs.CY": [
        "policy",
        "governance",
        "society",
        "teachers",
        "students",
        "fairness",
        "regulation",
        "survey",
        "ethics",
        "citizens",
        "classroom",
        "stakeholders",
    ],
}
_COMMON = [
    "model",
    "data",
    "method",
    "results",
    "training",
    "learning",
    "evaluation",
    "analysis",
    "study",
    "performance",
    "large",
    "system",
    "design",
    "network",
]


def paper(number: int, field: str, seed: int = 0) -> Document:
    """One paper: a third of its words are the field's, the rest everybody's."""
    rng = random.Random(f"{seed} {number} {field}")
    words = [rng.choice(FIELDS[field] if rng.random() < 0.35 else _COMMON) for _ in range(60)]
    own = rng.sample(FIELDS[field], 2)
    return Document(f"2606.{number:05d}", f"On the {own[0]} of {own[1]}", " ".join(words) + ".", (f"Author {rng.randrange(500)}",), (field,))


def papers_of_all_fields(count: int, seed: int = 0, first: int = 1) -> list[Document]:
    """`count` papers, the fields in turn."""
    names = list(FIELDS)
    return [paper(first + number, names[number % len(names)], seed) for number in range(count)]


def library_of(field: str, size: int, seed: int = 1) -> tuple[Document, ...]:
    """Papers of one field as a bibliography has them: the category is not told."""
    made = (paper(90000 + number, field, seed) for number in range(size))
    return tuple(Document(f"{field}-{number}", one.title, one.abstract, one.authors) for number, one in enumerate(made))


def area_under_curve(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Of the ROC curve of a ranking, best first."""
    above = wins = 0
    for one in reversed(ranked):
        if one in relevant:
            wins += above
        else:
            above += 1
    return wins / (above * (len(ranked) - above))

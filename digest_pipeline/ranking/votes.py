"""What a reader said of single papers: `private/<profile>/votes.jsonl`, one line a vote, the last one of a paper counts.

What lives here: writing and reading votes. What does not: what they change (`taste.py`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum

from digest_pipeline.storage import Storage


class Vote(StrEnum):
    """`none` takes an earlier vote back."""

    LIKE = "like"
    DISLIKE = "dislike"
    NONE = "none"


def private_folder(profile: str) -> str:
    """A profile's own folder below the data directory; never inside `site/`."""
    return f"private/{profile}"


def votes_file(profile: str) -> str:
    return f"{private_folder(profile)}/votes.jsonl"


def add_vote(storage: Storage, profile: str, arxiv_id: str, vote: Vote, now: datetime) -> None:
    """Counts from the next ranking on. The whole file is replaced: two votes at the same instant leave one of them."""
    line = json.dumps({"arxiv_id": arxiv_id, "vote": vote.value, "voted_at_utc": now.astimezone(UTC).isoformat(timespec="seconds")})
    storage.write_text(votes_file(profile), f"{_text(storage, profile)}{line}\n")


def read_votes(storage: Storage, profile: str) -> dict[str, Vote]:
    """Id → the vote that counts, in the order of first votes; papers whose vote was taken back are absent."""
    votes: dict[str, Vote] = {}
    for line in _text(storage, profile).splitlines():
        row = json.loads(line)
        votes[row["arxiv_id"]] = Vote(row["vote"])
    return {arxiv_id: vote for arxiv_id, vote in votes.items() if vote is not Vote.NONE}


def _text(storage: Storage, profile: str) -> str:
    file = votes_file(profile)
    return storage.read_text(file) if storage.exists(file) else ""

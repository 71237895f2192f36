"""A profile's library and votes put together: what `rank.py` ranks by.

What lives here: which papers speak for and against. What does not: files, votes and lookups themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from digest_pipeline.ranking.library import Problem
from digest_pipeline.ranking.library.entry import Library
from digest_pipeline.ranking.lookup import AskArxiv, KnownPapers, documents_of, nobody
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile, entries_of_ids, liked_and_disliked, read_profile_library
from digest_pipeline.ranking.rank import Taste
from digest_pipeline.ranking.votes import Vote, private_folder, read_votes
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage


@dataclass(frozen=True, slots=True)
class ProfileTaste:
    """What a profile likes and dislikes, what it knows already, and what could not be used."""

    taste: Taste
    known_ids: frozenset[str]
    """Papers of the library and those voted on: they are not new to this reader."""
    known_titles: frozenset[str]
    """In lower case; a library’s entry may have no id."""
    liked_ids: frozenset[str]
    problems: tuple[Problem, ...]


def taste_of_profile(
    profile: Profile, folder: Path, at_hand: PapersAtHand, storage: Storage, ask: AskArxiv = nobody, watch_lists: Sequence[WatchList] | None = None
) -> ProfileTaste:
    """`folder` is that of profiles.toml; `watch_lists` are those of watch.toml, None where they are of no consequence.

    Raises ArxivUnavailable through `ask`, SettingsError or SourceError for Zotero.
    """
    library = read_profile_library(profile, folder, storage)
    likes, dislikes, wrong = liked_and_disliked(profile)
    votes = read_votes(storage, profile.name)
    likes = list(dict.fromkeys([*(i for i in likes if votes.get(i) is not Vote.DISLIKE), *(i for i, v in votes.items() if v is Vote.LIKE)]))
    dislikes = list(dict.fromkeys([*(i for i in dislikes if votes.get(i) is not Vote.LIKE), *(i for i, v in votes.items() if v is Vote.DISLIKE)]))
    entries = [entry for entry in Library.joined([library, Library(tuple(entries_of_ids(likes)))]).entries if entry.arxiv_id not in set(dislikes)]
    known = KnownPapers(at_hand, storage, f"{private_folder(profile.name)}/papers.jsonl", ask)
    liked = documents_of(entries, known)
    found = {document.key for document in liked}
    textless = [entry.arxiv_id for entry in entries if not entry.title and entry.arxiv_id not in found]
    lists = {one.name: one for one in watch_lists or ()}
    if watch_lists is not None:
        wrong += [f"watch_lists: {name!r} is no list of watch.toml" for name in profile.watch_lists if name not in lists]
    return ProfileTaste(
        taste=Taste(
            liked,
            documents_of(entries_of_ids(dislikes), known),
            profile.categories,
            tuple(lists[name] for name in dict.fromkeys(profile.watch_lists) if name in lists),
        ),
        known_ids=frozenset([*(entry.arxiv_id for entry in entries if entry.arxiv_id), *likes, *dislikes]),
        known_titles=frozenset(entry.title.casefold() for entry in entries if entry.title),
        liked_ids=frozenset(likes) | frozenset(entry.arxiv_id for entry in entries if entry.arxiv_id),
        problems=(
            *library.problems,
            *(Problem("library and likes", key, "no listing at hand has this paper, and arXiv did not give it") for key in textless),
            *(Problem("profiles.toml", profile.name, what) for what in wrong),
        ),
    )

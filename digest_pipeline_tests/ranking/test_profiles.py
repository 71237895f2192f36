"""profiles.toml, votes, lookups and the table of a day, put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.errors import SettingsError
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile, find_profile, load_profiles
from digest_pipeline.ranking.rankings import best_ranks, rank_for_profile, read_rankings
from digest_pipeline.ranking.taste import taste_of_profile
from digest_pipeline.ranking.votes import Vote, add_vote, read_votes
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import generated_papers
from digest_pipeline_tests.support.tastes import library_of, papers_of_all_fields

NOW = datetime(2026, 6, 3, 6, tzinfo=UTC)
FIRST, SECOND = date(2026, 6, 2), date(2026, 6, 3)


def write_papers(storage: Storage, day: date, documents: Sequence[Document]) -> None:
    papers = [
        replace(
            paper, arxiv_id=one.key, title=one.title, abstract=one.abstract, authors=one.authors, affiliations=("",) * len(one.authors),
            categories=one.categories, primary_category=one.categories[0], listing_date=day,
        )
        for paper, one in zip(generated_papers(day, len(documents)), documents, strict=True)
    ]  # fmt: skip
    storage.write_table(storage.papers_file(day), tables.papers_to_table(papers))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "data")
    write_papers(made, FIRST, papers_of_all_fields(80, seed=1))
    write_papers(made, SECOND, papers_of_all_fields(80, seed=2, first=200))
    return made


def write_profiles(folder: Path, text: str) -> Path:
    (folder / "profiles.toml").write_text(text, encoding="utf-8")
    return folder / "profiles.toml"


def bibtex(documents: Iterable[Document]) -> str:
    return "\n".join(f"@misc{{{one.key}, title = {{{one.title}}}, abstract = {{{one.abstract}}}}}" for one in documents)


# -- the file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[profile]]\nname = "Ada B"', "profile Ada B: name: 'Ada B' needs 1 to 64"),
        ('[[profile]]\nname = "ada"\ntop = 0', "profile ada: top"),
        ('[[profile]]\nname = "ada"\nlibary = []', "profile ada: libary"),
        ('[[profile]]\nname = "ada"\nmail_to = ["a@"]', "profile ada: mail_to"),
        ('[[profile]]\nname = "ada"\ncategories = ["cs.XX"]', "profile ada: categories"),
        ('[[profile]]\nname = "ada"\n[[profile]]\nname = "ada"', "the name 'ada' is used twice"),
        ('name = "ada"', "a profile begins with"),
        ("[[profile", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_profile_and_reason(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_profiles(write_profiles(tmp_path, text))
    assert says in raised.value.message


def test_no_file_means_no_profiles(tmp_path: Path) -> None:
    assert load_profiles(tmp_path / "profiles.toml") == ()


def test_the_example_is_a_valid_file() -> None:
    (profile,) = load_profiles(Path(__file__).parents[2] / "profiles.example.toml")
    assert (profile.name, profile.top) == ("ada", 20)


def test_a_profile_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"there is no profile 'b'; profiles\.toml has: a"):
        find_profile([Profile(name="a")], "b")


def test_secrets_and_votes_are_not_in_a_profiles_text() -> None:
    shown = repr(
        Profile.model_validate({"name": "a", "likes": ["2401.01234"], "zotero": {"user": "u", "key": "sesame"}, "mail_to": ["a@example.org"]})
    )
    assert [word for word in ("2401.01234", "sesame", "example.org") if word in shown] == []


# -- libraries and votes -----------------------------------------------------------------------------------


def test_ids_get_their_texts_from_the_listings_at_hand_and_the_others_once_from_arxiv(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "ids.txt").write_text("2606.00001\n2401.01234\nnonsense\n")
    asked: list[Sequence[str]] = []

    def ask(ids: Sequence[str]) -> list[Document]:
        asked.append(ids)
        return [Document("2401.01234", "Asked for", "An abstract.", (), ("cs.GT",))]

    profile = Profile(name="ada", library=("ids.txt",))
    for _ in range(2):
        read = taste_of_profile(profile, tmp_path, PapersAtHand(storage), storage, ask)
        assert [document.key for document in read.taste.liked] == ["2606.00001", "2401.01234"]
        assert read.taste.liked[0].abstract
    assert asked == [["2401.01234"]]
    assert [str(problem) for problem in read.problems] == ["ids.txt, line 3: 'nonsense' is no arXiv id"]


def test_an_id_of_which_nobody_has_the_paper_is_named(tmp_path: Path, storage: Storage) -> None:
    profile = Profile(name="ada", likes=("2606.00001", "2401.99999"))
    read = taste_of_profile(profile, tmp_path, PapersAtHand(storage), storage, lambda ids: [])
    assert [document.key for document in read.taste.liked] == ["2606.00001"]
    assert [str(problem) for problem in read.problems] == [
        "library and likes, 2401.99999: no listing at hand has this paper, and arXiv did not give it"
    ]


def test_the_last_vote_counts_and_goes_before_the_file(tmp_path: Path, storage: Storage) -> None:
    for vote in (Vote.LIKE, Vote.DISLIKE):
        add_vote(storage, "ada", "2606.00001", vote, NOW)
    add_vote(storage, "ada", "2606.00002", Vote.LIKE, NOW)
    add_vote(storage, "ada", "2606.00002", Vote.NONE, NOW)
    assert read_votes(storage, "ada") == {"2606.00001": Vote.DISLIKE}
    read = taste_of_profile(Profile(name="ada", likes=("2606.00001", "2606.00003")), tmp_path, PapersAtHand(storage), storage)
    assert [document.key for document in read.taste.liked] == ["2606.00003"]
    assert [document.key for document in read.taste.disliked] == ["2606.00001"]


def test_votes_change_the_next_ranking(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "mine.bib").write_text(bibtex(library_of("cs.GT", 4)))
    profile = Profile(name="ada", library=("mine.bib",))
    robots = {paper.key for paper in papers_of_all_fields(80, seed=2, first=200) if paper.categories == ("cs.RO",)}

    def best_robot() -> int:
        rank_for_profile(storage, PapersAtHand(storage), SECOND, profile, tmp_path)
        return min(row.rank for row in read_rankings(storage, SECOND, "ada") if row.arxiv_id in robots)

    before = best_robot()
    for paper in papers_of_all_fields(80, seed=1):
        if paper.categories == ("cs.RO",):
            add_vote(storage, "ada", paper.key, Vote.LIKE, NOW)
    assert best_robot() <= 2 < before


def test_ranking_a_day_again_writes_the_same_bytes(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "mine.bib").write_text(bibtex(library_of("cs.GT", 4)))
    profile = Profile(name="ada", library=("mine.bib",))
    seen = set()
    for _ in range(2):
        rank_for_profile(storage, PapersAtHand(storage), FIRST, profile, tmp_path)
        seen.add(storage.read_bytes("rankings/date=2026-06-02/profile=ada/rankings.parquet"))
    assert len(seen) == 1


def test_the_best_rank_over_all_profiles_decides_what_is_translated_first(tmp_path: Path, storage: Storage) -> None:
    for name, field in (("ada", "cs.GT"), ("bob", "cs.RO")):
        (tmp_path / f"{name}.bib").write_text(bibtex(library_of(field, 5)))
        rank_for_profile(storage, PapersAtHand(storage), FIRST, Profile(name=name, library=(f"{name}.bib",)), tmp_path)
    best = best_ranks(storage, FIRST)
    assert len(best) == 80
    assert sum(rank == 1 for rank in best.values()) == 2
    assert best_ranks(storage, SECOND) == {}


def test_a_profile_without_any_paper_gets_the_newest_first(tmp_path: Path, storage: Storage) -> None:
    rank_for_profile(storage, PapersAtHand(storage), FIRST, Profile(name="ada"), tmp_path)
    rows = read_rankings(storage, FIRST, "ada")
    assert [row.arxiv_id for row in rows] == sorted((row.arxiv_id for row in rows), reverse=True)


def test_kept_texts_and_votes_lie_in_the_profiles_own_folder(tmp_path: Path, storage: Storage) -> None:
    add_vote(storage, "ada", "2606.00001", Vote.LIKE, NOW)
    assert [path.relative_to(storage.local_path("")).as_posix() for path in storage.local_path("private").rglob("*.*")] == ["private/ada/votes.jsonl"]
    assert json.loads(storage.read_text("private/ada/votes.jsonl"))["vote"] == "like"

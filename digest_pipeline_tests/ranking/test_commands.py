"""`digest rank`, `vote` and `profile` as they are typed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline.cli import main
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.library import read_library
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.suggest import papers_by_author
from digest_pipeline.ranking.votes import Vote, read_votes
from digest_pipeline.storage import Storage
from digest_pipeline_tests.ranking.test_profiles import bibtex, write_papers
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.tastes import library_of, papers_of_all_fields


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with two days, a library and a profile; live settings without any address."""
    for name, value in {
        "DIGEST_DATA_DIR": tmp_path / "data", "DIGEST_PROFILES_FILE": tmp_path / "profiles.toml", "DIGEST_DEMO": "false",
        "DIGEST_ARXIV_API_URL": "http://127.0.0.1:9/api", "DIGEST_ARXIV_ATTEMPTS": "1", "DIGEST_ARXIV_INTERVAL_SECONDS": "0", "OPENAI_API_KEY": "sk-none",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    storage = Storage(tmp_path / "data")
    write_papers(storage, date(2026, 6, 2), papers_of_all_fields(60, seed=1))
    write_papers(storage, date(2026, 6, 3), papers_of_all_fields(60, seed=2, first=200))
    (tmp_path / "mine.bib").write_text(bibtex(library_of("cs.GT", 6)) + "\n@misc{nothing, year = 2020}\n")
    (tmp_path / "profiles.toml").write_text('[[profile]]\nname = "ada"\nlibrary = ["mine.bib"]\ntop = 3\n')
    return tmp_path


def test_rank_gives_a_json_line_a_paper_each_day_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "2026-06-01", "2026-06-30", "--library", str(folder / "mine.bib"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(rows[0]) == ["listing_date", "rank", "arxiv_id", "score", "interest", "why"]
    assert [(row["listing_date"], row["rank"]) for row in rows] == [(f"2026-06-0{day}", rank) for day in (2, 3) for rank in range(1, 61)]
    assert main(["rank", "2026-06-03", "2026-06-03", "--library", str(folder / "mine.bib"), "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows[60:], "a day alone is ranked as within a range"


def test_rank_for_the_only_profile_shows_its_best_and_names_bad_entries(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "2026-06-02", "2026-06-02"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "2026-06-02: 3 of 60"
    assert "mine.bib, nothing: the entry has neither a title nor an arXiv id" in said.err


def test_a_day_that_is_not_at_hand_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "2025-01-01", "2025-01-02"]) == 1
    assert "no day from 2025-01-01 to 2025-01-02 is at hand" in capsys.readouterr().err


def test_a_library_without_any_usable_entry_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "2026-06-02", "2026-06-02", "--library", str(folder / "gone.bib")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_where_arxiv_does_not_answer_the_rest_of_the_library_ranks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ids.txt").write_text("2606.00001\n1706.03762\n")
    assert main(["rank", "2026-06-02", "2026-06-02", "--library", str(folder / "ids.txt"), "--json"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 60
    assert "1 papers are not at hand" in said.err


def test_a_vote_is_kept_under_its_bare_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vote", "https://arxiv.org/abs/2606.00001v2", "like"]) == 0
    assert read_votes(Storage(folder / "data"), "ada") == {"2606.00001": Vote.LIKE}
    assert main(["vote", "nonsense", "like"]) == 2
    assert main(["vote", "2606.00001", "like", "--profile", "bob"]) == 2
    assert "profiles.toml has: ada" in capsys.readouterr().err


def test_profile_check_show_and_suggest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "check"]) == 1
    assert "ada: 6 papers can be used\n  mine.bib, nothing:" in capsys.readouterr().out
    assert main(["profile", "show", "ada"]) == 0
    assert "6 papers:" in capsys.readouterr().out
    assert main(["profile", "suggest", "--count", "5"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 5
    author = papers_of_all_fields(60, seed=2, first=200)[0].authors[0]
    assert main(["profile", "suggest", "--author", author.upper()]) == 0
    assert "2606.00200" in capsys.readouterr().out


def test_an_authors_papers_are_asked_of_arxiv_once_and_make_a_library(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    days = generate_days(date(2026, 5, 1), date(2026, 5, 20), papers_per_day=20)
    author = days[0].block[0].authors[0]
    (folder / "empty").mkdir()
    with FakeArxiv(days, now=datetime(2026, 6, 10, tzinfo=UTC)) as arxiv:
        monkeypatch.setenv("DIGEST_ARXIV_API_URL", arxiv.api_url)
        monkeypatch.setenv("DIGEST_ARXIV_LOCK_DIR", str(folder))
        monkeypatch.setenv("DIGEST_DATA_DIR", str(folder / "empty"))  # a newcomer has no listing yet
        assert main(["profile", "suggest", "--author", author]) == 0
        said = capsys.readouterr().out
        assert main(["profile", "suggest", "--author", author]) == 0
        assert capsys.readouterr().out == said
        assert len(arxiv.requests) == 1
        assert main(["profile", "suggest", "--author", "Nobody Whatsoever"]) == 1
    found = {line.split()[0] for line in said.splitlines()}
    mine = {paper.arxiv_id for day in days for paper in day.block if author in paper.authors}
    assert mine <= found
    (folder / "mine.txt").write_text(said)
    library = read_library(folder / "mine.txt")
    assert {entry.arxiv_id for entry in library.entries} == found
    assert library.problems == ()


def test_where_arxiv_does_not_answer_an_authors_papers_at_hand_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    author = papers_of_all_fields(60, seed=2, first=200)[0].authors[0]
    assert main(["profile", "suggest", "--author", author]) == 0
    said = capsys.readouterr()
    assert "2606.00200" in said.out
    assert "arXiv was not able to say now" in said.err


@pytest.mark.parametrize(
    ("author", "found"), [("Ada Lovelace", True), ("A. Lovelace", True), ("ADA LOVELACE", True), ("Bob Lovelace", False), ("Ada King", False)]
)
def test_a_name_may_be_written_with_its_initial(folder: Path, author: str, found: bool) -> None:
    paper = Document("2601.00001", "T", "A", ("Ada M. Lovelace", "Someone Else"))
    assert bool(papers_by_author(PapersAtHand(Storage(folder / "none")), author, [paper])) is found


def test_check_without_any_profile_says_where_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIGEST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DIGEST_PROFILES_FILE", str(tmp_path / "profiles.toml"))
    assert main(["profile", "check"]) == 2
    assert f"there is no profile in {tmp_path / 'profiles.toml'} → copy profiles.example.toml there" in capsys.readouterr().err

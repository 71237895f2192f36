"""A stopped digest is told of once, by an issue that closes itself; and the workflow stays switched on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest_pipeline.calendar import load_calendar
from digest_pipeline.hosted.environment import Runner
from digest_pipeline.hosted.watch import main, missed_listings, watch
from digest_pipeline_tests.support.fake_github import BOT, FakeGitHub, fake_github

ROOT = Path(__file__).resolve().parents[2]
MONDAY = date(2026, 6, 8)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        yield fake


class Branch:
    """A data branch on which the days up to `newest` are made."""

    def __init__(self, newest: date | None) -> None:
        self.newest = newest

    def paths(self) -> list[str]:
        return [f"ledger/date={self.newest}/facts.json", f"ledger/date={self.newest}/ledger.parquet"] if self.newest else []


def runner(github: FakeGitHub) -> Runner:
    return Runner.from_environment(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": "reader/arxiv-digest",
            "GITHUB_RUN_ID": "7",
            "GITHUB_TOKEN": "t",
        }
    )


def look(github: FakeGitHub, newest: date | None, day: date, hour: int = 7) -> str:
    now = datetime(day.year, day.month, day.day, hour, 23, tzinfo=UTC)
    return watch(Branch(newest), runner(github), load_calendar(), now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("newest", "day", "hour", "missed"),
    [
        (MONDAY, date(2026, 6, 9), 7, 0),  # Tuesday's listing is minutes old
        (MONDAY, date(2026, 6, 9), 23, 1),
        (MONDAY, date(2026, 6, 10), 7, 1),
        (MONDAY, date(2026, 6, 11), 7, 2),
        (date(2026, 6, 5), date(2026, 6, 7), 12, 0),  # a weekend is no stop
        (date(2026, 6, 19), date(2026, 6, 23), 7, 0),  # 2026-06-22 is a day without announcement
        (None, date(2026, 6, 11), 7, 2),
    ],
)
def test_a_listing_is_missed_when_it_is_due_was_announced_and_has_no_day(newest: date | None, day: date, hour: int, missed: int) -> None:
    now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    assert len(missed_listings(load_calendar(), newest, MONDAY, now)) == missed


def test_one_issue_is_opened_and_closed_again_when_a_day_is_made(github: FakeGitHub) -> None:
    thursday = MONDAY + timedelta(days=3)
    assert look(github, MONDAY, thursday - timedelta(days=1)) == "1 listings without a digest"
    assert "issue #1 opened" in look(github, MONDAY, thursday)
    look(github, MONDAY, thursday, 12)
    look(github, MONDAY, thursday + timedelta(days=1))
    assert len(github.issues) == 1
    assert "/actions/runs/7" in github.issues[0]["body"]
    assert "issue #1 closed" in look(github, thursday + timedelta(days=1), thursday + timedelta(days=1))
    assert github.open_issues == []
    assert len(github.comments) == 1
    look(github, thursday + timedelta(days=1), thursday + timedelta(days=1))
    assert len(github.comments) == 1


def test_nobody_elses_issue_is_closed(github: FakeGitHub) -> None:
    for login, title in (("a-reader", "The digest has stopped"), (BOT, "Another matter")):
        github.issues.append({"number": len(github.issues) + 1, "state": "open", "user": {"login": login}, "title": title})
    look(github, MONDAY, MONDAY)
    assert len(github.open_issues) == 2


def test_a_fork_that_never_made_a_day_is_noticed_by_its_oldest_run(github: FakeGitHub) -> None:
    github.runs_created_at = ["2026-06-08T08:00:00Z", "2026-06-10T05:23:00Z"]
    assert "issue #1 opened" in look(github, None, date(2026, 6, 11))
    assert "No digest was made yet" in github.issues[0]["body"]
    github.runs_created_at = ["2026-06-11T05:23:00Z"]
    assert look(github, None, date(2026, 6, 11)).endswith("(none yet)")
    assert len(github.open_issues) == 1


def test_the_watch_runs_before_anything_is_installed_and_each_part_in_spite_of_the_others_trouble(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run([sys.executable, "-S", "-c", "import digest_pipeline.hosted.watch"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "nowhere.git")], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "reader/arxiv-digest", "GITHUB_TOKEN": "t"}
    assert main(environ, datetime(2026, 6, 11, 7, tzinfo=UTC)) == 1
    assert "::error title=Watch::" in capsys.readouterr().out
    assert github.enabled == 1


def test_issues_that_are_switched_off_are_said_in_words(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    github.has_issues, github.runs_created_at = False, ["2026-06-01T08:00:00Z"]
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "host.git")], check=True)
    subprocess.run(["git", "init", "-q", str(tmp_path / "clone")], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "host.git")], cwd=tmp_path / "clone", check=True)
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "reader/arxiv-digest", "GITHUB_TOKEN": "t"}
    assert main(environ, datetime(2026, 6, 11, 7, tzinfo=UTC)) == 1
    assert "Settings → General → Features → Issues" in capsys.readouterr().out

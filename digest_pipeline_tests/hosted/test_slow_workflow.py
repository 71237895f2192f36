"""The workflow file's own steps on fresh runners: nothing paid or fetched twice, nothing lost, nothing half published."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest_pipeline.calendar import load_calendar
from digest_pipeline.hosted.branch import BRANCH, days_on
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_github import FakeGitHub, fake_github
from digest_pipeline_tests.support.fake_openai import WORD, FakeOpenAI, fake_openai
from digest_pipeline_tests.support.workflow_runner import TOKEN, WorkflowResult, WorkflowRunner, bare_repository

pytestmark = pytest.mark.slow
KEY = "sk-a-key-of-this-test-only-0123456789"
MONDAY = date(2026, 6, 8)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_repository(tmp_path_factory.mktemp("host"))


@dataclass
class Fork:
    """A reader's repository with its runners, and the world it asks."""

    runner: WorkflowRunner
    arxiv: FakeArxiv
    openai: FakeOpenAI
    github: FakeGitHub
    results: list[WorkflowResult] = field(default_factory=list)

    def morning(self, day: date, **options: object) -> WorkflowResult:
        """The scheduled run after midnight US Eastern of a listing date."""
        now = datetime(day.year, day.month, day.day, 7, 23, tzinfo=UTC)
        self.arxiv.now = now
        self.results.append(self.runner.run(now, **options))  # type: ignore[arg-type]
        return self.results[-1]

    def branch(self) -> list[str]:
        listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", BRANCH], cwd=self.runner.bare, capture_output=True, text=True, check=False)
        return listed.stdout.split("\n")[:-1]

    def days(self) -> list[str]:
        return days_on(self.branch())

    def commits(self) -> int:
        return int(subprocess.check_output(["git", "rev-list", "--count", BRANCH], cwd=self.runner.bare))

    def content(self) -> bytes:
        """All bytes on the branch, files uncompressed as git keeps them."""
        return subprocess.check_output(["git", "archive", BRANCH], cwd=self.runner.bare)

    @property
    def paid_twice(self) -> list[str]:
        """Papers that were asked for twice with the very same words; a later version of a paper has other words."""
        asked = Counter(json.dumps(one.body["messages"]) for one in self.openai.asked if one.title != WORD)
        return [words for words, count in asked.items() if count > 1]


@contextmanager
def fork(folder: Path, repository: Path, *, papers_per_day: int = 24, **variables: str) -> Iterator[Fork]:
    bare = folder / "repository.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository), str(bare)], check=True)
    days = generate_days(date(2026, 6, 1), date(2026, 7, 3), skipped_evenings=set(load_calendar().skipped), papers_per_day=papers_per_day)
    with FakeArxiv(days, now=datetime(2026, 6, 8, 12, tzinfo=UTC)) as arxiv, fake_openai() as openai, fake_github() as github:
        arxiv.faults.api_lag = timedelta(0)
        given = {
            "DIGEST_ENABLED": "true",
            "DIGEST_CATEGORIES": "cs.CL,cs.LG",
            "DIGEST_ARXIV_API_URL": arxiv.api_url,
            "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_ARXIV_ATTEMPTS": "1",
            "DIGEST_PUBLICATION_WAIT_SECONDS": "0",
            "DIGEST_MODEL": "fake-model",
            "OPENAI_BASE_URL": openai.url,
            "SOMETHING_ELSE": "is no setting",
            **variables,
        }
        yield Fork(WorkflowRunner(bare, folder, given, {"OPENAI_API_KEY": KEY}, github.url), arxiv, openai, github)


def weekdays(first: date, count: int) -> list[date]:
    return [day for n in range(2 * count + 4) if (day := first + timedelta(days=n)).weekday() < 5][:count]


def test_ten_days_on_ten_fresh_runners_pay_and_fetch_nothing_twice(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        for day in weekdays(MONDAY, 10):
            before = [(request.kind, request.query) for request in it.arxiv.requests]
            result = it.morning(day)
            assert result.jobs == {"make": "success", "publish": "success", "watch": "success"}, result.log
            fetched = [(request.kind, request.query) for request in it.arxiv.requests][len(before) :]
            assert set(before) & set(fetched) <= {("rss", "cs.CL+cs.LG")}
            assert result.published is not None
            assert (result.published / f"zh/{day}/index.html").is_file()
            assert f"### ✅ {day}: made" in result.summary
        assert it.paid_twice == []
        assert it.days() == [day.isoformat() for day in weekdays(MONDAY, 10)]
        assert it.commits() == 1
        assert it.openai.asked[-1].title != WORD
        assert it.github.enabled == 10
        assert it.github.issues == []
        content = it.content()
        for secret in (KEY, TOKEN):
            assert secret.encode() not in content
            assert all(secret not in result.log for result in it.results)


def test_a_second_look_at_a_made_day_asks_nobody_anything(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        it.morning(MONDAY)
        asked, fetched = it.openai.requests, len(it.arxiv.requests)
        again = it.morning(MONDAY)
        assert (it.openai.requests, len(it.arxiv.requests)) == (asked, fetched)
        assert again.jobs == {"make": "success", "publish": "skipped", "watch": "success"}
        assert "Nothing to do" in again.summary
        assert again.steps["Save"].log.strip() == "Nothing new to push"

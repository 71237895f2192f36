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
from digest_pipeline_tests.support.fake_openai import WORD, FakeOpenAI, error, fake_openai
from digest_pipeline_tests.support.loopback import http_endpoint
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

    def morning(self, day: date, hour_utc: int = 7, **options: object) -> WorkflowResult:
        """A scheduled run of a listing date, by default the one after midnight US Eastern."""
        now = datetime(day.year, day.month, day.day, hour_utc, 23, tzinfo=UTC)
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

    def content_of(self, path: str) -> bytes:
        return subprocess.check_output(["git", "show", f"{BRANCH}:{path}"], cwd=self.runner.bare)

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
            assert f"## ✅ {day} made" in result.summary
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


def test_a_batch_that_one_runner_sent_is_taken_up_by_the_next_and_paid_once(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository, DIGEST_BATCH="always") as it:
        it.openai.batch_status = "in_progress"
        sent = it.morning(MONDAY)
        assert sent.jobs["make"] == "success", sent.log
        assert len(it.openai.batches) == 1
        assert "wait for the budget or a batch" in sent.summary
        still_open = it.morning(MONDAY, 10)
        assert still_open.jobs["make"] == "success", still_open.log
        it.openai.batch_status = "completed"
        back = it.morning(MONDAY, 13)
        assert back.jobs["publish"] == "success", back.log
        assert "wait for the budget or a batch" not in back.summary
        assert len(it.openai.batches) == 1
        assert it.paid_twice == []
        assert it.openai.peak <= 1, "no paper went the ordinary way"


def test_a_paper_that_arxiv_shows_later_is_added_by_a_look_after_noon_on_another_runner(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        monday = it.arxiv.day(MONDAY)
        late = [paper.arxiv_id for paper in monday.block if paper.submitted_at >= monday.window[0] and {"cs.CL", "cs.LG"} & set(paper.categories)][2]
        it.arxiv.faults.hidden_ids.add(late)
        tuesday = weekdays(MONDAY, 2)[-1]
        it.morning(tuesday, event="workflow_dispatch", inputs={"first": str(MONDAY)})
        it.arxiv.faults.hidden_ids.clear()
        of_tuesday = it.morning(tuesday)
        assert of_tuesday.jobs["publish"] == "success", of_tuesday.log
        paid = sum(it.openai.answered.values())
        added = it.morning(tuesday, 17)
        assert added.jobs["publish"] == "success", added.log
        assert f"### ✅ {MONDAY}: made" in added.summary
        assert sum(it.openai.answered.values()) == paid + 1
        assert late.encode() in it.content_of(f"digests/zh/{MONDAY}/all.md")


# -- what goes wrong ------------------------------------------------------------------------------------


def test_a_killed_step_and_a_lost_runner_lose_nothing_that_was_paid_but_what_was_in_flight(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository, papers_per_day=200, DIGEST_MAX_CONCURRENCY="2") as it:
        it.openai.latency_seconds = 0.2
        first, second, third = weekdays(MONDAY, 3)

        killed = it.morning(first, kill=lambda: sum(it.openai.answered.values()) >= 10)
        assert killed.jobs["make"] == "failure"
        assert killed.steps["Save"].status == 0
        assert killed.published is None
        assert it.days() == []
        assert "ended from outside" in killed.summary

        paid = sum(it.openai.answered.values())
        began = paid
        lost = it.morning(first, kill=lambda: sum(it.openai.answered.values()) >= began + 30, lose_runner=True, environ={"PUSH_EVERY_SECONDS": "0.5"})
        assert lost.jobs == {"make": "failure", "publish": "skipped", "watch": "success"}
        assert "Save" not in lost.steps
        assert it.days() == []

        whole = it.morning(first)
        assert whole.jobs["publish"] == "success", whole.log
        assert it.days() == [first.isoformat()]
        again = len(it.paid_twice)
        assert again <= 2 * 2 + 10  # in flight at two kills, and what half a second and a push on a busy machine bring

        pages = it.runner.folder / "pages"
        shown = (pages / "index.html").read_bytes()
        building = it.morning(second, kill=lambda: bool(list(tmp_path.glob(f"run-*/workspace/data/papers/date={second}"))))
        assert building.published is None
        assert (pages / "index.html").read_bytes() == shown
        assert it.days() == [first.isoformat()]
        assert it.morning(third).jobs["publish"] == "success"
        assert it.days() == [day.isoformat() for day in (first, second, third)]
        assert len(it.paid_twice) <= again + 2
        assert it.commits() == 1


def test_two_runs_at_once_and_a_host_that_refuses_pushes_end_with_both_runs_answers(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        it.morning(MONDAY)
        earlier, tuesday = date(2026, 6, 5), weekdays(MONDAY, 2)[-1]
        late = it.morning(tuesday, before={"Run": lambda: it.morning(tuesday, event="workflow_dispatch", inputs={"first": str(earlier)})})
        assert late.jobs["make"] == "success", late.log
        assert it.days() == [str(earlier), str(MONDAY), str(tuesday)]
        assert it.paid_twice == []

        wednesday = weekdays(MONDAY, 3)[-1]
        hook = it.runner.bare / "hooks/update"
        counter = tmp_path / "refused"
        hook.write_text(f'#!/bin/sh\n[ "$1" = refs/heads/{BRANCH} ] || exit 0\necho x >> {counter}\n[ $(wc -l < {counter}) -gt 2 ]\n')
        hook.chmod(0o755)
        refused = it.morning(wednesday)
        assert refused.jobs["make"] == "success", refused.log
        assert it.days()[-1] == str(wednesday)
        assert counter.read_text().count("x") >= 3
        assert it.commits() == 1


def test_a_day_not_published_yet_is_neutral_is_asked_for_again_and_then_made(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        it.morning(MONDAY)
        tuesday = weekdays(MONDAY, 2)[-1]
        it.arxiv.faults.stale_feed = True
        early = it.morning(tuesday)
        assert early.jobs == {"make": "success", "publish": "skipped", "watch": "success"}, early.log
        assert early.steps["Save"].status == 0
        assert any(line.startswith(f"::notice title={tuesday} is not published yet::") for line in early.annotations)
        assert f"## 🕓 {tuesday} not published yet" in early.summary
        assert it.days() == [str(MONDAY)]
        it.arxiv.faults.stale_feed = False
        assert it.morning(tuesday).jobs["publish"] == "success"
        assert it.days() == [str(MONDAY), str(tuesday)]


def test_a_holiday_is_a_made_day_that_says_so(tmp_path: Path, repository: Path) -> None:
    holiday = date(2026, 6, 22)
    with fork(tmp_path, repository) as it:
        assert load_calendar().skip_reason(holiday)
        result = it.morning(holiday)
        assert result.jobs["publish"] == "success", result.log
        assert f"## ⚪ {holiday} nothing announced" in result.summary
        assert it.openai.answered == Counter()


def test_a_dead_key_is_red_within_a_minute_with_the_sentence_that_helps_and_one_issue_tells_of_it(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        it.morning(MONDAY)
        it.openai.behave = lambda _: error(401, f"Incorrect API key provided: {KEY}")
        fetched = len(it.arxiv.requests)
        for day in weekdays(MONDAY, 4)[1:]:
            result = it.morning(day)
            assert result.jobs == {"make": "failure", "publish": "skipped", "watch": "success"}
            assert result.steps["Run"].seconds < 60
            (shown,) = [line for line in result.annotations if line.startswith("::error")]
            assert "refuses the key (HTTP 401)" in shown
            assert "replace the secret OPENAI_API_KEY" in shown
            assert KEY not in result.log + result.summary
        assert len(it.arxiv.requests) == fetched
        (issue,) = it.github.issues
        assert issue["title"] == "The digest has stopped"
        assert "The newest digest is of 2026-06-08" in issue["body"]
        it.openai.behave = lambda _: None
        assert it.morning(weekdays(MONDAY, 5)[-1]).jobs["publish"] == "success"
        assert it.github.open_issues == []
        assert len(it.days()) == 5


def test_a_range_first_says_what_it_costs_and_stops_where_the_budget_ends(tmp_path: Path, repository: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."fake-model"]\ninput = 1.0\noutput = 1.0\n')
    with fork(tmp_path, repository, DIGEST_PRICES_FILE=str(prices)) as it:
        first, *_, last = weekdays(MONDAY, 4)
        after = weekdays(MONDAY, 6)[-1]
        once = {"first": str(first), "last": str(last), "budget": "0.03"}
        result = it.morning(after, event="workflow_dispatch", inputs=once)
        assert result.jobs["make"] == "success", result.log
        assert "cost" in result.steps["Run"].log.splitlines()[4]
        assert "4 listing days" in result.summary
        assert any("the budget of $0.03 is spent" in line for line in result.annotations)
        made = it.days()
        assert 1 <= len(made) < 4
        assert 0 < sum(it.openai.answered.values()) * 0.001 <= 0.03
        rest = it.morning(after, event="workflow_dispatch", inputs={"first": str(first), "last": str(last)})
        assert rest.jobs["publish"] == "success", rest.log
        assert it.days() == [str(day) for day in weekdays(MONDAY, 4)]
        assert it.paid_twice == []
        assert "wait for the budget" not in rest.summary


def test_what_a_newcomer_forgot_is_said_before_anything_is_paid(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it:
        it.github.has_pages = False
        assert any("Settings → Pages" in line for line in it.morning(MONDAY).annotations)
        it.github.has_pages = True
        public = it.runner.vars.pop("OPENAI_BASE_URL")
        it.runner.secrets.clear()
        unset = it.morning(MONDAY)
        assert any("add the secret OPENAI_API_KEY" in line for line in unset.annotations), unset.log
        it.runner.vars.update(OPENAI_BASE_URL=public, OPENAI_API_KEY=KEY)
        assert any("which everybody can read" in line for line in it.morning(MONDAY).annotations)
        assert (it.openai.requests, len(it.arxiv.requests)) == (0, 0)
        it.runner.vars.pop("DIGEST_ENABLED")
        assert set(it.morning(MONDAY).jobs.values()) == {"skipped"}


def test_readers_are_told_of_each_day_once_and_the_operator_of_a_cause_once(tmp_path: Path, repository: Path) -> None:
    with fork(tmp_path, repository) as it, http_endpoint() as chat, http_endpoint() as pager:
        it.runner.secrets.update(DIGEST_ANNOUNCE_URLS=f"json://{chat.address}/", DIGEST_ALERT_URLS=f"json://{pager.address}/secret-of-the-pager")
        monday, tuesday, wednesday = weekdays(MONDAY, 3)
        it.morning(monday)
        it.morning(monday)
        assert len(chat.received) == 1
        it.openai.behave = lambda _: error(401, "Incorrect API key provided")
        it.morning(tuesday)
        it.morning(wednesday)
        assert len(pager.received) == 1, it.branch()
        assert "refuses the key" in json.dumps(pager.received)
        it.openai.behave = lambda _: None
        chat.status = 500
        unsent = it.morning(wednesday)
        assert unsent.jobs["publish"] == "success"
        assert any(line.startswith("::warning title=Not everybody could be told") for line in unsent.annotations)
        chat.status = 200
        it.morning(weekdays(MONDAY, 4)[-1])
        assert len(chat.received) >= 2
        assert b"secret-of-the-pager" not in it.content()

"""A team's backfills from the UI, with daemon and PostgreSQL: run processes killed in each stage, and a key that is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.calendar import load_calendar
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SUMMARIES
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.dagster_ui import Ui, digest_dev, wait_for
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import WORD, FakeOpenAI, error, fake_openai
from digest_pipeline_tests.support.loopback import Endpoint, http_endpoint
from digest_pipeline_tests.support.postgres import postgres

pytestmark = [pytest.mark.slow]

STAGES = [RAW, PAPERS, SUMMARIES, DIGESTS]
KILLED = ["2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12"]
REFUSED = ["2026-06-15", "2026-06-16", "2026-06-17"]
AT_ONCE = 4
PATIENCE_SECONDS = 900


@dataclass
class Team:
    ui: Ui
    storage: Storage
    marks: Path
    """A file `STAGE@DAY` in it kills the next run that comes there."""
    arxiv: FakeArxiv
    openai: FakeOpenAI
    alerts: Endpoint

    def is_whole(self, day: str) -> bool:
        announced = len(self.arxiv.day(date.fromisoformat(day)).block_ids(("cs.CL",)))
        (row,) = [row for row in read_ledger(self.storage, date.fromisoformat(day)) if row.category == "all"]
        rows = tables.summaries_from_table(
            self.storage.read_table(self.storage.summaries_file(date.fromisoformat(day), "zh"), tables.TRANSLATED_SUMMARIES)
        )
        return row.announced == row.rendered == row.translated == announced == len(rows) and all(one.is_translated for one in rows)

    def backfill(self, days: list[str]) -> str:
        """Its status once it has ended."""
        backfill = self.ui.backfill(days, STAGES)
        wait_for(lambda: self.ui.backfill_status(backfill).startswith("COMPLETED"), PATIENCE_SECONDS, "the backfill")
        return self.ui.backfill_status(backfill)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    marks = folder / "marks"
    marks.mkdir()
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=40)
    with ExitStack() as stack:
        arxiv = stack.enter_context(FakeArxiv(days, now=datetime(2026, 6, 18, 16, tzinfo=UTC)))
        openai = stack.enter_context(fake_openai())
        alerts = stack.enter_context(http_endpoint())
        server = stack.enter_context(postgres())
        environ = server.environ() | {
            "KILLED_RUNS": str(marks),
            "DIGEST_ARXIV_API_URL": arxiv.api_url,
            "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_CATEGORIES": "cs.CL",
            "DIGEST_FIRST_LISTING": "2026-06-02",
            "DIGEST_MODEL": "fake-model",
            "DIGEST_MAX_CONCURRENCY": str(AT_ONCE),
            "DIGEST_SCHEDULE_CATCHUP_LISTINGS": "0",
            "DIGEST_ALERT_URLS": f"json://{alerts.address}/alerts",
            "OPENAI_API_KEY": "sk-test-not-a-key",
            "OPENAI_BASE_URL": openai.url,
        }
        yaml = (Path(__file__).parents[2] / "deploy" / "dagster.postgres.yaml").read_text(encoding="utf-8")
        ui = stack.enter_context(digest_dev(folder, environ, yaml, "digest_pipeline_tests.support.killed_backfill"))
        yield Team(ui, Storage(str(folder / "data")), marks, arxiv, openai, alerts)


def test_a_backfill_whose_runs_are_killed_one_in_each_stage_ends_whole_by_itself(team: Team) -> None:
    for stage, day in zip(STAGES, KILLED, strict=True):
        (team.marks / f"{stage}@{day}").touch()
    assert team.backfill(KILLED) == "COMPLETED_SUCCESS"
    assert list(team.marks.iterdir()) == [], "each kill happened"
    assert team.ui.materialized(DIGESTS) >= set(KILLED)
    assert all(map(team.is_whole, KILLED))
    times = Counter(asked.title for asked in team.openai.asked if asked.title != WORD)
    assert sum(count - 1 for count in times.values()) <= AT_ONCE, "paid again is at most what was under way at the kill"


def test_a_refused_key_costs_one_request_a_run_and_one_alert_and_retrying_from_failure_asks_arxiv_nothing(team: Team) -> None:
    team.openai.behave = lambda _: error(401, "Incorrect API key provided", "invalid_api_key")
    before = team.openai.requests
    assert team.backfill(REFUSED) == "COMPLETED_FAILED"
    assert team.openai.requests - before <= AT_ONCE + len(REFUSED) - 1
    assert team.ui.materialized(PAPERS) >= set(REFUSED)
    assert not team.ui.materialized(SUMMARIES) & set(REFUSED)
    wait_for(lambda: any("OPENAI_API_KEY" in alert["message"] for alert in team.alerts.received), 120, "the alert")

    team.openai.behave = lambda _: None
    asked = len(team.arxiv.requests)
    failed = team.ui.failed_runs()
    for day in REFUSED:
        again = team.ui.retry_from_failure(failed[day])
        assert team.ui.finished(again, PATIENCE_SECONDS) == "SUCCESS"
        assert team.ui.steps(again) & set(STAGES) == {SUMMARIES, DIGESTS}
        assert team.is_whole(day)
    assert len(team.arxiv.requests) == asked
    assert len([alert for alert in team.alerts.received if "OPENAI_API_KEY" in alert["message"]]) == 1

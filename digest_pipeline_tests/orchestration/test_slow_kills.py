"""`digest backfill` of three days killed with SIGKILL in each stage of each day, and run again each time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date, datetime, time
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline import tables
from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SUMMARIES
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import Asked, fake_openai
from digest_pipeline_tests.support.runs import live_clients, materialized

DAYS = [date(2026, 6, 9), date(2026, 6, 10), date(2026, 6, 11)]
AT_ONCE = 4
STAGES = (RAW, PAPERS, SUMMARIES, DIGESTS)


@pytest.mark.slow
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_nothing_is_lost_or_paid_twice_and_no_day_is_green_that_is_not_whole(day: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=40)
    times: dict[str, int] = {}

    def count(asked: Asked) -> None:
        times[asked.title] = times.get(asked.title, 0) + 1

    with FakeArxiv(days, now=datetime.combine(date(2026, 6, 18), time(12), EASTERN)) as arxiv, fake_openai() as openai:
        openai.behave = count
        settings = live_clients(tmp_path, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL").settings
        environ = {
            **os.environ,
            "DAGSTER_HOME": str(tmp_path / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DIGEST_DATA_DIR": settings.data_dir,
            "DIGEST_ARXIV_API_URL": settings.arxiv_api_url,
            "DIGEST_ARXIV_RSS_URL": settings.arxiv_rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_CATEGORIES": "cs.CL",
            "DIGEST_MODEL": "fake-model",
            "DIGEST_MAX_CONCURRENCY": str(AT_ONCE),
            "OPENAI_API_KEY": "sk-test-not-a-key",
            "OPENAI_BASE_URL": openai.url,
        }
        monkeypatch.setenv("DAGSTER_HOME", environ["DAGSTER_HOME"])
        storage = Storage(settings.data_root)
        whole = {day: len(arxiv.day(day).block_ids(("cs.CL",))) for day in DAYS}
        for stage in STAGES:
            command = [sys.executable, "-m", "digest_pipeline_tests.support.killed_backfill", stage, str(day), str(DAYS[0]), str(DAYS[-1])]
            killed = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
            assert killed.returncode == -signal.SIGKILL, (stage, killed.stdout[-2000:], killed.stderr[-2000:])
            with dg.DagsterInstance.get() as instance:
                for green in map(date.fromisoformat, materialized(instance, "digest_files")):
                    (row,) = [row for row in read_ledger(storage, green) if row.category == "all"]
                    assert row.announced == row.rendered == row.translated == whole[green]
        done = subprocess.run(
            [sys.executable, "-m", "digest_pipeline.cli", "backfill", str(DAYS[0]), str(DAYS[-1]), "--yes"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with dg.DagsterInstance.get() as instance:
            assert materialized(instance, "digest_files") == {day.isoformat() for day in DAYS}
        for made in DAYS:
            rows = tables.summaries_from_table(storage.read_table(storage.summaries_file(made, "zh"), tables.TRANSLATED_SUMMARIES))
            assert len(rows) == whole[made]
            assert all(row.is_translated for row in rows)
        again = sum(n - 1 for n in times.values())
        assert again <= AT_ONCE  # at most what was under way at the kill of the translation

"""A month's budget over runs that a backfill of the UI makes at the same time, each in a process of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.models import SummaryStatus
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SUMMARIES
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.dagster_ui import digest_dev, wait_for
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import fake_openai

pytestmark = [pytest.mark.slow]

DAYS = ["2026-01-07", "2026-01-08", "2026-01-09"]
BUDGET_USD = 0.3
USD_AN_ANSWER = (600 * 1 + 400 * 10) / 1e6
"""Of the tokens that the stand-in counts, at the prices below."""
TWO_AT_ONCE = "concurrency:\n  pools: {granularity: op, default_limit: 2}\n"


def test_runs_at_the_same_time_never_pass_the_months_budget_together_and_defer_the_rest(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."fake-model"]\ninput = 1.0\noutput = 10.0\n', encoding="utf-8")
    with (
        FakeArxiv(generate_days(date(2026, 1, 2), date(2026, 1, 13), papers_per_day=120), now=datetime(2026, 3, 1, tzinfo=UTC)) as arxiv,
        fake_openai() as model,
    ):
        model.latency_seconds = 1.0
        environ = {
            "OPENAI_API_KEY": "sk-loopback",  # pragma: allowlist secret
            "OPENAI_BASE_URL": model.url,
            "DIGEST_MODEL": "fake-model",
            "DIGEST_PRICES_FILE": str(prices),
            "DIGEST_BUDGET_PER_MONTH_USD": str(BUDGET_USD),
            "DIGEST_CATEGORIES": "cs",
            "DIGEST_MAX_CONCURRENCY": "2",
            "DIGEST_ARXIV_API_URL": arxiv.api_url,
            "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_FIRST_LISTING": "2026-01-02",
            "DIGEST_SCHEDULE_ENABLED": "false",
        }
        with digest_dev(tmp_path, environ, TWO_AT_ONCE) as ui:
            for _ in range(2):  # the second asks nothing more: the month's money is gone
                backfill = ui.backfill(DAYS, [RAW, PAPERS, SUMMARIES, DIGESTS])
                wait_for(lambda: ui.backfill_status(backfill).startswith("COMPLETED"), 300, "the backfill")  # noqa: B023 - waited for in the turn
                assert ui.backfill_status(backfill) == "COMPLETED_SUCCESS"
        assert model.peak > 2, "two runs asked at the same time"
        paid = sum(model.answered.values())
        assert paid == model.requests
        assert 0.5 * BUDGET_USD < paid * USD_AN_ANSWER <= BUDGET_USD
    storage = Storage(str(tmp_path / "data"))
    rows = [
        row
        for day in DAYS
        for row in tables.summaries_from_table(storage.read_table(storage.summaries_file(date.fromisoformat(day), "zh"), tables.TRANSLATED_SUMMARIES))
    ]
    assert sum(row.is_translated for row in rows) == paid
    left = [row for row in rows if not row.is_translated]
    assert left
    assert {row.status for row in left} == {SummaryStatus.DEFERRED}
    assert all("DIGEST_BUDGET_PER_MONTH_USD" in row.flags[0] for row in left)

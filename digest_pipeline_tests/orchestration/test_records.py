"""A day's records leave one Dagster and come to another: its UI shows every day as it was made."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from digest_pipeline import sample
from digest_pipeline.orchestration.records import keep_records, records_file, report_records
from digest_pipeline_tests.support.runs import latest_metadata, materialize, materialized, sample_clients

DAY = sample.SAMPLE_DAY
ASSETS = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files"]


def test_another_dagster_shows_a_day_as_it_was_made_and_is_told_of_it_once(tmp_path: Path) -> None:
    clients = sample_clients(tmp_path)
    with dg.DagsterInstance.ephemeral() as made_in:
        assert materialize(clients, made_in, DAY.isoformat(), select=ASSETS).success
        keep_records(clients.storage, DAY, made_in)
        papers = latest_metadata(made_in, "papers", DAY.isoformat())
    assert len(clients.storage.read_bytes(records_file(DAY))) < 40_000
    with dg.DagsterInstance.ephemeral() as fresh:
        assert report_records(clients.storage, fresh) == 1
        assert report_records(clients.storage, fresh) == 0
        for asset in ASSETS:
            assert materialized(fresh, asset) == {DAY.isoformat()}
        shown = latest_metadata(fresh, "papers", DAY.isoformat())
        assert shown["papers"] == papers["papers"]
        assert shown["dagster/partition_row_count"] == papers["dagster/partition_row_count"]
        assert "made_at_utc" in shown


def test_a_day_that_dagster_knows_nothing_of_leaves_no_file(tmp_path: Path) -> None:
    clients = sample_clients(tmp_path)
    with dg.DagsterInstance.ephemeral() as empty:
        keep_records(clients.storage, DAY, empty)
        assert report_records(clients.storage, empty) == 0
    assert not clients.storage.exists(records_file(DAY))

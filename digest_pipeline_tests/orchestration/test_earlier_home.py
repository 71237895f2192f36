"""A data directory and a DAGSTER_HOME that an earlier version wrote, with one step for all stages and a partitioned site, go on working.

`golden/home-of-cb5b89d.tar.xz` was made by `digest run` of commit cb5b89d: the sample day, without pages and logs.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline.arxiv.raw_store import RawStore
from digest_pipeline.clients import open_storage
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SITE, SUMMARIES
from digest_pipeline.orchestration.days import State, run_day
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline_tests.support.runs import latest_metadata, materialized

STAGES = (RAW, PAPERS, SUMMARIES, DIGESTS)
HOME = Path(__file__).parents[1] / "golden" / "home-of-cb5b89d.tar.xz"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    with tarfile.open(HOME) as kept:
        kept.extractall(tmp_path, filter="data")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return load_settings({"DIGEST_DATA_DIR": str(tmp_path / "data")}, tmp_path)


def test_its_partitions_are_there_and_a_run_fetches_and_pays_nothing_again(settings: Settings) -> None:
    day = SAMPLE_DAY.isoformat()
    with dg.DagsterInstance.get() as instance:
        assert {stage: materialized(instance, stage) for stage in STAGES} == {stage: {day} for stage in STAGES}
    before = RawStore(open_storage(settings)).manifest(SAMPLE_DAY)
    assert run_day(settings, SAMPLE_DAY).state is State.DONE
    assert RawStore(open_storage(settings)).manifest(SAMPLE_DAY) == before
    with dg.DagsterInstance.get() as instance:
        made = latest_metadata(instance, "translated_summaries", day)
        assert (made["status translated"], made["paid_now"]) == (16, 1)  # the quarantined one is asked again, as before
        assert instance.get_latest_materialization_event(dg.AssetKey(SITE)) is not None
        assert materialized(instance, "digest_files") == {day}

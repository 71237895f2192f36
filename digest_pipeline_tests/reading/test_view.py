"""Notes stand in an opened row of the site where that is asked for, and the paper's text nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from digest_pipeline import tables
from digest_pipeline.reading.view import notes_file
from digest_pipeline.site.build import build_site
from digest_pipeline.site.details import read_details
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.site_days import generated_papers, write_day

DAY = datetime(2026, 6, 2, tzinfo=UTC).date()
OPTIONS = SiteOptions(languages=("zh",), categories=("cs.CL", "cs.IR"), pages_only=True)


@pytest.mark.parametrize("is_shown", [True, False])
def test_notes_stand_in_the_opened_row_only_where_that_is_asked_for(is_shown: bool, tmp_path: Path) -> None:
    storage, papers = Storage(tmp_path), generated_papers(DAY, 3)
    write_day(storage, DAY, papers)
    options = replace(OPTIONS, read_on_site=is_shown)
    build_site(storage, options, now=lambda: datetime(2026, 6, 3, tzinfo=UTC))
    note = {
        "arxiv_id": papers[1].arxiv_id, "version": 1, "language": "zh", "kind": "result", "claim": "省去大部分调用。", "quote": "It saves most of the calls",
        "section": "4 Experiments", "anchor_url": "https://arxiv.org/html/x#S4", "model": "m", "cost_usd": 0.0, "status": "shown", "dropped": 0, "detail": "",
    }  # fmt: skip
    storage.write_table(notes_file(DAY, "zh"), pa.Table.from_pylist([note], schema=tables.READING_NOTES))
    build_site(storage, options, now=lambda: datetime(2026, 6, 3, tzinfo=UTC))
    shown = read_details((tmp_path / f"site/zh/{DAY}/abstracts-00.js").read_bytes())[papers[1].arxiv_id][0]
    assert ("省去大部分调用。" in shown) is is_shown
    assert ("It saves most of the calls" in shown) is is_shown

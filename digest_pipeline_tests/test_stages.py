"""The stages asked for out of order or over damaged tables, as a person who materializes one asset alone does."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.errors import SourceError
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.stages import assemble, fetch, render, translate
from digest_pipeline.translation.engine import Progress
from digest_pipeline_tests.support.runs import sample_workshop


def in_silence(_: Progress) -> None: ...


def test_each_stage_says_which_one_must_come_before(tmp_path: Path) -> None:
    shop = sample_workshop(tmp_path)
    with pytest.raises(SourceError, match=r"nothing of the listing.*materialize raw_arxiv_metadata of that day first"):
        assemble(shop, SAMPLE_DAY)
    fetch(shop, SAMPLE_DAY)
    with pytest.raises(SourceError, match=r"no papers table.*materialize papers of that day first"):
        translate(shop, SAMPLE_DAY, in_silence)
    assemble(shop, SAMPLE_DAY)
    with pytest.raises(SourceError, match=r"no summaries of .* in zh.*materialize translated_summaries of that day first"):
        render(shop, SAMPLE_DAY)


def test_a_paper_without_its_row_of_summaries_fails_the_digest_instead_of_leaving_it(tmp_path: Path) -> None:
    shop = sample_workshop(tmp_path)
    fetch(shop, SAMPLE_DAY)
    assemble(shop, SAMPLE_DAY)
    translate(shop, SAMPLE_DAY, in_silence)
    file = shop.home.summaries_file(SAMPLE_DAY, "zh")
    rows = shop.home.read_table(file, tables.TRANSLATED_SUMMARIES)
    shop.home.write_table(file, rows.slice(1))
    with pytest.raises(SourceError, match=rf"1 papers of {SAMPLE_DAY} have no row in .*, e\.g\. {rows['arxiv_id'][0]}"):
        render(shop, SAMPLE_DAY)

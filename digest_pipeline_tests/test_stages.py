"""The stages by themselves: asked for out of order, over damaged tables, and what each says when something was lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline import tables
from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.render import render_digest
from digest_pipeline.models import DayLedger, DigestEntry, ListingInfo
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.site.search import SearchOutcome
from digest_pipeline.stages import StageReport, assemble, fetch, publish, render, translate
from digest_pipeline.translation.run import Progress
from digest_pipeline.workshop import Workshop
from digest_pipeline_tests.support.runs import sample_workshop


def in_silence(_: Progress) -> None: ...


def translated_sample(folder: Path) -> Workshop:
    shop = sample_workshop(folder)
    fetch(shop, SAMPLE_DAY)
    assemble(shop, SAMPLE_DAY)
    translate(shop, SAMPLE_DAY, in_silence)
    return shop


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
    shop = translated_sample(tmp_path)
    file = shop.storage.summaries_file(SAMPLE_DAY, "zh")
    rows = shop.storage.read_table(file, tables.TRANSLATED_SUMMARIES)
    shop.storage.write_table(file, rows.slice(1))
    with pytest.raises(SourceError, match=rf"1 papers of {SAMPLE_DAY} have no row in .*, e\.g\. {rows['arxiv_id'][0]}"):
        render(shop, SAMPLE_DAY)


def passed(report: StageReport) -> dict[str, bool]:
    return {finding.name: finding.passed for finding in report.findings}


def test_a_digest_that_loses_a_paper_says_so_at_its_end_in_its_ledger_and_its_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = translated_sample(tmp_path)
    assert all(passed(render(shop, SAMPLE_DAY)).values())

    def forgetful(facts: ListingInfo, ledger: DayLedger, entries: Sequence[DigestEntry], *more: Any, **named: Any) -> str:
        return render_digest(facts, ledger, entries[1:] if ledger.category == "cs.IR" else entries, *more, **named)

    monkeypatch.setattr("digest_pipeline.stages.render_digest", forgetful)
    report = render(shop, SAMPLE_DAY)
    assert passed(report) == {"every_paper_is_in_the_digest": False, "announced_fetched_and_rendered_are_equal": False}
    (row,) = [row for row in read_ledger(shop.storage, SAMPLE_DAY) if row.category == "cs.IR"]
    assert row.rendered == row.fetched - 1
    (lost,) = row.missing_rendered
    assert f"zh/cs.IR: {lost}" in report.findings[0].description
    end = shop.storage.read_text(f"{shop.storage.digest_folder('zh', SAMPLE_DAY)}/cs.IR.md")[-200:]
    assert f"announced 6 = fetched 6 = translated 6 + untranslated 0 ≠ rendered {row.rendered}" in end
    assert lost in end


def test_pages_without_a_search_index_are_published_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = translated_sample(tmp_path)
    render(shop, SAMPLE_DAY)
    monkeypatch.setattr("digest_pipeline.site.build.update_search", lambda *_: SearchOutcome(problem="1 days are not in the index"))
    report = publish(shop)
    (finding,) = report.findings
    assert (finding.name, finding.passed, finding.is_warning) == ("the_pages_can_be_searched", False, True)
    assert "not in the index" in finding.description
    assert shop.storage.exists("site/index.html")

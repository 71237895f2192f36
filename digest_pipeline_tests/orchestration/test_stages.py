"""A day's stages by themselves: asked for out of order, over damaged tables, and what each says when something was lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from digest_pipeline import tables
from digest_pipeline.arxiv.sample import fetch_day
from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.digests import write_digests
from digest_pipeline.markdown.render import render_digest
from digest_pipeline.models import DayLedger, DigestEntry, ListingInfo
from digest_pipeline.orchestration.assets import DIGESTS, SITE
from digest_pipeline.orchestration.failures import cause_of
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.papers.table import write_papers
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.site.search import SearchOutcome
from digest_pipeline.translation.day import translate_day
from digest_pipeline_tests.support.runs import Clients, checks_of, materialize, sample_clients, translated_sample


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    return sample_clients(tmp_path)


def test_each_stage_says_which_one_must_come_before(clients: Clients) -> None:
    with pytest.raises(SourceError, match=r"nothing of the listing.*materialize raw_arxiv_metadata of that day first"):
        write_papers(SAMPLE_DAY, clients.storage, clients.categories)
    fetch_day(SAMPLE_DAY, clients.listing_fetcher, is_sample=True)
    with pytest.raises(SourceError, match=r"no papers table.*materialize papers of that day first"):
        translate_day(SAMPLE_DAY, clients.storage, clients.languages, clients.translator)
    write_papers(SAMPLE_DAY, clients.storage, clients.categories)
    with pytest.raises(SourceError, match=r"have no summary in zh.*materialize translated_summaries of that day"):
        write_digests(SAMPLE_DAY, clients.storage, clients.options)


def test_a_paper_without_its_row_of_summaries_fails_the_digest_instead_of_leaving_it(clients: Clients) -> None:
    translated_sample(clients)
    file = clients.storage.summaries_file(SAMPLE_DAY, "zh")
    rows = clients.storage.read_table(file, tables.TRANSLATED_SUMMARIES)
    clients.storage.write_table(file, rows.slice(1))
    with pytest.raises(SourceError, match=rf"1 papers of {SAMPLE_DAY} have no summary in zh, e\.g\. {rows['arxiv_id'][0]}"):
        write_digests(SAMPLE_DAY, clients.storage, clients.options)


def test_a_digest_that_loses_a_paper_says_so_at_its_end_in_its_ledger_and_its_checks(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    translated_sample(clients)

    def forgetful(facts: ListingInfo, ledger: DayLedger, entries: Sequence[DigestEntry], *more: Any, **named: Any) -> tuple[str, ...]:
        return render_digest(facts, ledger, entries[1:] if ledger.category == "cs.IR" else entries, *more, **named)

    monkeypatch.setattr("digest_pipeline.markdown.files.render_digest", forgetful)
    with dg.DagsterInstance.ephemeral() as instance:
        passed = checks_of(instance, materialize(clients, instance, str(SAMPLE_DAY), select=[DIGESTS]))
    assert not passed["every_paper_is_in_the_digest"]
    assert not passed["announced_fetched_and_rendered_are_equal"]
    (row,) = [row for row in read_ledger(clients.storage, SAMPLE_DAY) if row.category == "cs.IR"]
    assert row.rendered == row.fetched - 1
    (lost,) = row.missing_rendered
    end = clients.storage.read_text(f"{clients.storage.digest_folder('zh', SAMPLE_DAY)}/cs.IR.md")[-200:]
    assert f"announced 6 = fetched 6 = translated 6 + untranslated 0 ≠ rendered {row.rendered}" in end
    assert lost in end


def test_pages_without_a_search_index_are_published_with_a_warning(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    translated_sample(clients)
    write_digests(SAMPLE_DAY, clients.storage, clients.options)
    monkeypatch.setattr("digest_pipeline.site.overviews.update_search", lambda *_: SearchOutcome(problem="1 days are not in the index"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(clients, instance, str(SAMPLE_DAY), select=[SITE])
        assert result.success
        assert not checks_of(instance, result)["the_pages_can_be_searched"]
    assert clients.storage.exists("site/index.html")


@pytest.mark.parametrize("stage", ["papers", "translated_summaries", "digest_files"])
def test_a_bug_fails_its_stage_at_once_with_its_traceback(stage: str, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    translated_sample(clients)
    function = {"papers": "write_papers", "translated_summaries": "translate_day", "digest_files": "write_digests"}[stage]
    raised: list[Exception] = []

    def broken(*_: object, **__: object) -> None:
        raised.append(KeyError("no_such_column"))
        raise raised[-1]

    monkeypatch.setattr(f"digest_pipeline.orchestration.assets.{stage}.{function}", broken)
    with dg.DagsterInstance.ephemeral() as instance:
        failed = materialize(clients, instance, str(SAMPLE_DAY), select=[stage])
    assert len(raised) == 1
    (event,) = [event for event in failed.all_events if event.is_step_failure]
    assert cause_of(event).sentence.startswith("KeyError: 'no_such_column' → this should not happen")
    error = event.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    assert "in broken" in "".join(error.cause.stack)

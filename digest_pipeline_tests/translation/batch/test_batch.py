"""The Batch API over its whole life: half price, crashes in between, answers in any order, batches that end badly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from digest_pipeline.errors import EndpointConfigurationError, EndpointUnavailable, SettingsError
from digest_pipeline.models import SummaryStatus
from digest_pipeline.translation.batch import collect
from digest_pipeline.translation.batch import submit as submission
from digest_pipeline.translation.batch.client import BatchEndpoint
from digest_pipeline.translation.batch.collect import collect_open_batches
from digest_pipeline.translation.batch.submit import submit
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.cache.sqlite import SqliteCache
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.pricing import PriceTable
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.translator import Translator
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, Reply, completion, error, fake_openai
from digest_pipeline_tests.support.translators import KEY, papers, translator_for
from digest_pipeline_tests.translation.cache.test_cache import dead_owner

ZH = load_language("zh")
EN = load_language("en")
MONDAY, TUESDAY = date(2026, 6, 8), date(2026, 6, 9)


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


@pytest.fixture
def translator(endpoint: FakeOpenAI, tmp_path: Path) -> Iterator[Translator]:
    with translator_for(endpoint.url, tmp_path) as opened:
        yield opened


def test_papers_of_many_days_go_out_once_and_come_back_at_half_price(endpoint: FakeOpenAI, translator: Translator) -> None:
    days = [*(dataclasses.replace(paper, listing_date=MONDAY) for paper in papers(3)), *papers(3, first=10)]
    sent = submit(days, [ZH, EN], translator)
    assert (sent.submitted, sent.batches, sent.already_known, sent.missing) == (12, 1, 0, "")
    collected = collect_open_batches(translator)
    assert (collected.answers, collected.failed, collected.still_open) == (12, 0, 0)
    assert collected.days_ready == (MONDAY, TUESDAY)
    outcome = translate_papers(days, [ZH, EN], translator)
    assert (outcome.reused, outcome.requests) == (12, 0)
    assert [row.arxiv_id for row in outcome.summaries["zh"]] == [paper.arxiv_id for paper in days]
    assert outcome.summaries["zh"][0].cost_usd == pytest.approx((600 * 1 + 400 * 2) / 2e6)
    assert submit(days, [ZH, EN], translator).submitted == 0


def test_the_lines_sent_are_what_the_batch_api_documents(endpoint: FakeOpenAI, translator: Translator) -> None:
    submit(papers(2), [ZH], translator)
    (record,) = translator.store.open_batches()
    lines = [json.loads(line) for line in endpoint.files["file-1"].splitlines()]
    assert [line["custom_id"] for line in lines] == [item.key for item in record.items]
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    assert lines[0]["body"]["response_format"]["type"] == "json_schema"
    made = endpoint.batches["batch_1"]
    assert (made["endpoint"], made["completion_window"]) == ("/v1/chat/completions", "24h")


def test_while_its_batch_is_open_a_paper_is_deferred_and_nobody_is_asked(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.batch_status = "in_progress"
    submit(papers(2), [ZH], translator)
    assert collect_open_batches(translator).still_open == 1
    outcome = translate_papers(papers(3), [ZH], translator)
    assert [row.status.value for row in outcome.summaries["zh"]] == ["deferred", "deferred", "translated"]
    assert outcome.summaries["zh"][0].flags[0].startswith("batch-open:")
    assert endpoint.requests == 1
    assert submit(papers(2), [ZH], translator).submitted == 0


def test_another_process_collects_after_a_restart(endpoint: FakeOpenAI, translator: Translator, tmp_path: Path) -> None:
    submit(papers(4), [ZH], translator)
    with translator_for(endpoint.url, tmp_path) as later:
        assert collect_open_batches(later).answers == 4
        assert translate_papers(papers(4), [ZH], later).requests == 0


def test_a_crash_between_creation_and_record_pays_once(endpoint: FakeOpenAI, translator: Translator, tmp_path: Path) -> None:
    endpoint.create_replies = [error(502, "the answer got lost on its way")]
    with pytest.raises(EndpointUnavailable, match="will be found"):
        submit(papers(4), [ZH], translator)
    with translator_for(endpoint.url, tmp_path) as later:
        assert submit(papers(4), [ZH], later).submitted == 0, "perhaps they are on their way: not again"
        assert collect_open_batches(later).answers == 4
    assert len(endpoint.batches) == 1


def test_a_crash_before_creation_frees_the_papers(
    endpoint: FakeOpenAI, translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator.store.owner = dead_owner()  # what a killed process leaves behind

    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BatchEndpoint, "upload", killed)
        patched.setattr(SqliteCache, "release", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            submit(papers(4), [ZH], translator)
    with translator_for(endpoint.url, tmp_path) as later:
        assert submit(papers(4), [ZH], later).submitted == 0
        assert "not known to the endpoint" in collect_open_batches(later).notes[0]
        assert submit(papers(4), [ZH], later).submitted == 4
        assert collect_open_batches(later).answers == 4
    assert len(endpoint.batches) == 1


def test_a_submission_under_way_is_not_taken_for_the_leavings_of_a_crash(
    endpoint: FakeOpenAI, translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    upload = BatchEndpoint.upload

    def slow_upload(self: BatchEndpoint, file: object) -> str:
        with translator_for(endpoint.url, tmp_path) as other:
            seen.append(collect_open_batches(other).still_open)
        return upload(self, file)  # type: ignore[arg-type]

    monkeypatch.setattr(BatchEndpoint, "upload", slow_upload)
    submit(papers(2), [ZH], translator)
    assert seen == [1]
    assert collect_open_batches(translator).answers == 2


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
def test_what_a_batch_that_ended_badly_left_out_goes_into_the_next(endpoint: FakeOpenAI, translator: Translator, status: str) -> None:
    endpoint.batch_status = status
    endpoint.behave_in_batch = lambda asked: error(500, "not reached in time") if asked.number > 2 else None
    submit(papers(5), [ZH], translator)
    collected = collect_open_batches(translator)
    assert (collected.answers, collected.failed) == (2, 3)
    assert status in collected.notes[0]
    endpoint.batch_status = "completed"
    endpoint.behave_in_batch = lambda _: None
    assert submit(papers(5), [ZH], translator).submitted == 3
    assert collect_open_batches(translator).answers == 3
    assert max(endpoint.answered.values()) == 1
    assert translate_papers(papers(5), [ZH], translator).requests == 0


def test_after_three_batches_in_vain_the_ordinary_run_asks(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.batch_status = "failed"
    endpoint.behave_in_batch = lambda _: error(500, "never")
    for _ in range(3):
        assert submit(papers(1), [ZH], translator).submitted == 1
        collect_open_batches(translator)
    last = submit(papers(1), [ZH], translator)
    assert (last.submitted, last.left_to_ask) == (0, 1)
    assert translate_papers(papers(1), [ZH], translator).asked == 1


def test_a_batch_answer_that_is_cut_or_blank_is_paid_but_no_answer(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.behave_in_batch = lambda asked: Reply(body=completion('{"tl', finish_reason="length") if asked.number == 1 else completion(" "))
    submit(papers(2), [ZH], translator)
    collected = collect_open_batches(translator)
    assert (collected.answers, collected.failed) == (0, 2)
    assert translator.store.spending(f"{translator.now():%Y-%m}").answers == 2
    assert submit(papers(2), [ZH], translator).left_to_ask == 2
    assert translate_papers(papers(2), [ZH], translator).by_status == {SummaryStatus.TRANSLATED: 2}


def test_a_batch_answer_that_the_checks_reject_is_asked_for_directly(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.behave_in_batch = lambda asked: Reply(body=completion("Sure!")) if asked.number == 1 else None
    submit(papers(3), [ZH], translator)
    collect_open_batches(translator)
    outcome = translate_papers(papers(3), [ZH], translator)
    assert (outcome.reused, outcome.asked) == (2, 1)
    assert outcome.by_status == {SummaryStatus.TRANSLATED: 3}


def test_collecting_that_was_interrupted_counts_no_answer_twice(
    endpoint: FakeOpenAI, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(papers(4), [ZH], translator)
    with monkeypatch.context() as patched:
        patched.setattr(collect, "_close", lambda *_: False)  # killed just before the batch is closed
        collect_open_batches(translator)
    assert collect_open_batches(translator).answers == 4
    assert translator.store.spending(f"{translator.now():%Y-%m}").answers == 4


def test_an_endpoint_without_batches_says_so_before_anything_is_sent(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.has_batches = False
    with pytest.raises(EndpointConfigurationError, match=r"no Batch API.*DIGEST_BATCH"):
        submit(papers(2), [ZH], translator)
    assert endpoint.files == {}
    assert translator.store.open_batches() == []


def test_a_batch_refused_at_creation_frees_its_papers(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.create_replies = [error(400, "Enqueued token limit reached for this model")]
    with pytest.raises(EndpointConfigurationError, match="token limit"):
        submit(papers(2), [ZH], translator)
    assert translator.store.open_batches() == []
    assert submit(papers(2), [ZH], translator).submitted == 2


def test_large_backfills_are_cut_into_batches_within_the_limits(
    endpoint: FakeOpenAI, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "MOST_REQUESTS", 4)
    assert submit(papers(10), [ZH], translator).batches == 3
    monkeypatch.setattr(submission, "MOST_REQUESTS", 50_000)
    monkeypatch.setattr(submission, "MOST_BYTES", 2 * max(len(line) for line in endpoint.files["file-1"].splitlines()) + 10)
    assert submit(papers(6, first=100), [ZH], translator).batches == 3
    assert max(len(content.splitlines()) for content in endpoint.files.values()) == 4
    assert collect_open_batches(translator).answers == 16


def test_a_budget_bounds_what_is_submitted_and_an_open_batch_counts(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_month_usd=0.004)) as translator:
        sent = submit(papers(40), [ZH], translator)
        assert 0 < sent.submitted < 40
        assert "would pass a budget" in sent.missing
        assert submit(papers(40), [ZH], translator).submitted == 0
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_month_usd=1), prices=PriceTable.load()) as translator, pytest.raises(SettingsError):
        submit(papers(40), [ZH], translator)


def test_a_batch_at_another_endpoint_waits_for_its_address(endpoint: FakeOpenAI, translator: Translator, tmp_path: Path) -> None:
    endpoint.batch_status = "in_progress"
    submit(papers(1), [ZH], translator)
    with fake_openai() as other, translator_for(other.url, tmp_path) as there:
        collected = collect_open_batches(there)
    assert collected.still_open == 1
    assert "OPENAI_BASE_URL" in collected.notes[0]


def test_nothing_open_needs_no_endpoint(tmp_path: Path) -> None:
    with translator_for("http://127.0.0.1:9/v1", tmp_path) as translator:
        assert collect_open_batches(translator).still_open == 0
        assert submit([], [ZH], translator).submitted == 0


def test_errors_do_not_show_the_key(endpoint: FakeOpenAI, translator: Translator) -> None:
    endpoint.create_replies = [error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key")]
    with pytest.raises(EndpointConfigurationError, match="OPENAI_API_KEY") as refused:
        submit(papers(1), [ZH], translator)
    assert KEY not in str(refused.value)
    assert all(record.outcome.find(KEY) < 0 for record in translator.store.open_batches())

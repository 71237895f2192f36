"""The engine against a misbehaving endpoint on loopback: each failure, and what the reader gets of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from digest_pipeline.errors import AnswerStoreError, EndpointConfigurationError, EndpointUnavailable, SettingsError
from digest_pipeline.models import SummaryStatus
from digest_pipeline.translation import attempts, run
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.cache.sqlite import SqliteCache
from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.forecast import forecast_papers
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.completion import ChatAnswer
from digest_pipeline.translation.outcome import Progress, TranslationOutcome
from digest_pipeline.translation.pricing import PriceTable
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.validation.validate import ValidationResult
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, Reply, completion, error, fake_openai, good_answer
from digest_pipeline_tests.support.translators import KEY, MODEL, papers, translator_for, utc_now

ZH = load_language("zh")
EN = load_language("en")


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


def statuses(outcome: TranslationOutcome, tag: str = "zh") -> list[str]:
    return [row.status.value for row in outcome.summaries[tag]]


def all_translated(outcome: TranslationOutcome) -> bool:
    return all(row.is_translated for rows in outcome.summaries.values() for row in rows)


# -- the ordinary day ---------------------------------------------------------------------------------


def test_every_paper_gets_its_summary_in_every_language_in_the_papers_order(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    day = papers(12)
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(day, [ZH, EN], translator)
    for tag in ("zh", "en"):
        assert [row.arxiv_id for row in outcome.summaries[tag]] == [paper.arxiv_id for paper in day]
    assert all_translated(outcome)
    first = outcome.summaries["zh"][0]
    assert first.translated_title.startswith("Harvest1：")
    assert "$n^{1}$" in first.translated_abstract
    assert "https://example.org/harvest/1" in first.translated_abstract
    assert (first.input_tokens, first.output_tokens, first.from_cache) == (600, 400, False)
    assert first.cost_usd == pytest.approx((600 * 1 + 400 * 2) / 1e6)
    assert outcome.by_status == {SummaryStatus.TRANSLATED: 24}
    assert endpoint.requests == outcome.asked == 24


def test_english_asks_for_one_sentence_only(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path) as translator:
        row = translate_papers(papers(1), [EN], translator).summaries["en"][0]
    assert row.tldr == row.tldr_en != ""
    assert row.translated_abstract == ""
    assert list(endpoint.asked[0].body["response_format"]["json_schema"]["schema"]["properties"]) == ["tldr_en"]


def test_the_structured_summary_is_asked_for_where_it_is_switched_on(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, structured=True) as translator:
        row = translate_papers(papers(1), [ZH], translator).summaries["zh"][0]
    assert row.motivation
    assert row.conclusion
    with translator_for(endpoint.url, tmp_path) as translator:
        plain = translate_papers(papers(1), [ZH], translator).summaries["zh"][0]
    assert (plain.motivation, plain.from_cache) == ("", False)


def test_a_day_without_papers_asks_nobody_and_needs_no_key(tmp_path: Path) -> None:
    with translator_for("http://127.0.0.1:9/v1", tmp_path) as translator:
        outcome = translate_papers([], [ZH], translator)
    assert outcome.summaries == {"zh": []}
    assert outcome.requests == 0


def test_progress_tells_done_of_total_and_ends_with_the_whole(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    told: list[Progress] = []
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(5), [ZH], translator, progress=told.append)
    assert (told[-1].done, told[-1].total) == (5, 5)
    assert str(told[-1]).startswith("5 of 5 papers, 0 reused, 5 requests, $0.0070")


def test_progress_is_told_no_oftener_than_it_should(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    told: list[Progress] = []
    with translator_for(endpoint.url, tmp_path, progress_seconds=60.0) as translator:
        translate_papers(papers(20), [ZH], translator, progress=told.append)
    assert len(told) == 2, "once at the start, once at the end"


# -- paid once ----------------------------------------------------------------------------------------


def test_a_second_run_reuses_everything_and_asks_nobody(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path) as translator:
        first = translate_papers(papers(6), [ZH], translator)
    with translator_for("http://127.0.0.1:9/v1", tmp_path) as translator:
        again = translate_papers(papers(6), [ZH], translator)
    assert again.reused == 6
    assert (again.requests, again.input_tokens, again.cost_usd) == (0, 0, 0.0)
    for before, after in zip(first.summaries["zh"], again.summaries["zh"], strict=True):
        assert dataclasses.replace(after, from_cache=False) == before


def test_cross_lists_other_days_and_replacements_with_the_same_text_cost_nothing(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    paper = papers(1)[0]
    same_text = [
        dataclasses.replace(paper, version=2, listing_date=date(2026, 6, 11), categories=("cs.IR", "cs.CL"), primary_category="cs.IR"),
        dataclasses.replace(paper, arxiv_id="2606.99999", abstract=paper.abstract.replace(". ", ".\n  ")),
    ]
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers([paper], [ZH], translator)
        outcome = translate_papers(same_text, [ZH], translator)
    assert [row.from_cache for row in outcome.summaries["zh"]] == [True, True]
    assert endpoint.requests == 1


def test_an_answer_whose_checking_a_signal_interrupts_is_not_paid_again(
    endpoint: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(prompt: PromptRequest, answer: ChatAnswer) -> ValidationResult:
        raise RuntimeError("a signal's exception, anywhere in the code")

    with translator_for(endpoint.url, tmp_path, at_once=4) as translator:
        with monkeypatch.context() as patched:
            patched.setattr(attempts, "validate_answer", interrupted)
            with pytest.raises(RuntimeError):
                translate_papers(papers(12), [ZH], translator)
        paid = endpoint.requests
        outcome = translate_papers(papers(12), [ZH], translator)
    assert 0 < paid <= 5
    assert all_translated(outcome)
    assert endpoint.requests == 12


def test_a_replacement_with_another_abstract_is_asked_for(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    paper = papers(1)[0]
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers([paper], [ZH], translator)
        translate_papers([dataclasses.replace(paper, version=2, abstract=paper.abstract + " An error was corrected.")], [ZH], translator)
    assert endpoint.requests == 2


def test_the_same_text_twice_in_one_run_is_asked_once(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    paper = papers(1)[0]
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers([paper, dataclasses.replace(paper, arxiv_id="2606.77777")], [ZH], translator)
    assert endpoint.requests == 1
    assert [(row.arxiv_id, row.from_cache) for row in outcome.summaries["zh"]] == [(paper.arxiv_id, False), ("2606.77777", True)]


def test_a_kept_answer_that_a_tighter_check_rejects_is_asked_again(endpoint: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(2), [ZH], translator)
        judged: list[str] = []

        def stricter(prompt: PromptRequest, text: str) -> ValidationResult:
            judged.append(text)
            return ValidationResult(None, (QualityFlag(FlagCode.REPETITION, "newly found"),), ()) if len(judged) == 1 else real_validate(prompt, text)

        real_validate = run.validate
        monkeypatch.setattr(run, "validate", stricter)
        outcome = translate_papers(papers(2), [ZH], translator)
        assert all_translated(outcome)
        assert sorted(row.from_cache for row in outcome.summaries["zh"]) == [False, True]
        assert len(list(translator.store.every_rejected())) == 1
    assert endpoint.requests == 3


# -- answers that are wrong ---------------------------------------------------------------------------


def test_a_rejected_answer_is_asked_again_with_the_reason(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("Sure! Here it is: {")) if asked.attempt == 1 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(1), [ZH], translator)
    assert all_translated(outcome)
    assert endpoint.requests == 2
    conversation = endpoint.asked[1].body["messages"]
    assert conversation[-2] == {"role": "assistant", "content": "Sure! Here it is: {"}
    assert "JSON" in conversation[-1]["content"]
    assert outcome.summaries["zh"][0].input_tokens == 1200, "all attempts count"


def test_an_answer_in_the_wrong_language_three_times_is_quarantined_with_the_reason(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def english(asked: Asked) -> Reply | None:
        if "Harvest3:" not in asked.title:
            return None
        fields = json.loads(good_answer(asked.body))
        source = json.loads(asked.body["messages"][1]["content"])
        return Reply(body=completion(json.dumps({**fields, "translated_abstract": source["abstract"]})))

    endpoint.behave = english
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(5), [ZH], translator)
        assert statuses(outcome) == ["translated", "translated", "quarantined", "translated", "translated"]
        row = outcome.summaries["zh"][2]
        assert any(flag.startswith("not-translated:") for flag in row.flags)
        assert row.translated_abstract == ""
        assert row.cost_usd == pytest.approx(3 * 1400e-6), "three answers were paid"
        assert len(list(translator.store.every_answer())) == 4, "a failure is never kept as an answer"
        assert len(list(translator.store.every_rejected())) == 3
    assert endpoint.requests == 7


def test_answers_that_fail_each_in_another_way_get_a_few_more_tries(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    ways = ["Sure!", "", '{"tldr": "x"}', "Sure!"]
    endpoint.behave = lambda asked: Reply(body=completion(ways[asked.attempt - 1])) if asked.attempt <= 4 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(1), [ZH], translator))
    assert endpoint.requests == 5


def test_a_request_that_hangs_before_the_speed_is_known_is_given_up_once_it_is(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(wait_seconds=30, body=b"") if asked.number == 1 else None
    began = time.monotonic()
    with translator_for(endpoint.url, tmp_path, paper_timeout_seconds=60.0) as translator:
        assert all_translated(translate_papers(papers(12), [ZH], translator))
    assert time.monotonic() - began < 10, "24 s would be the limit of a request at an endpoint of unknown speed"


def test_a_quarantined_paper_is_asked_again_on_the_next_day(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("no")) if "Harvest1:" in asked.title else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert statuses(translate_papers(papers(2), [ZH], translator)) == ["quarantined", "translated"]
    endpoint.behave = lambda _: None
    with translator_for(endpoint.url, tmp_path, now=lambda: utc_now() + timedelta(days=1)) as translator:
        assert statuses(translate_papers(papers(2), [ZH], translator)) == ["translated", "translated"]


def test_the_fallback_model_is_asked_once_and_its_answer_reused(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("no")) if asked.body["model"] == MODEL else None
    with translator_for(endpoint.url, tmp_path, fallback_model="fallback-model") as translator:
        outcome = translate_papers(papers(1), [ZH], translator)
        assert outcome.summaries["zh"][0].model == "fallback-model"
        assert [asked.body["model"] for asked in endpoint.asked][-2:] == [MODEL, "fallback-model"]
        assert translate_papers(papers(1), [ZH], translator).requests == 0


def test_an_answer_cut_at_its_limit_is_asked_again_with_more_room(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion('{"translated_ti', finish_reason="length")) if asked.attempt < 3 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(1), [ZH], translator))
    limits = [asked.body["max_tokens"] for asked in endpoint.asked]
    assert limits == [limits[0], 2 * limits[0], 4 * limits[0]]


def test_a_blank_answer_is_asked_again(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion(None if asked.number % 2 else "   ")) if asked.attempt == 1 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(4), [ZH], translator))


def test_tokens_are_estimated_where_the_endpoint_does_not_count(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion(good_answer(asked.body), usage={}))
    with translator_for(endpoint.url, tmp_path) as translator:
        row = translate_papers(papers(1), [ZH], translator).summaries["zh"][0]
        kept = next(iter(translator.store.every_answer()))
    assert kept.tokens_estimated
    assert 100 < row.input_tokens < 2000
    assert row.cost_usd


# -- an endpoint that fails -----------------------------------------------------------------------------


def test_a_storm_of_429_ends_with_every_paper_translated(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(429, "Rate limit reached", "rate_limit_exceeded", {"retry-after-ms": "30"}) if asked.number <= 40 else None
    with translator_for(endpoint.url, tmp_path, at_once=16) as translator:
        outcome = translate_papers(papers(30), [ZH], translator)
    assert all_translated(outcome)
    assert sum(endpoint.answered.values()) == 30


def test_a_wait_asked_for_pauses_all_workers(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.01
    endpoint.behave = lambda asked: error(429, "slow down", headers={"Retry-After": "0.6"}) if asked.number == 10 else None
    with translator_for(endpoint.url, tmp_path, at_once=4) as translator:
        assert all_translated(translate_papers(papers(30), [ZH], translator))
    told = endpoint.times[9]
    during = [moment - told for moment in endpoint.times if 0.1 < moment - told < 0.55]
    assert during == []


def test_concurrency_settles_below_what_the_endpoint_refuses(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.02
    endpoint.behave = lambda asked: error(429, "too many at once", headers={"retry-after-ms": "10"}) if asked.running > 4 else None
    with translator_for(endpoint.url, tmp_path, at_once=32) as translator:
        assert all_translated(translate_papers(papers(80), [ZH], translator))
    refused_late = [asked for asked in endpoint.asked[len(endpoint.asked) // 2 :] if asked.running > 4]
    assert len(refused_late) < len(endpoint.asked) // 4


def test_the_days_of_one_session_share_their_connections_and_what_the_endpoint_taught(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.05
    endpoint.behave = lambda asked: error(429, "too many at once", headers={"retry-after-ms": "10"}) if asked.running > 4 else None
    with translator_for(endpoint.url, tmp_path, at_once=24) as translator:
        with translator.session():
            assert all_translated(translate_papers(papers(60), [ZH], translator))
            opened, asked = endpoint.connections, endpoint.requests
            assert all_translated(translate_papers(papers(24, first=100), [ZH], translator))
        assert endpoint.connections == opened
        assert max(request.running for request in endpoint.asked[asked:]) < 12, "a new pace would begin with all 24 places"
        assert all_translated(translate_papers(papers(8, first=200), [ZH], translator)), "without a session around it, a day opens its own"


def test_the_troubles_of_one_day_are_not_held_against_the_next(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    is_down = True
    endpoint.behave = lambda asked: error(500, "down") if is_down or asked.attempt <= 2 else None
    with translator_for(endpoint.url, tmp_path, at_once=4) as translator, translator.session():
        with pytest.raises(EndpointUnavailable):
            translate_papers(papers(4), [ZH], translator)
        is_down = False
        assert all_translated(translate_papers(papers(4, first=100), [ZH], translator)), "some failures, but not for the time of an outage"


def test_random_500s_cost_retries_and_no_paper(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "The server had an error") if asked.number % 3 == 0 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(40), [ZH], translator))
    assert max(endpoint.answered.values()) == 1


def test_html_with_status_200_is_a_retry(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    page = Reply(body=b"<html>Bad gateway</html>", content_type="text/html")
    endpoint.behave = lambda asked: page if asked.attempt == 1 and asked.number % 2 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(10), [ZH], translator))


@pytest.mark.parametrize("body", [[], {"choices": []}, {"error": {"message": "overloaded", "code": 503}}, {"error": "busy"}, "text"])
def test_a_200_that_is_no_completion_is_a_retry(endpoint: FakeOpenAI, tmp_path: Path, body: object) -> None:
    endpoint.behave = lambda asked: Reply(body=body) if asked.attempt == 1 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(3), [ZH], translator))


def test_a_hanging_request_is_given_up_and_asked_again(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(wait_seconds=30, body=b"") if asked.number == 5 else None
    began = time.monotonic()
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(12), [ZH], translator))
    assert time.monotonic() - began < 25, "the endpoint would have answered after 30 s"


def test_blank_keep_alive_lines_do_not_stretch_the_time_limit(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(blank_lines_for=30, body=b"") if asked.number == 5 else None
    began = time.monotonic()
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(12), [ZH], translator))
    assert time.monotonic() - began < 25, "the endpoint would have answered after 30 s"


def test_a_paper_that_the_endpoint_cannot_stomach_is_quarantined_alone(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "The server had an error") if "Harvest7:" in asked.title else None
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(40), [ZH], translator)
    assert [row.arxiv_id for row in outcome.summaries["zh"] if not row.is_translated] == ["2606.00007"]
    assert outcome.summaries["zh"][6].flags[0].startswith("no-answer:")


def test_the_last_paper_failing_alone_does_not_look_like_an_outage(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "The server had an error") if "Harvest30:" in asked.title else None
    with translator_for(endpoint.url, tmp_path, at_once=1) as translator:
        outcome = translate_papers(papers(30), [ZH], translator)
    assert statuses(outcome) == ["translated"] * 29 + ["quarantined"]


def test_a_paper_refused_by_a_content_filter_ships_in_the_original(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(400, "flagged by our content management policy", "content_filter") if "Harvest2:" in asked.title else None
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(4), [ZH], translator)
    assert statuses(outcome) == ["translated", "quarantined", "translated", "translated"]
    assert "content management policy" in outcome.summaries["zh"][1].flags[0]


def test_a_dying_endpoint_ends_the_run_soon_and_keeps_what_was_answered(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "The server had an error") if asked.number > 20 else None
    with translator_for(endpoint.url, tmp_path, least_timeout_seconds=30.0, paper_timeout_seconds=75.0) as translator:
        with pytest.raises(EndpointUnavailable, match="run the same day again"):
            translate_papers(papers(60), [ZH], translator)
        assert endpoint.requests < 120
        endpoint.behave = lambda _: None
        outcome = translate_papers(papers(60), [ZH], translator)
    assert all_translated(outcome)
    assert outcome.reused == 20
    assert max(endpoint.answered.values()) == 1


def test_nobody_listening_is_an_outage_that_names_the_address(tmp_path: Path) -> None:
    with (
        translator_for("http://127.0.0.1:9/v1", tmp_path) as translator,
        pytest.raises(EndpointUnavailable, match=r"127.0.0.1:9/v1.*OPENAI_BASE_URL"),
    ):
        translate_papers(papers(3), [ZH], translator)


# -- hopeless ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "setting"),
    [
        (error(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"), "OPENAI_API_KEY"),
        (error(403, "Your key may not do this"), "OPENAI_API_KEY"),
        (error(400, "API key not valid"), "OPENAI_API_KEY"),
        (error(404, "The model `fake-model` does not exist or you do not have access to it.", "model_not_found"), "DIGEST_MODEL"),
        (error(400, "Invalid model name passed in model=fake-model"), "DIGEST_MODEL"),
        (error(404, "Not Found"), "OPENAI_BASE_URL"),
        (error(402, "Insufficient Balance"), "credit"),
        (error(429, "You exceeded your current quota", "insufficient_quota", type="insufficient_quota"), "credit"),
        (Reply(body={"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}), "credit"),
    ],
)
def test_what_no_retry_can_help_costs_one_request_and_names_the_setting(
    endpoint: FakeOpenAI, tmp_path: Path, reply: Reply, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.behave = lambda _: reply
    caplog.set_level(logging.DEBUG)
    translator = translator_for(endpoint.url, tmp_path, at_once=32, head_start_seconds=5.0)  # however slow the machine is
    with translator, pytest.raises(EndpointConfigurationError) as refused:
        translate_papers(papers(100), [ZH], translator)
    assert setting in str(refused.value)
    assert endpoint.requests == 1
    assert endpoint.keys_seen == {f"Bearer {KEY}"}
    assert KEY not in str(refused.value) + repr(refused.value) + caplog.text


def test_credit_that_ends_in_the_middle_keeps_every_answer_that_was_paid(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.02
    endpoint.behave = lambda asked: error(429, "You exceeded your current quota", "insufficient_quota") if asked.number > 25 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        with pytest.raises(EndpointConfigurationError, match="credit"):
            translate_papers(papers(100), [ZH], translator)
        assert len(list(translator.store.every_answer())) == sum(endpoint.answered.values()) == 25
    assert endpoint.requests <= 25 + 8


def test_a_live_run_without_key_or_address_says_what_to_set(tmp_path: Path) -> None:
    from digest_pipeline.translation.llm.client import make_http_client, trusted_certificates

    with pytest.raises(EndpointConfigurationError, match="OPENAI_API_KEY"):
        make_http_client(None, None, trusted_certificates(), timeout_seconds=1, connections=1)


def test_an_endpoint_that_refuses_every_paper_is_no_day_of_quarantined_papers(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda _: error(400, "context_length_exceeded: this model has 512 tokens")
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError, match="DIGEST_MODEL"):
        translate_papers(papers(60), [ZH], translator)


# -- what an endpoint accepts -------------------------------------------------------------------------------


def test_an_endpoint_without_json_schema_gets_json_object_and_is_remembered(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(400, "response_format json_schema is not supported") if asked.format == "json_schema" else None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all_translated(translate_papers(papers(10), [ZH], translator))
    refused = sum(asked.format == "json_schema" for asked in endpoint.asked)
    assert refused <= 8
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(5, first=50), [ZH], translator)
    assert [asked.format for asked in endpoint.asked[-5:]] == ["json_object"] * 5


def test_an_endpoint_without_any_structure_is_asked_in_plain_text(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def plain_only(asked: Asked) -> Reply:
        if asked.format != "plain":
            return error(400, f"response_format {asked.format} unsupported")
        return Reply(body=completion(f"Here you are:\n```json\n{good_answer(asked.body)}\n```"))

    endpoint.behave = plain_only
    with translator_for(endpoint.url, tmp_path, at_once=1) as translator:
        assert all_translated(translate_papers(papers(3), [ZH], translator))
    assert [asked.format for asked in endpoint.asked] == ["json_schema", "json_object", "plain", "plain", "plain"]


def test_a_500_to_json_schema_steps_down_only_once_json_object_works(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "Internal Server Error") if asked.format == "json_schema" else None
    with translator_for(endpoint.url, tmp_path, at_once=2) as translator:
        assert all_translated(translate_papers(papers(10), [ZH], translator))
    assert sum(asked.format == "json_schema" for asked in endpoint.asked) <= 4
    assert "schema" in endpoint.asked[-1].body["response_format"]


def test_500s_of_an_endpoint_that_has_taken_json_schema_teach_nothing(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(500, "Internal Server Error") if 3 < asked.number < 12 else None
    with translator_for(endpoint.url, tmp_path, at_once=2) as translator:
        assert all_translated(translate_papers(papers(10), [ZH], translator))
    assert {asked.format for asked in endpoint.asked} == {"json_schema"}


def test_thinking_is_switched_off_and_dropped_where_refused(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def no_effort(asked: Asked) -> Reply | None:
        effort = asked.body.get("reasoning_effort")
        return error(400, f"Unsupported value: reasoning_effort {effort}", "unsupported_value") if effort else None

    endpoint.behave = no_effort
    with translator_for(endpoint.url, tmp_path, at_once=1, model="gpt-5-mini") as translator:
        assert all_translated(translate_papers(papers(2), [ZH], translator))
    assert [asked.body.get("reasoning_effort") for asked in endpoint.asked] == ["minimal", "low", None, None]
    assert "temperature" not in endpoint.asked[0].body
    assert "max_completion_tokens" in endpoint.asked[0].body


def test_temperature_and_the_name_of_the_token_limit_follow_what_the_endpoint_says(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def picky(asked: Asked) -> Reply | None:
        if "temperature" in asked.body:
            return error(400, "Unsupported value: 'temperature' does not support 0.2 with this model.", param="temperature")
        if "max_tokens" in asked.body:
            return error(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
        return None

    endpoint.behave = picky
    with translator_for(endpoint.url, tmp_path, at_once=1) as translator:
        assert all_translated(translate_papers(papers(2), [ZH], translator))
    assert endpoint.requests == 4
    assert "max_completion_tokens" in endpoint.asked[-1].body


def test_a_refusal_that_names_nothing_is_answered_by_asking_for_less(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: error(400, "Bad Request") if asked.format == "json_schema" else None
    with translator_for(endpoint.url, tmp_path, at_once=1) as translator:
        assert all_translated(translate_papers(papers(2), [ZH], translator))
    assert endpoint.asked[-1].format == "json_object"


# -- money --------------------------------------------------------------------------------------------------


def test_a_run_stops_asking_before_its_budget_and_says_what_is_missing(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_run_usd=0.02)) as translator:
        outcome = translate_papers(papers(40), [ZH], translator)
        kept = list(translator.store.every_answer())
    spent = sum(answer.cost_usd or 0 for answer in kept)
    assert 0.008 < spent <= 0.02
    missing = [row for row in outcome.summaries["zh"] if row.status is SummaryStatus.DEFERRED]
    assert len(missing) == 40 - len(kept)
    assert missing[0].flags[0].startswith("budget-reached: DIGEST_BUDGET_PER_RUN_USD=0.02")
    assert "DIGEST_BUDGET_PER_RUN_USD=0.02" in outcome.missing


def test_what_a_budget_left_out_can_be_driven_again(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_run_usd=0.02)) as translator:
        first = translate_papers(papers(20), [ZH], translator)
    with translator_for(endpoint.url, tmp_path) as translator:
        second = translate_papers(papers(20), [ZH], translator)
    assert all_translated(second)
    assert second.reused == first.by_status[SummaryStatus.TRANSLATED]
    assert max(endpoint.answered.values()) == 1


def test_a_month_is_limited_over_all_runs_and_counts_rejected_answers(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("no")) if asked.number <= 3 else None
    limit = 0.02
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_month_usd=limit), at_once=1) as translator:
        translate_papers(papers(3), [ZH], translator)
    with translator_for(endpoint.url, tmp_path, budget=Budget(per_month_usd=limit)) as translator:
        outcome = translate_papers(papers(30), [ZH], translator)
        spent = translator.store.spending(f"{translator.now():%Y-%m}")
    assert spent.usd <= limit
    assert spent.answers == endpoint.requests
    assert outcome.by_status[SummaryStatus.DEFERRED] > 0
    assert "DIGEST_BUDGET_PER_MONTH_USD=0.02" in outcome.missing


def test_a_budget_with_an_unknown_price_refuses_before_anything_is_sent(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with (
        translator_for(endpoint.url, tmp_path, prices=PriceTable.load(), budget=Budget(per_run_usd=5)) as translator,
        pytest.raises(SettingsError, match=r"fake-model.*unknown"),
    ):
        translate_papers(papers(2), [ZH], translator)
    assert endpoint.requests == 0


def test_an_unknown_price_is_unknown_and_not_zero(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, prices=PriceTable.load()) as translator:
        outcome = translate_papers(papers(2), [ZH], translator)
    assert outcome.cost_usd is None
    assert outcome.summaries["zh"][0].cost_usd is None


def test_the_forecast_counts_only_what_is_not_paid_yet(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(3), [ZH], translator)
        before = endpoint.requests
        foreseen = forecast_papers(papers(10), [ZH, EN], translator)
        assert (foreseen.papers, foreseen.already_paid) == (17, 3)
        assert foreseen.cost_usd
        assert foreseen.batch_cost_usd == pytest.approx(foreseen.cost_usd / 2)
    assert endpoint.requests == before


# -- the store fails ------------------------------------------------------------------------------------------


def test_what_was_answered_while_the_disk_was_full_is_kept_when_there_is_room_again(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path, store_patience_seconds=20.0) as translator:
        translate_papers(papers(5), [ZH], translator)
        assert isinstance(translator.store, SqliteCache)
        limit_pages(translator.store)
        room = threading.Timer(1.5, limit_pages, (translator.store, 1 << 30))
        room.start()
        outcome = translate_papers(papers(40), [ZH], translator)
        room.join()
    assert all_translated(outcome)
    assert endpoint.requests == 40, "nothing is paid twice"


def test_a_full_disk_fails_the_run_loudly_and_keeps_what_was_acknowledged(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(5), [ZH], translator)
        assert isinstance(translator.store, SqliteCache)
        limit_pages(translator.store)
        with pytest.raises(AnswerStoreError, match="free disk space"):
            translate_papers(papers(60), [ZH], translator)
    with translator_for(endpoint.url, tmp_path) as translator:
        kept = len(list(translator.store.every_answer()))
        assert kept >= 5
        assert translate_papers(papers(60), [ZH], translator).reused == kept


def limit_pages(store: SqliteCache, more: int = 2) -> None:
    """The file may grow by two pages: then SQLite says what it says on a full disk."""
    assert store._connections is not None
    with store._lock:
        for connection in store._connections:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + more}")

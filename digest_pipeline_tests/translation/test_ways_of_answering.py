"""Endpoints that answer in their own ways: every paper gets its translation, no draft is shown, and few requests are paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.models import NO_ABSTRACT, SummaryStatus
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, Reply, completion, error, fake_openai, good_answer
from digest_pipeline_tests.support.translators import MODEL, papers, translator_for
from digest_pipeline_tests.support.ways_of_answering import DRAFT, WAYS, draft

ZH = load_language("zh")


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


@pytest.mark.parametrize("way", WAYS)
def test_each_paper_is_translated_whatever_the_endpoints_way_of_answering(way: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = WAYS[way]
    day = papers(24)
    with translator_for(endpoint.url, tmp_path, at_once=4) as translator:
        outcome = translate_papers(day, [ZH], translator)
    rows = outcome.summaries["zh"]
    assert [row.status for row in rows] == [SummaryStatus.TRANSLATED] * len(day)
    assert not any(DRAFT in row.translated_title + row.translated_abstract + row.tldr for row in rows)
    assert endpoint.requests <= 1.3 * len(day) + 8, "a few more to learn the way"


def test_of_a_paper_without_abstract_nothing_but_its_title_is_shipped(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    day = [replace(papers(1)[0], abstract=NO_ABSTRACT)]
    with translator_for(endpoint.url, tmp_path) as translator:
        rows = translate_papers(day, [ZH, load_language("en")], translator).summaries
    row, english = rows["zh"][0], rows["en"][0]
    assert (row.tldr, row.translated_abstract, row.tldr_en) == (row.translated_title, NO_ABSTRACT, day[0].title)
    assert "关于该问题的一项研究" in row.translated_title
    assert (english.tldr, english.tldr_en, english.translated_abstract) == (day[0].title, day[0].title, "")


def test_an_address_with_a_query_keeps_it(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    with translator_for(f"{endpoint.url}/?api-version=1", tmp_path) as translator:
        assert all(row.is_translated for row in translate_papers(papers(2), [ZH], translator).summaries["zh"])


@pytest.mark.parametrize(("status", "is_followed"), [(301, False), (302, False), (307, True), (308, True)])
def test_a_redirect_is_followed_where_the_question_goes_along_and_else_named(
    status: int, is_followed: bool, endpoint: FakeOpenAI, tmp_path: Path
) -> None:
    with fake_openai() as other, translator_for(endpoint.url, tmp_path) as translator:
        endpoint.behave = lambda _: Reply(status, {}, {"Location": f"{other.url}/{'chat/completions' if is_followed else 'elsewhere'}"})
        if is_followed:
            assert all(row.is_translated for row in translate_papers(papers(2), [ZH], translator).summaries["zh"])
        else:
            with pytest.raises(EndpointConfigurationError, match=f"sends requests on to {other.url}"):
                translate_papers(papers(2), [ZH], translator)
            assert other.requests == 0
        assert other.keys_seen == {""}, "the key stays with the host that it is for"


def test_the_answers_letters_are_right_though_the_header_names_another_encoding(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def behave(asked: Asked) -> Reply:
        body = json.dumps(completion(good_answer(asked.body)), ensure_ascii=False).encode()
        return Reply(body=body, content_type="application/json; charset=ISO-8859-1")

    endpoint.behave = behave
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all("研究" in row.translated_title for row in translate_papers(papers(2), [ZH], translator).summaries["zh"])


def test_what_was_learned_of_an_endpoint_is_remembered_by_the_next_run(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = WAYS["nothing in json_schema mode"]
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(6), [ZH], translator)
    before = endpoint.requests
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(12, first=50), [ZH], translator)
    assert endpoint.requests - before == 12
    assert {asked.format for asked in endpoint.asked[before:]} == {"json_object"}


def test_a_blank_answer_now_and_then_does_not_cost_a_format_that_works(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("")) if asked.number % 5 == 0 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(20), [ZH], translator)
    assert {asked.format for asked in endpoint.asked} == {"json_schema"}


def test_white_space_costs_no_more_than_a_few_answers(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = WAYS["white space to the limit in json_schema mode"]
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(30), [ZH], translator)
    asked_for = [asked.body["max_tokens"] for asked in endpoint.asked]
    assert max(asked_for) < 2_000, "no more room is given to an endpoint that says nothing"
    assert sum(asked.format == "json_schema" for asked in endpoint.asked) <= 12


def test_a_draft_is_never_shipped_where_the_answer_was_cut(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def behave(asked: Asked) -> Reply | None:
        if asked.title.startswith("Harvest1:") and asked.attempt == 1:
            return Reply(body=completion(f"{draft(asked)}\nBetter:\n{good_answer(asked.body)[:-40]}", finish_reason="length"))
        return None

    endpoint.behave = behave
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(4), [ZH], translator)
    assert all(row.is_translated and DRAFT not in row.translated_title for row in outcome.summaries["zh"])
    assert endpoint.requests == 5


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_a_model_that_thinks_beyond_its_limit_is_given_more_tokens(field: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def behave(asked: Asked) -> Reply | None:
        limit = asked.body["max_tokens"]
        if limit >= 3_000:
            return None
        body = completion(None, finish_reason="length", usage={"prompt_tokens": 600, "completion_tokens": limit})
        body["choices"][0]["message"] = {"content": None, field: "<think>Let me see. " * 30}
        return Reply(body=body)

    endpoint.behave = behave
    with translator_for(endpoint.url, tmp_path, at_once=4) as translator:
        outcome = translate_papers(papers(20), [ZH], translator)
    assert all(row.is_translated for row in outcome.summaries["zh"])
    assert endpoint.requests <= 30
    assert {asked.format for asked in endpoint.asked} == {"json_schema"}


@pytest.mark.parametrize("word", ["content_filter", "PROHIBITED_CONTENT", "content_filter: RECITATION", "SAFETY", "sensitive"])
def test_a_paper_that_a_filter_stops_is_not_asked_for_again_and_says_nothing_of_the_format(word: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    stopped = ("Harvest2:", "Harvest3:", "Harvest4:")
    endpoint.behave = lambda asked: Reply(body=completion(None, finish_reason=word)) if asked.title.startswith(stopped) else None
    with translator_for(endpoint.url, tmp_path, at_once=1) as translator:
        rows = translate_papers(papers(9), [ZH], translator).summaries["zh"]
    assert [row.is_translated for row in rows] == [True, False, False, False] + [True] * 5
    assert "content_filter" in rows[1].flags[0]
    assert endpoint.requests == 9
    assert {asked.format for asked in endpoint.asked} == {"json_schema"}


def test_a_refusal_in_a_field_of_its_own_is_shown_where_nothing_else_came(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    body = completion(None)
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I cannot help with orchards."}
    endpoint.behave = lambda _: Reply(body=body)
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError, match="I cannot help with orchards"):
        translate_papers(papers(3), [ZH], translator)


# -- limits and empty purses ----------------------------------------------------------------------------

QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."
LIMITS = {
    "Google's RetryInfo": Reply(
        429,
        {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": QUOTA_WORDS, "details": [{"retryDelay": "0.3s"}]}},
    ),
    "a list of one error": Reply(429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": QUOTA_WORDS}}]),
    "words alone": error(429, f"{QUOTA_WORDS} Please retry in 0.3s."),
    "a header alone": error(429, QUOTA_WORDS, headers={"Retry-After": "0.3"}),
    "a code, and a link to the billing page": error(429, "Rate limit reached. Visit https://example.org/billing to raise it.", "rate_limit_exceeded"),
    "a type": error(429, QUOTA_WORDS, type="rate_limit_error"),
    "no code at all": error(429, "Too many requests per minute; see your plan and billing."),
    "an error inside 200": Reply(200, {"error": {"code": 429, "message": "rate limit: retry in 0.2s"}}),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_that_speaks_of_quota_and_billing_is_waited_out(limit: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: LIMITS[limit] if asked.number <= 2 else None
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(6), [ZH], translator)
    assert all(row.is_translated for row in outcome.summaries["zh"])


EMPTY = {
    "insufficient_quota": error(429, QUOTA_WORDS, "insufficient_quota", type="insufficient_quota"),
    "insufficient_quota, with a header": error(429, QUOTA_WORDS, "insufficient_quota", headers={"Retry-After": "20"}),
    "code 1113": error(429, "余额不足或无可用资源包,请充值。", "1113"),
    "code 1113 as a number": Reply(429, {"error": {"code": 1113, "message": "余额不足"}}),
    "1113 inside 200": Reply(200, {"error": {"code": "1113", "message": "余额不足"}}),
    "403": Reply(403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
    "402": error(402, "Insufficient Balance"),
    "words alone": error(429, QUOTA_WORDS),
}


@pytest.mark.parametrize("reply", EMPTY)
def test_an_empty_purse_ends_the_run_at_once_with_the_right_advice(reply: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda _: EMPTY[reply]
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError, match=r"credit .* is used up") as raised:
        translate_papers(papers(30), [ZH], translator)
    assert "add credit" in raised.value.hint
    assert endpoint.requests <= 2


# -- nothing works --------------------------------------------------------------------------------------


def test_a_day_of_which_nothing_could_be_translated_is_red_and_says_what_was_seen(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda _: Reply(body=completion("I am a helpful assistant."))
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError) as raised:
        translate_papers(papers(5), [ZH], translator)
    assert "none of 5 papers could be translated by fake-model" in raised.value.message
    assert "answer-unreadable" in raised.value.message
    assert "I am a helpful assistant." in raised.value.message
    assert "DIGEST_MODEL" in raised.value.hint


def test_an_endpoint_of_which_nothing_can_be_used_is_not_asked_for_the_whole_day(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda _: Reply(body=completion("no"))
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError):
        translate_papers(papers(200), [ZH], translator)
    assert endpoint.requests < 120


def test_a_red_day_is_asked_again_as_soon_as_the_endpoint_is_mended(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda _: Reply(body=completion("no"))
    with translator_for(endpoint.url, tmp_path) as translator, pytest.raises(EndpointConfigurationError):
        translate_papers(papers(5), [ZH], translator)
    endpoint.behave = lambda _: None
    with translator_for(endpoint.url, tmp_path) as translator:
        assert all(row.is_translated for row in translate_papers(papers(5), [ZH], translator).summaries["zh"])


def test_a_few_papers_that_cannot_be_translated_stay_quarantined_among_the_others(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("no")) if "Harvest3:" in asked.title else None
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(12), [ZH], translator)
    assert outcome.by_status == {SummaryStatus.TRANSLATED: 11, SummaryStatus.QUARANTINED: 1}


def test_a_quarantined_paper_is_not_paid_again_on_the_same_day(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = lambda asked: Reply(body=completion("no")) if "Harvest3:" in asked.title else None
    with translator_for(endpoint.url, tmp_path) as translator:
        first = translate_papers(papers(12), [ZH], translator).summaries["zh"][2]
    before = endpoint.requests
    with translator_for(endpoint.url, tmp_path) as translator:
        outcome = translate_papers(papers(12), [ZH], translator)
        again = outcome.summaries["zh"][2]
    assert endpoint.requests == before
    assert (outcome.asked, outcome.cost_usd) == (0, 0.0)
    assert again.status is SummaryStatus.QUARANTINED
    assert again.flags[:-1] == first.flags
    assert again.flags[-1].startswith("asked-today: ")
    assert (again.cost_usd, again.input_tokens) == (first.cost_usd, first.input_tokens)
    with translator_for(endpoint.url, tmp_path, paper_timeout_seconds=41.0) as translator:
        translate_papers(papers(12), [ZH], translator)
    assert endpoint.requests > before, "after a change of the settings it is asked for at once"


# -- TeX behind one backslash -----------------------------------------------------------------------------


def in_the_title(fields: dict[str, str], command: str) -> dict[str, str]:
    return {**fields, "tldr": f"将 $256{command}256$ 的输入缩小一半。", "translated_title": f"{fields['translated_title']} {command} 研究"}


@pytest.mark.parametrize("command", ["times", "theta", "nu", "nabla", "rho", "frac", "beta", "text", "upsilon", "alpha", "tau", "neq"])
def test_tex_behind_one_backslash_is_put_back_where_the_source_has_it(command: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    import dataclasses

    day = [dataclasses.replace(paper, abstract=f"{paper.abstract} It scales as $a\\{command} b$.") for paper in papers(3)]

    def behave(asked: Asked) -> Reply:
        fields = in_the_title(json.loads(good_answer(asked.body)), f"\\{command}")
        return Reply(body=completion(json.dumps(fields, ensure_ascii=False).replace("\\\\", "\\")))

    endpoint.behave = behave
    with translator_for(endpoint.url, tmp_path) as translator:
        rows = translate_papers(day, [ZH], translator).summaries["zh"]
    assert all(row.is_translated for row in rows)
    assert all(f"$256\\{command}256$" in row.tldr and f"\\{command} 研究" in row.translated_title for row in rows)
    assert endpoint.requests == 3


@pytest.mark.parametrize("command", ["times", "frac", "beta", "nu", "rho"])
def test_half_a_command_that_the_source_lacks_never_ships(command: str, endpoint: FakeOpenAI, tmp_path: Path) -> None:
    def behave(asked: Asked) -> Reply | None:
        fields = in_the_title(json.loads(good_answer(asked.body)), f"\\{command}")
        return Reply(body=completion(json.dumps(fields, ensure_ascii=False).replace("\\\\", "\\"))) if asked.attempt == 1 else None

    endpoint.behave = behave
    with translator_for(endpoint.url, tmp_path) as translator:
        rows = translate_papers(papers(3), [ZH], translator).summaries["zh"]
    assert all(row.is_translated and command[1:] not in row.tldr + row.translated_title for row in rows)
    assert endpoint.requests == 6


def test_the_model_is_remembered_by_its_name(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.behave = WAYS["nothing in any JSON mode"]
    with translator_for(endpoint.url, tmp_path) as translator:
        translate_papers(papers(8), [ZH], translator)
        assert translator.store.endpoint_memory(translator.endpoint, MODEL)["rung"] == 3

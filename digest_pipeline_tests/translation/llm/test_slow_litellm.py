"""The engine against a real OpenAI-compatible server: a LiteLLM proxy with mock answers, a rate limit, and an upstream."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.client import OpenAIChatClient
from digest_pipeline.translation.llm.rate_limit import PacingLimits
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.translator import Translator
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, Reply, error, fake_openai
from digest_pipeline_tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from digest_pipeline_tests.support.translators import papers, translator_for, utc_now

pytestmark = pytest.mark.slow
EN, ZH = load_language("en"), load_language("zh")
TLDR = '{"tldr_en": "The authors sort apples with fewer comparisons and try it on two orchards."}'
A_MINUTE = 40
"""Requests a minute that the rate-limited model takes."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


@pytest.fixture(scope="module")
def proxy(upstream: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    mock = {"model": "openai/mock", "api_key": "none", "mock_response": TLDR}  # pragma: allowlist secret
    real = {"model": "openai/fake-model", "api_key": "none"}  # pragma: allowlist secret
    models: list[dict[str, Any]] = [
        {"model_name": "mock", "litellm_params": mock},
        {"model_name": "limited", "litellm_params": {**mock, "rpm": A_MINUTE}},
        {"model_name": "forwarded", "litellm_params": {**real, "api_base": upstream.url}},
    ]
    with litellm_proxy(models, tmp_path_factory.mktemp("litellm")) as url:
        yield url


@pytest.fixture(autouse=True)
def _well_behaved(upstream: FakeOpenAI) -> None:
    upstream.behave = lambda _: None
    upstream.asked.clear()


def translator_of(url: str, folder: Path, model: str, key: str = MASTER_KEY) -> Translator:
    translator = translator_for(
        url, folder, at_once=8, model=model, pacing=PacingLimits(8, longest_backoff=8.0, longest_outage=30.0), paper_timeout_seconds=120.0
    )
    make = lambda: OpenAIChatClient(api_key=key, base_url=url, longest_timeout_seconds=60, connections=8, memory=translator.store, now=utc_now)  # noqa: E731
    return dataclasses.replace(translator, make_client=make)


def test_mock_answers_of_the_proxy_become_summaries(proxy: str, tmp_path: Path) -> None:
    with translator_of(proxy, tmp_path, "mock") as translator:
        outcome = translate_papers(papers(25), [EN], translator)
    assert all(row.is_translated and row.tldr.startswith("The authors") for row in outcome.summaries["en"])
    assert outcome.input_tokens > 0


def test_a_day_larger_than_the_limit_of_a_minute_is_waited_for(proxy: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with translator_of(proxy, tmp_path, "limited") as translator:
        outcome = translate_papers(papers(A_MINUTE + 12), [EN], translator)
    assert all(row.is_translated for row in outcome.summaries["en"])
    assert outcome.requests > outcome.asked, "the proxy did refuse some"
    assert time.monotonic() - began < 150


def test_whole_translations_pass_through_the_proxy(proxy: str, upstream: FakeOpenAI, tmp_path: Path) -> None:
    with translator_of(proxy, tmp_path, "forwarded") as translator:
        outcome = translate_papers(papers(20), [ZH], translator)
        assert all(row.is_translated for row in outcome.summaries["zh"])
        assert translate_papers(papers(20), [ZH], translator).requests == 0
    assert upstream.asked[0].format == "json_schema"


def test_what_an_upstream_refuses_is_dropped_and_its_waits_are_kept(proxy: str, upstream: FakeOpenAI, tmp_path: Path) -> None:
    waits: list[float] = []

    def behave(asked: Asked) -> Reply | None:
        if asked.format == "json_schema":
            return error(400, "response_format json_schema is not supported", param="response_format", type="invalid_request_error")
        if asked.number == 6:
            waits.append(time.monotonic())
            return error(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": "2"}, type="rate_limit_error")
        return None

    upstream.behave = behave
    with translator_of(proxy, tmp_path, "forwarded") as translator:
        outcome = translate_papers(papers(20, first=100), [ZH], translator)
    assert all(row.is_translated for row in outcome.summaries["zh"])
    assert upstream.asked[-1].format == "json_object"
    later = [moment - waits[0] for moment in upstream.times if moment > waits[0]]
    assert not [moment for moment in later if 0.5 < moment < 1.5], "all waited as the upstream asked"


def test_upstream_failures_cost_retries_and_no_paper(proxy: str, upstream: FakeOpenAI, tmp_path: Path) -> None:
    upstream.behave = lambda asked: error(500, "The server had an error") if asked.number % 4 == 0 else None
    with translator_of(proxy, tmp_path, "forwarded") as translator:
        outcome = translate_papers(papers(20, first=200), [ZH], translator)
    assert all(row.is_translated for row in outcome.summaries["zh"])


@pytest.mark.parametrize(("key", "model", "setting"), [("sk-wrong-key", "mock", "OPENAI_API_KEY"), (MASTER_KEY, "nobody", "DIGEST_MODEL")])
def test_a_wrong_key_or_model_is_named_at_once(proxy: str, tmp_path: Path, key: str, model: str, setting: str) -> None:
    began = time.monotonic()
    with translator_of(proxy, tmp_path, model, key) as translator, pytest.raises(EndpointConfigurationError, match=setting):
        translate_papers(papers(30), [EN], translator)
    assert time.monotonic() - began < 20

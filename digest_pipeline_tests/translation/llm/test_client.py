"""The seam to a model: what never shows, what is remembered, and recorded answers behind the same protocol."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.models import Paper
from digest_pipeline.settings import load_settings
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.capabilities import ModelCapabilities, ResponseFormat, family_of
from digest_pipeline.translation.llm.client import ChatRequest, endpoint_name
from digest_pipeline.translation.llm.completion import Usage, read_completion
from digest_pipeline.translation.llm.errors import Redactor, RequestRejected
from digest_pipeline.translation.llm.recorded import RECORDED_MODEL, RecordedClient, as_model_answer
from digest_pipeline.translation.prompts import build_request
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.translator import Translator
from digest_pipeline.translation.validation.validate import validate
from digest_pipeline_tests.support.answers import ANSWERS, TLDR_EN, paper
from digest_pipeline_tests.support.translators import utc_now

ZH = load_language("zh")
NATURAL_ZH = {
    **ANSWERS["zh"],
    "tldr_en": TLDR_EN,
    "translated_title": ANSWERS["zh"]["translated_title"].replace("⟦1⟧", "$k$"),
    "translated_abstract": ANSWERS["zh"]["translated_abstract"]
    .replace("⟦2⟧", "$k=4$")
    .replace("⟦3⟧", "98.3\\%")
    .replace("⟦4⟧", "\\textbf{")
    .replace("⟦5⟧", "}")
    .replace("⟦6⟧", "[7]")
    .replace("⟦7⟧", "https://example.org/lumarank"),
}


# -- secrets ------------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_key_is_taken_out_of_any_text(before: str, after: str) -> None:
    key = "sk-live-0123456789abcdef"
    assert key not in Redactor(key)(f"{before}{key}{after}")


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-ab***********xyz",
        "Authorization: Bearer abc.def",
        "http://user:pass@host/v1",  # pragma: allowlist secret
    ],
)
def test_what_looks_like_a_key_is_taken_out_though_it_is_not_ours(text: str) -> None:
    scrubbed = Redactor(None)(text)
    assert "(key)" in scrubbed
    assert not any(secret in scrubbed for secret in ("xyz", "abc.def", "pass"))


def test_an_endpoint_is_named_without_user_password_or_query() -> None:
    address = "https://user:secret@example.org:8443/openai/v1/?key=1"  # pragma: allowlist secret
    assert endpoint_name(address) == "example.org:8443/openai/v1"
    assert endpoint_name(None) == "api.openai.com/v1"


# -- completions --------------------------------------------------------------------------------------


def test_texts_in_parts_and_uncounted_usage_are_read() -> None:
    body = {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "finish_reason": None}]}
    answer = read_completion(body, "m")
    assert answer is not None
    assert (answer.text, answer.model, answer.finish_reason, answer.usage) == ("ab", "m", "", None)


def test_cached_and_reasoning_tokens_are_read_in_each_vendors_words() -> None:
    def usage(**more: object) -> Usage | None:
        answer = read_completion({"choices": [{}], "usage": {"prompt_tokens": 10, "completion_tokens": 5, **more}}, "m")
        return answer.usage if answer else None

    assert usage(prompt_tokens_details={"cached_tokens": 4}, completion_tokens_details={"reasoning_tokens": 2}) == Usage(10, 5, 4, 2)
    assert usage(prompt_cache_hit_tokens=7) == Usage(10, 5, 7, 0)
    assert usage(prompt_tokens_details=None) == Usage(10, 5, 0, 0)
    assert usage(prompt_tokens_details=[1], completion_tokens_details="none") == Usage(10, 5, 0, 0)
    assert usage(prompt_tokens_details={"cached_tokens": "4"}, completion_tokens_details={"reasoning_tokens": -1}) == Usage(10, 5, 0, 0)
    assert usage(prompt_tokens="10") is None
    assert usage(completion_tokens=True) is None


def test_a_part_without_text_adds_nothing_to_the_answer_and_a_bare_one_its_text() -> None:
    answer = read_completion({"choices": [{"message": {"content": [{"text": "a"}, {"text": None}, {"type": "image"}, "x"]}}]}, "m")
    assert answer is not None
    assert answer.text == "ax"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["message", "content", "text", "cached_tokens", "reasoning_tokens"]), inner)
    ),
    max_leaves=12,
)
COUNTED = st.fixed_dictionaries(
    {"prompt_tokens": JSON | st.just(1), "completion_tokens": JSON | st.just(1)},
    optional={"prompt_tokens_details": JSON, "completion_tokens_details": JSON, "prompt_cache_hit_tokens": JSON},
)
CHOICES = st.lists(st.fixed_dictionaries({}, optional={"message": JSON, "finish_reason": JSON}), max_size=2)


@given(st.fixed_dictionaries({}, optional={"choices": JSON | CHOICES, "usage": JSON | COUNTED, "id": JSON, "model": JSON}))
def test_no_completion_breaks_its_reading_and_what_is_read_can_be_counted(body: dict[str, object]) -> None:
    answer = read_completion(body, "m")
    if answer is not None and answer.usage is not None:
        assert min(answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cached_input_tokens, answer.usage.reasoning_tokens) >= 0


# -- capabilities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "sent", "not_sent"),
    [
        ("gpt-5-mini", {"reasoning_effort": "minimal", "max_completion_tokens": 100}, ["temperature", "max_tokens"]),
        ("gpt-5.4-mini", {"reasoning_effort": "none"}, ["temperature"]),
        ("openai/gpt-4o-mini", {"temperature": 0.2, "max_completion_tokens": 100}, ["reasoning_effort"]),
        ("qwen3:8b", {"chat_template_kwargs": {"enable_thinking": False}, "max_tokens": 100}, ["reasoning_effort"]),
        ("some-local-model", {"temperature": 0.2, "max_tokens": 100}, ["reasoning_effort"]),
    ],
)
def test_a_model_is_asked_in_the_way_of_its_family(model: str, sent: dict[str, object], not_sent: list[str]) -> None:
    parameters = ModelCapabilities.of(model, {}).parameters({"type": "object"}, "translation", 0.2, 100)
    assert parameters.items() >= sent.items()
    assert not set(not_sent) & set(parameters)


def test_what_was_learned_survives_the_store() -> None:
    learned = ModelCapabilities(family_of("gpt-5-mini"), ResponseFormat.PLAIN, True, True, 2, True, ("max_tokens",), 4.0)
    assert ModelCapabilities.of("gpt-5-mini", json.loads(json.dumps(learned.memory()))) == learned


def test_a_model_that_thinks_unasked_is_asked_not_to() -> None:
    capabilities = ModelCapabilities.of("my-deployment", {"thinks": True})
    assert capabilities.parameters({}, "n", 0.2, 10)["reasoning_effort"] == "minimal"


@pytest.mark.parametrize(
    "words", ["parameter.enable_thinking must be set to false for non-streaming calls", "只支持流式输出", "stream=False is not supported"]
)
def test_a_demand_to_stream_is_told_from_an_upstream_error(words: str) -> None:
    capabilities = ModelCapabilities.of("some-model", {"reasoning_refused": 4})
    learned = capabilities.after_refusal(words)
    assert learned is not None
    assert learned.streams
    learned = capabilities.after_refusal("Unsupported value: 'temperature'. upstream_error")
    assert learned is not None
    assert (learned.streams, learned.sends_temperature) == (False, False)


@given(st.text(max_size=80))
def test_every_refusal_leads_to_asking_for_less_or_to_an_end(words: str) -> None:
    capabilities: ModelCapabilities | None = ModelCapabilities.of("gpt-5-mini", {})
    for _ in range(12):
        if capabilities is None:
            return
        capabilities = capabilities.after_refusal(words) or capabilities.with_less()
    assert capabilities is None


# -- recorded answers ---------------------------------------------------------------------------------


def test_a_recorded_text_with_its_mathematics_passes_the_checks_like_a_models() -> None:
    prompt = build_request(paper(), ZH)
    fields = as_model_answer(prompt, NATURAL_ZH)
    assert fields == {name: {**ANSWERS["zh"], "tldr_en": TLDR_EN}[name] for name in prompt.fields}
    result = validate(prompt, json.dumps(fields))
    assert result.texts is not None
    assert result.texts.translated_title == NATURAL_ZH["translated_title"]


def test_a_paper_without_a_recording_is_refused_by_name() -> None:
    provider = RecordedClient(lambda tag: {})
    request = ChatRequest(build_request(paper(), ZH), [], "m", "2606.1v1", 0.2, 10, 1.0)
    with pytest.raises(RequestRejected, match=r"2606\.1v1 in zh"):
        asyncio.run(provider.complete(request))


def test_the_bundled_sample_is_answered_without_key_or_network(tmp_path: Path) -> None:
    from digest_pipeline import sample

    day = [_recorded_paper(versioned) for versioned in list(sample.recorded_answers("zh"))[:2]]
    settings = load_settings({"DIGEST_DATA_DIR": str(tmp_path)}, root=tmp_path)
    with Translator.from_settings(settings, now=utc_now, rng=random.Random(1)) as translator:
        assert translator.model == RECORDED_MODEL
        outcome = translate_papers(day, [ZH], translator)
    assert len(outcome.summaries["zh"]) == len(day)
    assert outcome.cost_usd == 0.0
    assert (tmp_path / "sample" / "answers" / "answers.sqlite").is_file(), "never among live answers"


def _recorded_paper(versioned: str) -> Paper:
    arxiv_id, _, version = versioned.rpartition("v")
    return paper(arxiv_id=arxiv_id, version=int(version), abstract=f"{paper().abstract} This is {versioned}.")

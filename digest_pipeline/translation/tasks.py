"""One question to the model, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from digest_pipeline.models import Paper, Summary, SummaryStatus
from digest_pipeline.translation.cache.records import CachedAnswer, answer_key
from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.llm.completion import LENGTH, ChatAnswer, Usage
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation.answer import Answer
from digest_pipeline.translation.validation.validate import ValidationResult, validate

T = TypeVar("T")

TEMPERATURE = 0.2
"""Asked for where the model takes one. Part of an answer's key, as `sampling`."""
SAMPLING = f"temperature={TEMPERATURE}"
_LEAST_OUTPUT_TOKENS = 600
_OUTPUT_TOKENS_PER_CHARACTER = 1.0  # two to three times what a translation takes: a runaway answer is cut before it costs much
_CODES_OF_A_TORN_ANSWER = frozenset([FlagCode.ANSWER_BLANK, FlagCode.ANSWER_UNREADABLE, FlagCode.FIELD_MISSING])


@dataclass(slots=True)
class TranslationTask:
    """One question and the rows that wait for its answer."""

    paper: Paper
    prompt: PromptRequest
    keys: tuple[str, ...]
    """The answer's key for each of the translator's models."""
    places: list[tuple[Paper, int]]
    """The papers and their positions in the language's list; more than one where a run holds the same text twice."""
    seconds: float = 0.0
    """Time its own requests have taken, without shared pauses and outages."""
    troubles: int = 0
    answers_seen: int = 0
    rejected: list[CachedAnswer] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.keys[0]

    @property
    def about(self) -> str:
        return f"{self.paper.arxiv_id}v{self.paper.version}"


@dataclass(frozen=True, slots=True)
class TranslationResult:
    """What becomes of a task; `summary` makes one paper's row of it."""

    status: SummaryStatus
    flags: tuple[QualityFlag, ...]
    model: str
    prompt_sha256: str
    texts: Answer = field(default_factory=Answer)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    from_cache: bool = False

    def summary(self, paper: Paper, language: str) -> Summary:
        return Summary(
            arxiv_id=paper.arxiv_id,
            version=paper.version,
            language=language,
            status=self.status,
            flags=tuple(map(str, self.flags)),
            model=self.model,
            prompt_sha256=self.prompt_sha256,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd,
            from_cache=self.from_cache,
            **{name: getattr(self.texts, name) for name in Answer.__dataclass_fields__},
        )


def keys_of(prompt: PromptRequest, models: Sequence[str]) -> tuple[str, ...]:
    return tuple(answer_key(prompt, model, SAMPLING) for model in models)


def result_of(result: ValidationResult, answer: CachedAnswer, *, from_cache: bool) -> TranslationResult:
    """Of an accepted answer; tokens and cost include the rejected attempts before it, whenever they were paid."""
    return TranslationResult(
        status=SummaryStatus.TRANSLATED,
        flags=result.flags,
        model=answer.model,
        prompt_sha256=answer.prompt_sha256,
        texts=result.texts or Answer(),
        input_tokens=answer.input_tokens + answer.earlier_input_tokens,
        output_tokens=answer.output_tokens + answer.earlier_output_tokens,
        cost_usd=sum_or_unknown([answer.cost_usd, answer.earlier_cost_usd]),
        from_cache=from_cache,
    )


def paid_answer(answer: ChatAnswer, usage: Usage, **known: Any) -> CachedAnswer:
    """What is kept of an answer; `known` are the fields that it does not tell itself, `usage` its own count or an estimate."""
    return CachedAnswer(
        raw=answer.text,
        model=answer.model,
        response_id=answer.response_id,
        finish_reason=answer.finish_reason,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        tokens_estimated=answer.usage is None,
        **known,
    )


def most_output_tokens(prompt: PromptRequest) -> int:
    """The limit sent with a request: two to three times what a good answer takes."""
    characters = len(prompt.source_title) + len(prompt.source_abstract)
    return _LEAST_OUTPUT_TOKENS + int(_OUTPUT_TOKENS_PER_CHARACTER * characters * (1.5 if prompt.structured else 1.0))


def sum_or_unknown(costs: Sequence[float | None]) -> float | None:
    """None where any is unknown."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def validate_answer(prompt: PromptRequest, answer: ChatAnswer) -> ValidationResult:
    """An answer that says it was cut is whole where it reads as whole and took fewer tokens than it might: some servers always say so."""
    if answer.is_at_its_limit and answer.text.strip():
        return _cut_result(answer)
    result = validate(prompt, answer.text)
    is_torn = not result.is_accepted and result.rejections[0].code in _CODES_OF_A_TORN_ANSWER
    return _cut_result(answer) if answer.finish_reason == LENGTH and is_torn and (answer.text.strip() or answer.has_thoughts) else result


def _cut_result(answer: ChatAnswer) -> ValidationResult:
    tokens = answer.usage.output_tokens if answer.usage else 0
    return ValidationResult(None, (QualityFlag(FlagCode.ANSWER_CUT, f"stopped at the length limit after {tokens} tokens"),), ())


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """In order, `size` at a time; the last chunk may be shorter."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk

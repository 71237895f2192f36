"""One paper's attempts: asked, validated, asked again with the reason, given up.

What lives here: the order of attempts for one paper, its time, its money, and what becomes of each answer. What does not:
which papers there are and how many at once (`run.py`), the pace (`llm/rate_limit.py`), the checks (`validation/`).

    the model        asked, and after a rejection again with the reasons: twice for the same reason, four times in all
    cut at `length`  asked again with twice the tokens, twice, without counting as a rejection
    another way      an answer after which the way of asking has changed does not count as a rejection either
    the fallback     where one is set: asked once
    quarantine       the paper ships in the original, with the last reasons in its row

Where nothing is ever translated, the papers are not to blame: the run ends, and says how the endpoint answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digest_pipeline.errors import AnswerStoreError, EndpointConfigurationError, EndpointUnavailable
from digest_pipeline.models import SummaryStatus
from digest_pipeline.translation.budget import Reservations, Stopping, highest_cost
from digest_pipeline.translation.cache.records import CachedAnswer
from digest_pipeline.translation.cache.threads import StoreThreads
from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer, Usage
from digest_pipeline.translation.llm.errors import RequestRejected, TryAgain
from digest_pipeline.translation.llm.session import Session
from digest_pipeline.translation.llm.time_limit import RequestTimeLimit
from digest_pipeline.translation.prompts import Message, build_retry
from digest_pipeline.translation.tasks import (
    TEMPERATURE,
    TranslationResult,
    TranslationTask,
    most_output_tokens,
    paid_answer,
    result_of,
    sum_or_unknown,
    validate_answer,
)
from digest_pipeline.translation.translator import Translator
from digest_pipeline.translation.validation.validate import ValidationResult

log = logging.getLogger(__name__)

MOST_REJECTIONS = 3
"""Answers rejected for the same reason: the first, and two more after being told of it. The fallback gives one answer."""
MOST_ANSWERS = 5
"""Rejected answers in all, where each fails in another way."""
MOST_CUTS = 2
MOST_TROUBLES = 8
"""Failed requests for one paper while others were answered."""
MOST_GIVEN_UP = 10
"""Papers given up while none was translated: then the endpoint is at fault."""
FEWEST_TO_BLAME_THE_ENDPOINT = 3
"""Of a day with fewer papers, all given up, the papers may be at fault, where the endpoint has answered well before."""
_FAULTS_OF_ANSWERING = frozenset([FlagCode.ANSWER_BLANK, FlagCode.ANSWER_UNREADABLE, FlagCode.ANSWER_CUT, FlagCode.FIELD_MISSING])


class _GivenUp(Exception):
    """No usable answer in the time or number of requests one paper may take."""


@dataclass(slots=True)
class UsageTotals:
    """What this run has paid for, rejected answers included."""

    requests: int = 0
    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_answers: int = 0

    def add(self, answer: CachedAnswer) -> None:
        self.answers += 1
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.cost_usd += answer.cost_usd or 0.0
        self.unpriced_answers += answer.cost_usd is None

    @property
    def known_cost_usd(self) -> float | None:
        """None where an answer's price is unknown."""
        return None if self.unpriced_answers else self.cost_usd


class PaperAttempts:
    """Asks for one task at a time per caller; any number of callers within one event loop."""

    def __init__(self, translator: Translator, session: Session, threads: StoreThreads) -> None:
        self.translator = translator
        self.rate_limiter = session.rate_limiter
        self.rate_limiter.begin_day()
        self.totals = UsageTotals()
        self.under_way: set[asyncio.Task[Any]] = set()
        """Tasks with a request on its way or an answer not kept yet; they are paid, and so the last to be cancelled."""
        self.first_sent = asyncio.Event()
        self.first_returned = asyncio.Event()
        self.is_stopping = False
        self.few_are_left: Callable[[], bool] = lambda: False
        self.kept_answers: Callable[[], int] = lambda: 0
        self.given_up: list[tuple[QualityFlag, ...]] = []
        """The reasons for each paper that has no translation."""
        self._faults: Counter[str] = Counter()
        """Rejected answers of the run, by what was wrong and how they were asked for."""
        self._last_rejected = ""
        self._provider = session.provider
        self._threads = threads
        self._time_limit = RequestTimeLimit(translator.least_timeout_seconds, translator.request_timeout_seconds)
        self._reservations = Reservations(translator.budget, threads, translator.now, lambda: self.is_stopping)
        self._refused_papers = 0

    async def ask(self, task: TranslationTask) -> TranslationResult:
        """Raises EndpointConfigurationError, EndpointUnavailable, AnswerStoreError, BudgetReached or Stopping."""
        reasons: tuple[QualityFlag, ...] = ()
        for model, key in zip(self.translator.models, task.keys, strict=True):
            is_main = model == self.translator.model
            try:
                outcome = await self._ask_model(task, model, key, MOST_REJECTIONS if is_main else 1, MOST_ANSWERS if is_main else 1)
            except (RequestRejected, _GivenUp) as error:
                outcome = (QualityFlag(FlagCode.NO_ANSWER, str(error)),)
            if isinstance(outcome, TranslationResult):
                self.translator.has_translated = True
                return outcome
            reasons = outcome
        log.warning("%s in %s ships in the original: %s", task.about, task.prompt.language.tag, "; ".join(map(str, reasons)))
        self.given_up.append(reasons)
        if len(self.given_up) >= MOST_GIVEN_UP:
            self.raise_if_the_endpoint_is_at_fault()
        return quarantined(task, reasons, self.translator.models[-1], task.rejected)

    def raise_if_the_endpoint_is_at_fault(self) -> None:
        """Raises EndpointConfigurationError where papers were given up and none was ever translated, here or in the session's other days."""
        if not self.given_up or self.translator.has_translated or self.kept_answers() >= len(self.given_up):
            return
        is_fault_of_answering = all(flag.code in _FAULTS_OF_ANSWERING for reasons in self.given_up for flag in reasons)
        if len(self.given_up) < FEWEST_TO_BLAME_THE_ENDPOINT:
            memory = self.translator.store.endpoint_memory(self.translator.endpoint, self.translator.model)
            if not is_fault_of_answering or memory.get("schema_proven"):  # it has answered well before
                return
        self.is_stopping = True
        seen = ", ".join(f"{count} × {fault}" for fault, count in self._faults.most_common(3)) or str(self.given_up[-1][0])
        start = f"; the last began {self._last_rejected!r}" if self._last_rejected else ""
        raise EndpointConfigurationError(
            f"none of {len(self.given_up)} papers could be translated by {self.translator.model}: of the answers were {seen}{start}",
            hint="see “Ways of answering” in docs/translation.md, then another model or endpoint (DIGEST_MODEL, OPENAI_BASE_URL)",
        )

    async def _ask_model(
        self, task: TranslationTask, model: str, key: str, most_alike: int, most: int
    ) -> TranslationResult | tuple[QualityFlag, ...]:
        """The result, or the reasons of the last rejection."""
        messages: Sequence[Message] = task.prompt.messages
        most_tokens, cuts, rejections = most_output_tokens(task.prompt), 0, 0
        by_reason: Counter[FlagCode] = Counter()
        while True:
            request = ChatRequest(task.prompt, messages, model, task.about, TEMPERATURE, most_tokens, self.translator.request_timeout_seconds)
            result, answer, stored = await self._exchange(task, key, request)
            if result.texts is not None:
                return result_of(result, stored, from_cache=False)
            self._note_fault(result, answer)
            if answer.taught:
                continue  # at most once for each format that there is
            if result.rejections[0].code is FlagCode.ANSWER_CUT and cuts < MOST_CUTS:
                has_more_already = most_tokens * self._provider.output_factor(model) > (answer.limit_tokens or 0)  # for a model that thinks
                cuts, most_tokens = cuts + 1, most_tokens if has_more_already and answer.limit_tokens else 2 * most_tokens
                continue
            rejections += 1
            by_reason.update({flag.code for flag in result.rejections})
            if rejections >= most or max(by_reason.values()) >= most_alike:
                return result.flags
            messages = build_retry(task.prompt, stored.raw, result.rejections)
            await asyncio.sleep(self.rate_limiter.backoff(rejections))  # servers have bad moments: other papers go first, then this one again

    def _note_fault(self, result: ValidationResult, answer: ChatAnswer) -> None:
        flag = result.rejections[0]
        asked = f", asked for as {answer.response_format.name.lower()}" if answer.response_format is not None else ""
        self._faults[f"{flag.code} ({flag.code.checks}{asked})"] += 1
        self._last_rejected = " ".join(answer.text.split())[:80]

    # -- one request, with its retries ----------------------------------------------------------------

    async def _exchange(self, task: TranslationTask, key: str, request: ChatRequest) -> tuple[ValidationResult, ChatAnswer, CachedAnswer]:
        """An answer, validated and kept. Its place is free only then, so that a kill costs no more than what has a place."""
        while True:
            if task.seconds >= self.translator.paper_timeout_seconds:
                raise _GivenUp(f"no usable answer within {self.translator.paper_timeout_seconds:g} s")
            await self._reserve_money(task.key, request)
            try:
                async with self.rate_limiter.turn() as started, self._counted_as_under_way():
                    answer, asked_at = await self._send(task, request, started)
                    result, stored = await self._validate_and_keep(task, key, request, answer, asked_at)
                    return result, answer, stored
            except TryAgain as trouble:
                await self._reservations.settle(task.key)
                wait = self._after_trouble(task, trouble)
            except BaseException:
                await self._reservations.settle(task.key)
                raise
            await asyncio.sleep(wait)

    @contextlib.asynccontextmanager
    async def _counted_as_under_way(self) -> AsyncIterator[None]:
        if self.is_stopping:
            raise Stopping
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        try:
            yield
        finally:
            self.under_way.discard(task)

    async def _send(self, task: TranslationTask, request: ChatRequest, started: float) -> tuple[ChatAnswer, datetime]:
        asked_at = self.translator.now()
        self.totals.requests += 1
        self.first_sent.set()
        try:
            answer = await self._time_limit.hold(self._provider.complete(request), started)
        except Exception as error:
            self._report_to_rate_limiter(task, error, started)
            raise
        finally:
            self.first_returned.set()
        task.seconds += asyncio.get_running_loop().time() - started
        self._refused_papers = 0
        self.translator.has_been_answered = True
        self.rate_limiter.answered()
        return answer, asked_at

    async def _validate_and_keep(
        self, task: TranslationTask, key: str, request: ChatRequest, answer: ChatAnswer, asked_at: datetime
    ) -> tuple[ValidationResult, CachedAnswer]:
        stored = self._stored(task, key, request, answer, asked_at)
        try:
            result = validate_answer(task.prompt, answer)
        except BaseException:  # a signal's exception comes anywhere; the answer is paid, and checked again when it is read
            await self._threads.keep(stored)
            raise
        try:
            await self._threads.keep(stored, None if result.is_accepted else tuple(map(str, result.flags)))
        except AnswerStoreError:
            log.error("The answer for %s, paid and held in memory until now, is lost: the answer store cannot be written.", task.about)
            raise
        if not result.is_accepted:
            task.rejected.append(stored)
        self.totals.add(stored)
        await self._reservations.settle(task.key, stored.cost_usd)
        return result, stored

    def _report_to_rate_limiter(self, task: TranslationTask, error: Exception, started: float) -> None:
        """Within the turn, so that a cut or a pause counts before the next request starts."""
        if isinstance(error, EndpointConfigurationError):
            self.is_stopping = True  # at once: the place that becomes free now must not be taken for another refusal
        if isinstance(error, RequestRejected):  # one paper's affair, until nothing but refusals comes
            self._refused_papers += 1
            if self._refused_papers >= max(8, self.translator.pacing.most_at_once) and not self.rate_limiter.answers:
                raise EndpointConfigurationError(f"every paper is refused, the last so: {error.message}", hint="see DIGEST_MODEL and OPENAI_BASE_URL")
        if not isinstance(error, TryAgain):
            return
        if error.is_rate_limit:
            self.rate_limiter.rate_limited(started, error.wait_seconds)
            return
        if self.rate_limiter.answers != task.answers_seen:  # others were answered meanwhile: it is this paper's own trouble
            task.troubles += 1
            task.seconds += asyncio.get_running_loop().time() - started
            task.answers_seen = self.rate_limiter.answers
        try:
            self.rate_limiter.failed(str(error), error.wait_seconds)
        except EndpointUnavailable:
            if not self.few_are_left():
                raise
            raise _GivenUp(f"the endpoint fails for this paper: {error}") from None

    def _after_trouble(self, task: TranslationTask, trouble: TryAgain) -> float:
        """Seconds to wait for this task alone; the pause of all is the rate limiter's."""
        if trouble.is_rate_limit:
            return 0.0
        if task.troubles >= MOST_TROUBLES:
            raise _GivenUp(f"{task.troubles} requests failed, the last with: {trouble.message}")
        return self.rate_limiter.backoff(task.troubles)

    # -- money, and what is kept ----------------------------------------------------------------------

    async def _reserve_money(self, key: str, request: ChatRequest) -> None:
        price = self.translator.prices.price(request.model)
        if self.translator.budget.is_set and price is not None:
            most_tokens = int(request.most_output_tokens * self._provider.output_factor(request.model))
            await self._reservations.reserve(key, highest_cost(request.messages, most_tokens, price))

    def _stored(self, task: TranslationTask, key: str, request: ChatRequest, answer: ChatAnswer, asked_at: datetime) -> CachedAnswer:
        usage = answer.usage or estimated_usage(request.messages, answer.text)
        cost = self.translator.prices.cost(request.model, usage)
        if cost is None:
            cost = self.translator.prices.cost(answer.model, usage)
        return paid_answer(
            answer,
            usage,
            key=key,
            about=task.about,
            language=task.prompt.language.tag,
            prompt_sha256=task.prompt.prompt_sha256,
            schema_version=task.prompt.key_fields["schema"],
            cost_usd=cost,
            asked_at_utc=asked_at,
            answered_at_utc=self.translator.now(),
            earlier_input_tokens=sum(earlier.input_tokens for earlier in task.rejected),
            earlier_output_tokens=sum(earlier.output_tokens for earlier in task.rejected),
            earlier_cost_usd=sum_or_unknown([earlier.cost_usd for earlier in task.rejected]),
        )


def quarantined(
    task: TranslationTask, reasons: tuple[QualityFlag, ...], model: str, rejected: Sequence[CachedAnswer], *, from_cache: bool = False
) -> TranslationResult:
    """The paper ships in the original; tokens and cost are those of its rejected answers."""
    return TranslationResult(
        status=SummaryStatus.QUARANTINED,
        flags=reasons,
        model=model,
        prompt_sha256=task.prompt.prompt_sha256,
        input_tokens=sum(answer.input_tokens for answer in rejected),
        output_tokens=sum(answer.output_tokens for answer in rejected),
        cost_usd=sum_or_unknown([answer.cost_usd for answer in rejected]),
        from_cache=from_cache,
    )


def estimated_usage(messages: Sequence[Message], text: str) -> Usage:
    """For endpoints that do not count: four bytes a token in, three out."""
    return Usage(sum(len(message["content"].encode()) for message in messages) // 4, len(text.encode()) // 3)

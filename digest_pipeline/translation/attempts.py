"""One paper's conversation with the model: asked, judged, asked again with the reason, given up.

What lives here: the order of attempts for one paper, its time, its money, and what becomes of each answer. What does not:
which papers there are and how many at once (`engine.py`), the pace (`pacing.py`), the judgement (`checks.py`).

    the model        asked, and after a rejection again with the reasons: twice for the same reason, four times in all
    cut at `length`  asked again with twice the room, twice, without counting as a rejection
    the fallback     where one is set: asked once
    quarantine       the paper ships in the original, with the last reasons in its row
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from digest_pipeline.errors import EndpointConfigurationError, EndpointUnavailable
from digest_pipeline.models import SummaryStatus
from digest_pipeline.translation.budget import highest_cost
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer, month_of
from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer, Usage
from digest_pipeline.translation.llm.errors import RequestRejected, TryAgain
from digest_pipeline.translation.llm.session import Session
from digest_pipeline.translation.prompts import Message, build_retry
from digest_pipeline.translation.tasks import (
    TEMPERATURE,
    TranslationResult,
    TranslationTask,
    most_output_tokens,
    result_of,
    sum_or_unknown,
    validate_answer,
)
from digest_pipeline.translation.translator import Translator
from digest_pipeline.translation.validation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.validation.validate import ValidationResult

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_REJECTIONS = 3

"""Answers rejected for the same reason: the first, and two more after being told of it. The fallback gives one answer."""

MOST_ANSWERS = 5

"""Rejected answers in all, where each fails in another way."""

MOST_CUTS = 2

MOST_TROUBLES = 8

"""Failed requests for one paper while others were answered."""

_SLOWEST_TIMES = 8.0

_WAIT_FOR_OTHERS_SECONDS = 60.0

_LOOK_AGAIN_SECONDS = 0.5


class BudgetReached(Exception):
    """The next request could pass a limit; says which one and what it stands at."""


class Stopping(Exception):
    """The run is ending: no new request may start."""


class _GivenUp(Exception):
    """No usable answer in the time or number of requests one paper may take."""


class StoreThreads:
    """The store's calls off the event loop. A call that has begun is always finished, even when its caller is cancelled."""

    def __init__(self, store: ResponseCache) -> None:
        self.store = store
        self._pool = ThreadPoolExecutor(store.threads, thread_name_prefix="answer-store")

    async def call(self, method: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._pool, method, *arguments))

    def shut_down(self) -> None:
        self._pool.shutdown(wait=True)


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


class PaperAttempts:
    """Asks for one task at a time per caller; any number of callers within one event loop."""

    def __init__(self, translator: Translator, session: Session, threads: StoreThreads) -> None:
        self.translator = translator
        self.rate_limiter = session.rate_limiter
        self.rate_limiter.begin_day()
        self.tally = UsageTotals()
        self.under_way: set[asyncio.Task[Any]] = set()
        """Tasks with a request on its way or an answer not kept yet; they are paid, and so the last to be cancelled."""
        self.first_sent = asyncio.Event()
        self.first_returned = asyncio.Event()
        self.is_stopping = False
        self.few_are_left: Callable[[], bool] = lambda: False
        self._provider = session.provider
        self._threads = threads
        self._slowest_seconds = 0.0
        self._limits: dict[asyncio.Timeout, float] = {}
        """Of the requests under way, with the times they began."""
        self._settled = asyncio.Condition()
        self._budget_lock = asyncio.Lock()
        self._budget_reached = ""
        self._refused_papers = 0

    async def ask(self, task: TranslationTask) -> TranslationResult:
        """Raises EndpointConfigurationError, EndpointUnavailable, AnswerStoreError, BudgetReached or Stopping."""
        reasons: tuple[str, ...] = ()
        for model, key in zip(self.translator.models, task.keys, strict=True):
            is_main = model == self.translator.model
            try:
                outcome = await self._ask_model(task, model, key, MOST_REJECTIONS if is_main else 1, MOST_ANSWERS if is_main else 1)
            except (RequestRejected, _GivenUp) as error:
                outcome = (str(QualityFlag(FlagCode.NO_ANSWER, str(error))),)
            if isinstance(outcome, TranslationResult):
                return outcome
            reasons = outcome
        log.warning("%s in %s ships in the original: %s", task.about, task.prompt.language.tag, "; ".join(reasons))
        return self._of_rejected(task, reasons)

    async def _ask_model(self, task: TranslationTask, model: str, key: str, most_alike: int, most: int) -> TranslationResult | tuple[str, ...]:
        """The result, or the reasons of the last rejection."""
        messages: Sequence[Message] = task.prompt.messages
        most_tokens, cuts, rejections = most_output_tokens(task.prompt), 0, 0
        by_reason: Counter[FlagCode] = Counter()
        while True:
            request = self._chat_request(task, model, messages, most_tokens)
            result, stored = await self._exchange(task, key, request)
            if result.texts is not None:
                return result_of(result, stored, from_cache=False)
            if stored.finish_reason == "length" and cuts < MOST_CUTS:
                cuts, most_tokens = cuts + 1, 2 * most_tokens
                continue
            rejections += 1
            by_reason.update({flag.code for flag in result.rejections})
            if rejections >= most or max(by_reason.values()) >= most_alike:
                return result.flags
            messages = build_retry(task.prompt, stored.raw, result.rejections)
            await asyncio.sleep(self.rate_limiter.backoff(rejections))  # servers have bad moments: other papers go first, then this one again

    def _chat_request(self, task: TranslationTask, model: str, messages: Sequence[Message], most_tokens: int) -> ChatRequest:
        return ChatRequest(task.prompt, messages, model, task.about, TEMPERATURE, most_tokens, self.translator.request_timeout_seconds)

    # -- one request, with its retries ----------------------------------------------------------------

    async def _exchange(self, task: TranslationTask, key: str, request: ChatRequest) -> tuple[ValidationResult, CachedAnswer]:
        """An answer, judged and kept. Its place is free only then, so that a kill costs no more than what has a place."""
        while True:
            if task.seconds >= self.translator.paper_timeout_seconds:
                raise _GivenUp(f"no usable answer within {self.translator.paper_timeout_seconds:g} s")
            await self._reserve_money(task.key, request)
            try:
                async with self.rate_limiter.turn() as started, self._counted_as_under_way():
                    answer, asked_at = await self._send(task, request, started)
                    return await self._judge_and_keep(task, key, request, answer, asked_at)
            except TryAgain as trouble:
                await self._settle(task.key)
                wait = self._after_trouble(task, trouble)
            except BaseException:
                await self._settle(task.key)
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
        self.tally.requests += 1
        self.first_sent.set()
        try:
            answer = await self._complete_in_time(request, started)
        except Exception as error:
            self._report_to_rate_limiter(task, error, started)
            raise
        finally:
            self.first_returned.set()
        took = asyncio.get_running_loop().time() - started
        task.seconds += took
        self._now_known(took)
        self._refused_papers = 0
        self.translator.has_been_answered = True
        self.rate_limiter.answered()
        return answer, asked_at

    async def _complete_in_time(self, request: ChatRequest, started: float) -> ChatAnswer:
        """Gives a request up that takes far longer than any so far, even where the speed becomes known only while it runs."""
        limit = asyncio.timeout_at(started + self._longest_seconds)
        try:
            async with limit:
                self._limits[limit] = started
                return await self._provider.complete(request)
        except TimeoutError:
            raise TryAgain(f"no whole answer within {asyncio.get_running_loop().time() - started:.0f} s") from None
        finally:
            self._limits.pop(limit, None)

    @property
    def _longest_seconds(self) -> float:
        if not self._slowest_seconds:
            return self.translator.request_timeout_seconds
        return min(self.translator.request_timeout_seconds, max(self.translator.least_timeout_seconds, _SLOWEST_TIMES * self._slowest_seconds))

    def _now_known(self, seconds: float) -> None:
        is_first = not self._slowest_seconds
        self._slowest_seconds = max(self._slowest_seconds, seconds)
        if is_first:
            for limit, started in self._limits.items():
                if not limit.expired():
                    limit.reschedule(started + self._longest_seconds)

    async def _judge_and_keep(
        self, task: TranslationTask, key: str, request: ChatRequest, answer: ChatAnswer, asked_at: datetime
    ) -> tuple[ValidationResult, CachedAnswer]:
        result = validate_answer(task.prompt, answer)
        stored = self._stored(task, key, request, answer, asked_at)
        if result.is_accepted:
            await self._threads.call(self.translator.store.put, stored)
        else:
            await self._threads.call(self.translator.store.put_rejected, stored, result.flags)
            task.rejected.append(stored)
        self.tally.add(stored)
        await self._settle(task.key, stored.cost_usd)
        return result, stored

    def _report_to_rate_limiter(self, task: TranslationTask, error: Exception, started: float) -> None:
        """Within the turn, so that a cut or a pause counts before the next request starts."""
        if isinstance(error, EndpointConfigurationError):
            self.is_stopping = True  # at once: the place that becomes free now must not be taken for another refusal
        if isinstance(error, RequestRejected):
            self._count_refusal(error)
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

    def _count_refusal(self, error: RequestRejected) -> None:
        """A refusal is one paper's affair, until nothing but refusals comes."""
        self._refused_papers += 1
        if self._refused_papers >= max(8, self.translator.pacing.most_at_once) and not self.rate_limiter.answers:
            raise EndpointConfigurationError(f"every paper is refused, the last so: {error.message}", hint="see DIGEST_MODEL and OPENAI_BASE_URL")

    def _after_trouble(self, task: TranslationTask, trouble: TryAgain) -> float:
        """Seconds to wait for this task alone; the pause of all is the rate_limiter's."""
        if trouble.is_rate_limit:
            return 0.0
        if task.troubles >= MOST_TROUBLES:
            raise _GivenUp(f"{task.troubles} requests failed, the last with: {trouble.message}")
        return self.rate_limiter.backoff(task.troubles)

    # -- money ----------------------------------------------------------------------------------------

    async def _reserve_money(self, key: str, request: ChatRequest) -> None:
        """Sets the most that the request can cost aside; waits for running requests to turn out cheaper. Raises BudgetReached."""
        budget, price = self.translator.budget, self.translator.prices.price(request.model)
        if not budget.is_set or price is None:
            return
        usd = highest_cost(request.messages, int(request.most_output_tokens * self._provider.room(request.model)), price)
        patience = _WAIT_FOR_OTHERS_SECONDS
        while True:
            async with self._budget_lock:
                if self.is_stopping:
                    raise Stopping
                if self._budget_reached:
                    raise BudgetReached(self._budget_reached)
                if await self._set_aside(key, usd):
                    return
                if not budget.set_aside:
                    await self._see_if_it_is_reached(usd, patience)
            patience -= _LOOK_AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS), self._settled:
                    await self._settled.wait()

    async def _set_aside(self, key: str, usd: float) -> bool:
        budget = self.translator.budget
        if not budget.fits_the_run(key, usd):
            return False
        if budget.per_month_usd is not None:
            month = month_of(self.translator.now())
            if not await self._threads.call(self.translator.store.reserve, key, usd, month, budget.per_month_usd):
                return False
        budget.set_aside[key] = usd
        return True

    async def _see_if_it_is_reached(self, usd: float, patience: float) -> None:
        """Nothing of ours is running. Raises BudgetReached, unless another run's reservations may still be freed."""
        budget, next_one = self.translator.budget, f"the next request may cost ${usd:.4f}"
        if not budget.fits_the_run("", usd):
            self._budget_reached = f"DIGEST_BUDGET_PER_RUN_USD={budget.per_run_usd:g}, spent ${budget.spent_usd:.4f}, {next_one}"
            raise BudgetReached(self._budget_reached)
        month, limit = month_of(self.translator.now()), budget.per_month_usd or 0.0
        spent = (await self._threads.call(self.translator.store.spending, month)).usd
        if spent + usd > limit or patience <= 0:
            rest = "" if spent + usd > limit else ", and the rest is set aside by open batches or other runs"
            self._budget_reached = f"DIGEST_BUDGET_PER_MONTH_USD={limit:g}, spent ${spent:.4f} in {month}, {next_one}{rest}"
            raise BudgetReached(self._budget_reached)

    async def _settle(self, key: str, cost_usd: float | None = None) -> None:
        if not self.translator.budget.is_set:
            return
        self.translator.budget.set_aside.pop(key, None)
        self.translator.budget.spent_usd += cost_usd or 0.0
        async with self._settled:
            self._settled.notify_all()

    # -- keeping --------------------------------------------------------------------------------------

    def _stored(self, task: TranslationTask, key: str, request: ChatRequest, answer: ChatAnswer, asked_at: datetime) -> CachedAnswer:
        usage = answer.usage or estimated_usage(request.messages, answer.text)
        cost = self.translator.prices.cost(request.model, usage)
        if cost is None:
            cost = self.translator.prices.cost(answer.model, usage)
        return CachedAnswer(
            key=key,
            raw=answer.text,
            about=task.about,
            language=task.prompt.language.tag,
            model=answer.model,
            prompt_sha256=task.prompt.prompt_sha256,
            schema_version=task.prompt.key_fields["schema"],
            response_id=answer.response_id,
            finish_reason=answer.finish_reason,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            output_tokens=usage.output_tokens,
            tokens_estimated=answer.usage is None,
            cost_usd=cost,
            asked_at_utc=asked_at,
            answered_at_utc=self.translator.now(),
            earlier_input_tokens=sum(earlier.input_tokens for earlier in task.rejected),
            earlier_output_tokens=sum(earlier.output_tokens for earlier in task.rejected),
            earlier_cost_usd=sum_or_unknown([earlier.cost_usd for earlier in task.rejected]),
        )

    def _of_rejected(self, task: TranslationTask, reasons: tuple[str, ...]) -> TranslationResult:
        return TranslationResult(
            status=SummaryStatus.QUARANTINED,
            flags=reasons,
            model=self.translator.models[-1],
            prompt_sha256=task.prompt.prompt_sha256,
            input_tokens=sum(answer.input_tokens for answer in task.rejected),
            output_tokens=sum(answer.output_tokens for answer in task.rejected),
            cost_usd=sum_or_unknown([answer.cost_usd for answer in task.rejected]),
        )


def estimated_usage(messages: Sequence[Message], text: str) -> Usage:
    """For endpoints that do not count: four bytes a token in, three out."""
    return Usage(sum(len(message["content"].encode()) for message in messages) // 4, len(text.encode()) // 3)

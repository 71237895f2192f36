"""Papers → summaries: what is paid already is reused, the rest is asked for, at once and in any order.

What lives here: the run: looking up, claiming, a bounded pool of workers, waiting for other runs, progress, and the end,
good or bad. What does not: one paper's conversation (`attempts.py`), the wiring (`translator.py`), batches (`batch/`).

One event loop and one client for all days of a run (`session.py`), one pool for each. A claimed paper belongs to this run until its answer is kept; another run that
wants it waits and then finds the answer. Whatever ends a run early, every acknowledged answer is in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from digest_pipeline.errors import AnswerStoreError, EndpointConfigurationError
from digest_pipeline.models import Paper, Summary, SummaryStatus
from digest_pipeline.translation.attempts import PaperAttempts, UsageTotals, quarantined
from digest_pipeline.translation.budget import BudgetReached, Stopping, require_price
from digest_pipeline.translation.cache.lease_owner import HEARTBEAT_SECONDS
from digest_pipeline.translation.cache.records import CachedAnswer, Lease, Quarantine
from digest_pipeline.translation.cache.threads import StoreThreads
from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.session import Session
from digest_pipeline.translation.outcome import Progress, TranslationOutcome
from digest_pipeline.translation.prompts import build_request
from digest_pipeline.translation.tasks import TranslationResult, TranslationTask, chunked, keys_of, result_of
from digest_pipeline.translation.translator import Translator
from digest_pipeline.translation.validation.validate import validate

log = logging.getLogger(__name__)

_LOOK_UP = 50  # papers whose answers are looked up together, between two turns of the event loop
_LOOK_AGAIN_SECONDS = 1.0  # for answers that another run is asking for
_FEW = 2
_MANY = 20


def translate_papers(
    papers: Sequence[Paper],
    languages: Sequence[Language],
    translator: Translator,
    *,
    ranks: Mapping[str, int] = MappingProxyType({}),
    chosen: Collection[str] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> TranslationOutcome:
    """One summary for each paper and language. `progress` is called every few seconds, in a thread, and once at the end.

    Of papers whose id is not in `chosen` (None: all are), what is paid already is used, and nothing is asked.

    Raises SettingsError (a budget without a price), EndpointConfigurationError, EndpointUnavailable or AnswerStoreError; what was
    answered until then is kept, and the next run asks for the rest only.
    """
    with translator.session() as session:
        run = _Run(papers, languages, translator, session, ranks, chosen, progress)
        outcome = session.run(run.go())
    progress(run.so_far())
    return outcome


@dataclass
class _Run:
    _papers: Sequence[Paper]
    _languages: Sequence[Language]
    _translator: Translator
    _session: Session
    _ranks: Mapping[str, int]
    _chosen: Collection[str] | None
    _report: Callable[[Progress], None]

    def __post_init__(self) -> None:
        self._rows: dict[str, list[Summary | None]] = {language.tag: [None] * len(self._papers) for language in self._languages}
        self._total = len(self._papers) * len(self._languages)
        self._open: dict[str, TranslationTask] = {}
        """Tasks not resolved yet, by key."""
        self._waiting: dict[str, TranslationTask] = {}
        """Those of them that another run holds."""
        self._all_looked_up = False
        self._done = self._asked = self._reused = self._kept = self._by_choice = 0
        self._missing = ""
        self._quarantined_today: dict[str, Quarantine] = {}
        self._new_quarantines: list[Quarantine] = []

    async def go(self) -> TranslationOutcome:
        self._threads = threads = StoreThreads(self._translator.store, self._translator.store_patience_seconds)
        try:
            self._attempts = attempts = PaperAttempts(self._translator, self._session, threads)
            attempts.few_are_left, attempts.kept_answers = self._few_are_left, lambda: self._kept
            self._quarantined_today = await threads.call(self._translator.store.quarantined, self._today())
            await self._work()
            attempts.raise_if_the_endpoint_is_at_fault()
            await threads.call(self._translator.store.quarantine, self._new_quarantines)
        finally:
            try:
                await threads.finish_keeping()
                if self._open:
                    await threads.call(self._translator.store.release, list(self._open))
            finally:
                threads.shut_down()
        return self._outcome(attempts.totals)

    # -- the pool -------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Runs producer, workers and helpers until every task is resolved or one of them fails."""
        self._queue: asyncio.Queue[TranslationTask] = asyncio.Queue(maxsize=2 * self._translator.pacing.most_at_once)
        self._finished = asyncio.Event()
        gate = asyncio.Event()
        tasks = [asyncio.create_task(self._produce()), asyncio.create_task(self._open_gate(gate))]
        tasks += [asyncio.create_task(helper()) for helper in (self._watch, self._heartbeat, self._tell)]
        at_once = self._translator.pacing.most_at_once
        workers = min(at_once + max(2, at_once // 4), max(1, self._total))  # a few more than places: one waits at each door with its claim
        tasks += [asyncio.create_task(self._serve_all(None if number == 0 else gate)) for number in range(workers)]
        end = asyncio.create_task(self._finished.wait())
        try:
            await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)  # the tasks end only by failing
        finally:  # after a failure, and where the run is told to stop
            try:
                self._attempts.is_stopping = True  # nothing new starts; requests under way get a moment, for they may be paid
                under_way = [task for task in tasks if task in self._attempts.under_way and not task.done()]
                if under_way:
                    await asyncio.wait(under_way, timeout=self._translator.grace_seconds)
            finally:
                for task in (end, *tasks):
                    task.cancel()
                await asyncio.gather(end, *tasks, return_exceptions=True)
        _raise_worst(tasks)

    async def _open_gate(self, gate: asyncio.Event) -> None:
        """The first request goes ahead of the others: a refused key then costs one request."""
        if not self._translator.has_been_answered:
            await self._attempts.first_sent.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._translator.head_start_seconds):  # wait_for would swallow a cancellation of this task
                    await self._attempts.first_returned.wait()
        gate.set()
        await asyncio.Event().wait()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._threads.call(self._translator.store.heartbeat)

    # -- tasks -----------------------------------------------------------------------------------------

    async def _produce(self) -> None:
        """Looks up what is there, and queues the rest; the queue's bound keeps memory flat."""
        numbered = [(number, paper, language) for language in self._languages for number, paper in enumerate(self._papers)]
        if self._ranks:  # then a budget leaves out what no reader wants, in all languages alike
            numbered.sort(key=lambda one: self._ranks.get(one[1].arxiv_id, len(self._papers)))
        for chunk in chunked(numbered, _LOOK_UP):
            for task in await self._look_up(chunk):
                await self._queue.put(task)
            await asyncio.sleep(0)
        self._all_looked_up = True
        self._maybe_finished()
        await asyncio.Event().wait()

    async def _look_up(self, chunk: Sequence[tuple[int, Paper, Language]]) -> list[TranslationTask]:
        """The tasks of a chunk that must be asked for."""
        tasks = self._new_tasks(chunk)
        if not tasks:
            return []
        every = [key for task in tasks for key in task.keys]
        answers = await self._threads.call(self._translator.store.answers, every)
        batched = await self._threads.call(self._translator.store.keys_in_open_batches, [key for key in every if key not in answers])
        to_ask: list[TranslationTask] = []
        for task in tasks:
            result = await self._from_store(task, answers)
            if result is None and not batched.isdisjoint(task.keys):
                result = _deferred(task, QualityFlag(FlagCode.BATCH_OPEN, "the answer is awaited from the endpoint's Batch API"))
            if result is None and self._chosen is not None and all(paper.arxiv_id not in self._chosen for paper, _ in task.places):
                result = TranslationResult(SummaryStatus.ORIGINAL, (), "", task.prompt.prompt_sha256)
            if result is None:
                result = await self._quarantined_before(task)
            if result is None:
                to_ask.append(task)
            else:
                self._resolve(task, result)
        if to_ask:
            for model in self._translator.models:
                require_price(model, self._translator.prices, self._translator.budget)
            await self._session.provider.open()
        return to_ask

    def _new_tasks(self, chunk: Sequence[tuple[int, Paper, Language]]) -> list[TranslationTask]:
        """One task a question; a text that the run holds twice joins the task that is open for it."""
        tasks: list[TranslationTask] = []
        for number, paper, language in chunk:
            prompt = build_request(paper, language, self._translator.structured)
            keys = keys_of(prompt, self._translator.models)
            twin = self._open.get(keys[0])
            if twin is not None:
                twin.places.append((paper, number))
                continue
            task = TranslationTask(paper, prompt, keys, [(paper, number)])
            self._open[task.key] = task
            tasks.append(task)
        return tasks

    async def _from_store(self, task: TranslationTask, answers: dict[str, CachedAnswer]) -> TranslationResult | None:
        """The first kept answer that today's checks accept; those they reject are set aside and asked for again."""
        for key in task.keys:
            answer = answers.get(key)
            if answer is None:
                continue
            result = validate(task.prompt, answer.raw)  # by today's checks
            if result.is_accepted:
                return result_of(result, answer, from_cache=True)
            log.info(
                "The kept answer for %s in %s no longer passes (%s); it is asked for again.",
                task.about,
                answer.language,
                "; ".join(map(str, result.flags)),
            )
            await self._threads.call(self._translator.store.discard, key, tuple(map(str, result.flags)))
        return None

    async def _quarantined_before(self, task: TranslationTask) -> TranslationResult | None:
        """A paper that was given up today in the same way of asking is not paid for again before tomorrow."""
        before = self._quarantined_today.get(task.key)
        if before is None or before.settings != self._translator.quarantine_settings:
            return None
        rejected = await self._threads.call(self._translator.store.rejected, task.key)
        flags = (
            *map(QualityFlag.parse, before.flags),
            QualityFlag(FlagCode.ASKED_TODAY, f"given up on {before.day} (UTC), asked again from the next day on"),
        )
        return quarantined(task, flags, self._translator.models[-1], [answer for answer, _ in rejected], from_cache=True)

    def _today(self) -> str:
        return f"{self._translator.now():%Y-%m-%d}"

    async def _serve_all(self, gate: asyncio.Event | None) -> None:
        if gate is not None:
            await gate.wait()
        while not self._attempts.is_stopping:
            task = await self._queue.get()
            try:
                await self._serve(task)
            except Stopping:
                return

    async def _serve(self, task: TranslationTask) -> None:
        claim = await self._threads.call(self._translator.store.claim, task.key)
        if claim is Lease.HELD:
            self._waiting[task.key] = task
            return
        answers = await self._threads.call(self._translator.store.answers, task.keys) if claim is Lease.ANSWERED else {}
        result = await self._from_store(task, answers)
        if result is None and claim is Lease.ANSWERED:
            await self._serve(task)  # the other run's answer does not pass here: claim it again, and ask
            return
        if result is None:
            result = await self._ask(task)
            if result.status is SummaryStatus.QUARANTINED:
                self._new_quarantines.append(Quarantine(task.key, self._today(), self._translator.quarantine_settings, tuple(map(str, result.flags))))
        if result.status is not SummaryStatus.TRANSLATED or result.model != self._translator.model or result.from_cache:
            await self._threads.call(self._translator.store.release, [task.key])  # keeping an answer has given the lease back already
        self._resolve(task, result)

    async def _ask(self, task: TranslationTask) -> TranslationResult:
        if self._missing:
            return _deferred(task, QualityFlag(FlagCode.BUDGET_REACHED, self._missing))
        try:
            return await self._attempts.ask(task)
        except BudgetReached as reached:
            if not self._missing:
                log.warning("The budget is reached, so no more is asked: %s.", reached)
            self._missing = str(reached)
            return _deferred(task, QualityFlag(FlagCode.BUDGET_REACHED, self._missing))

    async def _watch(self) -> None:
        """Brings tasks that another run holds back into the queue: its answer is there, or its lease may be void."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            if not self._waiting:
                continue
            answered = await self._threads.call(self._translator.store.answers, list(self._waiting))
            again = [*answered, *[key for key in self._waiting if key not in answered][: self._translator.pacing.most_at_once]]
            for key in again:
                await self._queue.put(self._waiting.pop(key))

    # -- results --------------------------------------------------------------------------------------

    def _resolve(self, task: TranslationTask, result: TranslationResult) -> None:
        language = task.prompt.language.tag
        for index, (paper, number) in enumerate(task.places):
            mine = result if index == 0 or result.status is not SummaryStatus.TRANSLATED else replace(result, from_cache=True)
            self._rows[language][number] = mine.summary(paper, language)
            self._done += 1
            self._reused += mine.from_cache
            self._kept += mine.from_cache and mine.status is SummaryStatus.TRANSLATED
            self._by_choice += mine.status is SummaryStatus.ORIGINAL
            self._asked += mine.status.is_of_an_answer and not mine.from_cache
        del self._open[task.key]
        self._maybe_finished()

    def _maybe_finished(self) -> None:
        if self._all_looked_up and not self._open:
            self._finished.set()

    def _few_are_left(self) -> bool:
        """At the end of a day, a paper that the endpoint cannot stomach must not look like a dead endpoint."""
        return self._all_looked_up and len(self._open) <= _FEW and self._done - self._by_choice >= _MANY

    async def _tell(self) -> None:
        """In a thread: what is told may be written to a slow log, and no request shall wait for it."""
        while True:
            await asyncio.to_thread(self._report, self.so_far())
            await asyncio.sleep(self._translator.progress_seconds)

    def so_far(self) -> Progress:
        totals = self._attempts.totals
        return Progress(self._done, self._total, self._reused, totals.requests, totals.known_cost_usd, len(self._waiting))

    def _outcome(self, totals: UsageTotals) -> TranslationOutcome:
        summaries = {tag: [row for row in rows if row is not None] for tag, rows in self._rows.items()}
        return TranslationOutcome(
            summaries=summaries,
            asked=self._asked,
            reused=self._reused,
            requests=totals.requests,
            input_tokens=totals.input_tokens,
            output_tokens=totals.output_tokens,
            cost_usd=totals.known_cost_usd,
            by_status=dict(Counter(row.status for rows in summaries.values() for row in rows)),
            missing=self._missing,
        )


def _deferred(task: TranslationTask, flag: QualityFlag) -> TranslationResult:
    return TranslationResult(SummaryStatus.DEFERRED, (flag,), "", task.prompt.prompt_sha256)


def _raise_worst(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Of several failures the one that says most: a refusal before an outage, since an outage may follow from it."""
    errors = [error for task in tasks if task.done() and not task.cancelled() and (error := task.exception()) is not None]
    if errors:
        raise min(errors, key=lambda error: 0 if isinstance(error, EndpointConfigurationError) else 1 if isinstance(error, AnswerStoreError) else 2)

"""A paper's full text → checked notes in one language: asked, checked, what fails asked again once with the reason, then dropped.

What lives here: one paper's questions, their money, and what may be shown. What does not: the rules (`claims.py`), the words (`prompts/`),
which papers and where the notes go (`notes.py`). Each answer is kept in the response cache before it is used, under the hash of the text, the
prompt, the model and the language; whoever wants it again pays nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from digest_pipeline.models import VersionedId
from digest_pipeline.reading.claims import NoteKind, NoteStatus, faults_of
from digest_pipeline.reading.fulltext import FullText, NoFullText, Passage
from digest_pipeline.reading.prompts import (
    MOST_NOTES,
    SCHEMA,
    Note,
    Part,
    messages_again,
    messages_for,
    parts_of,
    prompt_sha256,
    read_notes,
    reading_key,
    with_tex_put_back,
)
from digest_pipeline.translation.attempts import estimated_usage
from digest_pipeline.translation.budget import Budget, highest_cost, require_price
from digest_pipeline.translation.cache.records import CachedAnswer, Lease, month_of
from digest_pipeline.translation.cache.threads import StoreThreads
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.errors import RequestRejected, TryAgain
from digest_pipeline.translation.llm.session import Session
from digest_pipeline.translation.tasks import TEMPERATURE, paid_answer
from digest_pipeline.translation.translator import Translator

MOST_OUTPUT_TOKENS = 6_000
"""Twelve notes of 700 characters, in a script that takes a token a character, with room."""
TYPICAL_OUTPUT_TOKENS = 1_500
MOST_TRIES = 6
"""Requests for one answer while the endpoint has trouble."""
_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CheckedNote:
    """A note that passed every rule, and the passage that holds its quote."""

    note: Note
    passage: Passage


@dataclass(frozen=True, slots=True)
class PaperNotes:
    """One paper read in one language. `cost_usd` is of all its answers, whenever they were paid; None where a price is unknown."""

    paper: VersionedId
    language: str
    status: NoteStatus
    notes: tuple[CheckedNote, ...] = ()
    dropped: int = 0
    model: str = ""
    cost_usd: float | None = 0.0
    paid_now_usd: float | None = 0.0
    detail: str = ""

    def to_text(self, html_url: str) -> str:
        """For a terminal: a block a kind, each claim with its quote and where it stands."""
        lines = [f"{self.paper} in {self.language}: {self.status.value}{f' ({self.detail})' if self.detail else ''}"]
        for kind in NoteKind:
            of_kind = [one for one in self.notes if one.note.kind is kind]
            lines += [f"  {kind.value}"] if of_kind else []
            for one in of_kind:
                lines += [
                    f"    {one.note.claim}",
                    f"      “{' '.join(one.note.quote.split())}” {one.passage.section} {html_url}/{self.paper}#{one.passage.anchor}",
                ]
        return "\n".join([*lines, *([f"  {self.dropped} notes dropped"] if self.dropped else [])])


@dataclass(frozen=True, slots=True)
class _Question:
    """What ChatRequest wants to know of the answer's form."""

    language: Language
    json_schema: dict[str, Any] = field(default_factory=lambda: SCHEMA)
    schema_name: str = "reading_notes"


class _BudgetReached(Exception):
    pass


class _NoAnswer(Exception):
    pass


def read_papers(
    texts: Sequence[tuple[VersionedId, FullText | NoFullText]], language: Language, translator: Translator, budget: Budget
) -> list[PaperNotes]:
    """The notes of each paper, in the papers' order. Raises SettingsError (a budget without a price), EndpointConfigurationError, EndpointUnavailable, AnswerStoreError;
    what was answered until then is kept."""
    if any(isinstance(text, FullText) for _, text in texts):
        require_price(translator.model, translator.prices, budget, per_run="DIGEST_READ_BUDGET_PER_RUN_USD")
    with translator.session() as session:
        return session.run(_Reader(translator, session, language, budget).read(texts))


def forecast_usd(texts: Sequence[tuple[VersionedId, FullText | NoFullText]], language: Language, translator: Translator) -> float | None:
    """What reading these would cost, answers already paid for left out; None where the model's price is unknown, 0.0 where nothing is to be asked."""
    parts = [part for _, text in texts if isinstance(text, FullText) for part in parts_of(text)[0]]
    keys = {reading_key(part, language, translator.model): part for part in parts}
    known = set(translator.store.answers(list(keys)))
    missing = [part for key, part in keys.items() if key not in known]
    price = translator.prices.price(translator.model)
    if not missing:
        return 0.0
    if price is None:
        return None
    tokens_in = sum(len(message["content"]) for part in missing for message in messages_for(part, language)) / 3.8
    return (tokens_in * price.input + len(missing) * TYPICAL_OUTPUT_TOKENS * price.output) / 1e6


class _Reader:
    def __init__(self, translator: Translator, session: Session, language: Language, budget: Budget) -> None:
        self._translator, self._session, self._language, self._budget = translator, session, language, budget
        self._threads = StoreThreads(translator.store)
        session.rate_limiter.begin_day()

    async def read(self, texts: Sequence[tuple[VersionedId, FullText | NoFullText]]) -> list[PaperNotes]:
        tasks = [asyncio.ensure_future(self._paper(paper, text)) for paper, text in texts]
        try:
            return await asyncio.gather(*tasks)
        finally:
            if tasks:  # where one has failed, the others' requests under way may be paid: they get a moment to bring their answers
                _, late = await asyncio.wait(tasks, timeout=self._translator.grace_seconds)
                for task in late:
                    task.cancel()
            self._threads.shut_down()

    async def _paper(self, paper: VersionedId, text: FullText | NoFullText) -> PaperNotes:
        if isinstance(text, NoFullText):
            return PaperNotes(paper, self._language.tag, NoteStatus.NO_FULL_TEXT, detail=str(text))
        parts, beyond = parts_of(text)
        shown: dict[str, CheckedNote] = {}
        bill, dropped, problem = _Bill(), 0, ""
        for part in parts:
            try:
                good, lost = await self._part(paper, part, text, bill)
            except _BudgetReached as reached:
                problem = str(reached)
                break
            except (_NoAnswer, RequestRejected) as error:
                problem = str(error)
                continue
            for one in good:  # a quote once, where it came first
                shown.setdefault(one.note.quote, one)
            dropped += lost
        return PaperNotes(
            paper,
            self._language.tag,
            _status(list(shown.values()), problem, is_deferred=problem.startswith("DIGEST_")),
            tuple(shown.values())[: 2 * MOST_NOTES],
            dropped,
            bill.model,
            bill.total_usd,
            bill.paid_now_usd,
            problem or (f"the last {beyond:,} characters were not read" if beyond else ""),
        )

    async def _part(self, paper: VersionedId, part: Part, text: FullText, bill: _Bill) -> tuple[list[CheckedNote], int]:
        """(the notes that may be shown, how many were dropped)."""
        messages, key = messages_for(part, self._language), reading_key(part, self._language, self._translator.model)
        first = await self._answer(key, messages, paper, bill)
        notes = read_notes(first.raw)
        good, bad = self._checked(notes or [], text)
        if notes is not None and not bad:
            return good, 0
        again = messages_again(messages, first.raw, bad)
        second = await self._answer(reading_key(part, self._language, self._translator.model, again_after=key), again, paper, bill)
        corrected = read_notes(second.raw)
        if notes is None and corrected is None:
            raise _NoAnswer("the model's answers hold no notes in the form asked for")
        better, still_bad = self._checked(corrected or [], text)
        known = {one.note.quote for one in good}
        better = [one for one in better if one.note.quote not in known]  # models repeat what was good already
        return good + better, max(len(still_bad), len(bad) - len(better))

    def _checked(self, notes: Sequence[Note], text: FullText) -> tuple[list[CheckedNote], list[tuple[Note, list[str]]]]:
        good: list[CheckedNote] = []
        bad: list[tuple[Note, list[str]]] = []
        for note in notes[:MOST_NOTES]:
            faults, passage = faults_of(note.kind, note.claim, note.quote, text, self._language)
            if passage is None and (mended := with_tex_put_back(note)) != note:
                note = mended
                faults, passage = faults_of(note.kind, note.claim, note.quote, text, self._language)
            if faults or passage is None:
                bad.append((note, faults))
            else:
                good.append(CheckedNote(note, passage))
        return good, bad

    # -- one answer, paid once --------------------------------------------------------------------

    async def _answer(self, key: str, messages: Sequence[dict[str, str]], paper: VersionedId, bill: _Bill) -> CachedAnswer:
        while True:
            if known := (await self._threads.call(self._translator.store.answers, [key])).get(key):
                bill.add(known, paid_now=False)
                return known
            lease = await self._threads.call(self._translator.store.claim, key)
            if lease is Lease.GRANTED:
                break
            await asyncio.sleep(0.0 if lease is Lease.ANSWERED else _LOOK_AGAIN_SECONDS)
        try:
            request = ChatRequest(
                _Question(self._language),
                messages,
                self._translator.model,
                str(paper),
                TEMPERATURE,
                MOST_OUTPUT_TOKENS,
                self._translator.request_timeout_seconds,
            )
            await self._reserve(key, request)
            answer = await self._exchange(key, request)
            await self._threads.call(self._translator.store.put, answer)
        finally:
            self._budget.set_aside.pop(key, None)
            await self._threads.call(self._translator.store.release, [key])
        self._budget.spent_usd += answer.cost_usd or 0.0
        bill.add(answer, paid_now=True)
        return answer

    async def _reserve(self, key: str, request: ChatRequest) -> None:
        """Raises _BudgetReached, naming the limit; nothing is asked beyond it, also where other papers are read at the same time."""
        price = self._translator.prices.price(request.model)
        if not self._budget.is_set or price is None:
            return
        usd = highest_cost(request.messages, int(MOST_OUTPUT_TOKENS * self._session.provider.output_factor(request.model)), price)
        if not self._budget.fits_the_run(key, usd):
            raise _BudgetReached(f"DIGEST_READ_BUDGET_PER_RUN_USD={self._budget.per_run_usd:g} is reached")
        if (limit := self._budget.per_month_usd) is not None:
            month = month_of(self._translator.now())
            if not await self._threads.call(self._translator.store.reserve, key, usd, month, limit):
                raise _BudgetReached(f"DIGEST_BUDGET_PER_MONTH_USD={limit:g} is reached")
        self._budget.set_aside[key] = usd

    async def _exchange(self, key: str, request: ChatRequest) -> CachedAnswer:
        limiter = self._session.rate_limiter
        for attempt in range(MOST_TRIES):
            try:
                async with limiter.turn() as started:
                    asked_at = self._translator.now()
                    answer = await self._session.provider.complete(request)
                    limiter.answered()
                    return self._cached(key, request, answer, asked_at)
            except TryAgain as trouble:
                if trouble.is_rate_limit:
                    limiter.rate_limited(started, trouble.wait_seconds)
                else:
                    limiter.failed(str(trouble), trouble.wait_seconds)
                last = trouble
            await asyncio.sleep(limiter.backoff(attempt))
        raise _NoAnswer(f"no answer in {MOST_TRIES} requests, the last: {last.message}")

    def _cached(self, key: str, request: ChatRequest, answer: Any, asked_at: datetime) -> CachedAnswer:
        usage = answer.usage or estimated_usage(request.messages, answer.text)
        return paid_answer(
            answer,
            usage,
            key=key,
            about=request.about,
            language=self._language.tag,
            prompt_sha256=prompt_sha256(self._language),
            schema_version="reading-notes-1",
            cost_usd=self._translator.prices.cost(request.model, usage),
            asked_at_utc=asked_at,
            answered_at_utc=self._translator.now(),
        )


@dataclass(slots=True)
class _Bill:
    """What one paper's answers cost."""

    model: str = ""
    total_usd: float | None = 0.0
    paid_now_usd: float | None = 0.0

    def add(self, answer: CachedAnswer, *, paid_now: bool) -> None:
        self.model = answer.model
        self.total_usd = _sum(self.total_usd, answer.cost_usd)
        if paid_now:
            self.paid_now_usd = _sum(self.paid_now_usd, answer.cost_usd)


def _sum(known: float | None, more: float | None) -> float | None:
    return None if known is None or more is None else known + more


def _status(shown: Sequence[CheckedNote], problem: str, *, is_deferred: bool) -> NoteStatus:
    if shown:
        return NoteStatus.SHOWN
    if is_deferred:
        return NoteStatus.DEFERRED
    return NoteStatus.FAILED if problem else NoteStatus.NOTHING_TO_SHOW

"""The Batch API: many papers at half price, answered within a day.

What lives here: which questions go into a batch, its file, its life across crashes and restarts, and its answers. What
does not: the record of it (`store.py`), what is asked (`prompting.py`), the judgement: a batch's answers go into the
store as they come, and are judged like every kept answer when a run reads them.

    recorded in the store → file uploaded → batch created → recorded again     `submit`
    looked at now and then, by any later process → answers kept → closed       `collect_open_batches`

A crash before the second record leaves a batch in state PREPARING; its token, sent along as metadata, finds it again at
the endpoint, so nothing is paid twice. Whatever has no answer when its batch closes (failed, expired, cancelled) is
free again: the next `submit` takes it into a new batch, up to three times; then, or once an answer was rejected, the
ordinary run asks directly. Source: OpenAI's guide to the Batch API; limits as of 2026-04.
"""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import IO, Any, NoReturn, TypeVar

import tenacity

from digest_pipeline.errors import EndpointConfigurationError, EndpointUnavailable, SettingsError
from digest_pipeline.models import Paper
from digest_pipeline.translation.asking import keys_of, most_output_tokens
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.manners import ModelCapabilities
from digest_pipeline.translation.money import expected_usage, require_price
from digest_pipeline.translation.prompting import PromptRequest, build_request
from digest_pipeline.translation.provider import (
    OPENAI_ADDRESS,
    CapabilityStore,
    ChatRequest,
    ProviderAnswer,
    Redactor,
    TryAgain,
    Usage,
    chat_body,
    endpoint_name,
    read_completion,
    refuse_if_hopeless,
)
from digest_pipeline.translation.store import HEARTBEAT_SECONDS, AnswerStore, BatchItem, BatchRecord, BatchState, Claim, StoredAnswer, month_of
from digest_pipeline.translation.translator import TEMPERATURE, Translator

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000  # the limit is 200 MB
MOST_TRIES = 3
_TOKEN_NAME = "digest_submission"  # noqa: S105 - the name of a metadata field
_ENDED = ("completed", "expired", "cancelled", "failed")
_MARGIN = 1.25  # reserved beyond the expected cost of a request
_LOST_AFTER = timedelta(hours=48)
_LISTED_WITHIN = timedelta(minutes=10)  # an endpoint's list may show a new batch late
_LOOK_UP = 200
_PAGE = 100
_RETRIEVE, _DOWNLOAD = "retrieve the batch", "download the batch's answers"
_OF_THINGS_THAT_END = (_RETRIEVE, _DOWNLOAD)


@dataclass(frozen=True, slots=True)
class BatchSubmission:
    """What `submit` did. One count for each paper and language."""

    submitted: int
    batches: int
    already_known: int
    """Answered, or in an open batch, before."""
    left_to_ask: int
    """Tried by batch in vain; the ordinary run asks for them."""
    missing: str
    """Why some were not submitted for money; empty where none."""


@dataclass(frozen=True, slots=True)
class BatchCollection:
    """What `collect_open_batches` found."""

    answers: int
    failed: int
    """Questions without a usable answer in the batches that ended; they are free again."""
    still_open: int
    """Batches."""
    days_ready: tuple[date, ...]
    """Listing days of the ended batches that wait for no other batch: run their partitions."""
    notes: tuple[str, ...]
    """One sentence for each batch that ended or cannot be read."""


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the endpoint tells of it."""

    batch_id: str
    status: str
    file_id: str
    output_file_id: str
    error_file_id: str
    token: str
    created_at: float
    """Unix time."""
    problem: str


class _Gone(Exception):
    """The endpoint no longer has the batch or file."""


class BatchEndpoint:
    """The few calls of an OpenAI-compatible Batch API. Each is tried up to five times where that can help."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        timeout_seconds: float,
        memory: CapabilityStore,
        now: Callable[[], datetime],
        first_wait_seconds: float = 1.0,
    ) -> None:
        import openai

        if api_key is None and base_url is None:
            raise EndpointConfigurationError("there is no key for the model", hint="set OPENAI_API_KEY")
        self.endpoint = endpoint_name(base_url)
        self.memory = memory
        self._now = now
        self._scrub = Redactor(api_key)
        self._first_wait_seconds = first_wait_seconds
        self._client = openai.OpenAI(api_key=api_key or "none", base_url=base_url or OPENAI_ADDRESS, max_retries=0, timeout=timeout_seconds)

    def probe(self) -> None:
        """Raises EndpointConfigurationError where there is no Batch API, before anything is sent."""
        self._call("list its batches", lambda: list(self._page(None, 1)))

    def upload(self, file: IO[bytes]) -> str:
        def send() -> str:
            file.seek(0)
            return str(self._client.files.create(file=("batch.jsonl", file, "application/jsonl"), purpose="batch").id)

        return self._call("upload the batch's file", send)

    def create(self, file_id: str, token: str) -> RemoteBatch:
        """One try only: a second one might pay twice. After a failure without an answer, look for the token."""
        with self._explained("create the batch"):
            made = self._client.batches.create(
                input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h", metadata={_TOKEN_NAME: token}
            )
            return _remote(made)

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        """None where the endpoint no longer knows the batch."""
        try:
            return self._call(_RETRIEVE, lambda: _remote(self._client.batches.retrieve(batch_id)))
        except _Gone:
            return None

    def find(self, token: str, file_id: str, since: datetime) -> RemoteBatch | None:
        """The batch that was created with our token or file; None where there is none."""
        return self._call("list its batches", lambda: self._find(token, file_id, since.timestamp()))

    def _find(self, token: str, file_id: str, since: float) -> RemoteBatch | None:
        after: str | None = None
        while True:
            page = list(self._page(after, _PAGE))
            for batch in page:
                if batch.token == token or (file_id and batch.file_id == file_id):
                    return batch
            if len(page) < _PAGE or page[-1].created_at < since - 3600:
                return None
            after = page[-1].batch_id

    def _page(self, after: str | None, limit: int) -> Iterator[RemoteBatch]:
        import openai

        listed: Any = self._client.batches.list(after=after or openai.omit, limit=limit)
        if not isinstance(getattr(listed, "data", None), list):
            raise EndpointConfigurationError(f"{self.endpoint} has no Batch API (it answered with something else)", hint="set DIGEST_BATCH=never")
        return map(_remote, listed.data)

    def lines(self, file_id: str) -> Iterator[dict[str, Any]]:
        """The JSON objects of an output or error file, which may be larger than memory should hold. None where it is gone."""
        with tempfile.TemporaryFile() as kept:
            try:
                self._call(_DOWNLOAD, lambda: self._download(file_id, kept))
            except _Gone:
                return
            kept.seek(0)
            for line in kept:
                if (row := _row(line)) is not None:
                    yield row

    def _download(self, file_id: str, kept: IO[bytes]) -> None:
        kept.seek(0)
        kept.truncate()
        with self._client.files.with_streaming_response.content(file_id) as response:
            for chunk in response.iter_bytes(1 << 20):
                kept.write(chunk)

    def close(self) -> None:
        self._client.close()

    # -- errors ---------------------------------------------------------------------------------------

    def _call(self, what: str, action: Callable[[], T]) -> T:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TryAgain),
            stop=tenacity.stop_after_attempt(5),
            wait=tenacity.wait_random_exponential(self._first_wait_seconds, 30),
            reraise=True,
        )
        try:
            for attempt in attempts:
                with attempt, self._explained(what):
                    return action()
        except TryAgain as error:
            raise EndpointUnavailable(error.message, hint="run again later: what was submitted is recorded") from None
        raise AssertionError("tenacity ends by returning or raising")

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            self._fail(what, error.status_code, error.response.text)
        except openai.APIError as error:
            raise TryAgain(f"{self.endpoint} did not {what}: {self._scrub(str(error.__cause__ or error))[:300]}") from None

    def _fail(self, what: str, status: int, words: str) -> NoReturn:
        said = self._scrub(" ".join(words.split()))[:300]
        if status == 404 and what in _OF_THINGS_THAT_END:
            raise _Gone
        if status in (404, 405, 501):
            raise EndpointConfigurationError(
                f"{self.endpoint} has no Batch API: it could not {what} ({status}: {said})", hint="set DIGEST_BATCH=never"
            )
        refuse_if_hopeless(status, words, said, "", self.endpoint)
        if status in (408, 409, 425, 429) or status >= 500:
            raise TryAgain(f"{self.endpoint} did not {what}: {status}, {said}", status=status)
        raise EndpointConfigurationError(
            f"{self.endpoint} refused to {what} ({status}: {said})", hint="set DIGEST_BATCH=never, or mend what it names"
        )


def _row(line: bytes) -> dict[str, Any] | None:
    """None for a torn line: it has no answer, and its question stays open."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _remote(batch: Any) -> RemoteBatch:
    errors = getattr(getattr(batch, "errors", None), "data", None) or []
    return RemoteBatch(
        batch_id=str(batch.id),
        status=str(batch.status),
        file_id=str(getattr(batch, "input_file_id", "") or ""),
        output_file_id=str(getattr(batch, "output_file_id", "") or ""),
        error_file_id=str(getattr(batch, "error_file_id", "") or ""),
        token=str((getattr(batch, "metadata", None) or {}).get(_TOKEN_NAME, "")),
        created_at=float(getattr(batch, "created_at", 0) or 0),
        problem="; ".join(str(getattr(error, "message", "")) for error in errors[:3]),
    )


# -- submitting -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Question:
    paper: Paper
    language: Language
    key: str
    line_bytes: int
    reserved_usd: float


def submit(papers: Iterable[Paper], languages: Sequence[Language], translator: Translator) -> BatchSubmission:
    """Sends what is not paid yet, of one or many days, in as few batches as the limits allow.

    Raises SettingsError (a budget without a batch price), EndpointConfigurationError (no Batch API, dead key), EndpointUnavailable.
    """
    with _endpoint(translator) as endpoint, _signs_of_life(translator.store):
        manners = ModelCapabilities.of(translator.model, endpoint.memory.endpoint_memory(endpoint.endpoint, translator.model))
        counts: Counter[str] = Counter()
        chosen = _affordable(_unpaid(papers, languages, translator, manners, counts), translator, counts)
        probed = False
        for part in _parts(chosen):
            if not probed:
                endpoint.probe()
                probed = True
            sent = _submit_part(part, translator, endpoint, manners)
            counts["submitted"] += sent
            counts["known"] += len(part) - sent
            counts["batches"] += sent > 0
    missing = f"{counts['unaffordable']} papers would pass a budget" if counts["unaffordable"] else ""
    return BatchSubmission(counts["submitted"], counts["batches"], counts["known"], counts["left"], missing)


def _unpaid(
    papers: Iterable[Paper], languages: Sequence[Language], translator: Translator, manners: ModelCapabilities, counts: Counter[str]
) -> Iterator[_Question]:
    """Each question once; those with an answer, in an open batch, or tried in vain are only counted."""
    seen: set[str] = set()
    for chunk in _chunks((paper, language) for paper in papers for language in languages):
        prompts = {
            keys_of(prompt := build_request(paper, language, translator.structured), translator.models): (paper, language, prompt)
            for paper, language in chunk
        }
        every = [key for keys in prompts for key in keys]
        known = set(translator.store.answers(every)) | translator.store.keys_in_open_batches(every)
        tries = translator.store.batch_tries([keys[0] for keys in prompts])
        for keys, (paper, language, prompt) in prompts.items():
            if keys[0] in seen or known.intersection(keys):
                counts["known"] += 1
            elif tries[keys[0]] and (tries[keys[0]] >= MOST_TRIES or translator.store.rejected(keys[0])):
                counts["left"] += 1
            else:
                seen.add(keys[0])
                line = _line(keys[0], paper, prompt, translator, manners)
                yield _Question(paper, language, keys[0], len(line), _expected_cost(paper, language, translator))


def _expected_cost(paper: Paper, language: Language, translator: Translator) -> float:
    usage = expected_usage(paper, language, structured=translator.structured, rates=translator.prices.rates)
    return _MARGIN * (translator.prices.cost(translator.model, usage, by_batch=True) or 0.0)


def _affordable(questions: Iterator[_Question], translator: Translator, counts: Counter[str]) -> Iterator[_Question]:
    """Until a limit would be passed; the rest is only counted."""
    require_price(translator.model, translator.prices, translator.budget)
    price = translator.prices.price(translator.model)
    if translator.budget.is_set and (price is None or price.batch_factor is None):
        raise SettingsError(
            f"a budget is set, but the batch price of {translator.model!r} is unknown, so nothing was sent", hint="see DIGEST_PRICES_FILE"
        )
    left = _money_left(translator)
    for question in questions:
        if question.reserved_usd > left:
            left = 0.0  # a cheaper paper further on must not slip through: what is missing is the tail
            counts["unaffordable"] += 1
            continue
        left -= question.reserved_usd
        translator.budget.spent_usd += question.reserved_usd
        yield question


def _money_left(translator: Translator) -> float:
    budget = translator.budget
    of_run = float("inf") if budget.per_run_usd is None else budget.per_run_usd - budget.spent_usd
    if budget.per_month_usd is None:
        return of_run
    reserved = sum(item.reserved_usd for batch in translator.store.open_batches() for item in batch.items)
    return min(of_run, budget.per_month_usd - translator.store.spending(month_of(translator.now())).usd - reserved)


def _parts(questions: Iterator[_Question]) -> Iterator[list[_Question]]:
    """Within the limits of one batch, in requests and bytes."""
    part: list[_Question] = []
    size = 0
    for question in questions:
        if part and (len(part) >= MOST_REQUESTS or size + question.line_bytes > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(question)
        size += question.line_bytes
    if part:
        yield part


def _submit_part(part: Sequence[_Question], translator: Translator, endpoint: BatchEndpoint, manners: ModelCapabilities) -> int:
    """Returns how many questions were free and went out."""
    record = _prepared(part, translator, endpoint)
    if not record.items:
        return 0
    try:
        by_key = {question.key: question for question in part}
        with tempfile.TemporaryFile() as file:
            for item in record.items:
                question = by_key[item.key]
                file.write(
                    _line(item.key, question.paper, build_request(question.paper, question.language, translator.structured), translator, manners)
                )
            file_id = endpoint.upload(file)
        translator.store.update_batch(record.token, state=BatchState.PREPARING, file_id=file_id)
        made = endpoint.create(file_id, record.token)
    except EndpointConfigurationError as error:
        translator.store.update_batch(record.token, state=BatchState.CLOSED, outcome=str(error))
        raise
    except TryAgain as error:  # whether it was created is unknown; the next collection finds out
        raise EndpointUnavailable(error.message, hint="run again later: the batch, if it came into being, will be found") from None
    finally:
        translator.store.release([_lease(record.token)])
    translator.store.update_batch(record.token, state=BatchState.SUBMITTED, batch_id=made.batch_id)
    log.info("Batch %s holds %d questions; answers are expected within a day.", made.batch_id, len(record.items))
    return len(record.items)


def _prepared(part: Sequence[_Question], translator: Translator, endpoint: BatchEndpoint) -> BatchRecord:
    """On record before the endpoint hears of it, and leased, so that nobody takes it for the leavings of a crash."""
    token = uuid.uuid4().hex
    translator.store.claim(_lease(token))
    items = []
    for question in part:
        prompt = build_request(question.paper, question.language, translator.structured)
        about = f"{question.paper.arxiv_id}v{question.paper.version}"
        items.append(
            BatchItem(
                key=question.key,
                about=about,
                language=question.language.tag,
                listing_date=question.paper.listing_date,
                prompt_sha256=prompt.prompt_sha256,
                schema_version=prompt.key_fields["schema"],
                reserved_usd=question.reserved_usd,
            )
        )
    record = BatchRecord(token, BatchState.PREPARING, endpoint.endpoint, translator.model, translator.now(), items=tuple(items))
    return translator.store.prepare_batch(record)


def _line(key: str, paper: Paper, prompt: PromptRequest, translator: Translator, manners: ModelCapabilities) -> bytes:
    request = ChatRequest(
        prompt, prompt.messages, translator.model, f"{paper.arxiv_id}v{paper.version}", TEMPERATURE, most_output_tokens(prompt), 0.0
    )
    line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": chat_body(request, manners)}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8")


# -- collecting -----------------------------------------------------------------------------------------


def collect_open_batches(translator: Translator) -> BatchCollection:
    """Looks at every open batch once and keeps the answers of those that ended. Costs nothing where none is open."""
    batches = translator.store.open_batches()
    if not batches:
        return BatchCollection(0, 0, 0, (), ())
    counts: Counter[str] = Counter()
    notes: list[str] = []
    ended: list[BatchRecord] = []
    with _endpoint(translator) as endpoint, _signs_of_life(translator.store):
        for batch in batches:
            if translator.store.claim(_lease(batch.token)) is not Claim.GRANTED:
                continue  # another process is at it
            try:
                if _look_at(batch, translator, endpoint, counts, notes):
                    ended.append(batch)
            finally:
                translator.store.release([_lease(batch.token)])
    waiting = {item.listing_date for batch in translator.store.open_batches() for item in batch.items}
    ready = {item.listing_date for batch in ended for item in batch.items} - waiting
    return BatchCollection(counts["answers"], counts["failed"], len(batches) - len(ended), tuple(sorted(ready)), tuple(notes))


def _look_at(batch: BatchRecord, translator: Translator, endpoint: BatchEndpoint, counts: Counter[str], notes: list[str]) -> bool:
    """True where the batch is closed now."""
    if batch.endpoint != endpoint.endpoint:
        return _of_another_endpoint(batch, translator, notes)
    remote = _found_again(batch, translator, endpoint) if batch.state is BatchState.PREPARING else endpoint.retrieve(batch.batch_id)
    if remote is None:
        if batch.state is BatchState.PREPARING and batch.file_id and translator.now() - batch.created_at_utc < _LISTED_WITHIN:
            return False
        return _close(batch, translator, "is not known to the endpoint (it never got there, or was deleted)", notes)
    if remote.status not in _ENDED:
        return False
    answers, failed = _keep_answers(batch, remote, translator, endpoint)
    counts["answers"] += answers
    counts["failed"] += failed
    problem = f" ({remote.problem})" if remote.problem else ""
    return _close(batch, translator, f"{remote.status}{problem}: {answers} answers, {failed} without", notes)


def _of_another_endpoint(batch: BatchRecord, translator: Translator, notes: list[str]) -> bool:
    if translator.now() - batch.created_at_utc > _LOST_AFTER:
        return _close(batch, translator, f"given up: it lies at {batch.endpoint}, which is not set as OPENAI_BASE_URL", notes)
    notes.append(f"batch {batch.batch_id or batch.token} lies at {batch.endpoint}; set OPENAI_BASE_URL to it to collect the answers")
    return False


def _found_again(batch: BatchRecord, translator: Translator, endpoint: BatchEndpoint) -> RemoteBatch | None:
    """A submission that a crash cut off: adopted where the endpoint has it."""
    remote = endpoint.find(batch.token, batch.file_id, batch.created_at_utc)
    if remote is not None:
        translator.store.update_batch(batch.token, state=BatchState.SUBMITTED, batch_id=remote.batch_id)
        return endpoint.retrieve(remote.batch_id)
    return None


def _close(batch: BatchRecord, translator: Translator, outcome: str, notes: list[str]) -> bool:
    translator.store.update_batch(batch.token, state=BatchState.CLOSED, outcome=outcome)
    notes.append(f"batch {batch.batch_id or batch.token} {outcome}")
    return True


def _keep_answers(batch: BatchRecord, remote: RemoteBatch, translator: Translator, endpoint: BatchEndpoint) -> tuple[int, int]:
    """(answers kept, questions without one). Answers that an interrupted collection kept already are not counted again."""
    items = {item.key: item for item in batch.items}
    kept = set(translator.store.answers(list(items)))
    for file_id in filter(None, (remote.output_file_id, remote.error_file_id)):
        for row in endpoint.lines(file_id):
            item = items.get(str(row.get("custom_id")))
            if item is not None and item.key not in kept and _keep_line(batch, item, row, translator):
                kept.add(item.key)
    return len(kept), len(items) - len(kept)


def _keep_line(batch: BatchRecord, item: BatchItem, row: dict[str, Any], translator: Translator) -> bool:
    """True where the line held a whole answer. A blank or cut one was paid for all the same, and is kept as rejected."""
    response = row.get("response")
    if not isinstance(response, dict) or response.get("status_code") != 200 or not isinstance(response.get("body"), dict):
        return False
    answer = read_completion(response["body"], batch.model)
    if answer is None:
        return False
    stored = _stored(batch, item, answer, translator)
    if answer.text.strip() and answer.finish_reason != "length":
        translator.store.put(stored)
        return True
    if not any(earlier.response_id == stored.response_id and earlier.raw == stored.raw for earlier, _ in translator.store.rejected(item.key)):
        translator.store.put_rejected(
            stored, ["answer-cut: stopped at the length limit" if answer.text.strip() else "answer-blank: the answer is empty"]
        )
    return False


def _stored(batch: BatchRecord, item: BatchItem, answer: ProviderAnswer, translator: Translator) -> StoredAnswer:
    usage = answer.usage or Usage(0, len(answer.text.encode()) // 3)
    return StoredAnswer(
        key=item.key,
        raw=answer.text,
        about=item.about,
        language=item.language,
        model=answer.model,
        prompt_sha256=item.prompt_sha256,
        schema_version=item.schema_version,
        response_id=answer.response_id,
        finish_reason=answer.finish_reason,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        tokens_estimated=answer.usage is None,
        cost_usd=translator.prices.cost(batch.model, usage, by_batch=True),
        asked_at_utc=batch.created_at_utc,
        answered_at_utc=translator.now(),
        via="batch",
    )


# -- helpers --------------------------------------------------------------------------------------------


def _lease(token: str) -> str:
    return f"batch:{token}"


@contextlib.contextmanager
def _endpoint(translator: Translator) -> Iterator[BatchEndpoint]:
    if translator.make_batch_endpoint is None:
        raise EndpointConfigurationError("recorded answers have no Batch API", hint="set OPENAI_API_KEY, or DIGEST_BATCH=never")
    endpoint = translator.make_batch_endpoint()
    try:
        yield endpoint
    finally:
        endpoint.close()


@contextlib.contextmanager
def _signs_of_life(store: AnswerStore) -> Iterator[None]:
    """Keeps this owner's leases alive while a large file is on its way."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            store.beat()

    thread = threading.Thread(target=beat, name="answer-store-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _chunks(pairs: Iterable[tuple[Paper, Language]]) -> Iterator[list[tuple[Paper, Language]]]:
    chunk: list[tuple[Paper, Language]] = []
    for pair in pairs:
        chunk.append(pair)
        if len(chunk) == _LOOK_UP:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

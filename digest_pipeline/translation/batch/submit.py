"""The Batch API: many papers at half price, answered within a day.

What lives here: which questions go into a batch, its file, its life across crashes and restarts, and its answers. What
does not: the record of it (`cache/`), what is asked (`prompts/`), the judgement: a batch's answers go into the
store as they come, and are judged like every kept answer when a run reads them.

    recorded in the store → file uploaded → batch created → recorded again     `submit`
    looked at now and then, by any later process → answers kept → closed       `collect_open_batches`

A crash before the second record leaves a batch in state PREPARING; its token, sent along as metadata, finds it again at
the endpoint, so nothing is paid twice. Whatever has no answer when its batch closes (failed, expired, cancelled) is
free again: the next `submit` takes it into a new batch, up to three times; then, or once an answer was rejected, the
ordinary run asks directly. Source: OpenAI's guide to the Batch API; limits as of 2026-04.
"""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from digest_pipeline.errors import EndpointConfigurationError, EndpointUnavailable, SettingsError
from digest_pipeline.models import Paper
from digest_pipeline.translation.batch.client import BatchEndpoint
from digest_pipeline.translation.batch.leases import batch_lease, open_client
from digest_pipeline.translation.budget import require_price
from digest_pipeline.translation.cache.records import BatchItem, BatchRecord, BatchState, month_of
from digest_pipeline.translation.forecast import expected_usage
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.capabilities import ModelCapabilities
from digest_pipeline.translation.llm.client import ChatRequest, chat_body
from digest_pipeline.translation.llm.errors import TryAgain
from digest_pipeline.translation.prompts import PromptRequest, build_request
from digest_pipeline.translation.tasks import TEMPERATURE, chunked, keys_of, most_output_tokens
from digest_pipeline.translation.translator import Translator

log = logging.getLogger(__name__)

MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000  # the limit is 200 MB
MOST_TRIES = 3
_MARGIN = 1.25  # reserved beyond the expected cost of a request
_LOOK_UP = 200


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
class _Question:
    paper: Paper
    language: Language
    item: BatchItem
    line_bytes: int


def submit(papers: Iterable[Paper], languages: Sequence[Language], translator: Translator) -> BatchSubmission:
    """Sends what is not paid yet, of one or many days, in as few batches as the limits allow.

    Raises SettingsError (a budget without a batch price), EndpointConfigurationError (no Batch API, dead key), EndpointUnavailable.
    """
    with open_client(translator) as endpoint:
        capabilities = ModelCapabilities.of(translator.model, endpoint.memory.endpoint_memory(endpoint.endpoint, translator.model))
        counts: Counter[str] = Counter()
        chosen = _affordable(_unpaid(papers, languages, translator, capabilities, counts), translator, counts)
        for number, part in enumerate(_parts(chosen)):
            if number == 0:
                endpoint.probe()
            sent = _submit_part(part, translator, endpoint, capabilities)
            counts["submitted"] += sent
            counts["known"] += len(part) - sent
            counts["batches"] += sent > 0
    missing = f"{counts['unaffordable']} papers would pass a budget" if counts["unaffordable"] else ""
    return BatchSubmission(counts["submitted"], counts["batches"], counts["known"], counts["left"], missing)


def _unpaid(
    papers: Iterable[Paper], languages: Sequence[Language], translator: Translator, capabilities: ModelCapabilities, counts: Counter[str]
) -> Iterator[_Question]:
    """Each question once; those with an answer, in an open batch, or tried in vain are only counted."""
    seen: set[str] = set()
    for chunk in chunked(((paper, language) for paper in papers for language in languages), _LOOK_UP):
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
                usage = expected_usage(paper, language, structured=translator.structured, rates=translator.prices.rates)
                item = BatchItem(
                    key=keys[0],
                    about=f"{paper.arxiv_id}v{paper.version}",
                    language=language.tag,
                    listing_date=paper.listing_date,
                    prompt_sha256=prompt.prompt_sha256,
                    schema_version=prompt.key_fields["schema"],
                    reserved_usd=_MARGIN * (translator.prices.cost(translator.model, usage, by_batch=True) or 0.0),
                )
                yield _Question(paper, language, item, len(_line(item, prompt, translator, capabilities)))


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
        if question.item.reserved_usd > left:
            left = 0.0  # a cheaper paper further on must not slip through: what is missing is the tail
            counts["unaffordable"] += 1
            continue
        left -= question.item.reserved_usd
        translator.budget.spent_usd += question.item.reserved_usd
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


def _submit_part(part: Sequence[_Question], translator: Translator, endpoint: BatchEndpoint, capabilities: ModelCapabilities) -> int:
    """Returns how many questions were free and went out."""
    token = uuid.uuid4().hex
    translator.store.claim(batch_lease(token))  # so that nobody takes what is on record, before the endpoint hears of it, for the leavings of a crash
    record = translator.store.prepare_batch(
        BatchRecord(
            token, BatchState.PREPARING, endpoint.endpoint, translator.model, translator.now(), items=tuple(question.item for question in part)
        )
    )
    if not record.items:
        return 0
    try:
        by_key = {question.item.key: question for question in part}
        with tempfile.TemporaryFile() as file:
            for item in record.items:
                prompt = build_request(by_key[item.key].paper, by_key[item.key].language, translator.structured)
                file.write(_line(item, prompt, translator, capabilities))
            file_id = endpoint.upload(file)
        translator.store.update_batch(record.token, state=BatchState.PREPARING, file_id=file_id)
        made = endpoint.create(file_id, record.token)
    except EndpointConfigurationError as error:
        translator.store.update_batch(record.token, state=BatchState.CLOSED, outcome=str(error))
        raise
    except TryAgain as error:  # whether it was created is unknown; the next collection finds out
        raise EndpointUnavailable(error.message, hint="run again later: the batch, if it came into being, will be found") from None
    finally:
        translator.store.release([batch_lease(record.token)])
    translator.store.update_batch(record.token, state=BatchState.SUBMITTED, batch_id=made.batch_id)
    log.info("Batch %s holds %d questions; answers are expected within a day.", made.batch_id, len(record.items))
    return len(record.items)


def _line(item: BatchItem, prompt: PromptRequest, translator: Translator, capabilities: ModelCapabilities) -> bytes:
    request = ChatRequest(prompt, prompt.messages, translator.model, item.about, TEMPERATURE, most_output_tokens(prompt), 0.0)
    body = {name: value for name, value in chat_body(request, capabilities).items() if name not in ("stream", "stream_options")}
    line = {"custom_id": item.key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8")

"""The seam to a language model: a small protocol, and its body for every OpenAI-compatible endpoint.

What lives here: one request → one answer or one of four failures, and the validation of what the endpoint sent.
What does not: retries and pauses (`pacing.py`), what is asked (`prompting.py`), recorded answers (`recorded.py`),
what an endpoint accepts (`manners.py`). Another kind of provider is one more file with a `ChatProvider` in it.

    EndpointConfigurationError   key, credit, model or address: nobody can go on; names the setting        (errors.py)
    TryAgain          429, 5xx, no answer in time, HTML with 200: the same may succeed later
    PaperRefused      this paper cannot be asked here: content filter, longer than the context

Source: OpenAI's API reference for `POST /chat/completions`, and the ways of other servers in the tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import urlsplit

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.capabilities import ModelCapabilities, ResponseFormat
from digest_pipeline.translation.llm.errors import UNKNOWN_MODEL, error_words, is_about_the_paper, status_in
from digest_pipeline.translation.llm.retry_after import wait_seconds
from digest_pipeline.translation.prompts import Message

if TYPE_CHECKING:
    import openai
from digest_pipeline.translation.llm.completion import ChatAnswer, read_completion
from digest_pipeline.translation.llm.errors import Redactor, RequestRejected, TryAgain, refuse_if_hopeless

OPENAI_ADDRESS = "https://api.openai.com/v1"

_SHOWN = 300  # characters of an endpoint's message that an error repeats

_MOST_LESSONS = 12

_TOKENS_OF_A_THOUGHT = 64

_REFUSALS_BEFORE_A_LOWER_RUNG = 2


class AnswerForm(Protocol):
    """What a request says of the answer it wants; a PromptRequest does."""

    @property
    def json_schema(self) -> dict[str, Any]: ...
    @property
    def schema_name(self) -> str: ...
    @property
    def language(self) -> Language: ...


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request about one paper. `messages` are the prompt's, or a retry's."""

    prompt: AnswerForm
    messages: Sequence[Message]
    model: str
    about: str
    """The versioned id, e.g. `2404.01438v2`: for messages to people and for recorded answers."""
    temperature: float
    most_output_tokens: int
    timeout_seconds: float
    """Of this request, from its first byte to the last of its answer."""


class _Unsupported(Exception):
    """A 400 that may be about a parameter; `words` are what the endpoint said."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status, self.words = status, words


class ChatClient(Protocol):
    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Raises EndpointConfigurationError, TryAgain or PaperRefused, and nothing else."""

    def room(self, model: str) -> float:
        """By how much the limit of output tokens is raised for a model that thinks; 1.0 for others."""

    async def close(self) -> None: ...


class CapabilityStore(Protocol):
    """Where manners are kept between runs; an ResponseCache does."""

    def endpoint_memory(self, endpoint: str, model: str) -> dict[str, Any]: ...

    def remember_endpoint(self, endpoint: str, model: str, memory: Mapping[str, Any]) -> None: ...


class OpenAIChatClient:
    """Any OpenAI-compatible endpoint, through one `AsyncOpenAI`; to be made and used within one event loop."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        longest_timeout_seconds: float,
        connections: int,
        memory: CapabilityStore,
        now: Callable[[], datetime],
    ) -> None:
        self.endpoint = endpoint_name(base_url)
        self._redact = Redactor(api_key)
        self._memory = memory
        self._now = now
        self._manners: dict[str, ModelCapabilities] = {}
        self._schema_failures: dict[str, int] = {}
        self._has_answered = False
        self.client = make_client(api_key, base_url, timeout_seconds=longest_timeout_seconds, connections=connections)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        manners = await self._manners_of(request.model)
        for _ in range(_MOST_LESSONS):
            try:
                return await self._complete_politely(request, manners)
            except _Unsupported as refusal:
                manners = await self._next_manners(request.model, manners, refusal)
        raise RequestRejected(f"the endpoint refused {request.about} in every way of asking")

    def room(self, model: str) -> float:
        return self._manners[model].room if model in self._manners else ModelCapabilities.of(model, {}).room

    async def close(self) -> None:
        await self.client.close()

    # -- learning -------------------------------------------------------------------------------------

    async def _manners_of(self, model: str) -> ModelCapabilities:
        if model not in self._manners:
            memory = await asyncio.to_thread(self._memory.endpoint_memory, self.endpoint, model)
            self._manners.setdefault(model, ModelCapabilities.of(model, memory))
        return self._manners[model]

    async def _complete_politely(self, request: ChatRequest, manners: ModelCapabilities) -> ChatAnswer:
        try:
            answer = await self._send(request, manners)
        except TryAgain as trouble:
            lower = self._lower_rung_to_try(request.model, manners, trouble)
            if lower is None:
                raise
            manners = lower
            answer = await self._send(request, manners)
        self._has_answered = True
        await self._learn(request.model, _after_answer(manners, answer))
        return answer

    def _lower_rung_to_try(self, model: str, manners: ModelCapabilities, trouble: TryAgain) -> ModelCapabilities | None:
        """llama_cpp.server answers 500 to json_schema; believed after two of them without a success, and once json_object works."""
        if manners.rung is not ResponseFormat.JSON_SCHEMA or self._manners[model].schema_proven or trouble.status != 500:
            return None
        self._schema_failures[model] = self._schema_failures.get(model, 0) + 1
        if self._schema_failures[model] < _REFUSALS_BEFORE_A_LOWER_RUNG:
            return None
        return replace(manners, rung=ResponseFormat.JSON_OBJECT_WITH_SCHEMA)

    async def _next_manners(self, model: str, sent: ModelCapabilities, refusal: _Unsupported) -> ModelCapabilities:
        """What to try next. A refusal that names what it refuses is remembered at once; another, when asking for less has worked."""
        named = sent.after_refusal(refusal.words)
        if named is not None:
            await self._learn(model, named)
            return named
        less = None if self._manners[model].schema_proven else sent.with_less()
        if less is None:
            raise RequestRejected(f"the endpoint refused the request ({self._redact(str(refusal))[:_SHOWN]})")
        return less

    async def _learn(self, model: str, manners: ModelCapabilities) -> None:
        known = self._manners[model]
        learned = known.merged(manners)
        if learned != known:
            self._manners[model] = learned
            await asyncio.to_thread(self._memory.remember_endpoint, self.endpoint, model, learned.memory())

    # -- one request ----------------------------------------------------------------------------------

    async def _send(self, request: ChatRequest, manners: ModelCapabilities) -> ChatAnswer:
        import openai

        body = chat_body(request, manners)  # as extra_body the library sends it as it is, a millisecond faster than it checks messages
        try:
            async with asyncio.timeout(request.timeout_seconds):  # the client's own limit starts anew with every blank line
                raw = await self.client.chat.completions.with_raw_response.create(model=request.model, messages=[], extra_body=body)
        except TimeoutError:
            raise TryAgain(f"no whole answer within {request.timeout_seconds:g} s") from None
        except openai.APIStatusError as error:
            self._fail(error.status_code, error_words(error.response.text), error.response.headers, request.model)
        except openai.APITimeoutError:
            raise TryAgain(f"no answer within {request.timeout_seconds:g} s") from None
        except openai.APIError as error:
            raise TryAgain(f"no connection to {self.endpoint}: {self._redact(str(error.__cause__ or error))[:_SHOWN]}") from None
        return self._validated(raw.text, raw.headers, request)

    def _validated(self, text: str, headers: Mapping[str, str], request: ChatRequest) -> ChatAnswer:
        try:
            body = json.loads(text)
        except ValueError:
            raise TryAgain(f"the endpoint answered 200 with something else than JSON: {self._redact(text.strip()[:80])!r}") from None
        if not isinstance(body, dict):
            raise TryAgain("the endpoint answered 200 with JSON that is no object")
        if body.get("error"):
            self._fail(status_in(body["error"]), error_words(text), headers, request.model)
        answer = read_completion(body, request.model)
        if answer is None:
            raise TryAgain("the endpoint answered 200 without a choice")
        return answer

    def _fail(self, status: int, words: str, headers: Mapping[str, str], model: str) -> NoReturn:
        said = self._redact(words)[:_SHOWN]
        if status in (404, 405) and self._has_answered and not UNKNOWN_MODEL.search(words):
            raise TryAgain(f"the endpoint, which answered before, now says {status}: {said}", status=status)
        refuse_if_hopeless(status, words, said, model, self.endpoint)
        if status == 429 or status in (408, 409, 425) or status >= 500:
            wait = wait_seconds(headers, self._now())
            raise TryAgain(f"the endpoint answered {status}: {said}", status=status, wait_seconds=wait)
        if is_about_the_paper(words):
            raise RequestRejected(f"the endpoint refused the paper ({status}: {said})")
        raise _Unsupported(status, words)


def _after_answer(manners: ModelCapabilities, answer: ChatAnswer) -> ModelCapabilities:
    """What an answer teaches: json_schema works; the model thinks unasked, or so long that the answer was cut off."""
    reasoning = answer.usage.reasoning_tokens if answer.usage else 0
    if answer.finish_reason == "length" and answer.usage and reasoning > answer.usage.output_tokens / 2:
        manners = manners.with_more_room()
    return replace(
        manners,
        schema_proven=manners.schema_proven or manners.rung is ResponseFormat.JSON_SCHEMA,
        thinks=manners.thinks or reasoning >= _TOKENS_OF_A_THOUGHT,
    )


def make_client(api_key: str | None, base_url: str | None, *, timeout_seconds: float, connections: int) -> openai.AsyncOpenAI:
    """One client for one event loop, without retries of its own. A local endpoint needs no key, the library does."""
    import httpx2
    import openai

    if api_key is None and base_url is None:
        raise EndpointConfigurationError("there is no key for the model", hint="set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without a key")
    limits = httpx2.Limits(max_connections=connections + 8, max_keepalive_connections=connections + 8)
    return openai.AsyncOpenAI(
        api_key=api_key or "none",
        base_url=base_url or OPENAI_ADDRESS,
        max_retries=0,
        timeout=timeout_seconds,
        http_client=openai.DefaultAsyncHttpxClient(limits=limits, timeout=timeout_seconds),
    )


def endpoint_name(base_url: str | None) -> str:
    """Host, port and path: no user, password or query, so that it may be kept and shown."""
    parts = urlsplit(base_url or OPENAI_ADDRESS)
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}".rstrip("/")


def chat_body(request: ChatRequest, manners: ModelCapabilities) -> dict[str, Any]:
    """The JSON body of `POST /chat/completions`."""
    prompt = request.prompt
    parameters = manners.parameters(prompt.json_schema, prompt.schema_name, request.temperature, request.most_output_tokens)
    return {"model": request.model, "messages": list(request.messages), **parameters}

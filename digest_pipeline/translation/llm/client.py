"""The seam to a language model: a small protocol, and its body for every OpenAI-compatible endpoint.

What lives here: one request → one answer or one of the failures in `errors.py`, and what is learned on the way of how to
ask. What does not: retries and pauses (`rate_limit.py`), what is asked (`prompts/`), recorded answers (`recorded.py`),
what an endpoint accepts (`capabilities.py`), how its answers are read (`completion.py`). Another kind of provider is one
more file with a `ChatClient` in it.

One POST needs no more than an HTTP client: the `openai` package takes a second to load and some milliseconds a request,
reads none of the answers that `completion.py` understands, and is used for the Batch API alone (docs/decisions/0013-one-post.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from digest_pipeline import __version__
from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.capabilities import ModelCapabilities, ResponseFormat
from digest_pipeline.translation.llm.completion import CONTENT_FILTER, INTERRUPTED, LENGTH, ChatAnswer, parse_body, read_completion
from digest_pipeline.translation.llm.errors import ParameterRefused, Redactor, Refusal, RequestRejected, TryAgain, error_in
from digest_pipeline.translation.prompts import Message
from digest_pipeline.translation.validation.answer import is_readable

if TYPE_CHECKING:
    import httpx2

OPENAI_ADDRESS = "https://api.openai.com/v1"
_SHOWN = 300  # characters of an endpoint's message that an error repeats
_MOST_LESSONS = 12
_TOKENS_OF_A_THOUGHT = 64
_CONNECTIONS_OF_A_POOL = 16  # httpcore looks at each of a pool's at both ends of every request; with 128 that was a quarter of our own time
_FAILURES_BEFORE_A_LOWER_FORMAT = 2
_CREDIT_OF_A_PROVEN_FORMAT = 2  # readable answers that a format seen to work in an earlier run starts with


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

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.prompt.json_schema.get("properties", ()))


class ChatClient(Protocol):
    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Raises EndpointConfigurationError, TryAgain or RequestRejected, and nothing else."""

    def output_factor(self, model: str) -> float:
        """By how much the limit of output tokens is raised for a model that thinks; 1.0 for others."""

    async def close(self) -> None: ...


class OpenAIChatClient:
    """Any OpenAI-compatible endpoint; to be made and used within one event loop."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        longest_timeout_seconds: float,
        connections: int,
        memory: ResponseCache,
        now: Callable[[], datetime],
    ) -> None:
        self.endpoint = endpoint_name(base_url)
        self._redact = Redactor(api_key)
        self._memory = memory
        self._now = now
        self._capabilities: dict[str, ModelCapabilities] = {}
        self._readable: Counter[tuple[str, ResponseFormat]] = Counter()
        self._unreadable: Counter[tuple[str, ResponseFormat]] = Counter()
        self._has_answered = False
        address = urlsplit(base_url or OPENAI_ADDRESS)
        self._url = address._replace(path=f"{address.path.rstrip('/')}/chat/completions").geturl()  # a query, such as an API's version, stays
        certificates = trusted_certificates()  # once: reading them takes longer than anything else here
        self._pools = [
            make_http_client(api_key, base_url, certificates, timeout_seconds=longest_timeout_seconds, connections=connections)
            for _ in range(math.ceil(connections / _CONNECTIONS_OF_A_POOL))
        ]
        self._next_pool = itertools.cycle(self._pools)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        capabilities = await self._capabilities_of(request.model)
        for _ in range(_MOST_LESSONS):
            try:
                return await self._complete_and_learn(request, capabilities)
            except ParameterRefused as refusal:
                capabilities = await self._after_refusal(request.model, capabilities, refusal)
        raise RequestRejected(f"the endpoint refused {request.about} in every way of asking")

    def output_factor(self, model: str) -> float:
        known = self._capabilities.get(model)
        return (known or ModelCapabilities.of(model, {})).output_factor

    async def close(self) -> None:
        for pool in self._pools:
            await pool.aclose()

    # -- learning -------------------------------------------------------------------------------------

    async def _capabilities_of(self, model: str) -> ModelCapabilities:
        if model not in self._capabilities:
            memory = await asyncio.to_thread(self._memory.endpoint_memory, self.endpoint, model)
            known = self._capabilities.setdefault(model, ModelCapabilities.of(model, memory))
            if known.format_works:
                self._readable[model, known.response_format] = max(_CREDIT_OF_A_PROVEN_FORMAT, self._readable[model, known.response_format])
        return self._capabilities[model]

    async def _complete_and_learn(self, request: ChatRequest, sent: ModelCapabilities) -> ChatAnswer:
        answer = None
        try:
            answer = await self._send(request, sent)
        except TryAgain as trouble:
            for response_format in self._formats_to_try_after(request.model, sent, trouble):
                sent = replace(sent, response_format=response_format)
                with contextlib.suppress(TryAgain):
                    answer = await self._send(request, sent)
                    break
            if answer is None:
                raise
        self._has_answered = True
        await self._learn(request.model, self._after_answer(request, sent, answer))
        return replace(answer, taught=self._capabilities[request.model].response_format > sent.response_format)

    def _formats_to_try_after(self, model: str, sent: ModelCapabilities, trouble: TryAgain) -> tuple[ResponseFormat, ...]:
        """Some answer 500 to a format (llama_cpp.server to json_schema); believed after two of them without a success, and once a lower one works."""
        key = (model, ResponseFormat.JSON_SCHEMA)
        if sent.response_format is not ResponseFormat.JSON_SCHEMA or self._readable[key] or trouble.status != 500:
            return ()
        self._unreadable[key] += 1
        if self._unreadable[key] < _FAILURES_BEFORE_A_LOWER_FORMAT:
            return ()
        return ResponseFormat.JSON_OBJECT_WITH_SCHEMA, ResponseFormat.PLAIN

    def _after_answer(self, request: ChatRequest, sent: ModelCapabilities, answer: ChatAnswer) -> ModelCapabilities:
        """What an answer teaches: whether its format works here, whether the model thinks unasked, and needs more tokens for it."""
        reasoning = answer.usage.reasoning_tokens if answer.usage else 0
        learned = replace(
            sent, thinks=sent.thinks or reasoning >= _TOKENS_OF_A_THOUGHT or (answer.has_thoughts and answer.was_read_from == "content")
        )
        is_readable_answer = is_readable(answer.text, request.fields)
        if answer.finish_reason == LENGTH and not is_readable_answer:
            if answer.is_only_thoughts or (answer.usage and reasoning > answer.usage.output_tokens / 2):
                return learned.with_more_output()
            if answer.text.strip():
                return learned  # cut in the middle: it tells nothing of the format
        key = (request.model, sent.response_format)
        (self._readable if is_readable_answer else self._unreadable)[key] += 1
        if is_readable_answer:
            return replace(learned, format_works=True)
        if self._unreadable[key] >= _FAILURES_BEFORE_A_LOWER_FORMAT and self._unreadable[key] > self._readable[key]:
            return learned.in_a_lower_format()
        return learned

    async def _after_refusal(self, model: str, sent: ModelCapabilities, refusal: ParameterRefused) -> ModelCapabilities:
        """What to try next. A refusal that names what it refuses is remembered at once; another, when asking for less has worked."""
        named = sent.after_refusal(refusal.words)
        if named is not None:
            await self._learn(model, named)
            return named
        less = None if self._readable[model, sent.response_format] else sent.with_less()
        if less is None:
            raise RequestRejected(refusal.message)
        return less

    async def _learn(self, model: str, learned: ModelCapabilities) -> None:
        known = self._capabilities[model]
        merged = known.merged(learned)
        if merged != known:
            self._capabilities[model] = merged
            await asyncio.to_thread(self._memory.remember_endpoint, self.endpoint, model, merged.memory())

    # -- one request ----------------------------------------------------------------------------------

    async def _send(self, request: ChatRequest, capabilities: ModelCapabilities) -> ChatAnswer:
        import httpx2

        body = chat_body(request, capabilities)
        try:
            async with asyncio.timeout(request.timeout_seconds):  # the client's own limit starts anew with every blank line
                response = await next(self._next_pool).post(self._url, json=body)
        except (TimeoutError, httpx2.TimeoutException):
            raise TryAgain(f"no whole answer within {request.timeout_seconds:g} s") from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise EndpointConfigurationError(f"{self.endpoint} is no address of a model: {error}", hint="see OPENAI_BASE_URL") from None
        except httpx2.HTTPError as error:
            raise self._no_connection(error) from None
        if response.request.method != "POST":  # what a 301 or 302 makes of a request
            raise EndpointConfigurationError(
                f"{self.endpoint} sends requests on to {self._redact(str(response.url))}",
                hint="set OPENAI_BASE_URL to the address that answers itself",
            )
        if response.status_code >= 300:
            raise self._failure(response, request.model)
        return self._read(response, request, capabilities)

    def _no_connection(self, error: Exception) -> TryAgain | EndpointConfigurationError:
        said = self._redact(str(error) or type(error).__name__)[:_SHOWN]
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return EndpointConfigurationError(
                f"the certificate of {self.endpoint} is not trusted here ({said})", hint="set SSL_CERT_FILE to a file with your own authority"
            )
        return TryAgain(f"no connection to {self.endpoint}: {said}")

    def _failure(self, response: httpx2.Response, model: str) -> Exception:
        refusal = Refusal.read(response.status_code, response.text, response.headers, self._now())
        return refusal.failure(model=model, endpoint=self.endpoint, redact=self._redact, has_answered=self._has_answered)

    def _read(self, response: httpx2.Response, request: ChatRequest, capabilities: ModelCapabilities) -> ChatAnswer:
        try:
            body = parse_body(_text_of(response))
        except ValueError:
            start = self._redact(response.text.strip()[:80])
            raise TryAgain(f"the endpoint answered {response.status_code} with something else than JSON: {start!r}") from None
        if (body if isinstance(body, list) else error_in(body)) and read_completion(body, request.model) is None:
            raise self._failure(response, request.model)
        answer = read_completion(body, request.model, request.fields)
        if answer is None:
            raise TryAgain(f"the endpoint answered {response.status_code} without a choice")
        if answer.finish_reason == CONTENT_FILTER and not answer.text.strip():
            raise RequestRejected("the endpoint refused the paper (content_filter)")
        if answer.finish_reason == INTERRUPTED and not answer.text.strip():
            raise TryAgain("the endpoint broke its answer off before the first word")
        limit = int(request.most_output_tokens * capabilities.output_factor) if capabilities.token_field else None
        return replace(answer, response_format=capabilities.response_format, limit_tokens=limit)


def make_http_client(
    api_key: str | None, base_url: str | None, certificates: ssl.SSLContext, *, timeout_seconds: float, connections: int
) -> httpx2.AsyncClient:
    """One client for one event loop. The environment's proxies and certificates hold; a local endpoint needs no key.

    Raises EndpointConfigurationError where there is no key, or a proxy's address cannot be used.
    """
    import httpx2

    if api_key is None and base_url is None:
        raise EndpointConfigurationError("there is no key for the model", hint="set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without a key")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    for name, header in (("OPENAI_ORG_ID", "OpenAI-Organization"), ("OPENAI_PROJECT_ID", "OpenAI-Project")):
        if os.environ.get(name):
            headers[header] = os.environ[name]
    try:
        return httpx2.AsyncClient(
            headers={**headers, "User-Agent": f"digest-pipeline/{__version__}"},
            limits=httpx2.Limits(max_connections=connections + 8, max_keepalive_connections=connections + 8),
            timeout=timeout_seconds,
            verify=certificates,
            follow_redirects=True,
        )
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise EndpointConfigurationError(
            f"the proxy of the environment cannot be used: {error}", hint="see HTTPS_PROXY, ALL_PROXY, NO_PROXY"
        ) from None


def trusted_certificates() -> ssl.SSLContext:
    """What `httpx2` trusts by itself (the system's, SSL_CERT_FILE, SSL_CERT_DIR); with REQUESTS_CA_BUNDLE also what is in there."""
    import httpx2

    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not bundle:
        return httpx2.create_ssl_context()
    try:
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
        is_folder = os.path.isdir(bundle)  # noqa: PTH112 - as requests tells them apart
        context.load_verify_locations(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    except (OSError, ssl.SSLError) as error:
        raise EndpointConfigurationError(f"REQUESTS_CA_BUNDLE={bundle} holds no certificates: {error}", hint="see REQUESTS_CA_BUNDLE") from None
    return context


def _text_of(response: httpx2.Response) -> str:
    """JSON is UTF-8, whatever the header says of it."""
    try:
        return response.content.decode("utf-8")
    except UnicodeDecodeError:
        return response.text


def endpoint_name(base_url: str | None) -> str:
    """Host, port and path: no user, password or query, so that it may be kept and shown."""
    parts = urlsplit(base_url or OPENAI_ADDRESS)
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}".rstrip("/")


def chat_body(request: ChatRequest, capabilities: ModelCapabilities) -> dict[str, Any]:
    """The JSON body of `POST /chat/completions`."""
    prompt = request.prompt
    parameters = capabilities.parameters(prompt.json_schema, prompt.schema_name, request.temperature, request.most_output_tokens)
    messages = list(request.messages)
    if capabilities.joins_system and messages[0]["role"] == "system":
        messages[:2] = [{**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}]
    return {"model": request.model, "messages": messages, **parameters}

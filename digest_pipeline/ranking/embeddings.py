"""An endpoint's embeddings of papers, where `DIGEST_EMBEDDING_MODEL` names a model: each text paid for once.

What lives here: which texts are asked for, in what portions, their price, and keeping them. What does not: what ranking makes of the
vectors (`features.py`), a refusal's meaning (`translation/llm/errors.py`).

A vector is kept in the store of paid answers before it is used, under the hash of model and text. Of papers that no listing at hand has, a
reader's own, the store learns no id, and hosted runs keep those vectors off the branch (`PRIVATE`). What an endpoint says of a failure may
quote what it was asked, so errors repeat its status alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from digest_pipeline.errors import DigestError, EmbeddingsUnavailable, EndpointConfigurationError
from digest_pipeline.ranking.features import Document
from digest_pipeline.settings import Settings
from digest_pipeline.translation.batch.leases import kept_alive
from digest_pipeline.translation.budget import BudgetReached, Reservations, Stopping, highest_cost, require_price
from digest_pipeline.translation.cache.records import CachedAnswer, Lease
from digest_pipeline.translation.cache.threads import StoreThreads
from digest_pipeline.translation.llm.client import OPENAI_ADDRESS, endpoint_name, make_http_client, trusted_certificates
from digest_pipeline.translation.llm.completion import Usage
from digest_pipeline.translation.llm.errors import Redactor, Refusal, TryAgain
from digest_pipeline.translation.tasks import chunked
from digest_pipeline.translation.translator import Translator

PRIVATE = "a reader's paper"
"""In the place of an id: the text came from a library."""
KIND = "embedding"
"""`schema_version` of a kept vector."""
_TEXTS_A_REQUEST = 64
_AT_ONCE = 4
_MOST_TRIES = 4
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_MOST_CHARACTERS = 8_000  # models take about 8,000 tokens; an abstract has 1,900 characters at most
_LOOK_UP = 500
_LOOK_AGAIN_SECONDS = 0.5

Vector = npt.NDArray[np.float16]


@dataclass
class Embedder:
    """Vectors by text, for one run. Its spending counts against the translator's budget."""

    model: str
    base_url: str | None
    api_key: str | None
    translator: Translator
    listed: Collection[str] = ()
    """Keys of papers that were announced, and so are nobody's secret."""
    timeout_seconds: float = 60.0
    _known: dict[str, Vector] = field(default_factory=dict, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, translator: Translator) -> Embedder | None:
        """None where no model is set, and for the sample."""
        if not settings.embedding_model or settings.is_sample:
            return None
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        return cls(settings.embedding_model, settings.openai_base_url, key, translator)

    def vectors(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Documents × dimensions, each row of length one, in their order.

        Raises EmbeddingsUnavailable where the endpoint or the budget does not give them all, SettingsError for a budget without a price,
        AnswerStoreError; what was answered until then is kept.
        """
        texts = {self._key(document): document for document in documents}
        self._look_up(texts)
        if any(key not in self._known for key in texts):
            require_price(self.model, self.translator.prices, self.translator.budget)
            with self._alone():
                self._look_up(texts)
                asyncio.run(self._ask({key: document for key, document in texts.items() if key not in self._known}))
        rows = [self._known[self._key(document)] for document in documents]
        if len({len(row) for row in rows}) > 1:
            raise EmbeddingsUnavailable(
                f"{self.model} gives vectors of different lengths", hint="it is another model under the same name: name it anew"
            )
        found = np.array(rows, dtype=np.float32)
        result: npt.NDArray[np.float32] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return result

    def _key(self, document: Document) -> str:
        return hashlib.sha256(json.dumps([KIND, self.model, _text(document)]).encode()).hexdigest()

    def _look_up(self, keys: Mapping[str, Document]) -> None:
        for chunk in chunked((key for key in keys if key not in self._known), _LOOK_UP):
            self._known |= {key: _vector(answer.raw) for key, answer in self.translator.store.answers(chunk).items()}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One run asks at a time, so that no text is paid for twice; another one waits, and then finds it kept."""
        store, key = self.translator.store, f"embeddings:{self.model}"
        while store.claim(key) is Lease.HELD:
            time.sleep(_LOOK_AGAIN_SECONDS)
        try:
            with kept_alive(store):
                yield
        finally:
            store.release([key])

    # -- asking ----------------------------------------------------------------------------------------

    async def _ask(self, missing: Mapping[str, Document]) -> None:
        threads = StoreThreads(self.translator.store)
        stopping = asyncio.Event()
        reservations = Reservations(self.translator.budget, threads, self.translator.now, stopping.is_set)
        places = asyncio.Semaphore(_AT_ONCE)
        http = make_http_client(self.api_key, self.base_url, trusted_certificates(), timeout_seconds=self.timeout_seconds, connections=_AT_ONCE)

        async def portion(keys: Sequence[str]) -> None:
            async with places:
                if not stopping.is_set():
                    await self._portion(http, keys, missing, threads, reservations)

        try:
            tasks = [asyncio.create_task(portion(keys)) for keys in chunked(missing, _TEXTS_A_REQUEST)]
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            stopping.set()  # after a failure nothing new begins; what is under way may be paid, and is kept
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Stopping):
                    continue  # the failure that stopped it is another one
                if isinstance(result, BudgetReached):
                    raise EmbeddingsUnavailable(f"the budget is reached: {result}", hint="raise it, or wait for the next month") from None
                if isinstance(result, BaseException):
                    raise result
        finally:
            await http.aclose()
            threads.shut_down()

    async def _portion(
        self, http: Any, keys: Sequence[str], missing: Mapping[str, Document], threads: StoreThreads, reservations: Reservations
    ) -> None:
        texts = [_text(missing[key]) for key in keys]
        price = self.translator.prices.price(self.model)
        most = highest_cost([{"content": text} for text in texts], 0, price) if price else 0.0
        if self.translator.budget.is_set:
            await threads.call(self.translator.store.claim, keys[0])  # a reservation hangs on it; keeping or releasing gives both back
            await reservations.reserve(keys[0], most)
        cost: float | None = None
        try:
            asked_at = self.translator.now()
            vectors, tokens = await self._request(http, texts)
            cost = self.translator.prices.cost(self.model, Usage(tokens, 0))
            share = [len(text) / sum(map(len, texts)) for text in texts]
            answers = [
                CachedAnswer(
                    key=key, raw=base64.b64encode(vector.tobytes()).decode(), about=key_of if (key_of := missing[key].key) in self.listed else PRIVATE,
                    language="", model=self.model, prompt_sha256="", schema_version=KIND, response_id="", finish_reason="stop",
                    input_tokens=round(part * tokens), cached_input_tokens=0, output_tokens=0, tokens_estimated=True,
                    cost_usd=None if cost is None else part * cost, asked_at_utc=asked_at, answered_at_utc=self.translator.now(), via=KIND,
                )
                for key, vector, part in zip(keys, vectors, share, strict=True)
            ]  # fmt: skip
            await threads.call(self.translator.store.put_all, [(answer, None) for answer in answers])
            self._known |= dict(zip(keys, vectors, strict=True))
        finally:
            await reservations.settle(keys[0], cost)
            await threads.call(self.translator.store.release, [keys[0]])

    async def _request(self, http: Any, texts: Sequence[str]) -> tuple[list[Vector], int]:
        """The texts' vectors, and the tokens that they took. Raises EmbeddingsUnavailable after the last try."""
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, _MOST_TRIES + 1):
            try:
                return await self._once(http, texts)
            except TryAgain as trouble:
                if attempt == _MOST_TRIES:
                    raise EmbeddingsUnavailable(f"{self._where}: {trouble.message}", hint="the ranking goes by words until it answers") from None
                await asyncio.sleep(min(trouble.wait_seconds or pause, _LONGEST_PAUSE_SECONDS))
                pause *= 2
        raise AssertionError("unreachable")

    async def _once(self, http: Any, texts: Sequence[str]) -> tuple[list[Vector], int]:
        import httpx2

        try:
            async with asyncio.timeout(self.timeout_seconds):
                response = await http.post(
                    f"{(self.base_url or OPENAI_ADDRESS).rstrip('/')}/embeddings", json={"model": self.model, "input": list(texts)}
                )
        except (TimeoutError, httpx2.HTTPError) as error:
            raise TryAgain(f"no answer ({type(error).__name__})") from None
        if response.status_code >= 300:
            raise self._failure(response)
        try:
            body = response.json()
            rows = {int(row["index"]): np.array(row["embedding"], dtype=np.float16) for row in body["data"]}
            vectors = [rows[number] for number in range(len(texts))]
            if not all(vector.ndim == 1 and vector.size and np.isfinite(vector).all() for vector in vectors):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError):
            raise EmbeddingsUnavailable(
                f"{self._where} answers with something else than a vector for each text", hint="set DIGEST_EMBEDDING_MODEL to an embedding model"
            ) from None
        used = (body.get("usage") or {}).get("prompt_tokens")
        return vectors, used if isinstance(used, int) else sum(map(len, texts)) // 4

    def _failure(self, response: Any) -> DigestError:
        refusal = Refusal.read(response.status_code, response.text, response.headers, self.translator.now())
        failure = refusal.failure(model=self.model, endpoint=endpoint_name(self.base_url), redact=Redactor(self.api_key))
        if isinstance(failure, TryAgain):
            return TryAgain(f"HTTP {response.status_code}", status=failure.status, wait_seconds=failure.wait_seconds)
        hint = failure.hint if isinstance(failure, EndpointConfigurationError) and response.status_code != 404 else "see DIGEST_EMBEDDING_MODEL"
        return EmbeddingsUnavailable(f"{self._where} refuses: HTTP {response.status_code}", hint=f"{hint}; `digest doctor` has its words")

    @property
    def _where(self) -> str:
        return f"{self.model} at {endpoint_name(self.base_url)}"


def _text(document: Document) -> str:
    return f"{document.title}\n\n{document.abstract}".strip()[:_MOST_CHARACTERS] or "(no text)"


def _vector(raw: str) -> Vector:
    return np.frombuffer(base64.b64decode(raw), dtype=np.float16)

"""The few calls of an OpenAI-compatible Batch API."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

from digest_pipeline.errors import EndpointConfigurationError, EndpointUnavailable
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.llm.client import OPENAI_ADDRESS, endpoint_name, trusted_certificates
from digest_pipeline.translation.llm.errors import Redactor, Refusal, TryAgain

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

_TOKEN_NAME = "digest_submission"  # noqa: S105 - the name of a metadata field
_PAGE = 100
_RETRIEVE, _DOWNLOAD = "retrieve the batch", "download the batch's answers"


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
    """The few calls of an OpenAI-compatible Batch API, tried again by the `openai` package where that can help."""

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        timeout_seconds: float,
        memory: ResponseCache,
        now: Callable[[], datetime],
        most_retries: int = 4,
    ) -> None:
        import openai

        if api_key is None and base_url is None:
            raise EndpointConfigurationError("there is no key for the model", hint="set OPENAI_API_KEY")
        self.endpoint = endpoint_name(base_url)
        self.memory = memory
        self._now = now
        self._redact = Redactor(api_key)
        self._client = openai.OpenAI(
            api_key=api_key or "none",
            base_url=base_url or OPENAI_ADDRESS,
            max_retries=most_retries,
            timeout=timeout_seconds,
            http_client=openai.DefaultHttpxClient(verify=trusted_certificates()),
        )

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
            made = self._client.with_options(max_retries=0).batches.create(
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
                with contextlib.suppress(ValueError):  # a torn line has no answer, and its question stays open
                    if isinstance(row := json.loads(line), dict):
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
        try:
            with self._explained(what):
                return action()
        except TryAgain as error:
            raise EndpointUnavailable(error.message, hint="run again later: what was submitted is recorded") from None

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._failure(what, error.response) from None
        except (openai.APIError, httpx2.HTTPError) as error:
            raise TryAgain(f"{self.endpoint} did not {what}: {self._redact(str(error.__cause__ or error))[:300]}") from None

    def _failure(self, what: str, response: httpx2.Response) -> Exception:
        status, said = response.status_code, self._redact(" ".join(response.text.split()))[:300]
        if status == 404 and what in (_RETRIEVE, _DOWNLOAD):
            return _Gone()
        if status in (404, 405, 501):
            return EndpointConfigurationError(
                f"{self.endpoint} has no Batch API: it could not {what} ({status}: {said})", hint="set DIGEST_BATCH=never"
            )
        refusal = Refusal.read(status, response.text, response.headers, self._now())
        failure = refusal.failure(model="", endpoint=self.endpoint, redact=self._redact)
        if isinstance(failure, EndpointConfigurationError):
            return failure
        if isinstance(failure, TryAgain):
            return TryAgain(f"{self.endpoint} did not {what}: {status}, {said}", status=status)
        return EndpointConfigurationError(
            f"{self.endpoint} refused to {what} ({status}: {said})", hint="set DIGEST_BATCH=never, or mend what it names"
        )


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

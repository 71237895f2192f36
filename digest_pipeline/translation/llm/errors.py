"""What an endpoint's refusal means."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from digest_pipeline.errors import EndpointConfigurationError, TranslationError

if TYPE_CHECKING:
    pass


class TryAgain(TranslationError):
    """The endpoint did not answer this time. `wait_seconds` is what it asked us to wait, for everybody; None if nothing."""

    retryable = True

    def __init__(self, message: str, *, status: int = 0, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.wait_seconds = wait_seconds

    @property
    def is_rate_limit(self) -> bool:
        return self.status == 429


class RequestRejected(TranslationError):
    """The endpoint refuses what it was asked about this paper; other papers may pass."""


class Redactor:
    """Takes keys out of texts that people or logs will see."""

    _KEY_LIKE = re.compile(r"\b(?:sk|rk|pk|key|gsk|xai)-[A-Za-z0-9_\-*.]{4,}|(?i:bearer)\s+\S+|(?<=://)[^/@\s]+@")

    def __init__(self, *secrets: str | None) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(key)")
        return self._KEY_LIKE.sub("(key)", text)


_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|insufficient (?:balance|credit|funds)|credit balance|billing", re.I)

UNKNOWN_MODEL = re.compile(
    r"model_not_found|(?:unknown|invalid|no such|unsupported) model|model\b.{0,120}?(?:does not exist|not found|not exist|is not available)",
    re.I | re.S,
)

_KEY = re.compile(r"invalid_api_key|no_db_connection|(?:incorrect|invalid) api key|api key (?:not valid|is invalid)", re.I)

_PAPER = re.compile(
    r"content_filter|content management policy|content_policy|moderation|flagged|context_length_exceeded|context length|maximum context|too many tokens|prompt is too long",
    re.I,
)


def refuse_if_hopeless(status: int, words: str, said: str, model: str, endpoint: str) -> None:
    """Raises EndpointConfigurationError where no retry can help, naming the setting; `said` is the scrubbed text to show."""
    if status == 402 or (status in (400, 403, 429) and _CREDIT.search(words)):
        raise EndpointConfigurationError(
            f"the account's credit at {endpoint} is used up ({status}: {said})", hint="add credit, or set another OPENAI_API_KEY"
        )
    if (
        status == 401
        or (status in (400, 403) and _KEY.search(words))
        or (status == 403 and not is_about_the_paper(words) and not UNKNOWN_MODEL.search(words))
    ):
        raise EndpointConfigurationError(
            f"{endpoint} refuses the key ({status}: {said})", hint="set OPENAI_API_KEY to a key of this endpoint (OPENAI_BASE_URL)"
        )
    if status in (400, 403, 404, 422) and UNKNOWN_MODEL.search(words):
        raise EndpointConfigurationError(
            f"{endpoint} does not know the model {model!r} ({status}: {said})", hint="set DIGEST_MODEL to a model of this endpoint"
        )
    if status in (404, 405):
        raise EndpointConfigurationError(
            f"{endpoint} has no chat endpoint ({status}: {said})", hint="set OPENAI_BASE_URL to the address that ends in /v1"
        )


def is_about_the_paper(words: str) -> bool:
    return _PAPER.search(words) is not None


def error_words(text: str) -> str:
    """An error body's message, code, type and parameter in one line, or the start of what came instead."""
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return " ".join(text.split())[:500]
    if not isinstance(error, dict):
        return str(error)[:500]
    return " ".join(str(error[name]) for name in ("message", "code", "type", "param") if error.get(name))[:1000]


def status_in(error: Any) -> int:
    """The status that an error object inside a 200 stands for; 500 where it does not say."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) or (isinstance(code, str) and code.isdigit()):
        return int(code) if 400 <= int(code) <= 599 else 500
    words = json.dumps(error)
    if _CREDIT.search(words) or "rate_limit" in words:
        return 429
    return 401 if _KEY.search(words) else 404 if UNKNOWN_MODEL.search(words) else 500

"""What an endpoint's refusal means: for this paper, for this moment, or for everybody and for good.

What lives here: an error's status, code, type and words → one of the failures below; keys taken out of what is shown.
What does not: how long to wait (`retry_after.py`), waiting and trying again (`rate_limit.py`, `attempts.py`).

    EndpointConfigurationError   key, credit, model or address: nobody can go on; names the setting        (errors.py)
    TryAgain                     429, 5xx, no answer in time, HTML with 200: the same may succeed later
    RequestRejected              this paper cannot be asked here: content filter, longer than the context
    ParameterRefused             a parameter of ours is not known here: to be asked with less

A limit is not an empty account, though both come as 429 and speak of quota and billing: the code and type are believed
first, then an express wait, the words last. Sources: OpenAI's, Google's, Zhipu's, Moonshot's, SiliconFlow's and Alibaba's
tables of errors, and public reports, of which `test_errors.py` holds the words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from digest_pipeline.errors import EndpointConfigurationError, TranslationError
from digest_pipeline.translation.llm.retry_after import told_wait_seconds, wait_seconds

_HTTP_ERRORS = frozenset(status.value for status in HTTPStatus if status >= 400)  # iFlow has a 439 of its own
_SHOWN = 300  # characters of an endpoint's message that an error repeats


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


class ParameterRefused(TranslationError):
    """A 4xx that may be about a parameter; `words` are what the endpoint said."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words


class Redactor:
    """Takes keys out of texts that people or logs will see."""

    _KEY_LIKE = re.compile(r"\b(?:sk|rk|pk|key|gsk|xai)-[A-Za-z0-9_\-*.]{4,}|(?i:bearer)\s+\S+|(?<=://)[^/@\s]+@")

    def __init__(self, *secrets: str | None) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(key)")
        return self._KEY_LIKE.sub("(key)", text)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal as it was read. `words` are message, code, type and parameter in one line, or the start of what came instead."""

    status: int
    words: str
    codes: frozenset[str]
    """Code, type and status word, in lower case."""
    told_wait_seconds: float | None
    """Only where the refusal itself asks to wait."""
    wait_seconds: float | None

    @classmethod
    def read(cls, status: int, text: str, headers: Mapping[str, str], now: datetime) -> Refusal:
        """`status` 200: an error object in an answer, whose own code counts."""
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        error = error_in(body)
        words, codes = (_words(error), _codes(error)) if error is not None else (" ".join(text.split())[:500], frozenset[str]())
        waits = (told_wait_seconds(headers, now, body, words), wait_seconds(headers, now, body, words))
        return cls(status if status >= 400 else _status_of(words, codes), words, codes, *waits)

    def failure(self, *, model: str, endpoint: str, redact: Redactor, has_answered: bool = False) -> TranslationError:
        """The error to raise. `has_answered`: the endpoint answered before, so that a 404 is a moment's trouble."""
        said = f"{self.status}: {redact(self.words)[:_SHOWN]}"
        if self.is_out_of_credit:
            return EndpointConfigurationError(
                f"the account's credit at {endpoint} is used up ({said})",
                hint="add credit to the account, or set OPENAI_API_KEY to another one's key",
            )
        if self.status == 413 or _TOO_LARGE.search(self.words):
            return RequestRejected(f"the endpoint refused the paper ({said})")
        if self._refuses_from_here:
            return EndpointConfigurationError(
                f"{endpoint} is closed to requests from here ({said})",
                hint="see whether it serves this country or network; a way through another one is HTTPS_PROXY",
            )
        if self._names_no_model and not (has_answered and self.status == 503):
            return EndpointConfigurationError(
                f"{endpoint} does not know the model {model!r} ({said})", hint="set DIGEST_MODEL to a model of this endpoint"
            )
        if self._is_temporary:
            return TryAgain(f"the endpoint answered {said}", status=429 if self._says_limit else self.status, wait_seconds=self.wait_seconds)
        if self.status == 401 or (self.status in (400, 403) and _KEY.search(self.words)) or (self.status == 403 and not _PAPER.search(self.words)):
            return EndpointConfigurationError(
                f"{endpoint} refuses the key ({said})", hint="set OPENAI_API_KEY to a key of this endpoint (OPENAI_BASE_URL)"
            )
        if self.status in (404, 405) and has_answered:
            return TryAgain(f"the endpoint, which answered before, now says {said}", status=self.status)
        if self.status in (404, 405):
            return EndpointConfigurationError(f"{endpoint} has no chat endpoint ({said})", hint="set OPENAI_BASE_URL to the address that ends in /v1")
        if _PAPER.search(self.words):
            return RequestRejected(f"the endpoint refused the paper ({said})")
        return ParameterRefused(f"the endpoint refused the request ({said})", self.words)

    @property
    def is_out_of_credit(self) -> bool:
        """No wait can help: 402, a code that says so, or words where nothing else speaks for a limit."""
        if self.status == 402 or self.codes & _CODES_OF_CREDIT:
            return True
        if self.status not in (400, 401, 403, 429) or self._says_limit:
            return False
        mentions_credit = self.status != 401 and _MENTIONS_CREDIT.search(self.words) and not _LIMIT.search(self.words)
        return _NO_CREDIT.search(self.words) is not None or bool(mentions_credit)

    @property
    def _says_limit(self) -> bool:
        """A limit by code, type, an express wait, or with a status that does not say so by plain words."""
        if any(code in _CODES_OF_LIMIT or code.startswith(("rate_limit", "throttling", "limit_")) for code in self.codes):
            return True
        told = self.status in (403, 429) and self.told_wait_seconds is not None
        return told or (self.status in (400, 403) and _PLAIN_LIMIT.search(self.words) is not None)

    @property
    def _is_temporary(self) -> bool:
        """`json_validate_failed`: the endpoint has judged its own model's answer, and another one may pass."""
        is_refusal = self.status == 500 and _REFUSES.search(self.words)  # an upstream's 400, as a gateway passes it on
        return (
            self._says_limit or "json_validate_failed" in self.codes or self.status in (408, 409, 425, 429) or (self.status >= 500 and not is_refusal)
        )

    @property
    def _refuses_from_here(self) -> bool:
        """By country, or with a page for people: something stands before the endpoint."""
        return (self.status == 403 and self.words.startswith("<")) or (self.status in (400, 403) and _PLACE.search(self.words) is not None)

    @property
    def _names_no_model(self) -> bool:
        """new-api says it with 503, too."""
        return "model_not_found" in self.codes or (self.status in (400, 403, 404, 422) and _MODEL.search(self.words) is not None)


_CODES_OF_CREDIT = frozenset(
    [
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_user_quota",
        "insufficient_funds",
        "insufficient_credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
        "arrearage",
        "accountoverdueerror",
        "quota_not_enough",
        "setlimitexceeded",  # Ark: a limit of one's own, until somebody raises it
        "1113",
        "1309",
        "30001",
    ]
)
_CODES_OF_LIMIT = frozenset(
    [
        "rate_limit",
        "requests",
        "tokens",
        "resource_exhausted",
        "too_many_requests",
        "toomanyrequests",
        "ratelimitexceeded",
        "engine_overloaded_error",
        "overloaded_error",
        "server_overloaded",
        "1302",
        "1303",
        "1305",
    ]
)
_NO_CREDIT = re.compile(
    r"insufficient[ _](?:account )?(?:balance|credits?|funds)|(?:balance|credits?|funds)\b.{0,40}?\b(?:insufficient|not enough|exhausted|too low|used up|run out)"
    r"|not enough (?:balance|credits?|funds)|(?:out of|n.t have any) credits?|credit balance|余额不足|欠费|账户余额|(?:額度|额度).{0,4}?(?:不足|用尽|用完|耗尽)|残高不足",
    re.I,
)
_MENTIONS_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|billing|quota", re.I)
_PLAIN_LIMIT = re.compile(r"rate.?limit|too many requests|concurren|throttl|限流|频率|频繁|并发|速率", re.I)
_LIMIT = re.compile(
    _PLAIN_LIMIT.pattern + r"|too many|per[ -](?:second|minute|hour|day)|\b[rt]p[mds]\b|(?:try again|retry) (?:in|after|later)|overloaded|稍后", re.I
)
_MODEL = re.compile(
    r"model_not_found|(?:unknown|invalid|no such|unsupported|not found the|not a valid|not activated the) model|model not support|模型不存在"
    r"|(?:models?|deployment)\b.{0,120}?(?:does not exist|not found|not exist|is not available|decommissioned|access denied)"
    r"|no endpoints found|endpoint that does not exist",
    re.I | re.S,
)
_KEY = re.compile(
    r"invalid_api_key|no_db_connection|(?:incorrect|invalid) api.?key|api.?(?:key|token) (?:not valid|is invalid|has expired)|api secret key|无效的令牌",
    re.I,
)
_PLACE = re.compile(r"location is not supported|country, region|unsupported_country|not (?:available|supported) in your (?:country|region)", re.I)
_REFUSES = re.compile(r"unsupported (?:parameter|value)|unknown parameter|unrecognized request|extra inputs|not supported (?:by|with|for)", re.I)
_TOO_LARGE = re.compile(r"request too large", re.I)
_PAPER = re.compile(
    r"content_filter|content management policy|content_policy|moderation|flagged|context_length_exceeded|context length|maximum context|too many tokens"
    r"|prompt is too long|data_inspection_failed|inappropriate content|敏感|超长",
    re.I,
)


def error_in(body: Any) -> Any:
    """The error that a body holds, whatever its form: an object, a sentence, a list of one; None where it holds none."""
    if isinstance(body, list) and body:
        return error_in(body[0])
    if not isinstance(body, dict):
        return None
    for name in ("error", "errors", "detail"):
        if body.get(name):
            return body[name][0] if isinstance(body[name], list) else body[name]
    for choice in body["choices"] if isinstance(body.get("choices"), list) else ():  # OpenRouter, where the model's provider failed
        if isinstance(choice, dict) and choice.get("error"):
            return choice["error"]
    base = body.get("base_resp")  # MiniMax
    if isinstance(base, dict) and base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base["status_code"]}
    is_error = (
        "choices" not in body
        and (isinstance(body.get("message"), str) or isinstance(body.get("msg"), str))
        and body.keys() & {"code", "status", "type"}
    )
    return body if is_error else None


def _words(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)[:500]
    return " ".join(str(error[name]) for name in ("message", "msg", "status", "code", "type", "param") if error.get(name))[:1000]


def _codes(error: Any) -> frozenset[str]:
    if not isinstance(error, dict):
        return frozenset()
    return frozenset(str(error[name]).lower() for name in ("code", "type", "status") if isinstance(error.get(name), str | int))


def _status_of(words: str, codes: frozenset[str]) -> int:
    """The status that an error object inside a 200 stands for; 500 where it does not say."""
    for code in codes:
        if code.isdigit() and int(code) in _HTTP_ERRORS:
            return int(code)
    if codes & (_CODES_OF_CREDIT | _CODES_OF_LIMIT) or _NO_CREDIT.search(words) or _MENTIONS_CREDIT.search(words) or _LIMIT.search(words):
        return 429
    return 401 if _KEY.search(words) else 404 if _MODEL.search(words) else 500

"""How long an endpoint asks to wait: every way of saying it, read in this one place.

What lives here: headers, fields of an error's body, and sentences → seconds. What does not: waiting (`rate_limit.py`), and
what the refusal means (`errors.py`).

    headers   `retry-after-ms`, `retry-after` (seconds or an HTTP date), also behind a LiteLLM proxy (`llm_provider-…`)
    body      Google's RetryInfo (`"retryDelay": "45s"`), `retry_after`, headers that OpenRouter repeats in the body
    words     "Please retry in 45.2s", "try again in 6m0s", "retry after 20 seconds", "请 5 秒后重试"
    headers   `x-ratelimit-reset-…`: when a full allowance is back, which every answer of some endpoints tells
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_WORDS = re.compile(
    r"(?:(?:re)?try|wait|available|resets?)\b[^.\n]{0,30}?\b(?:in|after|for)\s+(?:about |approximately |another )?(?P<en>\d[\d.]*\s?(?:ms|[a-z]+)?(?:\s?\d[\d.]*\s?(?:ms|[smh]))*)"
    r"|\bwait\s+(?P<wait>\d[\d.]*\s?[a-z]+)|(?P<zh>\d{1,12}(?:\.\d{1,9})?)\s*(?P<unit>秒|分|小时)钟?(?:后|之后|以后)",
    re.IGNORECASE,
)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "秒": 1, "分": 60, "小时": 3600}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s?(ms|milliseconds?|[smhd]|sec(?:ond)?s?|min(?:ute)?s?|hours?|days?)(?![a-z])", re.IGNORECASE)


def told_wait_seconds(headers: Mapping[str, str], now: datetime, body: Any = None, words: str = "") -> float | None:
    """The wait that this refusal asks for expressly, in seconds; None where it does not, or not in a way that can be read."""
    lower = {name.lower(): str(value).strip() for name, value in headers.items()}
    for prefix in ("", "llm_provider-"):
        milliseconds = _number(lower.get(f"{prefix}retry-after-ms"))
        told = _seconds_or_date(lower.get(f"{prefix}retry-after"), now) if milliseconds is None else milliseconds / 1000
        if told is not None:
            return max(0.0, told)
    told = next(_in_body(body, now), None)
    return max(0.0, told) if told is not None else _in_words(words)


def wait_seconds(headers: Mapping[str, str], now: datetime, body: Any = None, words: str = "") -> float | None:
    """The express wait, or else when the endpoint's allowance is whole again; None where nothing says."""
    told = told_wait_seconds(headers, now, body, words)
    if told is not None:
        return told
    lower = {name.lower(): str(value).strip() for name, value in headers.items()}
    resets = (_until_reset(lower, prefix, now) for prefix in ("", "llm_provider-"))
    return next((max(0.0, reset) for reset in resets if reset is not None), None)


def _in_body(body: Any, now: datetime) -> Iterator[float]:
    """Waits named by a field, anywhere in the body."""
    if isinstance(body, list):
        for item in body:
            yield from _in_body(item, now)
    if isinstance(body, dict):
        for name, value in body.items():
            plain = str(name).lower().replace("_", "").replace("-", "")
            if plain in ("retrydelay", "retryafter", "retryafterseconds", "retryafterms", "xratelimitreset") and isinstance(value, str | int | float):
                seconds = _duration(str(value), now)
                if seconds is not None:
                    yield seconds / 1000 if plain == "retryafterms" else seconds
            yield from _in_body(value, now)


def _in_words(words: str) -> float | None:
    for match in _WORDS.finditer(words):
        if match["zh"]:
            return float(match["zh"]) * _UNITS[match["unit"]]
        seconds = _sum_of_parts(match["en"] or match["wait"])
        if seconds is not None:
            return seconds
    return None


def _sum_of_parts(text: str) -> float | None:
    """`1h2m`, `6m0s`, `45.2s`, `20 seconds`, `120ms`; a bare number is no duration here."""
    parts = _PART.findall(text)
    return (
        sum(float(number) * _UNITS["ms" if unit.lower().startswith(("ms", "milli")) else unit[0].lower()] for number, unit in parts)
        if parts
        else None
    )


def _number(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"\d{1,14}(?:\.\d{1,9})?", value) else None


def _seconds_or_date(value: str | None, now: datetime) -> float | None:
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return _sum_of_parts(value)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def _until_reset(headers: Mapping[str, str], prefix: str, now: datetime) -> float | None:
    """Of what is used up (`-requests`, `-tokens-minute`, …), the longest; where nothing says what is, the shortest of what resets."""
    start = f"{prefix}x-ratelimit-reset"
    resets = {name.removeprefix(start): _duration(value, now) for name, value in headers.items() if name.startswith(start)}
    told = {kind: seconds for kind, seconds in resets.items() if seconds is not None}
    used_up = [seconds for kind, seconds in told.items() if _number(headers.get(f"{prefix}x-ratelimit-remaining{kind}")) == 0]
    return max(used_up) if used_up else min(told.values(), default=None)


def _duration(value: str | None, now: datetime) -> float | None:
    """`6m0s`, `20ms`, plain seconds, a Unix time (also in milliseconds) or an ISO time."""
    if not value:
        return None
    number = _number(value)
    if number is not None:
        return number if number < 1e9 else (number / 1000 if number > 1e11 else number) - now.timestamp()
    if _PART.match(value):
        return _sum_of_parts(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()

"""How long an endpoint asks to wait: headers, bodies and words, read in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a refusal asks to wait, in seconds; None where it does not say, or not in a way that can be read.

    The first of: `retry-after-ms`, `retry-after` (seconds or an HTTP date), the same as a LiteLLM proxy hands it on
    (`llm_provider-…`), and `x-ratelimit-reset-requests`/`-tokens` of what is used up (`1s`, `6m0s`, `20ms`).
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for prefix in ("", "llm_provider-"):
        found = _milliseconds(lower.get(f"{prefix}retry-after-ms"))
        if found is None:
            found = _seconds_or_date(lower.get(f"{prefix}retry-after"), now)
        if found is None:
            found = _until_reset(lower, prefix, now)
        if found is not None:
            return max(0.0, found)
    return None


def _milliseconds(value: str | None) -> float | None:
    seconds = _number(value)
    return None if seconds is None else seconds / 1000


def _number(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", value) else None


def _seconds_or_date(value: str | None, now: datetime) -> float | None:
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def _until_reset(headers: Mapping[str, str], prefix: str, now: datetime) -> float | None:
    """Of what is used up, the longest; where nothing says what is, the shortest of what resets."""
    used_up, all_resets = [], []
    for kind in ("requests", "tokens"):
        reset = _duration(headers.get(f"{prefix}x-ratelimit-reset-{kind}"), now)
        if reset is not None:
            all_resets.append(reset)
            if _number(headers.get(f"{prefix}x-ratelimit-remaining-{kind}")) == 0:
                used_up.append(reset)
    return max(used_up) if used_up else min(all_resets, default=None)


_DURATION = re.compile(
    r"(?:(\d{1,6}(?:\.\d+)?)d)?(?:(\d{1,6}(?:\.\d+)?)h)?(?:(\d{1,6}(?:\.\d+)?)m(?!s))?(?:(\d{1,9}(?:\.\d+)?)s)?(?:(\d{1,12}(?:\.\d+)?)ms)?"
)

_UNIT_SECONDS = (86400, 3600, 60, 1, 0.001)


def _duration(value: str | None, now: datetime) -> float | None:
    """`6m0s`, `20ms`, plain seconds, a Unix time or an ISO time."""
    if not value:
        return None
    number = _number(value)
    if number is not None:
        return number - now.timestamp() if number > 1e9 else number
    match = _DURATION.fullmatch(value)
    if match and any(match.groups()):
        return sum(float(part) * unit for part, unit in zip(match.groups(), _UNIT_SECONDS, strict=True) if part)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()

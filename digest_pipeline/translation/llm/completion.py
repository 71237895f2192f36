"""What a completion holds: text, usage, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; cached and reasoning tokens are part of input and output."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What came back. `text` may be empty; `finish_reason` is `length` for an answer that was cut off."""

    text: str
    model: str
    response_id: str
    finish_reason: str
    usage: Usage | None
    """None where the endpoint does not count."""


def read_completion(body: Mapping[str, Any], model: str) -> ChatAnswer | None:
    """A completion's text and usage; None where it holds no choice. Works for chat and for a line of a batch's output."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    message = choices[0].get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return ChatAnswer(
        text=_text_of(content),
        model=str(body.get("model") or model),
        response_id=str(body.get("id") or ""),
        finish_reason=str(choices[0].get("finish_reason") or ""),
        usage=_usage(body.get("usage")),
    )


def _text_of(content: Any) -> str:
    """Text, or the text parts of a list of parts, or nothing."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def _usage(usage: Any) -> Usage | None:
    """Counts that are no numbers count as not told: a paid answer is not lost for its bill."""
    if not isinstance(usage, dict) or not _is_count(usage.get("prompt_tokens")) or not _is_count(usage.get("completion_tokens")):
        return None
    cached = _count_in(usage.get("prompt_tokens_details"), "cached_tokens") or _count_in(usage, "prompt_cache_hit_tokens")
    return Usage(usage["prompt_tokens"], usage["completion_tokens"], cached, _count_in(usage.get("completion_tokens_details"), "reasoning_tokens"))


def _count_in(details: Any, name: str) -> int:
    value = details.get(name) if isinstance(details, dict) else None
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

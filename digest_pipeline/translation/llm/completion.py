"""What an endpoint's 200 holds: the texts in which the answer may stand, why it ended, and the tokens it took.

What lives here: bytes of a chat completion → `ChatAnswer`, in each form that endpoints use though nobody asked for it:
server-sent events, content in parts, a tool call's arguments, an answer in the field of the thoughts. What does not: the
reading of the text itself (`validation/answer.py`). The table in `docs/translation.md` lists the ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from digest_pipeline.translation.llm.capabilities import ResponseFormat
from digest_pipeline.translation.validation.answer import is_readable

LENGTH, CONTENT_FILTER, INTERRUPTED = "length", "content_filter", "error"
_ENDS = {
    LENGTH: ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit"),
    CONTENT_FILTER: ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii", "sensitive", "refusal"),  # Gemini, Zhipu
    INTERRUPTED: ("error", "network_error", "insufficient_system_resource"),  # OpenRouter, Zhipu, DeepSeek
}
_NEAR_THE_LIMIT = 0.95
_WRAPPERS = ("data", "result", "response", "completion", "body", "output")
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; cached and reasoning tokens are part of input and output."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What came back. `finish_reason` is `length`, `content_filter` or `error` in whatever words the endpoint said so."""

    text: str
    """Where the answer stands, whole; thoughts that came in a field of their own stand behind `<think>`. May be empty."""
    model: str
    response_id: str
    finish_reason: str
    usage: Usage | None
    """None where the endpoint does not count."""
    has_thoughts: bool = False
    was_read_from: str = "content"
    """For people: the place in the completion."""
    response_format: ResponseFormat | None = None
    """How it was asked for; None where nothing was."""
    limit_tokens: int | None = None
    """The most tokens that the request allowed."""
    taught: bool = False
    """The way of asking has changed since this was asked: another answer may be better through no merit of the model's."""

    @property
    def is_only_thoughts(self) -> bool:
        """Nothing was said yet when it ended: the thoughts stand in their own field, or were never closed."""
        text = self.text.lstrip().lower()
        return (self.has_thoughts and not text) or (text.startswith("<think") and "</think" not in text)

    @property
    def is_at_its_limit(self) -> bool:
        """Cut, as far as tokens tell; some servers say `length` of every whole answer."""
        if self.finish_reason != LENGTH:
            return False
        return self.usage is not None and self.limit_tokens is not None and self.usage.output_tokens >= _NEAR_THE_LIMIT * self.limit_tokens


def parse_body(text: str) -> Any:
    """The JSON of a response, put together where it came as events. Raises ValueError where it is neither."""
    stripped = text.lstrip("\ufeff \r\n\t")
    if stripped.startswith(("data:", "event:", "id:", "retry:", ":")):
        return _of_events(list(_events(stripped)))
    try:
        return json.loads(stripped, strict=False)
    except ValueError:
        lines = [json.loads(line) for line in stripped.splitlines() if line.strip()]  # a JSON object a line, as Ollama streams
        return _of_events(lines)


def read_completion(body: Any, model: str, fields: Sequence[str] = ()) -> ChatAnswer | None:
    """A completion's answer; None where it holds no choice, or an error in its place. Works for chat and for a line of a batch's output.

    Of several texts it is the first one in which all `fields` can be read.
    """
    completion = _with_choices(body)
    if completion is None and fields and isinstance(body, dict) and all(name in body for name in fields):
        completion = {"choices": [{"text": body}]}  # the answer itself
    if completion is None:
        return None
    choices = [choice for choice in completion["choices"] if isinstance(choice, dict)]
    if not choices:
        return None
    choice = next((choice for choice in choices if any(text.strip() for _, text in _texts(choice))), choices[0])
    places = [(place, text) for place, text in _texts(choice) if text.strip()]
    if not places and choice.get("error"):
        return None
    place, text = next(((place, text) for place, text in places if is_readable(text, fields)), places[0] if places else ("content", ""))
    return ChatAnswer(
        text=text,
        model=str(completion.get("model") or model),
        response_id=str(completion.get("id") or ""),
        finish_reason=_finish_reason(choice),
        usage=_usage(completion.get("usage")),
        has_thoughts=any(_thoughts(choice)),
        was_read_from=place,
    )


def _with_choices(body: Any, depth: int = 0) -> dict[str, Any] | None:
    """The object with the choices: the body itself, or what a gateway wrapped; a native Ollama message counts as one."""
    if not isinstance(body, dict) or depth > _DEEPEST:
        return None
    if isinstance(body.get("choices"), list):
        return body
    if isinstance(body.get("message"), dict):
        return {**body, "choices": [{"message": body["message"], "finish_reason": body.get("done_reason")}]}
    content, finish_reason = _of_other_interfaces(body)
    if content:
        return {**body, "choices": [{"message": {"content": content}, "finish_reason": finish_reason}]}
    inner = (_with_choices(body.get(name), depth + 1) for name in _WRAPPERS)
    return next((found for found in inner if found is not None), None)


def _of_other_interfaces(body: Mapping[str, Any]) -> tuple[Any, Any]:
    """Content and end of an answer in the form of Anthropic's messages, OpenAI's responses or Gemini's candidates, as gateways pass it on."""
    if body.get("type") == "message":
        return body.get("content"), body.get("stop_reason")
    if isinstance(body.get("output"), list):
        return [part for item in map(_object, body["output"]) if item.get("type") == "message" for part in item.get("content") or ()], body.get(
            "status"
        )
    for name in ("response", "result", "output"):  # Ollama's generate, Baidu, DashScope's own interface
        text = body.get(name)
        text = text.get("text") if isinstance(text, dict) else text
        if isinstance(text, str):
            return text, body.get("finish_reason")
    candidates = body.get("candidates")
    first = _object(next(iter(candidates), None)) if isinstance(candidates, list) else {}
    return _object(first.get("content")).get("parts"), first.get("finishReason")


def _texts(choice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(place, text) of everything that may be the answer, the likeliest first. Thoughts only where there is nothing else."""
    message = _message(choice)
    found = [("content", _text_of(message.get("content"))), ("text", _text_of(choice.get("text")))]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        found.append(("a tool call", _arguments(_object(_object(call).get("function")) or _object(call))))
    found.append(("a function call", _arguments(_object(message.get("function_call")))))
    found += [(name, _text_of(message.get(name))) for name in ("parsed", "refusal")]
    yield from found
    if not any(text.strip() for _, text in found):
        for thoughts in _thoughts(choice):
            yield "the field of its thoughts", f"<think>{thoughts}"


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Also where it is a bare text, the last of several, or called a piece of a stream."""
    found = choice.get("message") or choice.get("messages") or choice.get("delta")
    found = found[-1] if isinstance(found, list) and found else found
    return {"content": found} if isinstance(found, str) else _object(found)


def _thoughts(choice: Mapping[str, Any]) -> Iterator[str]:
    message = _message(choice)
    for name in ("reasoning_content", "reasoning", "thinking"):
        text = _text_of(message.get(name))
        if text.strip():
            yield text


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _arguments(function: Mapping[str, Any]) -> str:
    return _text_of(next((function[name] for name in ("arguments", "input") if function.get(name)), ""))


def _text_of(content: Any) -> str:
    """Text, or the text parts of a list of parts, or an object as its JSON, or nothing. A part of thoughts is no part of the text."""
    if isinstance(content, list):
        parts = [part for part in content if not (isinstance(part, dict) and str(part.get("type")).startswith(("thinking", "reasoning")))]
        return "".join(part if isinstance(part, str) else _text_of(_object(part).get("text")) for part in parts)
    if isinstance(content, dict):
        return _text_of(content["text"]) if "text" in content else json.dumps(content, ensure_ascii=False)
    return content if isinstance(content, str) else ""


def _finish_reason(choice: Mapping[str, Any]) -> str:
    reason = str(choice.get("finish_reason") or choice.get("stop_reason") or "").lower()
    return next((end for end, words in _ENDS.items() if reason.partition(":")[0] in words), reason)


# -- answers that came as events ------------------------------------------------------------------------


def _events(text: str) -> Iterator[Any]:
    """The JSON of each event's data; lines of one event belong together."""
    data: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("data:"):
            data.append(line[5:].strip())
        elif not line.strip() and data:
            joined, data = "\n".join(data), []
            if joined != "[DONE]":
                yield json.loads(joined, strict=False)


def _of_events(events: list[Any]) -> dict[str, Any]:
    """One completion of all its pieces. Raises ValueError where there is no piece."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    finish_reason = None
    for event in filter(None, map(_object, events)):
        if event.get("error"):
            return dict(event)
        whole.update({name: event[name] for name in ("id", "model", "usage") if event.get(name)})
        completion = _with_choices(event)
        choice = _object(next(iter(completion["choices"]), None)) if completion else {}
        finish_reason = choice.get("finish_reason") or finish_reason
        delta = choice.get("delta") or choice.get("message")
        _add_piece(message, calls, _object(delta) or {"content": choice.get("text")})
    if not whole and not message and not calls:
        raise ValueError("no event with a piece of an answer")
    if calls:
        message["tool_calls"] = [calls[number] for number in sorted(calls)]
    return {**whole, "choices": [{"message": message, "finish_reason": finish_reason}]}


def _add_piece(message: dict[str, Any], calls: dict[int, dict[str, Any]], delta: Mapping[str, Any]) -> None:
    for name in ("content", "reasoning_content", "reasoning", "thinking"):
        message[name] = message.get(name, "") + _text_of(delta.get(name))
    pieces = delta.get("tool_calls")
    for position, piece in enumerate(pieces if isinstance(pieces, list) else []):
        number = _object(piece).get("index", position)
        call = calls.setdefault(number if isinstance(number, int) else position, {"function": {"arguments": ""}})
        call["function"]["arguments"] += _arguments(_object(_object(piece).get("function")))
    if arguments := _arguments(_object(delta.get("function_call"))):
        call = message.setdefault("function_call", {"arguments": ""})
        call["arguments"] += arguments


# -- tokens ---------------------------------------------------------------------------------------------


def _usage(usage: Any) -> Usage | None:
    """Counts that are no numbers count as not told: a paid answer is not lost for its bill."""
    usage = _object(usage)
    tokens_in, tokens_out = (usage.get(f"{old}_tokens", usage.get(f"{new}_tokens")) for old, new in (("prompt", "input"), ("completion", "output")))
    if not _is_count(tokens_in) or not _is_count(tokens_out):
        return None
    cached = _count_in(usage.get("prompt_tokens_details"), "cached_tokens") or _count_in(usage, "prompt_cache_hit_tokens")
    return Usage(tokens_in, tokens_out, cached, _count_in(usage.get("completion_tokens_details"), "reasoning_tokens"))


def _count_in(details: Any, name: str) -> int:
    value = details.get(name) if isinstance(details, dict) else None
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

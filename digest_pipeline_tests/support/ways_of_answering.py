"""The ways in which real endpoints answer a well-formed request, as `behave` functions of `FakeOpenAI`.

Each holds the right answer, or would when asked otherwise; `WAYS` is the list that docs/translation.md tells of. Seen in
public reports: cuga-agent#88, vllm#38696, vllm#48863, Qwen3#1297, OmniRoute#5305, mlx-lm#305, qwen-code#9884, dify#8550.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from digest_pipeline_tests.support.fake_openai import Asked, Reply, completion, error, good_answer

DRAFT = "草稿"
Way = Callable[[Asked], Reply | None]


def draft(asked: Asked) -> str:
    return json.dumps(dict.fromkeys(json.loads(good_answer(asked.body)), DRAFT), ensure_ascii=False)


def text(change: Callable[[str, Asked], str], *, finish_reason: str = "stop", usage: dict[str, Any] | None = None) -> Way:
    """The right answer, changed as a text."""
    return lambda asked: Reply(body=completion(change(good_answer(asked.body), asked), finish_reason=finish_reason, usage=usage))


def message(change: Callable[[str], dict[str, Any]], finish_reason: str = "stop") -> Way:
    """The right answer elsewhere in the message."""

    def way(asked: Asked) -> Reply:
        body = completion(None, finish_reason=finish_reason)
        body["choices"][0]["message"] = {"role": "assistant", "content": None, **change(good_answer(asked.body))}
        return Reply(body=body)

    return way


def only_unless(formats: tuple[str, ...], bad: str, finish_reason: str = "stop", *, good: Way | None = None) -> Way:
    """`bad` in these formats, the right answer in the others."""

    def way(asked: Asked) -> Reply | None:
        if asked.format in formats:
            return Reply(body=completion(bad, finish_reason=finish_reason, usage={"prompt_tokens": 600, "completion_tokens": len(bad) // 2}))
        return good(asked) if good else None

    return way


def events(inner: Way | None = None, *, unless_told: bool = False, usage: bool = True) -> Way:
    """Pieces of eleven characters."""

    def way(asked: Asked) -> Reply | None:
        if unless_told and asked.body.get("stream") is False:
            return None
        reply = inner(asked) if inner else None
        body = reply.body if reply else completion(good_answer(asked.body))
        said = body["choices"][0]["message"]
        deltas: list[dict[str, Any]] = [{"role": "assistant"}]
        for name in ("reasoning_content", "content"):
            whole = said.get(name) or ""
            deltas += [{name: whole[start : start + 11]} for start in range(0, len(whole), 11)]
        for number, call in enumerate(said.get("tool_calls") or []):
            whole = call["function"]["arguments"]
            deltas += [{"tool_calls": [{"index": number, "function": {"arguments": whole[i : i + 11]}}]} for i in range(0, len(whole), 11)]
        chunk = {"id": body["id"], "object": "chat.completion.chunk", "model": body["model"]}
        pieces = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        pieces.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": body["choices"][0]["finish_reason"]}]})
        if usage:
            pieces.append({**chunk, "choices": [], "usage": body["usage"]})
        stream = ": keep-alive\n\n" + "".join(f"data: {json.dumps(piece, ensure_ascii=False)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
        return Reply(body=stream.encode(), content_type="text/event-stream")

    return way


def now_and_then(reply: Callable[[Asked], Reply | None], otherwise: Way | None = None) -> Way:
    """Each fourth request."""
    return lambda asked: reply(asked) if asked.number % 4 == 2 else otherwise(asked) if otherwise else None


def must_stream(asked: Asked) -> Reply | None:
    if not asked.body.get("stream"):
        return error(400, "This model only supports stream mode, please enable the stream parameter.", "invalid_parameter_error")
    return events()(asked)


def _python(answer: str, _: Asked) -> str:
    return repr({**json.loads(answer), "note": None})


def _camel(answer: str, _: Asked) -> str:
    names = {"translated_title": "translatedTitle", "translated_abstract": "TranslatedAbstract", "tldr": "TLDR", "tldr_en": "tldr-en"}
    return json.dumps({names[name]: value for name, value in json.loads(answer).items()}, ensure_ascii=False)


WAYS: dict[str, Way] = {
    "nothing in json_schema mode": only_unless(("json_schema",), ""),
    "white space to the limit in json_schema mode": only_unless(("json_schema",), "\n " * 4000, "length"),
    "nothing in any JSON mode": only_unless(("json_schema", "json_object"), ""),
    "an empty object in json_schema mode": only_unless(("json_schema",), "{}"),
    "nothing in json_schema mode, else always `length`": only_unless(("json_schema",), "", good=text(lambda a, _: a, finish_reason="length")),
    "always `length`": text(lambda a, _: a, finish_reason="length"),
    "always `MAX_TOKENS`, tokens not counted": text(lambda a, _: a, finish_reason="MAX_TOKENS", usage={}),
    "in the field of its thoughts": message(lambda a: {"reasoning_content": a}),
    "in the other field of its thoughts, after some": message(lambda a: {"reasoning": f"The title says so.\n{a}"}),
    "in a tool call": message(
        lambda a: {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "json", "arguments": a}}]}, "tool_calls"
    ),
    "in a tool call's arguments as an object": message(lambda a: {"tool_calls": [{"function": {"name": "json", "arguments": json.loads(a)}}]}),
    "in an old function call": message(lambda a: {"function_call": {"name": "json", "arguments": a}}, "function_call"),
    "in parts": message(lambda a: {"content": [{"type": "text", "text": a[:9]}, {"type": "text", "text": a[9:]}]}),
    "in parts with thoughts": message(
        lambda a: {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": a}]}
    ),
    "as events unless told not to": events(unless_told=True),
    "as events": events(),
    "as events without usage": events(usage=False),
    "as events, thoughts with a draft first": events(text(lambda a, asked: f"<think>{draft(asked)}</think>{a}")),
    "as events, in a tool call": events(message(lambda a: {"tool_calls": [{"function": {"name": "json", "arguments": a}}]})),
    "as events only": must_stream,
    "a draft inside <think>": text(lambda a, asked: f"<think>First try: {draft(asked)} Better follows.</think>\n{a}"),
    "a draft inside <thinking>": text(lambda a, asked: f"<thinking>\n{draft(asked)}\n</thinking>\n\n```json\n{a}\n```"),
    "thoughts that were never opened": text(lambda a, asked: f"First {draft(asked)}, then better.\n</think>\n\n{a}"),
    "two objects": text(lambda a, asked: f"{draft(asked)}\n\nOn second thought:\n{a}"),
    "wrapped": text(lambda a, _: json.dumps({"translation": json.loads(a)}, ensure_ascii=False)),
    "wrapped as a string": text(lambda a, _: json.dumps({"result": a})),
    "a list of one": text(lambda a, _: f"[{a}]"),
    "JSON in a JSON string": text(lambda a, _: json.dumps(a)),
    "a fence and chatter": text(lambda a, _: f"Sure {{of course}}! Here it is:\n```json\n{a}\n```\nAnything else?"),
    "a trailing comma": text(lambda a, _: a[:-1] + ",\n}"),
    "a wrapped trailing comma": text(lambda a, _: '{"result": ' + a[:-1] + ",},}"),
    "Python's literals": text(_python),
    "other keys": text(_camel),
    "choices empty now and then": now_and_then(lambda _: Reply(body={**completion(""), "choices": []})),
    "an error with 200 now and then, else events": now_and_then(
        lambda _: Reply(body={"error": {"message": "upstream had a hiccup", "code": 502}}), events()
    ),
    "HTML with 200 now and then, else a draft in <think>": now_and_then(
        lambda _: Reply(body=b"<html>Bad gateway</html>", content_type="text/html"), text(lambda a, asked: f"<think>{draft(asked)}</think>{a}")
    ),
}

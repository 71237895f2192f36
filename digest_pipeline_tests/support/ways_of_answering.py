"""The ways in which real endpoints answer a well-formed request, as `behave` functions of `FakeOpenAI`.

Each holds the right answer, or would when asked otherwise; `WAYS` is the list that docs/translation.md tells of. Seen in
public reports: cuga-agent#88, vllm#38696, vllm#48863, Qwen3#1297, OmniRoute#5305, mlx-lm#305, qwen-code#9884, dify#8550.
"""

from __future__ import annotations

import html
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


def choice(change: Callable[[str], dict[str, Any]]) -> Way:
    """The right answer in a choice of another form."""
    return lambda asked: Reply(body={**completion(None), "choices": [{"index": 0, "finish_reason": "stop", **change(good_answer(asked.body))}]})


def fields_changed(change: Callable[[str, str], Any]) -> Way:
    return text(lambda a, _: json.dumps({name: change(name, value) for name, value in json.loads(a).items()}, ensure_ascii=False))


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


def _chinese_keys(answer: str, _: Asked) -> str:
    names = {"translated_title": "标题", "translated_abstract": "摘要翻译", "tldr": "一句话总结", "tldr_en": "英文一句话总结"}
    return json.dumps({names[name]: value for name, value in json.loads(answer).items()}, ensure_ascii=False)


def unless(refused: Callable[[dict[str, Any]], bool], reply: Reply) -> Way:
    """Refused with `reply` where the request is so."""
    return lambda asked: reply if refused(asked.body) else None


WAYS: dict[str, Way] = {
    "no parameter `stream` is known": unless(lambda body: "stream" in body, error(400, "Unknown parameter: 'stream'.", "unknown_parameter")),
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
    "no system message": unless(
        lambda body: body["messages"][0]["role"] == "system", error(400, "Developer instruction is not enabled for this model", "INVALID_ARGUMENT")
    ),
    "`max_completion_tokens` wanted": unless(
        lambda body: "max_tokens" in body, error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.")
    ),
    "one temperature alone": unless(lambda body: "temperature" in body, error(400, "invalid temperature: only 1 is allowed for this model")),
    "no `response_format` at all": unless(
        lambda body: "response_format" in body, Reply(422, {"detail": [{"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}]})
    ),
    "500 to any `response_format`": unless(lambda body: "response_format" in body, error(500, "Internal Server Error")),
    "a refused parameter, which a gateway passes on as 500": unless(
        lambda body: "temperature" in body, error(500, "Unsupported value: 'temperature' does not support 0.2 with this model.", "upstream_error")
    ),
    "its own answer judged no JSON now and then": now_and_then(lambda _: error(400, "Failed to generate JSON.", "json_validate_failed")),
    "overloaded (529) now and then": now_and_then(lambda _: error(529, "Overloaded", "overloaded_error")),
    "an error inside the choice now and then": now_and_then(
        lambda _: Reply(body={**completion(""), "choices": [{"finish_reason": "error", "message": {"content": ""}, "error": {"code": 502}}]})
    ),
    "out of resources, with an empty answer, now and then": now_and_then(
        lambda _: Reply(body=completion("", finish_reason="insufficient_system_resource"))  # DeepSeek; Zhipu's network_error likewise
    ),
    "words for people with 200 now and then": now_and_then(lambda _: Reply(body=b"upstream connect error or disconnect/reset before headers")),
    "no thinking without streaming, in Chinese": unless(
        lambda body: not body["stream"] and body.get("enable_thinking") is not False,
        error(400, "parameter.enable_thinking必须设置为false才能进行非流式调用", "invalid_parameter_error"),
    ),
    "no thinking without streaming": unless(
        lambda body: not body["stream"] and body.get("enable_thinking") is not False,
        error(400, "parameter.enable_thinking must be set to false for non-streaming calls", "invalid_parameter_error"),
    ),
    "no role but two": unless(
        lambda body: body["messages"][0]["role"] == "system", error(400, "Only user and assistant roles are supported!", "BadRequestError")
    ),
    "a role that is invalid": unless(
        lambda body: body["messages"][0]["role"] == "system", error(400, "invalid params, invalid message role: system (2013)", "bad_request_error")
    ),
    "nothing at all with 200 now and then": now_and_then(lambda _: Reply(body=b"")),
    "keys in Chinese": text(_chinese_keys),
    "curly quotes": text(lambda a, _: a.replace('": "', "”: “").replace('", "', "”, “").replace('{"', "{“").replace('"}', "”}")),
    "full-width braces and quotes": text(lambda a, _: "｛“" + a[2:-2].replace('": "', "”：“").replace('", "', "”，“") + "”｝"),
    "escaped twice": text(lambda a, _: json.dumps(json.loads(a)).replace("\\u", "\\\\u")),
    "HTML's entities": text(lambda a, _: html.escape(a)),
    "a byte-order mark": text(lambda a, _: "\ufeff" + a),
    "a role's mark": text(lambda a, _: f"<|im_start|>assistant\n{a}<|im_end|>"),
    "fields as a list of names and values": text(
        lambda a, _: json.dumps([{"name": name, "value": value} for name, value in json.loads(a).items()], ensure_ascii=False)
    ),
    "an object a field": text(lambda a, _: "\n".join(json.dumps({name: value}, ensure_ascii=False) for name, value in json.loads(a).items())),
    "the schema, filled in": text(
        lambda a, _: json.dumps({"properties": {name: {"value": value} for name, value in json.loads(a).items()}}, ensure_ascii=False)
    ),
    "the last brace is lacking": text(lambda a, _: a[:-1]),
    "values in objects by language": fields_changed(lambda name, value: {"en" if name == "tldr_en" else "zh": value}),
    "keys that name the language, beside the source's title": text(
        lambda a, asked: json.dumps(
            {"title": asked.title}
            | {name if name == "tldr_en" else f"{name.removeprefix('translated_')}_zh": value for name, value in json.loads(a).items()},
            ensure_ascii=False,
        )
    ),
    "a tool call in the text": text(lambda a, _: f'<tool_call>\n{{"name": "json", "arguments": {a}}}\n</tool_call>'),
    "harmony's channels, a draft in the first": text(
        lambda a, asked: f"<|channel|>analysis<|message|>We try {draft(asked)}<|end|><|start|>assistant<|channel|>final<|message|>{a}"
    ),
    "a message that is a bare text": choice(lambda a: {"message": a}),
    "the last of several messages": choice(lambda a: {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": a}]}),
    "a piece of a stream, in one": choice(lambda a: {"delta": {"role": "assistant", "content": a}}),
    "Ollama's own interface": lambda asked: Reply(body={"model": "m", "response": good_answer(asked.body), "done": True}),
    "DashScope's own interface": lambda asked: Reply(body={"output": {"text": good_answer(asked.body), "finish_reason": "stop"}, "request_id": "r"}),
    "Baidu's own interface": lambda asked: Reply(body={"id": "as-1", "result": good_answer(asked.body), "is_truncated": False}),
    "the answer itself": lambda asked: Reply(body=json.loads(good_answer(asked.body))),
    "Anthropic's form": lambda asked: Reply(
        body={"type": "message", "model": "m", "content": [{"type": "text", "text": good_answer(asked.body)}], "stop_reason": "end_turn"}
    ),
    "the form of OpenAI's responses": lambda asked: Reply(
        body={
            "object": "response",
            "status": "completed",
            "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": good_answer(asked.body)}]},
            ],
        }
    ),
    "Gemini's form": lambda asked: Reply(
        body={"candidates": [{"content": {"role": "model", "parts": [{"text": good_answer(asked.body)}]}, "finishReason": "STOP"}]}
    ),
}

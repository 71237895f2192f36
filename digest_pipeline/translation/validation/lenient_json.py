r"""A model's text → the values of the fields that were asked for, in whatever clothes they come.

What lives here: thoughts set apart, JSON found among words and fences, wrapped, quoted, or broken in the ways that models
break it; of several objects the last. What does not: whether the values are any good (`answer.py`, `reject.py`).

A draft is never taken for the answer: what stands inside `<think>` counts only where nothing follows it and the text ends
with it, and an object after which another one begins does not count, even where the later one was cut off.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import json_repair

_THOUGHT = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|reflection|scratchpad)"
_CLOSED = re.compile(rf"<{_THOUGHT}>.*?</{_THOUGHT}>|\[THINK\].*?\[/THINK\]|◁think▷.*?◁/think▷", re.DOTALL | re.IGNORECASE)
_CLOSING = re.compile(rf"</{_THOUGHT}>|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>|<channel\|>", re.IGNORECASE)
_OPENING = re.compile(rf"<{_THOUGHT}>|\[THINK\]|◁think▷|<\|channel\|>(?:analysis|commentary)\b", re.IGNORECASE)
_END_OF_OBJECT = re.compile(r"(?:[\"'”’]|\b(?:null|none|true|false)|\d)\s*,?\s*(?://[^\n]*\n\s*)?[}\]][\s}\],]*\Z", re.IGNORECASE)
_END_OF_ANSWER = re.compile(r"[}\]\"][\s`]*(?:</?(?:answer|output|result|tool_call|response|json)>|<\|[^|<>]{1,40}\|>)?[\s`]*\Z")
_ILLEGAL_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LEGAL = frozenset("\"\\/bfnrt'")
_NOT_MEANT = re.compile(r"draft|thought|reason|scratch|example|source|original", re.IGNORECASE)
_ALIASES = {
    "title": "translatedtitle",
    "abstract": "translatedabstract",
    "tdlr": "tldr",
    "entldr": "tldren",
    "tldrenglish": "tldren",
    "englishtldr": "tldren",
}
_ALIASES |= dict.fromkeys(("标题", "中文标题", "翻译标题", "标题翻译", "译文标题", "标题译文", "題名", "標題"), "translatedtitle")
_ALIASES |= dict.fromkeys(("摘要", "中文摘要", "翻译摘要", "摘要翻译", "译文摘要", "摘要译文", "要旨"), "translatedabstract")
_ALIASES |= dict.fromkeys(("一句话总结", "一句话摘要", "总结", "简要总结", "一句話總結", "要約"), "tldr")
_ALIASES |= dict.fromkeys(("英文一句话总结", "英文总结", "英文摘要", "英文tldr", "tldr英文"), "tldren")
_ALIASES |= {"entdlr": "tldren", "tdlren": "tldren"}
_OF_A_LANGUAGE = re.compile(r"(?:zh(?:cn|tw|han[st])?|cn|chinese|ja|ko|de|fr|es)\Z")  # tldr_zh; `en` is part of a name of ours
_ESCAPED_TWICE = re.compile(r"\\u([0-9a-fA-F]{4})")
_FEWEST_ESCAPED = 3
_DEEPEST = 6


def read_fields(text: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The values of `names`, as far as they are there, from the object that is meant; None where no object has any of them."""
    spoken, thoughts = _parted(text)
    if spoken.strip():
        found = _fields_in(spoken, names)
        if found is None and (plain := _with_plain_marks(spoken)) != spoken:
            found = _fields_in(plain, names)
        return found and {name: _unescaped(value) for name, value in found.items()}
    if thoughts.strip() and _END_OF_ANSWER.search(thoughts):
        return _fields_in(thoughts, names)
    return None


def _parted(text: str) -> tuple[str, str]:
    """(what was said, what was thought and never closed)."""
    if _whole_json(text) is not None:
        return text, ""
    said = _CLOSED.sub(" ", text)
    closings = list(_CLOSING.finditer(said))
    if closings:
        said = said[closings[-1].end() :]
    opening = _OPENING.search(said)
    return (said, "") if opening is None else (said[: opening.start()], said[opening.end() :])


def _fields_in(text: str, names: Sequence[str], depth: int = 0) -> dict[str, Any] | None:
    whole = _whole_json(text)
    if whole is not None:
        return _best(list(_candidates(whole, names, depth)), names)
    found, end = _well_formed(text, names, depth)
    if not found:
        text = _with_legal_escapes(text)
        found, end = _well_formed(text, names, depth)
    rest = text[end:]
    if _start_of_last(rest, names) is not None:  # another one begins: it is meant, or nothing is
        mended = _mended(rest, names)
        found = [] if mended is None else list(_candidates(mended, names, depth))
    return _best(found, names)


def _whole_json(text: str) -> Any:
    """The value where the text is nothing but JSON, with or without a code fence around it; else None."""
    bare = re.sub(r"\A\s*```[a-zA-Z]*\s*|\s*```\s*\Z", "", text).strip("\ufeff \r\n\t")
    if bare[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(bare, strict=False)
    except (ValueError, RecursionError):
        return None


def _well_formed(text: str, names: Sequence[str], depth: int) -> tuple[list[dict[str, Any]], int]:
    """The candidates among well-formed objects, outermost ones from the left, and where the last of them ends."""
    decoder, found, last_end, position = json.JSONDecoder(strict=False), list[dict[str, Any]](), 0, text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            new = list(_candidates(value, names, depth))
            if new:
                found, last_end = [*found, *new], end
        position = text.find("{", end)
    return found, last_end


def _candidates(value: Any, names: Sequence[str], depth: int) -> Iterator[dict[str, Any]]:
    """Each object inside that has at least one of the fields; strings that are JSON again are looked into."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        fields = _own_fields(value, names)
        if fields:
            yield fields
        if len(fields) < len(names):
            for name, inner in value.items():
                if not _NOT_MEANT.search(str(name)):
                    yield from _candidates(inner, names, depth + 1)
    elif isinstance(value, list):
        if pairs := _own_fields(dict(filter(None, map(_pair, value))), names):
            yield pairs
            return
        for inner in value:
            yield from _candidates(inner, names, depth + 1)
    elif isinstance(value, str) and re.match(r"\s*(?:```\w*\s*)?[{\[]", value) and (inside := _fields_in(value, names, depth + 1)):
        yield inside


def _own_fields(value: dict[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of `names` that are keys, whatever their case and punctuation (translatedTitle, TL;DR); a text in a small object counts."""
    by_plain = {_plain(name): name for name in names}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        plain = _plain(str(key))
        forms = (plain, _ALIASES.get(plain, ""), bare := _OF_A_LANGUAGE.sub("", plain), _ALIASES.get(bare, ""))
        name = next((by_plain[form] for form in forms if form in by_plain), None)
        if name is not None and (name not in found or key == name or (bare != plain and name not in value)):
            found[name] = _text(inner)
    return {name: inner for name, inner in found.items() if not isinstance(inner, dict)}


def _pair(value: Any) -> tuple[str, Any] | None:
    """`{"name": "tldr", "value": "…"}`, one field of a list of them."""
    if not isinstance(value, dict):
        return None
    names, texts = (
        [value[key] for key in keys if isinstance(value.get(key), str)] for keys in (("name", "key", "field"), ("value", "text", "content"))
    )
    return (names[0], texts[0]) if names and texts else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        keys = [key for key in value if key in ("value", "text", "content") or (len(value) == 1 and not _NOT_MEANT.search(str(key)))]
        return next((value[key] for key in keys if isinstance(value[key], str)), value)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value


def _best(candidates: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any] | None:
    """The last whole one; else what several have together, none of them twice; else the last."""
    whole = [candidate for candidate in candidates if all(name in candidate for name in names)]
    if whole:
        return whole[-1]
    if not candidates:
        return None
    together = {name: value for candidate in candidates for name, value in candidate.items()}
    return together if sum(map(len, candidates)) == len(together) else candidates[-1]


# -- broken JSON ------------------------------------------------------------------------------------------


def _with_plain_marks(text: str) -> str:
    """HTML's entities read, and full-width braces, colons and quotes of an object as JSON's own."""
    if "{" not in text or "&quot;" in text:
        text = html.unescape(text).replace("｛", "{").replace("｝", "}")
    for between, plain in (("：", '": "'), ("，", '", "')):
        text = re.sub(rf"[“”\"]\s*{between}\s*[“”\"]", plain, text)
    return re.sub(r"[“”]\s*\}", '"}', re.sub(r"\{\s*[“”]", '{"', text))


def _unescaped(value: Any) -> Any:
    r"""A text of which every letter beyond ASCII is written as `\uXXXX`, escaped once more than JSON does it, with the letters."""
    if isinstance(value, str) and value.isascii() and len(_ESCAPED_TWICE.findall(value)) >= _FEWEST_ESCAPED:
        return _ESCAPED_TWICE.sub(lambda m: chr(int(m[1], 16)), value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _with_legal_escapes(text: str) -> str:
    r"""A backslash that JSON does not know (`\alpha`, `\upsilon`, `\%`) doubled, so that it is a backslash."""

    def legal(match: re.Match[str]) -> str:
        return match[0] if len(match[0]) == 6 or match[0][1] in _LEGAL else "\\" + match[0]

    return _ILLEGAL_ESCAPE.sub(legal, text)


def _start_of_last(text: str, names: Sequence[str]) -> int | None:
    """Where the last object that names a field begins; None where no such object does."""
    plain = [_plain(name) for name in names]
    for match in reversed(list(re.finditer(r"\{\s*\\?[\"'“”‘’`]?([\w .;-]{2,40})\\?[\"'“”‘’`]?\s*[:：]", text))):
        key = _plain(match[1])
        if key in plain or _ALIASES.get(key) in plain:
            return match.start()
    return None


def _mended(text: str, names: Sequence[str]) -> Any:
    """The last object of a text that is no JSON; None where it cannot be read or its end is lacking."""
    start = _start_of_last(text, names)
    if start is None:
        return None
    region = text[start : text.rfind("}") + 1] or _without_last_brace(text[start:], names)
    if not _END_OF_OBJECT.search(region):
        return None
    if re.match(r'\{\s*\\"', region):
        return _whole_json('"' + region.replace("\n", "\\n") + '"')
    legal = _with_legal_escapes(region)
    try:
        value = ast.literal_eval(legal)  # single quotes, None, a trailing comma
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        value = json_repair.repair_json(legal, return_objects=True, skip_json_loads=True)
    return value if isinstance(value, dict | list) else None


def _without_last_brace(text: str, names: Sequence[str]) -> str:
    """Every field is there and the last one closed: nothing but the brace is lacking, which is put there. Else empty."""
    closed = re.search(r"""(?<!\\)"[\s`]*\Z""", text)
    return text[: closed.start() + 1] + "}" if closed and all(f'"{name}"' in text for name in names) else ""

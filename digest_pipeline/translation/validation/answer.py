r"""What the model wrote: raw text → the fields asked for.

What lives here: the fields of an answer, and TeX that stood behind one backslash. What does not: finding the JSON
(`lenient_json.py`), and whether the fields are true to the source (`reject.py`, `warn.py`).

In JSON, `\times` is a tab and "imes", `\nu` a line's end and "u": where the source has that command it is put back, and
otherwise the answer is rejected. That comes before white space is tidied, which would hide it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation.lenient_json import read_fields

_LONGEST_ANSWER = 60_000  # characters; no abstract comes near, and a runaway answer is not worth parsing
_LETTER_OF = {"\t": "t", "\n": "n", "\f": "f", "\b": "b", "\r": "r", "\a": "a", "\v": "v"}
_SWALLOWED = re.compile(r"([\t\n\f\b\r\a\v])([A-Za-z]+)")
_COMMANDS_LIKE_TEXT = re.compile(
    r"n(?:u|e|eq|eg|abla|i|ot|otin|mid|exists|earrow|warrow|parallel|sim|atural|subseteq|olimits|ormalsize|ewline|leq|geq)"
    r"|t(?:o|op|an|anh|au|heta|imes|ext[a-z]*|ilde|riangle[a-z]*|herefore|frac|binom|ensor|hickapprox|r)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields of one answer as the model gave them, placeholders and all; "" for what was not asked."""

    translated_title: str = ""
    translated_abstract: str = ""
    tldr: str = ""
    tldr_en: str = ""
    motivation: str = ""
    method: str = ""
    result: str = ""
    conclusion: str = ""


def parse_answer(request: PromptRequest, text: str) -> Answer | QualityFlag:
    """Reads the model's text; a flag (answer-blank, answer-unreadable, field-missing, control-character) where it is no whole answer."""
    if not text.strip():
        return QualityFlag(FlagCode.ANSWER_BLANK, "the answer is empty")
    if len(text) > _LONGEST_ANSWER:
        return QualityFlag(FlagCode.ANSWER_UNREADABLE, f"the answer has {len(text)} characters")
    fields = read_fields(text, request.fields)
    if fields is None:
        return QualityFlag(FlagCode.ANSWER_UNREADABLE, "no JSON object with the fields asked for")
    texts: dict[str, str] = {}
    for name in request.fields:
        value = fields.get(name)
        if not isinstance(value, str):
            return QualityFlag(FlagCode.FIELD_MISSING, f"{name} is {'no text' if name in fields else 'not there'}")
        if not value.strip():
            return QualityFlag(FlagCode.FIELD_MISSING, f"{name} is blank")
        texts[name] = _with_tex_put_back(value, request)
        if swallowed := _swallowed(texts[name]):
            return QualityFlag(FlagCode.CONTROL_CHARACTER, f"{name}: a backslash was lost before “{swallowed}”")
    # on one line, except the abstract, whose paragraphs are kept
    return Answer(**{name: value.strip() if name == "translated_abstract" else " ".join(value.split()) for name, value in texts.items()})


def is_readable(text: str, names: Sequence[str]) -> bool:
    """Whether the text holds an object with all these fields; an answer to the endpoint's way of asking, good or bad."""
    if not text.strip() or len(text) > _LONGEST_ANSWER:
        return False
    fields = read_fields(text, names)
    return fields is not None and all(fields.get(name) for name in names)


def _with_tex_put_back(value: str, request: PromptRequest) -> str:
    value = value.replace("\r\n", "\n")
    if not _SWALLOWED.search(value):
        return value
    commands = set(re.findall(r"\\([A-Za-z]+)", f"{request.source_title}\n{request.source_abstract}"))

    def put_back(match: re.Match[str]) -> str:
        command = _LETTER_OF[match[1]] + match[2]
        return "\\" + command if command in commands else match[0]

    return _SWALLOWED.sub(put_back, value)


def _swallowed(value: str) -> str | None:
    """What is left of a command that the source lacks. A line's end or a tab before an ordinary word is none."""
    for match in _SWALLOWED.finditer(value):
        command = _LETTER_OF[match[1]] + match[2]
        if (
            match[1] in "\f\b\r\a\v"
            or _COMMANDS_LIKE_TEXT.fullmatch(command)
            or (match[1] == "\t" and value[: match.start()].rstrip(" ")[-1:] not in ("", "\n"))
        ):
            return match[2]
    return next((f"U+{ord(character):04X}" for character in value if character in "\f\b\a\v\0"), None)

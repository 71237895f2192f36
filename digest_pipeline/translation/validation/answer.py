"""What the model wrote: raw text → the fields asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation.flags import FlagCode, QualityFlag

_LONGEST_ANSWER = 60_000  # characters; no abstract comes near, and a runaway answer is not worth parsing


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
    """Reads the model's text; a QualityFlag (answer-blank, answer-unreadable, field-missing) where it is no whole answer.

    Forgiven: white space, a code fence, words around one JSON object, further fields. Nothing else is guessed.
    """
    if not text.strip():
        return QualityFlag(FlagCode.ANSWER_BLANK, "the answer is empty")
    if len(text) > _LONGEST_ANSWER:
        return QualityFlag(FlagCode.ANSWER_UNREADABLE, f"the answer has {len(text)} characters")
    fields = next((found for found in _json_objects(text) if any(name in found for name in request.fields)), None)
    if fields is None:
        return QualityFlag(FlagCode.ANSWER_UNREADABLE, "no JSON object with the fields asked for")
    for name in request.fields:
        if not isinstance(fields.get(name), str):
            return QualityFlag(FlagCode.FIELD_MISSING, f"{name} is {'no text' if name in fields else 'not there'}")
        if not fields[name].strip():
            return QualityFlag(FlagCode.FIELD_MISSING, f"{name} is blank")
    return Answer(**{name: _tidy(name, fields[name]) for name in request.fields})


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in the text, outermost ones from the left; raw line breaks inside strings are forgiven."""
    decoder = json.JSONDecoder(strict=False)
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield value
        position = text.find("{", end)


def _tidy(name: str, value: str) -> str:
    """Without surrounding white space; on one line, except the abstract, whose paragraphs are kept."""
    return value.strip() if name == "translated_abstract" else " ".join(value.split())

"""What is asked of the model: prompts, and the answer's schema.

What lives here: paper + language → messages and JSON schema. What does not: sending (`llm/client.py`), reading and checking the answer
(`validation/`), the words of the prompts (`*.jinja`). The paper is data: it goes into the user message as JSON, with placeholders, and never
into the instructions.

    request = build_request(paper, language, structured=False)
    result = validate(request, raw_text)                      # parses, checks, restores
    messages = build_retry(request, raw_text, result.rejections)
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import jinja2

from digest_pipeline.models import Paper
from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.glossary import terms_present
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.placeholders import MaskedText, mask

Message = dict[str, str]
"""`{"role": "system" | "user" | "assistant", "content": …}`, as chat endpoints take it."""
_PROMPTS = files("digest_pipeline.translation") / "prompts"
_FEED_BOILERPLATE = re.compile(r"\A\s*(?:arXiv:\S+\s+)?(?:Announce Type:\s*\S+\s+)?(?:Abstract:\s+)?", re.IGNORECASE)
_LONGEST_REPEATED_ANSWER = 3  # times the paper's own length: a longer rejected answer is not sent back, it would only cost


_TLDR_FIELDS = ("tldr_en",)
_TRANSLATION_FIELDS = ("translated_title", "translated_abstract", "tldr", "tldr_en")
_STRUCTURED_FIELDS = (*_TRANSLATION_FIELDS, "motivation", "method", "result", "conclusion")


@dataclass(frozen=True, eq=False, slots=True)
class PromptRequest:
    """Everything that is asked about one paper in one language, and what is needed to validate the answer."""

    messages: list[Message]
    """System and user message."""
    json_schema: dict[str, Any]
    """Strict JSON schema of the answer: an object, every field a required string, no further fields."""
    schema_name: str
    """For `response_format.json_schema.name`."""
    language: Language
    structured: bool
    source_title: str
    """As it was before the placeholders, without feed boilerplate, on one line."""
    source_abstract: str
    title: MaskedText
    abstract: MaskedText
    """Its placeholders go on counting where the title's end."""
    glossary: Mapping[str, str]
    """The terms sent: those of the language's glossary that this paper has."""
    prompt_sha256: str
    """Hash of the prompt files used."""
    key_fields: Mapping[str, str]
    """What was asked, for the answer's key: prompt, schema, language, glossary, normalised title and abstract; add model and sampling."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields asked for."""
        return tuple(self.json_schema["properties"])


def build_request(paper: Paper, language: Language, structured: bool = False) -> PromptRequest:
    """What to ask about `paper`. Pure: same paper text, language and files give an equal request.

    `en` is asked for a TL;DR only, structured or not.
    """
    structured = structured and language.is_translated_into
    source_title, source_abstract = clean_source(paper.title, one_line=True), clean_source(paper.abstract)
    title = mask(source_title)
    abstract = mask(source_abstract, first_number=1 + len(title.masks))
    glossary = terms_present(language, f"{title.text}\n{abstract.text}")
    schema = answer_schema(language, structured)
    prompt = prompt_sha256(language, structured)
    content = {"title": title.text, "abstract": abstract.text, **({"glossary": glossary} if glossary else {})}
    return PromptRequest(
        messages=[
            {"role": "system", "content": _instructions(language, structured)},
            {"role": "user", "content": json.dumps(content, ensure_ascii=False)},
        ],
        json_schema=schema,
        schema_name="structured_translation" if structured else "translation" if language.is_translated_into else "tldr",
        language=language,
        structured=structured,
        source_title=source_title,
        source_abstract=source_abstract,
        title=title,
        abstract=abstract,
        glossary=MappingProxyType(glossary),
        prompt_sha256=prompt,
        key_fields=MappingProxyType(
            {
                "prompt": prompt,
                "schema": hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest(),
                "language": language.tag,
                "glossary": json.dumps(glossary, ensure_ascii=False, sort_keys=True),
                "title": source_title,
                "abstract": " ".join(source_abstract.split()),
            }
        ),
    )


def build_retry(request: PromptRequest, previous_text: str, rejections: Sequence[QualityFlag]) -> list[Message]:
    """The request's messages, then what was answered (unless it is empty or too long to be worth paying for) and why it was rejected."""
    messages = list(request.messages)
    if 0 < len(previous_text.strip()) <= _LONGEST_REPEATED_ANSWER * (len(request.source_title) + len(request.source_abstract)):
        messages.append({"role": "assistant", "content": previous_text})
    # the template is part of every answer's key, so its names stay as they were
    messages.append({"role": "user", "content": _render("retry.jinja", findings=rejections, rules={code: code for code in FlagCode})})
    return messages


@cache
def prompt_sha256(language: Language, structured: bool) -> str:
    """Hash of the prompts of `build_request` and `build_retry` as this language and setting fill them in, without the paper."""
    rendered = _instructions(language, structured and language.is_translated_into)
    retry = (_PROMPTS / "retry.jinja").read_text(encoding="utf-8")
    return hashlib.sha256(f"{rendered}\0{retry}".encode()).hexdigest()


@cache
def answer_schema(language: Language, structured: bool) -> dict[str, Any]:
    """The strict JSON schema of an answer."""
    fields = _TLDR_FIELDS if not language.is_translated_into else _STRUCTURED_FIELDS if structured else _TRANSLATION_FIELDS
    properties = {name: {"type": "string"} for name in fields}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


def clean_source(text: str, *, one_line: bool = False) -> str:
    """Without the feed's `arXiv:…v1 Announce Type: new Abstract:`, which 17.8 % of earlier translations carried along."""
    cleaned = _FEED_BOILERPLATE.sub("", text).strip() if "Announce Type:" in text[:200] else text.strip()
    return " ".join(cleaned.split()) if one_line else cleaned


@cache
def _instructions(language: Language, structured: bool) -> str:
    return _render("translate.jinja" if language.is_translated_into else "tldr.jinja", language=language, structured=structured)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (_PROMPTS / name).read_text(encoding="utf-8")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the reader is a model, not a browser
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(name: str, **values: Any) -> str:
    return _environment().get_template(name).render(**values).strip()

"""What is asked of the model, and how its answer is read: prompts, the answer's schema, a tolerant and honest parser.

What lives here: paper + language → messages and JSON schema; raw answer → fields. What does not: sending
(`provider.py`), judging the fields (`checks.py`), the words of the prompts (`prompts/*.jinja`).
The paper is data: it goes into the user message as JSON, masked, and never into the instructions.

The whole API for the engine:

    request = build_request(paper, language, structured=False)
    request.messages, request.json_schema, request.key_fields
    verdict = checks.judge(request, raw_text)             # parses, checks, restores
    messages = build_retry(request, raw_text, verdict.rejections)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digest_pipeline.model import Paper
from digest_pipeline.translation.findings import Finding
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.masking import MaskedText

Message = dict[str, str]
"""`{"role": "system" | "user" | "assistant", "content": …}`, as chat endpoints take it."""


@dataclass(frozen=True, eq=False, slots=True)
class PromptRequest:
    """Everything that is asked about one paper in one language, and what is needed to judge the answer."""

    messages: list[Message]
    """System and user message."""
    json_schema: dict[str, Any]
    """Strict JSON schema of the answer: an object, every field a required string, no further fields."""
    schema_name: str
    """For `response_format.json_schema.name`."""
    language: Language
    structured: bool
    source_title: str
    """As it was before masking, without feed boilerplate, on one line."""
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


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields of one answer as the model gave them, placeholders and all; "" for what was not asked."""

    translated_title: str
    translated_abstract: str
    tldr: str
    tldr_en: str
    motivation: str = ""
    method: str = ""
    result: str = ""
    conclusion: str = ""


def build_request(paper: Paper, language: Language, structured: bool) -> PromptRequest:
    """What to ask about `paper`. Pure: same paper text, language and files give an equal request.

    `en` is asked for a TL;DR only, structured or not.
    """
    raise NotImplementedError


def build_retry(request: PromptRequest, previous_text: str, rejections: Sequence[Finding]) -> list[Message]:
    """The request's messages, then what was answered (unless it is empty or too long to be worth paying for) and why it was rejected."""
    raise NotImplementedError


def parse_answer(request: PromptRequest, text: str) -> Answer | Finding:
    """Reads the model's text; a Finding (answer-blank, answer-unreadable, field-missing) where it is no whole answer.

    Forgiven: white space, a code fence, words around one JSON object, further fields. Nothing else is guessed.
    """
    raise NotImplementedError


def prompt_sha256(language: Language, structured: bool) -> str:
    """Hash of the prompt files that `build_request` and `build_retry` use for this language and setting."""
    raise NotImplementedError

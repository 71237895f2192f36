"""Recorded answers behind the provider's protocol: the bundled sample, and tests, without a network or a key.

What lives here: a JSON file's texts as model answers. What does not: the texts (`sample/answers.<tag>.json`). A recorded
text holds its mathematics itself, so it is put behind the request's own placeholders, as a model would give it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer, Usage
from digest_pipeline.translation.llm.errors import RequestRejected
from digest_pipeline.translation.placeholders import Mask
from digest_pipeline.translation.prompts import PromptRequest

RECORDED_MODEL = "recorded-answers"

RecordedTexts = Mapping[str, Mapping[str, str]]
"""`2404.01438v2` → field → text, with the mathematics in it."""


class RecordedClient:
    """Answers from recordings; a paper without one is refused, and so ships in the original. Costs nothing."""

    def __init__(self, texts_of: Callable[[str], RecordedTexts]) -> None:
        self._texts_of = texts_of

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        fields = self._texts_of(request.prompt.language.tag).get(request.about)
        if fields is None or not isinstance(request.prompt, PromptRequest):
            raise RequestRejected(f"there is no recorded answer for {request.about} in {request.prompt.language.tag}")
        text = json.dumps(as_model_answer(request.prompt, fields), ensure_ascii=False)
        return ChatAnswer(text, RECORDED_MODEL, f"recorded-{request.about}", "stop", Usage(0, 0))

    def output_factor(self, model: str) -> float:  # noqa: ARG002 - the same for all
        return 1.0

    async def close(self) -> None:
        """Nothing is open."""


def as_model_answer(prompt: PromptRequest, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields asked for, with what the request has masked replaced by its placeholders."""
    masks = {"translated_title": prompt.title.masks, "translated_abstract": prompt.abstract.masks}
    every = prompt.title.masks + prompt.abstract.masks
    return {name: put_placeholders(fields.get(name, ""), masks.get(name, every)) for name in prompt.fields}


def put_placeholders(text: str, masks: tuple[Mask, ...]) -> str:
    """Each mask's original → its placeholder; of equal originals the first occurrence gets the first number. Longest first."""
    for mask in sorted(masks, key=lambda mask: (-len(mask.original), mask.number)):
        text = text.replace(mask.original, f"⟦{mask.number}⟧", 1)
    return text

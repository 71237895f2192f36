"""Is the answer true to its source? Every check of one model answer, and the restored texts where it passes.

What lives here: the order. What does not: reading (`answer.py`), the checks (`reject.py`, `warn.py`), their codes (`translation/flags.py`), asking again and
quarantine (`attempts.py`). A tighter check costs nothing: kept answers are validated anew when read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from digest_pipeline.models import NO_ABSTRACT
from digest_pipeline.translation.flags import QualityFlag
from digest_pipeline.translation.placeholders import fill_in
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation.answer import Answer, parse_answer
from digest_pipeline.translation.validation.reject import REJECTING_CHECKS
from digest_pipeline.translation.validation.warn import WARNING_CHECKS


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What becomes of one answer.

    `texts` are the answer's fields with every placeholder restored, None where there are rejections. For `en`
    the title is the source's, the abstract is empty and `tldr` equals `tldr_en`.
    """

    texts: Answer | None
    rejections: tuple[QualityFlag, ...]
    warnings: tuple[QualityFlag, ...]

    @property
    def is_accepted(self) -> bool:
        return self.texts is not None

    @property
    def flags(self) -> tuple[QualityFlag, ...]:
        """For the row: the warnings of an accepted answer, the reasons of a rejected one."""
        return self.rejections or self.warnings


def validate(request: PromptRequest, text: str) -> ValidationResult:
    """Parses the model's raw text and checks it against the request's source. Never raises on any text."""
    answer = parse_answer(request, text)
    if isinstance(answer, QualityFlag):
        return ValidationResult(None, (answer,), ())
    rejections = _distinct(flag for check in REJECTING_CHECKS for flag in check(request, answer))
    if rejections:
        return ValidationResult(None, rejections, ())
    restored = _restored(request, answer)
    return ValidationResult(restored, (), _distinct(flag for check in WARNING_CHECKS for flag in check(request, answer, restored)))


def _distinct(flags: Iterator[QualityFlag]) -> tuple[QualityFlag, ...]:
    return tuple(dict.fromkeys(flags))


def _restored(request: PromptRequest, answer: Answer) -> Answer:
    masks = request.title.masks + request.abstract.masks
    separate = request.language.punctuation.space_after_url
    texts = {name: fill_in(getattr(answer, name), masks, space_after_url=separate and name != "tldr_en") for name in request.fields}
    restored = Answer(**texts)
    if request.source_abstract == NO_ABSTRACT:  # nothing but the title is the paper's: what a model says beyond it is made up
        own = replace(Answer(), tldr_en=request.source_title, tldr=restored.translated_title, translated_title=restored.translated_title)
        restored = replace(own, translated_abstract=NO_ABSTRACT if request.language.is_translated_into else "")
    if not request.language.is_translated_into:
        return replace(restored, translated_title=request.source_title, tldr=restored.tldr_en)
    return restored

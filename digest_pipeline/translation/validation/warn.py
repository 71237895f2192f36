"""What in an answer is doubtful: the row, the digest and the page say what to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.glossary import terms_not_followed
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.placeholders import without_placeholders
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation import numbers_and_names
from digest_pipeline.translation.validation.answer import Answer
from digest_pipeline.translation.validation.reject import not_in_source

_EMPHASIS = re.compile(r"\*\*[^*\n]{1,80}\*\*|^#{1,6}\s", re.MULTILINE)
_TEX = re.compile(r"\\[A-Za-z]{2,}|\\[()\[\]]")


def _numbers(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[QualityFlag]:
    """A TL;DR need not have a number, but has none of its own."""
    source = f"{request.source_title} {request.source_abstract}"
    if request.language.is_translated_into:
        translated = without_placeholders(answer.translated_abstract)
        if lost := numbers_and_names.numbers_lost(without_placeholders(request.abstract.text), translated, request.language):
            yield QualityFlag(FlagCode.NUMBER_LOST, _listed(lost))
        if invented := numbers_and_names.numbers_invented(source, translated, request.language):
            yield QualityFlag(FlagCode.NUMBER_INVENTED, _listed(invented))
    for name, language in (("tldr", request.language), ("tldr_en", load_language("en"))):
        if invented := numbers_and_names.numbers_invented(source, without_placeholders(getattr(answer, name)), language):
            yield QualityFlag(FlagCode.NUMBER_INVENTED, f"{name}: {_listed(invented)}")


def _names(request: PromptRequest, answer: Answer, restored: Answer) -> Iterator[QualityFlag]:
    if not request.language.is_translated_into:
        return
    in_title = numbers_and_names.names_lost(numbers_and_names.system_names(request.source_title, request.source_abstract), restored.translated_title)
    if in_title:
        yield QualityFlag(FlagCode.NAME_LOST, f"title: {_listed(in_title)}")
    # Before restoring: the address of a link must not stand in for a name that the words have lost.
    in_abstract = numbers_and_names.names_lost(
        numbers_and_names.repeated_names(without_placeholders(request.abstract.text)), without_placeholders(answer.translated_abstract)
    )
    if in_abstract:
        yield QualityFlag(FlagCode.NAME_LOST, f"abstract: {_listed(in_abstract)}")


def _tldr(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[QualityFlag]:
    for name, language in (("tldr", request.language), ("tldr_en", load_language("en"))):
        text = getattr(answer, name)
        count = numbers_and_names.sentences(text, language.punctuation.sentence_enders)
        if count > 1:
            yield QualityFlag(FlagCode.TLDR_SENTENCES, f"{name} has {count} sentences")
        if len(text) > language.lengths.tldr_most_characters:
            yield QualityFlag(FlagCode.TLDR_LONG, f"{name} has {len(text)} characters")


def _glossary(request: PromptRequest, _answer: Answer, restored: Answer) -> Iterator[QualityFlag]:
    translation = f"{restored.translated_title}\n{restored.translated_abstract}"
    missed = terms_not_followed(request.language, request.glossary, translation)
    if missed:
        yield QualityFlag(
            FlagCode.GLOSSARY, ", ".join(f"{term} → {request.glossary[term]}" for term in missed[:5]) + ("" if len(missed) < 6 else " …")
        )


def _additions(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[QualityFlag]:
    """What the model put around the words by itself; looked for before restoring, where the source's own is masked."""
    unmasked = request.title.text + request.abstract.text
    for name in request.fields:
        text = getattr(answer, name)
        if text.count("$") > unmasked.count("$"):
            yield QualityFlag(FlagCode.MATHEMATICS_INVENTED, f"{name}: more $ than the source has")
        elif command := not_in_source(request, _TEX, text):
            yield QualityFlag(FlagCode.MATHEMATICS_INVENTED, f"{name}: {command}")
        if emphasis := not_in_source(request, _EMPHASIS, text):
            yield QualityFlag(FlagCode.EMPHASIS_INVENTED, f"{name}: {emphasis}")


def _source(request: PromptRequest, _answer: Answer, _restored: Answer) -> Iterator[QualityFlag]:
    if not (request.title.is_balanced and request.abstract.is_balanced):
        yield QualityFlag(FlagCode.SOURCE_UNBALANCED, "odd number of $ in the source")


def _listed(values: list[str]) -> str:
    return ", ".join(values[:8]) + ("" if len(values) < 9 else f" … ({len(values)} in all)")


WARNING_CHECKS: tuple[Callable[[PromptRequest, Answer, Answer], Iterator[QualityFlag]], ...] = (
    _numbers,
    _names,
    _tldr,
    _glossary,
    _additions,
    _source,
)

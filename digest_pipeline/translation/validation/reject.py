"""Is the answer true to its source? Every check of one model answer, and the restored texts where it passes.

What lives here: the checks. What does not: the codes and their table (`translation/flags.py`), reading JSON (`lenient_json.py`),
asking again and quarantine (`attempts.py`). A tighter check costs nothing: stored answers are judged anew when read.

There is no check for “refusals”: a loose pattern for them had 293 hits in 65,538 answers, and all 25 that were read
were faithful translations of papers about chatbots.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

from digest_pipeline.translation.flags import FlagCode, QualityFlag
from digest_pipeline.translation.languages import Language, known_language_tags, load_language
from digest_pipeline.translation.placeholders import Damage, Mask, damage_of, invented_placeholders, without_placeholders
from digest_pipeline.translation.prompts import PromptRequest
from digest_pipeline.translation.validation.answer import Answer

_SHORTEST_TEXT_WITH_A_RATIO = 80  # characters; below it, one name more or less is a large part of the whole
_TITLE_ALLOWANCE = 40  # characters that a short title's translation may have beyond the ratio
_FEWEST_WORDS_TO_JUDGE = 4  # a title of fewer words may be all names, and stay as it is
_FEWEST_SMALL_WORDS = 3  # fewer articles and prepositions than this tell nothing about a language
_LONGEST_EXAMINED = 20_000  # characters looked at for repetition; a longer text is rejected for its length anyway
_ENGLISH_RUN = 12  # words of unbroken Latin letters in a Han, kana or Hangul text: a sentence left untranslated


def _placeholders(request: PromptRequest, answer: Answer) -> Iterator[QualityFlag]:
    """Title and abstract hold each of their placeholders exactly once; the other fields hold none that the source lacks."""
    whole: dict[str, tuple[Mask, ...]] = {"translated_title": request.title.masks, "translated_abstract": request.abstract.masks}
    every = request.title.masks + request.abstract.masks
    for name in request.fields:
        text = getattr(answer, name)
        damage = damage_of(text, whole[name]) if name in whole else Damage(invented=invented_placeholders(text, every))
        if damage:
            yield QualityFlag(FlagCode.PLACEHOLDER_DAMAGED, f"{name}: {_in_words(damage)}")


def _in_words(damage: Damage) -> str:
    """Numbers without their brackets: the sentence goes back to the model, which must not copy marks from it."""
    parts = [
        f"{what} {', '.join(str(number).strip('⟦⟧') or 'a stray bracket' for number in numbers[:8])}"
        for what, numbers in (
            ("lacks mark", damage.lost),
            ("repeats mark", damage.repeated),
            ("makes up mark", damage.invented),
            ("ends before it begins: mark", damage.crossed),
        )
        if numbers
    ]
    return "; ".join(parts)


def _lengths(request: PromptRequest, answer: Answer) -> Iterator[QualityFlag]:
    if not request.language.is_translated_into:
        return
    source, target = len(without_placeholders(request.abstract.text).strip()), len(without_placeholders(answer.translated_abstract).strip())
    least, most = request.language.lengths.abstract
    if source >= _SHORTEST_TEXT_WITH_A_RATIO and target < least * source:
        yield QualityFlag(FlagCode.TOO_SHORT, f"translated_abstract has {target} characters for {source}")
    if target > most * max(source, _SHORTEST_TEXT_WITH_A_RATIO):
        yield QualityFlag(FlagCode.TOO_LONG, f"translated_abstract has {target} characters for {source}")
    if len(answer.translated_title) > request.language.lengths.title[1] * len(request.title.text) + _TITLE_ALLOWANCE:
        yield QualityFlag(FlagCode.TOO_LONG, f"translated_title has {len(answer.translated_title)} characters for {len(request.title.text)}")
    for name in request.fields[2:]:
        if len(getattr(answer, name)) > most * max(source, 4 * _SHORTEST_TEXT_WITH_A_RATIO):
            yield QualityFlag(FlagCode.TOO_LONG, f"{name} has {len(getattr(answer, name))} characters for {source}")


def _languages(request: PromptRequest, answer: Answer) -> Iterator[QualityFlag]:
    """Each field is in its language, and the translation is not the source again."""
    english = load_language("en")
    for name in request.fields:
        words = without_placeholders(getattr(answer, name))
        if name == "translated_title":
            problem = _untranslated_title(request, words)
        else:
            problem = _wrong_language(english if name == "tldr_en" else request.language, words, is_long=name == "translated_abstract")
        if problem:
            yield QualityFlag(FlagCode.NOT_TRANSLATED, f"{name} {problem}")


def _untranslated_title(request: PromptRequest, words: str) -> str | None:
    """A title of a few words may be all names. A longer one that comes back unchanged was not translated."""
    source = re.findall(r"[A-Za-z]{2,}", without_placeholders(request.title.text))
    if len(source) < _FEWEST_WORDS_TO_JUDGE:
        return None
    is_same = [word.casefold() for word in re.findall(r"[A-Za-z]{2,}", words)] == [word.casefold() for word in source]
    if is_same and request.language.script.own_letters(words) in ("", "".join(re.findall(r"[A-Za-z]", words))):
        return "repeats the source"
    return _wrong_language(request.language, words, is_long=False)


def _wrong_language(language: Language, words: str, *, is_long: bool) -> str | None:
    script = language.script
    share = script.share(words)
    # A short field may be mostly names, which are Latin; but some of it must be in the language.
    if share < (script.least_share if is_long or script.owns("a") else script.least_share / 3):
        return f"is in the letters of {language.english_name} by {share:.0%} only"
    if is_long and script.core_share(words) < script.least_core_share:
        return f"lacks the letters that only {language.english_name} has"
    if len(script.own_letters(words)) >= 40 and script.foreign_share(words) > 0.03:
        return f"is written in the letters of another language than {language.english_name}"
    if not script.owns("a"):
        return _english_passage(words) if is_long else None
    other = _language_by_small_words(language, words)
    return f"reads as {other.english_name}" if other else None


def _english_passage(words: str) -> str | None:
    """A run of English in another script that has English small words too: a sentence left as it was, not a list of names."""
    small = load_language("en").script.function_words
    for run in re.finditer(rf"(?:[A-Za-z][A-Za-z'’-]*[ ,;:.]+){{{_ENGLISH_RUN},}}", words):
        if sum(word in small for word in re.findall(r"[a-z]+", run[0])) >= _ENGLISH_RUN // 4:
            return f"holds an English passage: {_quoted(run[0])}"
    return None


def _language_by_small_words(language: Language, words: str) -> Language | None:
    """The Latin-script language whose articles and prepositions outnumber those asked for; None where too few tell."""
    found = Counter(re.findall(r"[^\W\d_]+", words.lower()))
    own = language.script.function_words
    for other in map(load_language, sorted(known_language_tags() - {language.tag})):
        theirs = other.script.function_words
        in_theirs, in_own = (sum(found[word] for word in small) for small in (theirs - own, own - theirs))
        if in_theirs >= _FEWEST_SMALL_WORDS and in_theirs > in_own:
            return other
    return None


def _in_each_field(code: FlagCode, find: Callable[[PromptRequest, str, str], str | None]) -> Callable[[PromptRequest, Answer], Iterator[QualityFlag]]:
    """A check that looks at every field alike; `find(request, field name, text)` says what it found, or None."""

    def check(request: PromptRequest, answer: Answer) -> Iterator[QualityFlag]:
        for name in request.fields:
            found = find(request, name, getattr(answer, name))
            if found is not None:
                yield QualityFlag(code, f"{name}: {found}")

    return check


def _pattern(pattern: re.Pattern[str]) -> Callable[[PromptRequest, str, str], str | None]:
    return lambda request, _name, text: not_in_source(request, pattern, text)


def not_in_source(request: PromptRequest, pattern: re.Pattern[str], text: str) -> str | None:
    """The first match in the answer that the paper does not have itself, in quotation marks."""
    source = f"{request.source_title}\n{request.source_abstract}".casefold()
    return next((_quoted(match[0]) for match in pattern.finditer(text) if match[0].casefold() not in source), None)


def _quoted(text: str) -> str:
    """Short, and without anything that a terminal, a page or a model could take for more than text."""
    shown = "".join(c if c.isprintable() and c not in "⟦⟧{}<>`" else "·" for c in text[:60])
    return f"“{shown}”"


def _template(request: PromptRequest, _name: str, text: str) -> str | None:
    source = f"{request.source_title}\n{request.source_abstract}"
    names = [name for name in ("translated_title", "translated_abstract", "tldr_en", *request.fields) if "_" in name]
    return next((_quoted(part) for part in (*names, *_sentences(request.messages[0]["content"])) if part in text and part not in source), None)


@cache
def _sentences(instructions: str) -> tuple[str, ...]:
    return tuple(line.lstrip("- ") for line in re.split(r"(?<=[.:])\s+|\n", instructions) if len(line) >= 40)


def _continuation(request: PromptRequest, _name: str, text: str) -> str | None:
    return not_in_source(request, _any_of(request.language.boilerplate.continuation + load_language("en").boilerplate.continuation), text)


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE)


def _control_characters(request: PromptRequest, _name: str, text: str) -> str | None:
    source = request.source_title + request.source_abstract
    odd = next((c for c in text if c not in "\n\t" and _is_odd(c) and c not in source), None)
    return None if odd is None else f"U+{ord(odd):04X}"


def _is_odd(character: str) -> bool:
    """Control, surrogate, private-use and replacement characters, and those that turn the writing direction."""
    is_turning = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return unicodedata.category(character) in ("Cc", "Cs", "Co") or character in "\ufffd\ufffe\uffff" or is_turning


_ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}|\\[nt](?![A-Za-z])|&(?:lt|gt|amp|quot|nbsp|#\d+);")


def _repetition(request: PromptRequest, _name: str, text: str) -> str | None:
    """The same few words six times running, or one phrase filling a third of the text, where the source does not do so."""
    text = text[:_LONGEST_EXAMINED]
    run = re.search(r"(\S.{2,79}?)\1{5,}", text, re.DOTALL)
    if run and re.search(r"\w", run[1]):
        return _quoted(run[1]) + " over and over"
    width = 30 if request.language.script.owns("a") else 12
    phrases = Counter(text[i : i + width] for i in range(len(text) - width))
    phrase, count = phrases.most_common(1)[0] if phrases else ("", 0)
    return f"{_quoted(phrase)} {count} times" if count >= 5 and count * width > len(text) / 3 else None


def _boilerplate(request: PromptRequest, _name: str, text: str) -> str | None:
    ours, english = request.language.boilerplate, load_language("en").boilerplate
    feed = re.compile(_any_of(ours.anywhere + english.anywhere).pattern + r"|arXiv:\s?\d{4}\.\d{4,5}v\d+", re.IGNORECASE)
    if _SOURCE_LABEL.match(request.source_title) or _SOURCE_LABEL.match(request.source_abstract):
        return not_in_source(request, feed, text)
    label = re.compile(rf"\A[\s\W]*(?:{_any_of(ours.before + english.before).pattern})\s*[\]】』」*]*\s*[:：]", re.IGNORECASE)
    return not_in_source(request, feed, text) or not_in_source(request, label, text)


_SOURCE_LABEL = re.compile(r"\W*(?:abstract|translat\w*|summar\w*|title)\b[^:]{0,20}:", re.IGNORECASE)


_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s<>\"，。；）]*|(?<![\w.])www\.[A-Za-z0-9.-]+|[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,}"
    r"|(?<![A-Za-z0-9.-])[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.(?:com|org|net|io|edu|gov|dev|app|cn|ru|info|example|test)(?![A-Za-z0-9-])",
    re.IGNORECASE | re.ASCII,
)


_HTML = "a|abbr|audio|b|base|body|br|button|code|div|em|embed|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|math|meta|object|ol|p|pre|s|script|span|strong|style|sub|sup|svg|table|t[dhr]|title|u|ul|video"
# Only HTML's own names: papers on agents and reasoning write <thought> and <memory> as words.
_MARKUP = re.compile(rf"</?(?:{_HTML})(?:[\s/][^<>]{{0,200}})?>|<(?:{_HTML})\s+[\w-]+\s*=|<!--|<!\[CDATA|\]\(|!\[|```|javascript:", re.IGNORECASE)


def _chat_marks(_request: PromptRequest, _name: str, text: str) -> str | None:
    mark = re.search(r"<\|[^|<>]{0,40}\|?>?|\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</?think>", text)
    return None if mark is None else _quoted(mark[0])


REJECTING_CHECKS: tuple[Callable[[PromptRequest, Answer], Iterator[QualityFlag]], ...] = (
    _placeholders,
    _lengths,
    _languages,
    _in_each_field(FlagCode.TEMPLATE_ECHOED, _template),
    _in_each_field(FlagCode.CONTINUATION_MARK, _continuation),
    _in_each_field(FlagCode.CONTROL_CHARACTER, _control_characters),
    _in_each_field(FlagCode.ESCAPED_TEXT, _pattern(_ESCAPED)),
    _in_each_field(FlagCode.REPETITION, _repetition),
    _in_each_field(FlagCode.BOILERPLATE, _boilerplate),
    _in_each_field(FlagCode.LINK_INVENTED, _pattern(_ADDRESS)),
    _in_each_field(FlagCode.MARKUP_INVENTED, _pattern(_MARKUP)),
    _in_each_field(FlagCode.CHAT_MARK, _chat_marks),
)

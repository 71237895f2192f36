"""Is the answer true to its source? Every check of one model answer, and the restored texts where it passes.

What lives here: the checks. What does not: the codes and their table (`findings.py`), reading JSON (`prompting.py`),
asking again and quarantine (`engine.py`). A tighter check costs nothing: stored answers are judged anew when read.

There is no check for “refusals”: a loose pattern for them had 293 hits in 65,538 answers, and all 25 that were read
were faithful translations of papers about chatbots.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from digest_pipeline.translation import fidelity
from digest_pipeline.translation.findings import Code, Finding
from digest_pipeline.translation.glossary import terms_not_followed
from digest_pipeline.translation.languages import Language, known_language_tags, load_language
from digest_pipeline.translation.masking import Damage, Mask, damage_of, fill_in, invented_placeholders, without_placeholders
from digest_pipeline.translation.prompting import Answer, PromptRequest, parse_answer

_SHORTEST_TEXT_WITH_A_RATIO = 80  # characters; below it, one name more or less is a large part of the whole
_TITLE_ALLOWANCE = 40  # characters that a short title's translation may have beyond the ratio
_FEWEST_WORDS_TO_JUDGE = 4  # a title of fewer words may be all names, and stay as it is
_FEWEST_SMALL_WORDS = 3  # fewer articles and prepositions than this tell nothing about a language
_LONGEST_EXAMINED = 20_000  # characters looked at for repetition; a longer text is rejected for its length anyway
_ENGLISH_RUN = 12  # words of unbroken Latin letters in a Han, kana or Hangul text: a sentence left untranslated


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one answer.

    `texts` are the answer's fields with every placeholder restored, None where there are rejections. For `en`
    the title is the source's, the abstract is empty and `tldr` equals `tldr_en`.
    """

    texts: Answer | None
    rejections: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    @property
    def is_accepted(self) -> bool:
        return self.texts is not None

    @property
    def flags(self) -> tuple[str, ...]:
        """For the row: the warnings of an accepted answer, the reasons of a rejected one, as `code: detail`."""
        return tuple(map(str, self.rejections or self.warnings))


def judge(request: PromptRequest, text: str) -> Verdict:
    """Parses the model's raw text and checks it against the request's source. Never raises on any text."""
    answer = parse_answer(request, text)
    if isinstance(answer, Finding):
        return Verdict(None, (answer,), ())
    rejections = _distinct(finding for check in _REJECTING for finding in check(request, answer))
    if rejections:
        return Verdict(None, rejections, ())
    restored = _restored(request, answer)
    return Verdict(restored, (), _distinct(finding for check in _WARNING for finding in check(request, answer, restored)))


def _distinct(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))


def _restored(request: PromptRequest, answer: Answer) -> Answer:
    masks = request.title.masks + request.abstract.masks
    separate = request.language.punctuation.space_after_url
    texts = {name: fill_in(getattr(answer, name), masks, space_after_url=separate and name != "tldr_en") for name in request.fields}
    restored = Answer(**texts)
    if not request.language.is_translated_into:
        return replace(restored, translated_title=request.source_title, tldr=restored.tldr_en)
    return restored


# What rejects an answer


def _placeholders(request: PromptRequest, answer: Answer) -> Iterator[Finding]:
    """Title and abstract hold each of their placeholders exactly once; the other fields hold none that the source lacks."""
    whole: dict[str, tuple[Mask, ...]] = {"translated_title": request.title.masks, "translated_abstract": request.abstract.masks}
    every = request.title.masks + request.abstract.masks
    for name in request.fields:
        text = getattr(answer, name)
        damage = damage_of(text, whole[name]) if name in whole else Damage(invented=invented_placeholders(text, every))
        if damage:
            yield Finding(Code.PLACEHOLDER_DAMAGED, f"{name}: {_in_words(damage)}")


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


def _lengths(request: PromptRequest, answer: Answer) -> Iterator[Finding]:
    if not request.language.is_translated_into:
        return
    source, target = len(without_placeholders(request.abstract.text).strip()), len(without_placeholders(answer.translated_abstract).strip())
    least, most = request.language.lengths.abstract
    if source >= _SHORTEST_TEXT_WITH_A_RATIO and target < least * source:
        yield Finding(Code.TOO_SHORT, f"translated_abstract has {target} characters for {source}")
    if target > most * max(source, _SHORTEST_TEXT_WITH_A_RATIO):
        yield Finding(Code.TOO_LONG, f"translated_abstract has {target} characters for {source}")
    if len(answer.translated_title) > request.language.lengths.title[1] * len(request.title.text) + _TITLE_ALLOWANCE:
        yield Finding(Code.TOO_LONG, f"translated_title has {len(answer.translated_title)} characters for {len(request.title.text)}")
    for name in request.fields[2:]:
        if len(getattr(answer, name)) > most * max(source, 4 * _SHORTEST_TEXT_WITH_A_RATIO):
            yield Finding(Code.TOO_LONG, f"{name} has {len(getattr(answer, name))} characters for {source}")


def _languages(request: PromptRequest, answer: Answer) -> Iterator[Finding]:
    """Each field is in its language, and the translation is not the source again."""
    english = load_language("en")
    for name in request.fields:
        words = without_placeholders(getattr(answer, name))
        if name == "translated_title":
            problem = _untranslated_title(request, words)
        else:
            problem = _wrong_language(english if name == "tldr_en" else request.language, words, is_long=name == "translated_abstract")
        if problem:
            yield Finding(Code.NOT_TRANSLATED, f"{name} {problem}")


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


def _in_each_field(code: Code, find: Callable[[PromptRequest, str, str], str | None]) -> Callable[[PromptRequest, Answer], Iterator[Finding]]:
    """A check that looks at every field alike; `find(request, field name, text)` says what it found, or None."""

    def check(request: PromptRequest, answer: Answer) -> Iterator[Finding]:
        for name in request.fields:
            found = find(request, name, getattr(answer, name))
            if found is not None:
                yield Finding(code, f"{name}: {found}")

    return check


def _not_in_source(request: PromptRequest, pattern: re.Pattern[str], text: str) -> str | None:
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
    sentences = [line.lstrip("- ") for line in re.split(r"(?<=[.:])\s+|\n", request.messages[0]["content"]) if len(line) >= 40]
    return next((_quoted(part) for part in names + sentences if part in text and part not in source), None)


def _continuation(request: PromptRequest, _name: str, text: str) -> str | None:
    marks = request.language.boilerplate.continuation + load_language("en").boilerplate.continuation
    return _not_in_source(request, _any_of(marks), text)


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


def _escaped(request: PromptRequest, _name: str, text: str) -> str | None:
    return _not_in_source(request, re.compile(r"\\u[0-9a-fA-F]{4}|\\[nt](?![A-Za-z])|&(?:lt|gt|amp|quot|nbsp|#\d+);"), text)


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
        return _not_in_source(request, feed, text)
    label = re.compile(rf"\A[\s\W]*(?:{_any_of(ours.before + english.before).pattern})\s*[\]】』」*]*\s*[:：]", re.IGNORECASE)
    return _not_in_source(request, feed, text) or _not_in_source(request, label, text)


_SOURCE_LABEL = re.compile(r"\W*(?:abstract|translat\w*|summar\w*|title)\b[^:]{0,20}:", re.IGNORECASE)


def _links(request: PromptRequest, _name: str, text: str) -> str | None:
    return _not_in_source(request, _ADDRESS, text)


_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s<>\"，。；）]*|(?<![\w.])www\.[A-Za-z0-9.-]+|[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,}"
    r"|(?<![A-Za-z0-9.-])[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.(?:com|org|net|io|edu|gov|dev|app|cn|ru|info|example|test)(?![A-Za-z0-9-])",
    re.IGNORECASE | re.ASCII,
)


def _markup(request: PromptRequest, _name: str, text: str) -> str | None:
    return _not_in_source(request, _MARKUP, text)


_HTML = "a|abbr|audio|b|base|body|br|button|code|div|em|embed|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|math|meta|object|ol|p|pre|s|script|span|strong|style|sub|sup|svg|table|t[dhr]|title|u|ul|video"
# Only HTML's own names: papers on agents and reasoning write <thought> and <memory> as words.
_MARKUP = re.compile(rf"</?(?:{_HTML})(?:[\s/][^<>]{{0,200}})?>|<(?:{_HTML})\s+[\w-]+\s*=|<!--|<!\[CDATA|\]\(|!\[|```|javascript:", re.IGNORECASE)
_EMPHASIS = re.compile(r"\*\*[^*\n]{1,80}\*\*|^#{1,6}\s", re.MULTILINE)
_TEX = re.compile(r"\\[A-Za-z]{2,}|\\[()\[\]]")


def _chat_marks(_request: PromptRequest, _name: str, text: str) -> str | None:
    mark = re.search(r"<\|[^|<>]{0,40}\|?>?|\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</?think>", text)
    return None if mark is None else _quoted(mark[0])


_REJECTING: tuple[Callable[[PromptRequest, Answer], Iterator[Finding]], ...] = (
    _placeholders,
    _lengths,
    _languages,
    _in_each_field(Code.TEMPLATE_ECHOED, _template),
    _in_each_field(Code.CONTINUATION_MARK, _continuation),
    _in_each_field(Code.CONTROL_CHARACTER, _control_characters),
    _in_each_field(Code.ESCAPED_TEXT, _escaped),
    _in_each_field(Code.REPETITION, _repetition),
    _in_each_field(Code.BOILERPLATE, _boilerplate),
    _in_each_field(Code.LINK_INVENTED, _links),
    _in_each_field(Code.MARKUP_INVENTED, _markup),
    _in_each_field(Code.CHAT_MARK, _chat_marks),
)


# What only warns


def _numbers(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[Finding]:
    if not request.language.is_translated_into:
        return
    lost = fidelity.numbers_lost(without_placeholders(request.abstract.text), without_placeholders(answer.translated_abstract), request.language)
    if lost:
        yield Finding(Code.NUMBER_LOST, _listed(lost))
    source = f"{request.source_title} {request.source_abstract}"
    invented = fidelity.numbers_invented(source, without_placeholders(answer.translated_abstract), request.language)
    if invented:
        yield Finding(Code.NUMBER_INVENTED, _listed(invented))


def _names(request: PromptRequest, answer: Answer, restored: Answer) -> Iterator[Finding]:
    if not request.language.is_translated_into:
        return
    in_title = fidelity.names_lost(fidelity.system_names(request.source_title, request.source_abstract), restored.translated_title)
    if in_title:
        yield Finding(Code.NAME_LOST, f"title: {_listed(in_title)}")
    # Before restoring: the address of a link must not stand in for a name that the words have lost.
    in_abstract = fidelity.names_lost(
        fidelity.repeated_names(without_placeholders(request.abstract.text)), without_placeholders(answer.translated_abstract)
    )
    if in_abstract:
        yield Finding(Code.NAME_LOST, f"abstract: {_listed(in_abstract)}")


def _tldr(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[Finding]:
    english = load_language("en")
    for name, language in (("tldr", request.language), ("tldr_en", english)):
        text = getattr(answer, name)
        count = fidelity.sentences(text, language.punctuation.sentence_enders)
        if count > 1:
            yield Finding(Code.TLDR_SENTENCES, f"{name} has {count} sentences")
        if len(text) > language.lengths.tldr_most_characters:
            yield Finding(Code.TLDR_LONG, f"{name} has {len(text)} characters")


def _glossary(request: PromptRequest, _answer: Answer, restored: Answer) -> Iterator[Finding]:
    translation = f"{restored.translated_title}\n{restored.translated_abstract}"
    missed = terms_not_followed(request.language, request.glossary, translation)
    if missed:
        yield Finding(Code.GLOSSARY, ", ".join(f"{term} → {request.glossary[term]}" for term in missed[:5]) + ("" if len(missed) < 6 else " …"))


def _additions(request: PromptRequest, answer: Answer, _restored: Answer) -> Iterator[Finding]:
    """What the model put around the words by itself; looked for before restoring, where the source's own is masked."""
    unmasked = request.title.text + request.abstract.text
    for name in request.fields:
        text = getattr(answer, name)
        if text.count("$") > unmasked.count("$"):
            yield Finding(Code.MATHEMATICS_INVENTED, f"{name}: more $ than the source has")
        elif command := _not_in_source(request, _TEX, text):
            yield Finding(Code.MATHEMATICS_INVENTED, f"{name}: {command}")
        if emphasis := _not_in_source(request, _EMPHASIS, text):
            yield Finding(Code.EMPHASIS_INVENTED, f"{name}: {emphasis}")


def _source(request: PromptRequest, _answer: Answer, _restored: Answer) -> Iterator[Finding]:
    if not (request.title.is_balanced and request.abstract.is_balanced):
        yield Finding(Code.SOURCE_UNBALANCED, "odd number of $ in the source")


def _listed(values: list[str]) -> str:
    return ", ".join(values[:8]) + ("" if len(values) < 9 else f" … ({len(values)} in all)")


_WARNING: tuple[Callable[[PromptRequest, Answer, Answer], Iterator[Finding]], ...] = (_numbers, _names, _tldr, _glossary, _additions, _source)

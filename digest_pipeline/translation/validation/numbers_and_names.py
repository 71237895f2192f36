"""Numbers, names and sentences of a source and its translation, compared across ways of writing them.

What lives here: what a number or a name is, and which are missing. What does not: what follows from it (`warn.py`).
The source is English; the target may write 1.5 billion as 15亿, 10,000 as 10 000 and 3 as 三.
"""

from __future__ import annotations

import re
from collections import Counter

from digest_pipeline.translation.languages import Language, load_language

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])\d+(?:[.,]\d+)*")
_SPACED_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,])\d{1,3}(?:[\u00a0\u202f' ]\d{3}(?!\d))+(?:[.,]\d+)?")
_ENGLISH_SCALE = re.compile(r"\s?(?:[kKMBT]\b|(?:thousand|million|billion|trillion|hundred)s?\b)")
_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]
_MOST_WORDS_OF_A_NAME = 4  # before a title's colon; more are a phrase to translate, with a name in it or not


def numbers_lost(source: str, translation: str, language: Language) -> list[str]:
    """The numbers of the source that the translation has in no way of writing them, in order."""
    there = {_digits(number) for number in _NUMBER.findall(translation) + _SPACED_NUMBER.findall(translation)}
    significant = {digits.strip("0") for digits in there}
    folded = translation.casefold()
    lost = [
        match[0]
        for match in _NUMBER.finditer(source)
        if _digits(match[0]) not in there
        and not _is_written_out(match[0], folded, language)
        and not (_has_scale(source, match) and _digits(match[0]).strip("0") in significant)
    ]
    return list(dict.fromkeys(lost))


def numbers_invented(source: str, translation: str, language: Language) -> list[str]:
    """The numbers of the translation that the source has neither in digits nor in words, in order."""
    there = {_digits(number) for number in re.findall(r"\d+(?:[.,]\d+)*", source)} | _numbers_in_words(source)
    significant = {digits.strip("0") for digits in there}
    known_spaced = [match.span() for match in _SPACED_NUMBER.finditer(translation) if _digits(match[0]) in there]
    invented = [
        match[0]
        for match in _NUMBER.finditer(translation)
        if _digits(match[0]) not in there
        and not any(start <= match.start() < end for start, end in known_spaced)
        and not (_is_scaled(translation, match, language) and _digits(match[0]).strip("0") in significant)
    ]
    return list(dict.fromkeys(invented))


def _is_scaled(translation: str, match: re.Match[str], language: Language) -> bool:
    """A thousand or more, in digits or by the word after it: its digits may be grouped otherwise than in the source."""
    following = translation[match.end() : match.end() + 12].lstrip(" \u00a0\u202f").casefold()
    return len(_digits(match[0])) > 3 or following.startswith(tuple(scale.casefold() for scale in language.numbers.scales))


def _digits(number: str) -> str:
    """Without separators, so that 0.5 and 0,5 are one, and 10,000 and 10 000."""
    return re.sub(r"\D", "", number)


def _has_scale(source: str, match: re.Match[str]) -> bool:
    return _digits(match[0]).endswith("000") or _ENGLISH_SCALE.match(source, match.end()) is not None


def _is_written_out(number: str, folded_translation: str, language: Language) -> bool:
    words = language.numbers.words
    return number.isdigit() and int(number) < len(words) and any(word.casefold() in folded_translation for word in words[int(number)])


def _numbers_in_words(source: str) -> set[str]:
    """Small numbers and months that English writes as words and another language as digits."""
    words = set(re.findall(r"[a-z]+", source.lower()))
    small = {str(value) for value, forms in enumerate(load_language("en").numbers.words) if words.intersection(forms)}
    months = {str(i) for i, month in enumerate(_MONTHS, start=1) if {month, month[:3]} & words}
    halves = {"2", "50"} if words & {"half", "halves", "halved", "halving", "double", "doubled", "pair", "binary", "dual", "pairwise"} else set()
    return small | months | halves | ({"3"} if words & {"triple", "ternary", "tri"} else set()) | ({"100"} if "hundred" in words else set())


def system_names(title: str, abstract: str) -> list[str]:
    """The name before the title's colon, as in `GPT-NAS: Neural Architecture Search …`; none where it is ordinary words."""
    head, colon, _ = title.partition(":")
    if not colon or len(head) > 40 or re.search(r"[$\\]", head):
        return []
    tokens = head.split()
    if len(tokens) > _MOST_WORDS_OF_A_NAME:
        return []
    names = [token.strip(".,\"'()") for token in tokens if _looks_like_a_name(token) and not re.fullmatch(r"[A-Z]+s", token)]
    if len(tokens) == 1 and not names and head[:1].isupper() and head in abstract and not re.search(rf"\b{re.escape(head.lower())}\b", abstract):
        return [head]
    return names


def repeated_names(abstract: str) -> list[str]:
    """Names that the abstract uses at least twice, so that a translation without them has lost its subject.

    Words in capitals are left out: a translation may write them out (LLM, NLP).
    """
    words = re.findall(r"(?<![\w\\$-])[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*(?![\w$])", abstract)
    counts = Counter(re.sub(r"(?:-[a-z][a-z]+)+$", "", word) for word in words)  # LoRA-based → LoRA
    return [name for name, count in counts.items() if count >= 2 and _looks_like_a_name(name) and not re.fullmatch(r"[A-Z]+s?", name)]


def names_lost(names: list[str], translation: str) -> list[str]:
    plain = _plain(translation)
    return [name for name in names if _plain(name) not in plain]


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _looks_like_a_name(token: str) -> bool:
    """A capital after the first letter, or letters with a digit: ImageNet, GPT-4, RAG; not Chain-of-Thought, not A."""
    word = token.strip(".,\"'()")
    parts = word.split("-")
    has_inner_capital = any(re.search(r"[A-Za-z][a-z]*[A-Z]", part) for part in parts)
    return len(word) > 1 and (has_inner_capital or (re.search(r"[A-Z]", word) is not None and re.search(r"\d", word) is not None))


def sentences(text: str, enders: str) -> int:
    """How many sentences; a full stop counts only before a space and a capital, so that `e.g.` and 3.5 are none."""
    wide = "".join(ender for ender in enders if ord(ender) > 0x2E7F)
    narrow = "".join(ender for ender in enders if ord(ender) <= 0x2E7F)
    ends = len(re.findall(rf"[{wide}]+(?=[”」』）]*\s*\S)", text)) if wide else 0
    if narrow:
        ends += len(
            re.findall(rf"(?<!\b[A-Z])(?<!\bvs)(?<!\bal)(?<!e\.g)(?<!i\.e)[{re.escape(narrow)}]+[\"”»]?\s+(?=[«“\"¿¡]?\s?[^\W\d_a-zß-ÿ])", text)
        )
    return 1 + ends if text.strip() else 0

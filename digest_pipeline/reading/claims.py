"""Whether a claim may be shown with its quote: each rule says, in words for the model, what is wrong.

What lives here: the rules. What does not: where a quote stands (`quotes.py`), asking again (`reader.py`).
What no rule can see: a claim that reads more out of its quote than the quote says. The quote stands beneath it for that.
"""

from __future__ import annotations

import re
from enum import StrEnum

from digest_pipeline.reading.fulltext import FullText, Passage, PassageKind
from digest_pipeline.reading.quotes import LEAST_WORDS, MOST_CHARACTERS, find_quote, words_of
from digest_pipeline.translation.languages import Language, load_language

MOST_CLAIM_CHARACTERS = 400
_FOREIGN = 0.03
"""Share of a neighbour language's characters (traditional ones in simplified Chinese) that a name may bring along."""
_FORMULA_OR_NAME = re.compile(r"\$[^$]*\$|\\[A-Za-z]+|\b[A-Za-z]*[A-Z\d][\w@.+-]*\b")
_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3}(?!\d))*(?:[.,]\d+)?")
_SCALES = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "b": 1e9, "trillion": 1e12,
    "百": 1e2, "千": 1e3, "천": 1e3, "万": 1e4, "萬": 1e4, "만": 1e4, "百万": 1e6, "百萬": 1e6, "亿": 1e8, "億": 1e8, "억": 1e8,
    "mille": 1e3, "mil": 1e3, "millions": 1e6, "millones": 1e6, "millionen": 1e6, "milliards": 1e9, "milliarden": 1e9,
}  # fmt: skip
_SCALE_AFTER = re.compile(r"\s?(" + "|".join(sorted(map(re.escape, _SCALES), key=len, reverse=True)) + r")(?![a-z])", re.I)


class NoteKind(StrEnum):
    """What a note says of the paper."""

    CONTRIBUTION = "contribution"
    METHOD = "method"
    SETUP = "setup"
    RESULT = "result"
    LIMITATION = "limitation"

    @property
    def is_of_its_own(self) -> bool:
        """A claim about what this paper did; related work cannot carry it."""
        return self in (NoteKind.CONTRIBUTION, NoteKind.METHOD, NoteKind.RESULT)


class NoteStatus(StrEnum):
    """What became of one paper in one language."""

    SHOWN = "shown"
    NO_FULL_TEXT = "no full text"
    NOTHING_TO_SHOW = "nothing to show"
    DEFERRED = "deferred"
    FAILED = "failed"


def faults_of(kind: NoteKind, claim: str, quote: str, paper: FullText, language: Language) -> tuple[list[str], Passage | None]:
    """(what is wrong, empty where nothing is; the passage that holds the quote)."""
    passage = find_quote(quote, paper) if quote else None
    return [*_faults_of_quote(kind, quote, passage), *_faults_of_claim(claim, quote, language)], passage


def _faults_of_quote(kind: NoteKind, quote: str, passage: Passage | None) -> list[str]:
    if words_of(quote) < LEAST_WORDS:
        return [f"the quote has fewer than {LEAST_WORDS} words"]
    if len(quote) > MOST_CHARACTERS:
        return [f"the quote is longer than {MOST_CHARACTERS} characters"]
    if passage is None:
        return ["the quote does not stand in the paper, word for word and in one place"]
    if passage.kind is PassageKind.BIBLIOGRAPHY:
        return ["the quote is from the bibliography"]
    if passage.kind is PassageKind.RELATED and kind.is_of_its_own:
        return ["the quote is from the section on related work, and the claim is about this paper's own work"]
    return []


def _faults_of_claim(claim: str, quote: str, language: Language) -> list[str]:
    faults = []
    if not claim.strip():
        faults.append("the claim is empty")
    if len(claim) > MOST_CLAIM_CHARACTERS:
        faults.append(f"the claim is longer than {MOST_CLAIM_CHARACTERS} characters")
    if re.search(r"https?://|www\.", claim):
        faults.append("the claim holds a link")
    if not is_in_language(claim, language):
        faults.append(f"the claim is not in {language.english_name}")
    if unsupported := numbers_without_quote(claim, quote):
        faults.append(f"the claim has numbers that its quote lacks: {', '.join(unsupported)}")
    return faults


def is_in_language(claim: str, language: Language) -> bool:
    """By script, names and formulas aside; a language in Latin letters must have more of its own small words than of English ones."""
    prose = _FORMULA_OR_NAME.sub(" ", claim)
    script = language.script
    if not script.owns("a"):
        return (
            script.share(prose) >= script.least_share / 2
            and script.core_share(prose) >= script.least_core_share
            and script.foreign_share(prose) <= _FOREIGN
        )
    words = re.findall(r"[^\W\d_]+", prose.lower())
    english = load_language("en").script.function_words
    return sum(word in script.function_words for word in words) >= (0 if language.tag == "en" else sum(word in english for word in words))


def numbers_without_quote(claim: str, quote: str) -> list[str]:
    """The claim's numbers whose value the quote has in no way of writing it, in order."""
    known = {value for match in _NUMBER.finditer(quote) for value in _values(quote, match)} | _values_in_words(quote)
    return [match[0] for match in _NUMBER.finditer(claim) if not (_values(claim, match) & known) and not _is_part_of_a_name(claim, match, quote)]


def _is_part_of_a_name(claim: str, match: re.Match[str], quote: str) -> bool:
    """`nDCG@10` and `GPT-4` are names; the whole of one must stand in the quote."""
    word = re.search(r"[A-Za-z][A-Za-z@.+-]*$", claim[: match.start()])
    return word is not None and word[0] + match[0] in quote


def _values(text: str, match: re.Match[str]) -> set[float]:
    """A number as it may be meant: 1,234 and 1.234 are ambiguous, and a scale after it multiplies."""
    digits = re.sub(r"[\u00a0\u202f ]", "", match[0])
    readings = {digits.replace(",", "")} if digits.count(",") != 1 or digits.count(".") else {digits.replace(",", ""), digits.replace(",", ".")}
    if digits.count(".") > 1 or ("." in digits and "," in digits and digits.rfind(",") > digits.rfind(".")):
        readings = {digits.replace(".", "").replace(",", ".")}
    elif re.fullmatch(r"\d{1,3}\.\d{3}", digits):
        readings.add(digits.replace(".", ""))
    scale = _SCALE_AFTER.match(text, match.end())
    factor = _SCALES[scale[1].lower()] if scale else 1.0
    values = {round(float(reading) * factor, 9) for reading in readings if reading.count(".") <= 1}
    return values


def _values_in_words(quote: str) -> set[float]:
    """Small numbers that English writes out."""
    words = set(re.findall(r"[a-z]+", quote.lower()))
    small = {float(value) for value, forms in enumerate(load_language("en").numbers.words) if words.intersection(forms)}
    return small | ({2.0} if words & {"half", "double", "doubled", "twice", "both", "pair"} else set()) | ({100.0} if "hundred" in words else set())

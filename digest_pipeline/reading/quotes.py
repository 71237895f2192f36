"""Whether a quote stands verbatim in a paper, and where.

Normalised on both sides: white space, hyphens at line ends, ligatures and compatibility characters, quotation marks and dashes, and the ways
of writing a formula (TeX with or without dollars and braces, or the signs that TeX commands stand for). Nothing else: not case, not a word, not a
number, not the order. A quote lies within one passage, so that two sentences from different places never pass as one, and begins and ends
where words do, so that `5 %` is not found in `-0.5 %`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from pylatexenc.latex2text import LatexNodes2Text

from digest_pipeline.reading.fulltext import FullText, Passage, PassageKind

LEAST_WORDS = 6
MOST_CHARACTERS = 300
"""A quote is a pointer into the paper, not a part of it: the text is its authors'."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("“”„‟«»″〝〞", '"'),
        **dict.fromkeys("‘’‚‛`´′", "'"),
        **dict.fromkeys("∼～", "~"),
        **dict.fromkeys("⋅∙", "·"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff", None),
    }
)
_FORMATTING = re.compile(
    r"left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|displaystyle|textstyle|scriptstyle|limits|nolimits|mathrm|mathbf|mathit|mathsf|mathtt"
    r"|mathcal|mathbb|mathfrak|mathscr|boldsymbol|bm|text|textbf|textit|textrm|textsf|texttt|emph|operatorname|rm|bf|it|cal|quad|qquad|thinspace"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?|\\([^A-Za-z])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BEFORE_A_NUMBER = re.compile(r"[-+±<>≤≥≈~^_.,$/]$")


def find_quote(quote: str, paper: FullText) -> Passage | None:
    """The passage with the quote, of the paper's own text where it stands there too; None where it stands nowhere."""
    places = [passage for passage in paper.passages if _stands_in(quote, passage)]
    own = [passage for passage in places if passage.kind in (PassageKind.TEXT, PassageKind.TABLE)]
    return (own or places)[0] if places else None


def words_of(quote: str) -> int:
    return len(re.findall(r"\S*\w\S*", quote))


def _stands_in(quote: str, passage: Passage) -> bool:
    return any(_found(needle, haystack) for needle in _variants(quote) for haystack in _cached_variants(passage.text))


@lru_cache(2048)
def _cached_variants(text: str) -> tuple[str, ...]:
    return tuple(_variants(text))


def _variants(text: str) -> Iterator[str]:
    """One text, canonical; and where a hyphen ends a line, also with the word in one piece."""
    yield canonical(text)
    joined = re.sub(r"(?<=\w)[-‐\u00ad]\s*\n\s*(?=\w)", "", text)
    if joined != text:
        yield canonical(joined)


def canonical(text: str) -> str:
    """One way of writing for what may be written in several; single spaces stay, since numbers are told apart by them."""
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ]+", lambda m: "^" + m[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉₊₋]+", lambda m: "_" + m[0].translate(_SUBSCRIPTS), text)
    text = text.replace("``", '"').replace("''", '"').translate(_SIGNS)
    text = re.sub(r"\\[td]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2", text)
    text = _COMMAND.sub(_sign, text)
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    text = re.sub(r"[{}$|&]", lambda m: " " if m[0] in "|&" else "", text)
    text = re.sub(r"-{2,}", "-", text)
    return re.sub(r"\s+", " ", text).strip()


def _sign(match: re.Match[str]) -> str:
    name, other = match[1], match[2]
    if other is not None:
        return other if other in "%&_#~^" else " " if other in ",;:! \n" else ""
    return "" if _FORMATTING.fullmatch(name) else _sign_of(name)


@cache
def _sign_of(name: str) -> str:
    """The sign a command stands for (`\\alpha` → α), or its name (`\\log` → log)."""
    text = str(LatexNodes2Text().latex_to_text(f"\\{name}")).strip()
    return text if text and "\\" not in text else name


def _found(needle: str, haystack: str) -> bool:
    """Whether it stands there with all white space taken out, between borders of words, with the same numbers apart."""
    short, _ = _packed(needle)
    long, places = _packed(haystack)
    start = long.find(short) if short else -1
    while start >= 0:
        first, last = places[start], places[start + len(short) - 1]
        if _is_whole(haystack, first, last) and _numbers(needle) == _numbers(haystack[first : last + 1]):
            return True
        start = long.find(short, start + 1)
    return False


@lru_cache(4096)
def _packed(text: str) -> tuple[str, Sequence[int]]:
    """The text without white space, and where each of its characters stood."""
    places = [place for place, character in enumerate(text) if not character.isspace()]
    return "".join(text[place] for place in places), places


def _is_whole(text: str, first: int, last: int) -> bool:
    before, after = text[:first], text[last + 1 :]
    if text[first].isalnum() and before[-1:].isalnum():
        return False
    if text[first].isdigit() and _BEFORE_A_NUMBER.search(before):
        return False
    if text[last].isdigit() and re.match(r"[.,]?\d|\s?%", after):
        return False
    return not (text[last].isalnum() and after[:1].isalnum())


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)

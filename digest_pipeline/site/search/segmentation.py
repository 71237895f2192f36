"""Text → the words that are indexed and asked for, cut by our own rules; `assets/search-index.js` does exactly the same.

    Attention-based 注意力机制, v2   →   attention 0 · based 1 · 注意 2 · 意力 3 · 力机 4 · 机制 5 · 制 6 · v2 8

Letters without case, width and accents (NFKC, lower case, Latin, Greek and Cyrillic letters bare). A run of Han, kana or
Hangul gives each pair of neighbours, and its last character alone, so that one character can be found as the beginning of
a pair; anything else is cut at what is no letter or digit. Positions count words and characters; punctuation leaves a gap,
a space or hyphen does not, so that a phrase is found where it stands and across no full stop.

What lives here: these rules. What does not: what is indexed (`segments.py`). A change here is a new `FORMAT` in this package.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import regex

from digest_pipeline.text import without_accents

_RUN = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー"
_TOKEN = regex.compile(rf"(?V1)(?P<run>[{_RUN}]+)|[[\p{{L}}\p{{N}}\p{{M}}]--[{_RUN}]]+")
_STARTS_RUN = regex.compile(rf"[{_RUN}]")
_NO_GAP = regex.compile(r"[\s\-\u2010-\u2015'’_/]*")
_COMBINING = regex.compile("[\u0300-\u036f]")


def normalized(text: str) -> str:
    """The text as it is compared: NFKC, lower case, without accents."""
    if text.isascii():
        return text.lower()
    return _COMBINING.sub("", without_accents(unicodedata.normalize("NFKC", text).lower()))


def tokens(text: str, position: int = 0) -> Iterator[tuple[str, int]]:
    """(word or pair, position) of each, positions counted from `position`."""
    line = normalized(text)
    end, after_run = 0, False
    for match in _TOKEN.finditer(line):
        start, word, is_run = match.start(), match[0], match["run"] is not None
        between = line[end:start]
        if end and (_NO_GAP.fullmatch(between) is None or (is_run and after_run)):
            position += 1
        if is_run:
            yield from ((word[i : i + 2], position + i) for i in range(len(word)))
            position += len(word)
        else:
            yield word, position
            position += 1
        end, after_run = match.end(), is_run


def is_run(term: str) -> bool:
    """Whether the term is a pair of characters, or one, of a script without spaces."""
    return not term.isascii() and _STARTS_RUN.match(term) is not None

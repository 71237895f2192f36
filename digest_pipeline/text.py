"""Text from outside made fit for whatever shows or parses it: pages, feeds, Markdown, mail, bibliographies, search.

What lives here: removing characters that nobody can read, that XML forbids, or that turn the order of the text around
them. What does not: escaping (each format's own writer does it), mathematics, and judging a model's answer
(`translation/validation/reject.py` refuses what is only removed here).
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_UNREADABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x9f"  # C0 and C1 controls; XML 1.0 refuses the former, nobody can read the latter
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks: one in a title turns the reader's whole list around
    "\ufeff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"  # byte-order mark, non-characters, invisible tags
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # no file can hold one
_ACCENTED = re.compile("[\u00c0-\u024f\u0370-\u04ff\u1e00-\u1fff]")  # Latin, Greek, Cyrillic
_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss"}
)


def printable(text: str) -> str:
    """`text` without control, direction and non-characters; every kind of line end is a newline. Idempotent."""
    return _LONE_SURROGATE.sub("\ufffd", _UNREADABLE.sub("", _LINE_ENDS.sub("\n", text)))


def one_line(text: str) -> str:
    """`printable`, with every run of white space made one space."""
    return " ".join(printable(text).split())


_PARAGRAPH_END = re.compile(r"\n(?:[ \t]*\n|(?=(?: {2,}|\t)\s*\S))")


def paragraphs(text: str) -> list[str]:
    """The paragraphs, each on one line; arXiv starts one with a blank line or by indenting. Empty text: none."""
    return [line for part in _PARAGRAPH_END.split(printable(text)) if (line := " ".join(part.split()))]


def without_accents(text: str) -> str:
    """Latin, Greek and Cyrillic letters without their accents (é → e, ø → o); kana and Hangul stay whole."""
    if text.isascii():
        return text
    return _ACCENTED.sub(_bare, unicodedata.normalize("NFC", text.translate(_WITHOUT_DECOMPOSITION)))


def _bare(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFD", match[0])[0]

"""What changed between two versions of a title or abstract, word by word, as a reader wants to see it.

What lives here: comparing two texts and marking removed and added stretches; formulas are compared whole.
What does not: which versions are compared (`views.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from markupsafe import Markup

from digest_pipeline.tex.html import inline_html
from digest_pipeline.tex.scan import segments
from digest_pipeline.text import one_line

_WORD = re.compile(r"\s+|\\?\w+(?:[’'\-]\w+)*|[^\w\s]")
_REWRITTEN_BELOW = 0.4
"""Where less than this share of the words survived, marks would be confetti: both texts are shown whole."""
_SMALL_ISLAND = 2
"""An unchanged run of at most this many words between two changes is shown as part of the change."""


class ChangeKind(StrEnum):
    EQUAL = "equal"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch of text that stayed, went or came."""

    kind: ChangeKind
    html: Markup


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions of one text. `changes` is empty where the text is unchanged or mostly rewritten."""

    before: Markup
    after: Markup
    is_equal: bool
    is_rewritten: bool
    changes: tuple[Change, ...]


def compare(before: str, after: str) -> Difference:
    """White space does not count: arXiv re-wraps lines between versions."""
    before, after = one_line(before), one_line(after)
    old, new = _words(before), _words(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    is_equal = before == after
    is_rewritten = not is_equal and matcher.ratio() < _REWRITTEN_BELOW
    changes = () if is_equal or is_rewritten else tuple(_changes(old, new, _without_islands(matcher.get_opcodes(), old)))
    return Difference(inline_html(before), inline_html(after), is_equal, is_rewritten, changes)


def _words(text: str) -> list[str]:
    words: list[str] = []
    for segment in segments(text):
        words += [segment.source] if segment.tex is not None else _WORD.findall(segment.source)
    return words


_Opcode = tuple[str, int, int, int, int]


def _without_islands(opcodes: Sequence[_Opcode], old: Sequence[str]) -> list[_Opcode]:
    """Merges a change, a short unchanged run and the next change into one change."""
    merged: list[_Opcode] = []
    for index, (tag, i1, i2, j1, j2) in enumerate(opcodes):
        between = 0 < index < len(opcodes) - 1
        is_island = tag == "equal" and between and sum(not word.isspace() for word in old[i1:i2]) <= _SMALL_ISLAND
        kind = "equal" if tag == "equal" and not is_island else "replace"
        if merged and merged[-1][0] == kind == "replace":
            _, a1, _, b1, _ = merged[-1]
            merged[-1] = ("replace", a1, i2, b1, j2)
        else:
            merged.append((kind, i1, i2, j1, j2))
    return merged


def _changes(old: Sequence[str], new: Sequence[str], opcodes: Sequence[_Opcode]) -> list[Change]:
    changes: list[Change] = []
    for tag, i1, i2, j1, j2 in opcodes:
        if tag == "equal":
            changes += _stretch(ChangeKind.EQUAL, new[j1:j2])
        else:
            changes += [*_stretch(ChangeKind.REMOVED, old[i1:i2]), *_stretch(ChangeKind.ADDED, new[j1:j2])]
    return changes


_SPACE = Change(ChangeKind.EQUAL, Markup(" "))


def _stretch(kind: ChangeKind, words: Sequence[str]) -> list[Change]:
    """The stretch with its outer spaces beside it: a mark ends with its word."""
    text = "".join(words)
    if not text.strip():
        return [_SPACE] if text else []
    before, after = [_SPACE] * text[0].isspace(), [_SPACE] * text[-1].isspace()
    return [*before, Change(kind, inline_html(text)), *after]

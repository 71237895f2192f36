"""A person's name in two parts, as bibliographies need it, and a collaboration's in one.

What lives here: telling family from given names, which arXiv does not mark. What does not: an entry (`bibtex.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from digest_pipeline.tex.bibtex import latex_text
from digest_pipeline.text import one_line

_COLLABORATION = re.compile(r"\b(collaboration|consortium|team|group|project|network|initiative|community)\b", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|II|III|IV")
_PARTICLES = frozenset(["Abu", "Al", "Da", "Dal", "Dalla", "De", "Del", "Della", "Des", "Di", "Dos", "El", "La", "Le", "Van", "Von"])
"""Those that some write with a capital. Not `Ben`, `Bin`, `Das`, `Du`, `Lo`: as often a given or a whole family name."""
_VIETNAMESE = frozenset(
    ["Bui", "Dang", "Dinh", "Duong", "Hoang", "Huynh", "Le", "Luong", "Ngo", "Nguyen", "Pham", "Phan", "Thi", "Tran", "Trinh", "Truong", "Vo", "Vu"]
)
"""Words of names in which a `Van` or `Le` in the middle belongs to the given name."""
_CONJUNCTIONS = frozenset(["e", "i", "y"])
"""Between two family names, as in `Ramón y Cajal`."""
_PORTUGUESE_SUFFIXES = frozenset(["Filho", "Junior", "Júnior", "Neto", "Sobrinho"])
"""Generations written behind the family name, as part of it."""


def bibtex_name(name: str) -> str:
    """`Ludwig van Beethoven` → `van Beethoven, Ludwig`; collaborations and single words stay whole in braces."""
    name = one_line(name)
    words = [word for word in name.replace(",", " , ").split() if word != ","]
    if not words:
        return ""
    if len(words) == 1 or _COLLABORATION.search(name) or "(" in name:
        return f"{{{latex_text(name)}}}"
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    family, given = _family_and_given(name, words)
    return ", ".join(_name_part(part) for part in (family, suffix, given) if part)


def _family_and_given(name: str, words: Sequence[str]) -> tuple[str, str]:
    before, comma, after = name.partition(",")
    if comma and after.strip() and not _SUFFIX.fullmatch(after.strip()):
        return before.strip(), after.strip()
    start = _start_of_family(words)
    return " ".join(words[start:]), " ".join(words[:start])


def _start_of_family(words: Sequence[str]) -> int:
    """Where the family name begins: at its particle, else with the last word. arXiv does not mark it, so two family
    names without a particle or hyphen between them cannot be told from a middle name."""
    particles = _PARTICLES if _VIETNAMESE.isdisjoint(words) else _PARTICLES - {"Van", "Le"}
    for number, word in enumerate(words[1:-1], start=1):
        if word in _CONJUNCTIONS and number > 1:
            return number - 1
        if word in particles or word[0].islower():
            return number
    follows_family = len(words) > 2 and words[-1] in _PORTUGUESE_SUFFIXES
    return len(words) - (2 if follows_family else 1)


def _name_part(part: str) -> str:
    """A word `and` or a comma inside would begin another name."""
    safe = latex_text(part)
    return f"{{{safe}}}" if re.search(r",|\band\b", safe, re.IGNORECASE) else safe


def citation_name(name: str) -> str:
    """`Family, Given`, as Google Scholar and Zotero read it; collaborations stay whole."""
    name = one_line(name)
    words = name.split()
    if len(words) < 2 or "," in name or _COLLABORATION.search(name):
        return name
    family, given = _family_and_given(name, words)
    return f"{family}, {given}"

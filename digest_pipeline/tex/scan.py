r"""Where the formulas of a text are: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and the environments of displayed mathematics.

What lives here: the one decision of what is mathematics and what is prose with dollars in it (`$5 and $10`,
`gain $<$5% …`). What does not: what becomes of a formula (the other modules of this package), and placeholders
(`translation/placeholders.py`).

Dollars are read in pairs. Where their number is odd, or where every way of pairing them would enclose prose, none of
them is mathematics: a formula shown as its source is a smaller loss than a sentence set as a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\\begin\{(?P<environment>[A-Za-z]+\*?)\}|\\(?P<open>[(\[])|\\.|(?P<dollar>\$)", re.DOTALL)
_ALIGNED = frozenset(["align", "align*", "gather", "gather*", "multline", "multline*", "eqnarray", "eqnarray*", "split"])
_ENVIRONMENTS = _ALIGNED | {"equation", "equation*", "displaymath", "math", "cases", "array", "matrix", "pmatrix", "bmatrix"}
_TEX_CHARACTERS = re.compile(r"[\\^_{}=<>]")
_PROSE_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}(?![A-Za-z])")
_MOST_PROSE_WORDS = 4  # more plain words than this between two dollars, and no TeX: the dollars are not a pair


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text: prose, or one formula with its delimiters in `source`."""

    start: int
    source: str
    tex: str | None = None
    """The formula without delimiters; None for prose."""
    display: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.source)


def segments(text: str) -> Iterator[Segment]:
    """`text` in order as prose and formulas; the sources joined are `text`. Empty text: none."""
    at = 0
    for formula in formulas(text):
        if formula.start > at:
            yield Segment(at, text[at : formula.start])
        yield formula
        at = formula.end
    if at < len(text):
        yield Segment(at, text[at:])


def formulas(text: str) -> Iterator[Segment]:
    """The formulas, in order and disjoint."""
    if "$" not in text and "\\" not in text:
        return
    dollars = dict(dollar_formulas(text))
    position = 0
    while match := _TOKEN.search(text, position):
        found = _formula(text, match, dollars)
        if found is not None:
            yield found
        position = found.end if found is not None else match.end()


def _formula(text: str, match: re.Match[str], dollars: dict[int, int]) -> Segment | None:
    start = match.start()
    if match["dollar"]:
        return _dollar_segment(text, start, dollars.get(start))
    if match["open"]:
        end = text.find("\\)" if match["open"] == "(" else "\\]", match.end())
        tex = text[match.end() : end] if end >= 0 else ""
        return Segment(start, text[start : end + 2], tex, match["open"] == "[") if tex.strip() else None
    name = match["environment"]
    if name not in _ENVIRONMENTS:
        return None
    closing = f"\\end{{{name}}}"
    end = text.find(closing, match.end())
    return None if end < 0 else Segment(start, text[start : end + len(closing)], _tex_of_environment(name, text[match.end() : end]), True)


def _dollar_segment(text: str, start: int, end: int | None) -> Segment | None:
    if end is None:
        return None
    source = text[start:end]
    width = 2 if source.startswith("$$") else 1
    tex = source[width : len(source) - width]
    return Segment(start, source, tex, width == 2) if tex.strip() else None


def _tex_of_environment(name: str, body: str) -> str:
    """What the environment's body is inside of a formula."""
    if name in _ALIGNED:
        return rf"\begin{{aligned}}{body}\end{{aligned}}"
    return body if name in ("equation", "equation*", "displaymath", "math") else rf"\begin{{{name}}}{body}\end{{{name}}}"


def unescaped_dollars(text: str) -> list[int]:
    """Positions of the dollars that no backslash escapes."""
    return [match.start() for match in re.finditer(r"\\.|(\$)", text, re.DOTALL) if match[1]]


def dollar_formulas(text: str) -> list[tuple[int, int]]:
    """(start, end) of each `$…$` and `$$…$$`; none where their number is odd or the pairs would enclose prose."""
    dollars = unescaped_dollars(text)
    if len(dollars) % 2:
        return []
    for knows_money in (True, False):  # `$5 and $10` is money, unless a formula would then stay without a partner
        pairs = _pairs(text, dollars, knows_money)
        if pairs is not None and not any(_is_prose(text[start:end]) for start, end in pairs):
            return pairs
    return []


def _pairs(text: str, dollars: list[int], knows_money: bool) -> list[tuple[int, int]] | None:
    """Each opening mark with the next one of its width; None where one stays over."""
    pairs: list[tuple[int, int]] = []
    index = 0
    while index < len(dollars):
        width = _width(dollars, index)
        following = dollars[index + 1] if index + 1 < len(dollars) else len(text)
        if knows_money and width == 1 and _is_amount(text, dollars[index], following):
            index += 1
            continue
        closing = index + width
        if closing >= len(dollars) or (width == 2 and _width(dollars, closing) == 1):
            return None
        pairs.append((dollars[index], dollars[closing] + width))
        index = closing + width
    return pairs


def _width(dollars: list[int], index: int) -> int:
    """2 where another dollar follows at once, else 1."""
    return 2 if index + 1 < len(dollars) and dollars[index + 1] == dollars[index] + 1 else 1


def _is_amount(text: str, opening: int, closing: int) -> bool:
    """Whether the dollar at `opening` is money, by what stands around it up to the next dollar (or the text's end)."""
    content = text[opening + 1 : closing]
    if _TEX_CHARACTERS.search(content):
        return False
    if content[:1].isdigit():  # $5 and $10, $5-$10, $5 for a run
        is_followed_by_amount = text[closing + 1 : closing + 2].isdigit()
        return closing == len(text) or content[-1:].isspace() or content[-1:] in "(/-–~" or is_followed_by_amount or _is_prose(content)
    follows_digit = opening > 0 and text[opening - 1].isdigit()
    return follows_digit and (content[:1].isspace() or not content) and (closing == len(text) or content[-1:].isdigit())  # 5$ and 10$


def _is_prose(content: str) -> bool:
    return _TEX_CHARACTERS.search(content) is None and len(_PROSE_WORD.findall(content)) > _MOST_PROSE_WORDS

r"""Prose with TeX's text commands → a tree: plain characters, styles around other nodes, formulas.

What lives here: which commands of text are read (`\emph{…}`, `\'e`, ``quotes'', `\%`, `~`), once for every output.
What does not: how a node is written (`html.py`, `plain.py`, `bibtex.py`). A command that is not known here stays in
the text character by character, so that nothing of the source is lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from pylatexenc.latex2text import LatexNodes2Text

from digest_pipeline.tex.scan import Segment, formulas


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as a reader should see them; nothing in them is a command any more."""

    text: str


@dataclass(frozen=True, slots=True)
class Styled:
    r"""`\emph{…}` and its like: the command's name without backslash, and what it encloses."""

    style: str
    children: tuple[Node, ...]


Node = Text | Segment | Styled
"""A `Segment` among the nodes is always a formula."""

_ACCENT_MARK: Final = r"""['"`^~=.]"""
ACCENTED: Final = (  # also an accent over an accent, as in Nguy\~{\^e}n
    rf"\\(?:{_ACCENT_MARK}\s*(?:\{{(?:\\?[A-Za-z]|\\{_ACCENT_MARK}\{{?[A-Za-z]\}}?|\\[dcbk]\{{[A-Za-z]\}})\}}|\\?[A-Za-z])"
    r"|[uvHcdbkrt](?:\s*\{\\?[A-Za-z]{1,2}\}|\ +\\?[A-Za-z](?![A-Za-z])))"
)
_STYLES: Final = "emph|textit|textsl|textbf|texttt|textsc|text|textrm|textsf|textsuperscript|textsubscript|mbox|underline|uline|uppercase|url"
_OLD_STYLES: Final = "it|em|bf|tt|sc|sl|rm"
_LETTERS: Final = (
    "ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j|S|P|dag|ddag|copyright|pounds|ldots|dots|textendash|textemdash|textquoteright|textquoteleft"
    "|textasciitilde|textbackslash|LaTeXe|LaTeX|TeX"
)
_COMMAND: Final = re.compile(
    rf"""
      \{{(?P<braced>{ACCENTED})\}}
    | (?P<accent>{ACCENTED})
    | \\(?P<style>{_STYLES}|{_OLD_STYLES})\s*\{{
    | \\href\s*\{{(?P<link>[^{{}}$]*)\}}\s*\{{
    | \{{\\(?P<old>{_OLD_STYLES})\s+
    | \\(?P<letter>{_LETTERS})(?![A-Za-z])(?:\{{\}}|\ (?=[A-Za-z]))?
    | (?P<address>https?://[^\s{{}}$]+)
    | \\(?P<escaped>[%&\#_\${{}}])
    | \\(?P<space>[,;:!\ /\\])
    | (?<![A-Za-z\\}}\]])\{{(?P<protected>[A-Za-z0-9+-]*[A-Z][A-Za-z0-9+-]*)\}}
    | (?P<quote>``)(?=[^`]*?'')
    | (?P<unquote>'')
    | (?P<dash>(?<![-\w])-{{2,3}}(?![-\w])|(?<=\w)---?(?=\w))
    | (?<=\S)(?P<tie>~)(?=\S)
    """,
    re.VERBOSE,
)
_SPACES: Final = {",": "\u2009", ";": " ", ":": " ", "!": "", " ": " ", "/": "", "\\": " "}
_NAMED_LETTERS: Final = {"LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX2e"}
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
_LONGEST_ARGUMENT: Final = 4_000  # characters looked through for a closing brace, so that no text makes reading slow
_DEEPEST: Final = 8  # styles within styles; deeper ones stay in the text as they are


def nodes(text: str) -> tuple[Node, ...]:
    """The text as a tree; of each formula the source is kept, of the prose every character that is no known command."""
    return tuple(_merged(_Reader(text).read(0, len(text), 0)))


@lru_cache(maxsize=4_096)
def character(command: str) -> str:
    r"""One accent or letter command as its character, e.g. `\'e` → é."""
    text: str = _reader().latex_to_text(command, tolerant_parsing=True)
    return text


@cache
def _reader() -> LatexNodes2Text:
    return LatexNodes2Text()


_ANY_ACCENT: Final = re.compile(rf"\{{({ACCENTED})\}}|({ACCENTED})|\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])(?:\{{\}}|\ )?")


def with_accents_read(text: str) -> str:
    r"""`text` with its accent and letter commands as characters (`Erd\H{o}s` → Erdős); everything else as it stands."""
    if "\\" not in text:
        return text
    return _ANY_ACCENT.sub(lambda match: character(match[1] or match[2] or f"\\{match[3]}"), text)


class _Reader:
    """One text being read; `read` goes over a stretch of it, and over the insides of styles by itself."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._formulas = {formula.start: formula for formula in formulas(text)}
        self._starts = sorted(self._formulas)
        self._quotes = 0

    def read(self, at: int, end: int, depth: int) -> Iterator[Node]:
        text = self._text
        while at < end:
            match = _COMMAND.search(text, at, end)
            begins = match.start() if match else end
            formula = self._formula_from(at, min(begins + 1, end))
            if formula is not None and formula.start <= begins and formula.end <= end:
                yield Text(text[at : formula.start])
                yield formula
                at = formula.end
            elif match is None:
                yield Text(text[at:end])
                return
            else:
                yield Text(text[at:begins])
                node, at = self._node(match, end, depth)
                yield from node

    def _formula_from(self, at: int, before: int) -> Segment | None:
        place = bisect_left(self._starts, at)
        return self._formulas[self._starts[place]] if place < len(self._starts) and self._starts[place] < before else None

    def _node(self, match: re.Match[str], end: int, depth: int) -> tuple[tuple[Node, ...], int]:
        """What the command means, and where the text goes on."""
        style = "href" if match["link"] is not None else match["style"] or match["old"]
        if not style:
            return (Text(self._characters(match)),), match.end()
        close = self._closing_brace(match.end(), end) if depth < _DEEPEST else None
        if close is None:
            return (Text(match[0]),), match.end()
        if style == "url":
            return (Text(self._text[match.end() : close]),), close + 1
        children = tuple(self.read(match.end(), close, depth + 1))
        if style == "href":
            return (*children, Text(f" ({match['link']})" if children and match["link"] else match["link"])), close + 1
        return (Styled(style, tuple(_merged(children))),), close + 1

    def _closing_brace(self, at: int, end: int) -> int | None:
        """Where the group opened just before `at` closes; None where it does not within reach, or only inside a formula."""
        depth = 1
        for match in _BRACE.finditer(self._text, at, min(end, at + _LONGEST_ARGUMENT)):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                return None if self._is_in_formula(match.start()) else match.start()
        return None

    def _is_in_formula(self, at: int) -> bool:
        place = bisect_left(self._starts, at) - 1
        return place >= 0 and at < self._formulas[self._starts[place]].end

    def _characters(self, match: re.Match[str]) -> str:
        if accent := match["braced"] or match["accent"]:
            return character(accent)
        if letter := match["letter"]:
            return _NAMED_LETTERS.get(letter) or character(f"\\{letter}")
        if match["quote"]:
            self._quotes += 1
            return "“"
        if match["unquote"]:
            self._quotes -= (was_open := self._quotes > 0)
            return "”" if was_open else "''"
        if match["dash"]:
            return "—" if len(match["dash"]) == 3 else "–"
        if match["tie"]:
            return "\u00a0"
        if match["space"]:
            return _SPACES[match["space"]]
        return match["address"] or match["escaped"] or match["protected"]


def _merged(found: Iterator[Node] | tuple[Node, ...]) -> Iterator[Node]:
    """Neighbouring texts as one; empty ones left out."""
    pending: list[str] = []
    for node in found:
        if isinstance(node, Text):
            pending.append(node.text)
            continue
        if joined := "".join(pending):
            yield Text(joined)
        pending.clear()
        yield node
    if joined := "".join(pending):
        yield Text(joined)

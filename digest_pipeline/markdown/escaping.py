r"""Text from outside → Markdown that shows exactly that text, in whatever engine the reader has.

What lives here: turning titles, abstracts, names and model answers into single lines of Markdown. What does not:
where the lines stand (`templates/`). Nothing from outside reaches a digest except through here; what has been
through is a `MarkdownText`, and the template refuses anything else.

Engines differ, so every form was chosen to be read alike by CommonMark, GitHub, Python-Markdown, mistune, pandoc and
Obsidian: backslashes before what all of them unescape, character references for the rest (`|` is `&#124;`, which no
table splits at). In particular:

- Mathematics stays as it is between its dollars, since engines that render it read it raw. `\(…\)`, `\[…\]` and environments, which
  most do not know, become `$…$` and `$$…$$`. An engine without mathematics reads a formula as Markdown, so whatever could become
  a tag, a link or a footnote there gets one space, which TeX does not see: `a< b …>`, `] (`, `[ ^`. A formula
  with a backtick is shown as text where a second one could make a code span of it.
- In a table row `|` within a formula becomes `\vert` and `\|` becomes `\Vert`, which is the same formula; engines disagree
  on whether `\|` in a table is a bar or a norm. The note below the table has the formula character by character.
- A web address in the authors' own words is a link. One in a model's answer is a link only where the authors have it, too.
- Control characters and those that turn the direction of text around are left out; line breaks become spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from digest_pipeline.tex.scan import Segment, segments
from digest_pipeline.text import one_line
from digest_pipeline.text import paragraphs as text_paragraphs


class MarkdownText(str):
    """One line of Markdown that is safe to stand in a template: written by us, or escaped here."""

    __slots__ = ()


class _Kind(Enum):
    TEXT = auto()
    MATHEMATICS = auto()
    ADDRESS = auto()


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: _Kind
    text: str


# -- pieces: text, mathematics, web addresses ------------------------------------------------------------

_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_ADDRESS_START = re.compile(r"://|www\.", re.IGNORECASE)
"""Dollars around a web address are no formula: engines would make a link of it."""
_NOT_IN_ADDRESS = re.compile(r"[\"'<>`|{}^$\[\]]")


def _pieces(line: str) -> Iterator[_Piece]:
    for segment in segments(line):
        if formula := _formula(segment):
            yield _Piece(_Kind.MATHEMATICS, formula)
        else:
            yield from _text_and_addresses(segment.source)


def _formula(segment: Segment) -> str:
    """The formula in the form engines know; empty where it must be shown as text."""
    if segment.tex is None or _ADDRESS_START.search(segment.source):
        return ""
    if segment.source.startswith("$"):
        return segment.source
    mark = "$$" if segment.display else "$"
    return "" if "$" in segment.tex else f"{mark}{segment.tex.strip()}{mark}"


def _text_and_addresses(text: str) -> Iterator[_Piece]:
    done = 0
    for match in _ADDRESS.finditer(text):
        address = _trimmed(match[0])
        if "\\" in address or (address.endswith("/") and address.count("/") < 3):  # TeX in it, or no host: where would it lead?
            continue
        yield _Piece(_Kind.TEXT, text[done : match.start()])
        yield _Piece(_Kind.ADDRESS, address)
        done = match.start() + len(address)
    yield _Piece(_Kind.TEXT, text[done:])


def _trimmed(address: str) -> str:
    """Without the sentence around it: `(see https://a.org/b).` has the address https://a.org/b."""
    address = _NOT_IN_ADDRESS.split(address, maxsplit=1)[0]
    while address and (address[-1] in ".,;:!?*_~&" or (address[-1] == ")" and address.count(")") > address.count("("))):
        address = address[:-1]
    return address


def addresses_in(texts: Iterable[str]) -> frozenset[str]:
    """The web addresses of the authors' own texts: those a translation may link to."""
    return frozenset(p.text for text in texts for line in text_paragraphs(text) for p in _pieces(line) if p.kind is _Kind.ADDRESS)


# -- text ------------------------------------------------------------------------------------------------

_SPECIAL = re.compile(
    r"""
      [\\`*_\[\]<>|$~]
    | &(?=\#?\w+;)              # would be a character reference
    | (?<!\S)\#                 # heading; a tag in Obsidian
    | %(?=%) | =(?==) | \{(?=:) # a comment or a highlight in Obsidian, attributes in Python-Markdown
    | :(?=//) | (?<=www)\.      # GitHub makes links of bare addresses
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BACKSLASH_WORKS = frozenset("\\`*_[]#{")  # in every engine
_BLOCK_START = re.compile(r"(?P<number>\d{1,9})(?P<dot>[.)])(?=\s|$)|(?P<mark>[-+:!?%=])")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _one_escaped(match[0]), text)


def _one_escaped(character: str) -> str:
    return f"\\{character}" if character in _BACKSLASH_WORKS else f"&#{ord(character)};" if character not in _NAMED else _NAMED[character]


_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def _not_a_block(line: str) -> str:
    """`line` without its first characters' power to start a list, a definition or an admonition."""
    match = _BLOCK_START.match(line)
    if match is None:
        return line
    if match["number"]:
        return f"{match['number']}\\{match['dot']}{line[match.end() :]}"
    return f"&#{ord(line[0])};{line[1:]}"


# -- mathematics where an engine does not know it ----------------------------------------------------------

_TAG_LIKE = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.\-]*(?:\s[^<>]*)?/?|[A-Za-z][^\s<>]*[:@][^\s<>]*|[A-Za-z][^>]*=[^>]*)>")
_ALWAYS_TAMED = ((re.compile(r"<(?=[/!?])"), "< "), (re.compile(r"\](?=\()"), "] "), (re.compile(r"\^(?=\[)"), "^ "), (re.compile(r"\[(?=\^)"), "[ "))


def _tamed(pieces: list[_Piece], *, whole_line: bool) -> list[_Piece]:
    """The pieces, so that no formula can become a tag, a link, a footnote or a code span, nor half of one in a longer line."""
    if sum(p.text.count("`") for p in pieces) > whole_line:  # an escaped backtick does end a code span
        pieces = [_as_text(p) if "`" in p.text else p for p in pieces]
    as_read = "".join("" if p.kind is _Kind.ADDRESS else p.text if p.kind is _Kind.MATHEMATICS else _escaped(p.text) for p in pieces)
    tags = not whole_line or _TAG_LIKE.search(as_read) is not None
    return [_tame_formula(p, tags) if p.kind is _Kind.MATHEMATICS else p for p in pieces]


def _as_text(piece: _Piece) -> _Piece:
    return replace(piece, kind=_Kind.TEXT) if piece.kind is _Kind.MATHEMATICS else piece


def _tame_formula(piece: _Piece, tags: bool) -> _Piece:
    text = piece.text
    for pattern, harmless in _ALWAYS_TAMED:
        text = pattern.sub(harmless, text)
    return _Piece(piece.kind, re.sub(r"<(?=[A-Za-z])", "< ", text) if tags else text)


_BAR = re.compile(r"(?P<other>\\[^|])|(?P<norm>\\\|)|(?P<bar>\|)")
_NO_FORMULA_IN_A_ROW = re.compile(r"`|(?=.*\|)\\(?:text|mbox|hbox|begin|verb|operatorname|mathrm)")
"""A backtick could pair with one in the next cell; a bar in words or in a column specification is not the symbol."""


def _fit_for_a_row(piece: _Piece) -> _Piece:
    """The same formula without `|`, or as text where that cannot be had."""
    if piece.kind is not _Kind.MATHEMATICS:
        return piece
    if _NO_FORMULA_IN_A_ROW.search(piece.text):
        return _as_text(piece)
    return _Piece(piece.kind, _BAR.sub(_bar_as_command, piece.text))


def _bar_as_command(match: re.Match[str]) -> str:
    if match["other"]:
        return match[0]
    following = match.string[match.end() : match.end() + 1]
    return ("\\Vert" if match["norm"] else "\\vert") + (" " if following.isalpha() else "")


def _with_paired_brackets(pieces: list[_Piece]) -> list[_Piece]:
    r"""Formulas without a lone `[` or `]` (as in $[0,1)$), which would end the link around them; `\lbrack` is the same sign."""
    whole = "".join(p.text if p.kind is _Kind.MATHEMATICS else " " * len(p.text) for p in pieces)
    lone = _lone_brackets(whole)
    result, start = [], 0
    for piece in pieces:
        end = start + len(piece.text)
        result.append(_Piece(piece.kind, _brackets_as_commands(piece.text, [i - start for i in lone if start <= i < end])))
        start = end
    return result


def _lone_brackets(text: str) -> list[int]:
    opened: list[int] = []
    lone: list[int] = []
    for match in re.finditer(r"\\.|[\[\]]", text):
        if match[0] == "[":
            opened.append(match.start())
        elif match[0] == "]":
            (lone.append(match.start()) if not opened else opened.pop())
    return lone + opened


def _brackets_as_commands(text: str, positions: list[int]) -> str:
    for position in sorted(positions, reverse=True):
        command = "\\lbrack" if text[position] == "[" else "\\rbrack"
        gap = " " if text[position + 1 : position + 2].isalpha() else ""
        text = text[:position] + command + gap + text[position + 1 :]
    return text


# -- what the digest is made of ---------------------------------------------------------------------------


def _joined(pieces: Iterable[_Piece], address: Callable[[str], str]) -> str:
    forms: dict[_Kind, Callable[[str], str]] = {_Kind.TEXT: _escaped, _Kind.MATHEMATICS: str, _Kind.ADDRESS: address}
    return "".join(forms[piece.kind](piece.text) for piece in pieces)


def inline(text: str, linked: frozenset[str] = frozenset()) -> MarkdownText:
    """`text` as part of a line; web addresses among `linked` are links, others are text."""
    return _line(text, linked, whole_line=False)


def paragraph(text: str, linked: frozenset[str] = frozenset()) -> MarkdownText:
    """`text` as one line that is a paragraph of its own."""
    return MarkdownText(_not_a_block(_line(text, linked, whole_line=True)))


def _line(text: str, linked: frozenset[str], *, whole_line: bool) -> MarkdownText:
    def address(url: str) -> str:
        return f"<{url}>" if url in linked else _escaped(url)

    return MarkdownText(_joined(_tamed(list(_pieces(one_line(text))), whole_line=whole_line), address))


def paragraphs(text: str, linked: frozenset[str] = frozenset()) -> list[MarkdownText]:
    """Each paragraph of `text` as one line; none for an empty text."""
    return [paragraph(line, linked) for line in text_paragraphs(text)]


def cell(text: str) -> MarkdownText:
    """`text` for a table cell or the words of a link in one: one line, without `|`, with brackets in pairs, without links."""
    pieces = [_fit_for_a_row(piece) for piece in _pieces(one_line(text))]
    return MarkdownText(_joined(_with_paired_brackets(_tamed(pieces, whole_line=True)), _escaped))

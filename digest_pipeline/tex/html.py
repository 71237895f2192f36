r"""TeX in titles and abstracts → safe HTML: mathematics as MathML, text commands as what they mean.

What lives here: converting formulas at build time with the `math-core` library (MathML Core, with the TeX kept as
annotation for copying), and writing the prose around them. A formula that cannot be converted is shown as the TeX it
was. What does not live here: finding formulas and commands (`scan.py`, `text.py`), where the text stands on a page.

Everything returned is `Markup` in which the source's own characters are escaped; the converter's output
is let through only where it consists of MathML elements and harmless attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Final

from markupsafe import Markup, escape
from math_core import LatexError, LatexToMathML

from digest_pipeline.tex.scan import Segment
from digest_pipeline.tex.text import Node, Text, nodes
from digest_pipeline.text import paragraphs, printable

_MOST_FORMULA_CHARACTERS: Final = 4_000  # longer is no formula but a broken abstract: shown as TeX
_LONG_FORMULA: Final = 45
"""A formula of more TeX characters than this may be wider than a phone: it scrolls by itself, also by keyboard."""

# -- mathematics ----------------------------------------------------------------------------------

_ELEMENTS = (  # b, i, em, code: text styles inside mtext
    "math|semantics|annotation|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|mstyle|merror|mpadded|mphantom"
    "|msub|msup|msubsup|munder|mover|munderover|mmultiscripts|mprescripts|none|mtable|mtr|mtd|menclose|b|i|em|code"
)
_ATTRIBUTES = (
    "display|displaystyle|scriptlevel|encoding|mathvariant|stretchy|symmetric|largeop|movablelimits|form|fence|separator|accent|accentunder"
    "|lspace|rspace|minsize|maxsize|width|height|depth|voffset|linethickness|rowspacing|columnspacing|columnalign|rowalign|columnlines|rowlines"
    "|columnspan|rowspan|notation|xmlns|intent|arg|class"
)
_HARMLESS_TAG: Final = re.compile(rf'</?(?:{_ELEMENTS})(?:\s+(?:{_ATTRIBUTES})="[^"<>]*")*\s*/?>')
_ANY_TAG: Final = re.compile(r"<[^>]*>?")
_STYLING: Final = re.compile(r'</?span(?: style="[^"<>]*")?>|(?<=[a-z"]) style="[^"<>]*"')
_COMMON_MACROS: Final = {
    "widetilde": r"\tilde{#1}",
    "boldsymbol": r"\bm{#1}",
    "mathbbm": r"\mathbb{#1}",
    "mathds": r"\mathbb{#1}",
    "ensuremath": "#1",
    "xspace": "",
}


@cache
def _converter() -> LatexToMathML:
    known = {name: body for name, body in _COMMON_MACROS.items() if not _knows(name, body)}
    return LatexToMathML(macros=known, annotation=True, fancy_error=False)


def _knows(name: str, body: str) -> bool:
    try:
        LatexToMathML(fancy_error=False).convert_with_local_state(rf"\{name}{{x}}" if "#1" in body else rf"\{name}", displaystyle=False)
    except LatexError:
        return False
    return True


@lru_cache(maxsize=16_384)
def formula(tex: str, *, display: bool = False) -> Markup | None:
    """One formula (without its delimiters) as a `<math>` element; None where it cannot be converted."""
    if len(tex) > _MOST_FORMULA_CHARACTERS:
        return None
    try:
        mathml: str = _converter().convert_with_local_state(tex.strip(), displaystyle=display)
    except LatexError:
        return None
    mathml = _STYLING.sub("", mathml)
    if not all(_HARMLESS_TAG.fullmatch(tag) for tag in _ANY_TAG.findall(mathml)):
        return None
    safe = Markup(mathml)  # noqa: S704 (every tag was checked, and the converter escapes all text)
    if len(tex) > _LONG_FORMULA or display:
        return Markup('<span class="long-formula{}" tabindex="0">{}</span>').format(" display" if display else "", safe)
    return safe


def _formula_html(segment: Segment) -> Markup:
    return formula(segment.tex or "", display=segment.display) or Markup('<code class="tex">{}</code>').format(segment.source)


# -- prose ----------------------------------------------------------------------------------------

_ELEMENT_OF_STYLE: Final = {
    **dict.fromkeys(("emph", "textit", "textsl", "it", "em", "sl"), "em"),
    **dict.fromkeys(("textbf", "bf"), "strong"),
    **dict.fromkeys(("texttt", "tt"), "code"),
    "textsuperscript": "sup",
    "textsubscript": "sub",
}
_LEANING: Final = re.compile(r"[,.;:!?)\]’”%，。；：、？！）」』】]+|-[A-Za-z]+")


def inline_html(text: str) -> Markup:
    """A title or sentence as HTML, on one line: control characters gone, mathematics as MathML, the rest escaped."""
    line = " ".join(printable(text).split())
    if not any(mark in line for mark in ("\\", "$", "``", "--", "~", "{")):
        return escape(line)
    return Markup("").join(_held_together(nodes(line)))


def _html(node: Node) -> Markup:
    if isinstance(node, Text):
        return escape(node.text)
    if isinstance(node, Segment):
        return _formula_html(node)
    content = Markup("").join(_held_together(node.children))
    element = _ELEMENT_OF_STYLE.get(node.style)
    return Markup(f"<{element}>{{}}</{element}>").format(content) if element else content  # noqa: S704 (the element's name is ours)


def _held_together(parts: Sequence[Node]) -> Iterator[Markup]:
    """A browser may break the line after a formula; the comma that follows it must not begin the next one."""
    lean = 0
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        html = _html(Text(part.text[lean:]) if lean and isinstance(part, Text) else part)
        lean = 0
        if isinstance(part, Segment) and isinstance(following, Text) and (match := _LEANING.match(following.text)):
            lean = match.end()
            html = Markup('<span class="held">{}{}</span>').format(html, match[0])
        yield html


def paragraphs_html(text: str) -> tuple[Markup, ...]:
    """An abstract as its paragraphs: arXiv marks a new one by an empty or an indented line."""
    return tuple(inline_html(part) for part in paragraphs(text))

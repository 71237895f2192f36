r"""TeX in titles and abstracts → safe HTML: mathematics as MathML, text commands as what they mean.

What lives here: finding mathematics the way arXiv's own pages do, converting it at build time with the
`math-core` library (MathML Core, with the TeX kept as annotation for copying), and the few text commands
authors use in abstracts (\textit, \'e, ``quotes'', \%, ~), read with `pylatexenc`. What cannot be
converted is shown as the TeX it was. What does not live here: where the text stands on a page.

Everything returned is `Markup` in which the source's own characters are escaped; the converter's output
is let through only where it consists of MathML elements and harmless attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import zip_longest
from typing import Final

from markupsafe import Markup, escape
from math_core import LatexError, LatexToMathML
from pylatexenc.latex2text import LatexNodes2Text

from digest_pipeline.text import printable

_MATHEMATICS: Final = re.compile(
    r"""
      (?<!\\)\$\$(?P<display>(?:[^$\\]|\\.)+)\$\$
    | (?<!\\)\\\[(?P<bracket>.+?)\\\]
    | (?<!\\)\\\((?P<paren>.+?)\\\)
    | \\begin\{(?P<environment>equation|align|gather|multline)(?P<star>\*?)\}(?P<body>.+?)\\end\{(?P=environment)(?P=star)\}
    | (?<!\\)\$(?P<inline>(?:[^$\\]|\\.)+)\$(?P<digit>(?=\d))?
    """,
    re.VERBOSE | re.DOTALL,
)
_MOST_FORMULA_CHARACTERS: Final = 4_000  # longer is no formula but a broken abstract: shown as TeX

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


_LONG_FORMULA: Final = 45
"""A formula of more TeX characters than this may be wider than a phone: it scrolls by itself, also by keyboard."""


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


def tex_source(tex: str) -> Markup:
    """A formula that could not be converted, delimiters and all, as its TeX."""
    return Markup('<code class="tex">{}</code>').format(tex)


# -- segments -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text: plain text, or one formula with its delimiters in `source`."""

    source: str
    tex: str | None = None
    """The formula without delimiters; None for text."""
    display: bool = False

    def html(self) -> Markup:
        if self.tex is None:
            return text_html(self.source)
        return formula(self.tex, display=self.display) or tex_source(self.source)


def segments(text: str) -> Iterator[Segment]:
    """`text` in order as text and formulas; the sources joined are `text`.

    A dollar counts as a delimiter where it has a partner and the stretch between looks like mathematics
    rather than two prices: no white space inside its ends and no digit after it, or a command, index or
    exponent within.
    """
    at = 0
    while match := _MATHEMATICS.search(text, at):
        found = _segment(match)
        if found is None:  # the first dollar is a plain one: go on right after it
            skip = match.start() + 1
            yield Segment(text[at:skip])
            at = skip
            continue
        if match.start() > at:
            yield Segment(text[at : match.start()])
        yield found
        at = match.end()
    if at < len(text):
        yield Segment(text[at:])


def _segment(match: re.Match[str]) -> Segment | None:
    if (inline := match["inline"]) is not None:
        looks_right = not inline[0].isspace() and not inline[-1].isspace() and match["digit"] is None
        return Segment(match[0], inline) if looks_right or re.search(r"[\\^_]", inline) else None
    if (body := match["body"]) is not None:
        aligned = match["environment"] in ("align", "gather", "multline")
        return Segment(match[0], rf"\begin{{aligned}}{body}\end{{aligned}}" if aligned else body, display=True)
    if (paren := match["paren"]) is not None:
        return Segment(match[0], paren)
    return Segment(match[0], match["display"] or match["bracket"], display=True)


# -- text commands --------------------------------------------------------------------------------

_ACCENT_MARK: Final = r"""['"`^~=.]"""
_ACCENTED: Final = (  # also an accent over an accent, as in Nguy\~{\^e}n
    rf"\\(?:{_ACCENT_MARK}(?:\{{(?:\\?[A-Za-z]|\\{_ACCENT_MARK}\{{?[A-Za-z]\}}?|\\[dcbk]\{{[A-Za-z]\}})\}}|\\?[A-Za-z])"
    r"|[uvHcdbkrt](?:\{\\?[A-Za-z]{1,2}\}|\ +\\?[A-Za-z]))"
)
_STYLES: Final = "emph|textit|textsl|textbf|texttt|textsc|text|textrm|textsf|textsuperscript|textsubscript|mbox|underline|uline|url|it|em|bf|tt|sc"
_LETTERS: Final = (
    "ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j|S|P|dag|ddag|copyright|pounds|ldots|dots|textendash|textemdash|textquoteright|textquoteleft"
    "|textasciitilde|textbackslash|LaTeXe|LaTeX|TeX"
)
_TEXT_COMMAND: Final = re.compile(
    rf"""
      \{{(?P<braced>{_ACCENTED})\}}
    | (?P<accent>{_ACCENTED})
    | \\(?P<style>{_STYLES})\s*\{{(?P<inner>(?:[^{{}}\\]|\\.|\{{[^{{}}]*\}})*)\}}
    | \\href\s*\{{(?P<link>[^{{}}]*)\}}\s*\{{(?P<linked>[^{{}}]*)\}}
    | \{{\\(?P<old>it|em|bf|tt|sc|sl|rm)\s+(?P<oldinner>[^{{}}]*)\}}
    | \\(?P<letter>{_LETTERS})(?![A-Za-z])(?:\{{\}}|\ (?=[A-Za-z]))?
    | (?P<address>https?://[^\s{{}}]+)
    | \\(?P<escaped>[%&\#_\${{}}])
    | \\(?P<space>[,;:!\ /\\])
    | ``(?P<quoted>[^`]*?)''
    | (?P<dash>(?<![-\w])-{{2,3}}(?![-\w])|(?<=\w)---?(?=\w))
    | (?<=\S)(?P<tie>~)(?=\S)
    """,
    re.VERBOSE,
)
_ELEMENT_OF_STYLE: Final = {
    **dict.fromkeys(("emph", "textit", "textsl", "it", "em", "sl"), "em"),
    **dict.fromkeys(("textbf", "bf"), "strong"),
    **dict.fromkeys(("texttt", "tt"), "code"),
    "textsuperscript": "sup",
    "textsubscript": "sub",
}
_SPACES: Final = {",": "\u2009", ";": " ", ":": " ", "!": "", " ": " ", "/": "", "\\": " "}


@cache
def _reader() -> LatexNodes2Text:
    return LatexNodes2Text()


@lru_cache(maxsize=4_096)
def _letter(command: str) -> str:
    """One accent or letter command as its character, e.g. `\\'e` → é."""
    text: str = _reader().latex_to_text(command, tolerant_parsing=True)
    return text


def text_html(text: str) -> Markup:
    """Plain text with TeX's text commands as HTML; unknown commands stay as they are, everything is escaped."""
    if not any(mark in text for mark in ("\\", "``", "--", "~")):
        return escape(text)
    return _commands_html(text)


def _commands_html(text: str) -> Markup:
    pieces: list[Markup] = []
    at = 0
    for match in _TEXT_COMMAND.finditer(text):
        pieces += [escape(text[at : match.start()]), _command_html(match)]
        at = match.end()
    return Markup("").join([*pieces, escape(text[at:])])


def _command_html(match: re.Match[str]) -> Markup:
    if accent := match["braced"] or match["accent"]:
        return escape(_letter(accent))
    if style := match["style"] or match["old"]:
        return _styled(style, match["inner"] if match["style"] else match["oldinner"])
    if match["linked"] is not None:
        return text_html(match["linked"] or match["link"])
    if match["letter"]:
        return escape({"LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX2e"}.get(match["letter"]) or _letter(f"\\{match['letter']}"))
    if match["address"]:
        return escape(match["address"])  # keeps its ~ and --
    if match["quoted"] is not None:
        return Markup("“{}”").format(_commands_html(match["quoted"]))
    if match["dash"]:
        return escape("—" if len(match["dash"]) == 3 else "–")
    if match["tie"]:
        return Markup("\u00a0")
    return escape(match["escaped"] or _SPACES[match["space"]])


def _styled(style: str, inner: str) -> Markup:
    return _in_element(style, escape(inner) if style == "url" else _commands_html(inner))


def _in_element(style: str, content: Markup) -> Markup:
    element = _ELEMENT_OF_STYLE.get(style)
    return Markup(f"<{element}>{{}}</{element}>").format(content) if element else content  # noqa: S704 (the element's name is ours)


# -- whole texts ----------------------------------------------------------------------------------


_STYLED_FORMULA: Final = re.compile(
    rf"\\(?P<style>{'|'.join(_ELEMENT_OF_STYLE)}|textsc|underline|uline)\s*\{{(?P<inner>[^{{}}$]*(?:\$[^$]+\$[^{{}}$]*)+)\}}"
)
"""A style around text with a formula, as in `\\textbf{T$^{2}$-GRPO}`: the formula's dollars would tear the command in two."""


def inline_html(text: str) -> Markup:
    """A title or sentence as HTML, on one line: control characters gone, mathematics as MathML, the rest escaped."""
    line = " ".join(printable(text).split())
    pieces: list[Markup] = []
    at = 0
    for match in _styled_formulas(line):
        pieces += [*_held_together(list(segments(line[at : match.start()]))), _in_element(match["style"], inline_html(match["inner"]))]
        at = match.end()
    return Markup("").join([*pieces, *_held_together(list(segments(line[at:])))])


def _styled_formulas(line: str) -> Iterator[re.Match[str]]:
    """Those outside mathematics: an even number of dollars stands before them."""
    return (match for match in _STYLED_FORMULA.finditer(line) if len(re.findall(r"(?<!\\)\$", line[: match.start()])) % 2 == 0)


_LEANING: Final = re.compile(r"[,.;:!?)\]’”%，。；：、？！）」』】]+|-[A-Za-z]+")


def _held_together(parts: list[Segment]) -> Iterator[Markup]:
    """A browser may break the line after a formula; the comma that follows it must not begin the next one."""
    lean = 0
    for part, following in zip_longest(parts, parts[1:]):
        html = part.html() if not lean else Segment(part.source[lean:]).html()
        lean = 0
        if part.tex is not None and following is not None and following.tex is None and (match := _LEANING.match(following.source)):
            lean = match.end()
            html = Markup('<span class="held">{}{}</span>').format(html, match[0])
        yield html


def paragraphs_html(text: str) -> tuple[Markup, ...]:
    """An abstract as its paragraphs: arXiv marks a new one by an empty or an indented line."""
    parts = re.split(r"\n(?:[ \t]*\n|[ \t]{2,})", printable(text).strip())
    return tuple(html for part in parts if (html := inline_html(part)))


def plain_text(text: str) -> str:
    """For the browser's tab and `<meta>`: one line, TeX commands read, formulas as their TeX without dollars."""
    without_styles = _STYLED_FORMULA.sub(lambda match: match["inner"], printable(text))
    pieces = (s.tex if s.tex is not None else Markup(_ANY_TAG.sub("", text_html(s.source))).unescape() for s in segments(without_styles))  # noqa: S704
    return " ".join("".join(pieces).split())

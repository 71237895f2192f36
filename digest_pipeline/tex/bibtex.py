r"""TeX as arXiv gives it → one line of LaTeX that prints the same text and can do nothing else.

BibTeX runs on other people's machines, so nothing from a title reaches TeX as a command: prose is turned into
Unicode and encoded anew; only mathematics stays TeX, and not where it is unbalanced or could read a file.

What lives here: that encoding. What does not: fields, keys and names of an entry (`site/exports/bibtex.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from digest_pipeline.tex.scan import Segment
from digest_pipeline.tex.text import Node, Styled, Text, nodes
from digest_pipeline.text import one_line

if TYPE_CHECKING:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

_DANGEROUS = re.compile(
    r"\^\^|\\(?:input|include\w*|import|subfile|verbatiminput|lstinputlisting|write\d*|immediate|openin|openout|read\w*|close\w+|special|csname|catcode|"
    r"[egx]?def|let|futurelet|global|long|outer|newcommand|renewcommand|providecommand|newenvironment|usepackage|RequirePackage|documentclass|"
    r"directlua|lat\w*lua|luaexec|ShellEscape|pdf\w+|expandafter|every\w+|loop|repeat|newwrite|newread|scantokens|begingroup|endgroup|"
    r"makeatletter|end|begin|bye|dump|jobname|batchmode|par|vspace|hspace|rule|char|href|url|html\w*)(?![A-Za-z])"
)
_HARMLESS_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\s*\{(?:[bpvV]?matrix|cases|aligned|array|smallmatrix|split|gathered|equation\*?|align\*?|gather\*?|multline\*?)\}"
)
_SPECIAL = re.compile(r"[^A-Za-z0-9 .,;:!?'()/*+=\-]")


def latex_text(text: str) -> str:
    """One line of LaTeX that prints `text` (itself TeX as arXiv gives it): mathematics kept, braces balanced, no command."""
    return "".join(_written(nodes(one_line(text))))


def _written(found: Iterable[Node]) -> Iterator[str]:
    for node in found:
        if isinstance(node, Text):
            yield _encoded(node.text)
        elif isinstance(node, Styled):
            yield from _written(node.children)
        else:
            yield _formula(node)


def _formula(segment: Segment) -> str:
    formula = segment.source
    if _DANGEROUS.search(_HARMLESS_ENVIRONMENT.sub("", formula)) or not _is_balanced(segment):
        return _encoded(formula)
    return re.sub(r"(?<!\\)([%#])", r"\\\1", formula)


def _is_balanced(segment: Segment) -> bool:
    """Braces as BibTeX counts them: escaped ones too. And no backslash before the delimiter that ends the formula."""
    depth = 0
    for character in segment.source:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    trailing = re.search(r"\\*$", segment.tex or "")
    return depth == 0 and (trailing is None or len(trailing[0]) % 2 == 0)


def _encoded(text: str) -> str:
    return _SPECIAL.sub(lambda match: _encoded_character(match[0]), unicodedata.normalize("NFC", text))


@cache
def _encoded_character(character: str) -> str:
    encoded: str = _encoder().unicode_to_latex(character)
    return encoded


@cache
def _encoder() -> UnicodeToLatexEncoder:
    from pylatexenc.latexencode import RULE_DICT, UnicodeToLatexConversionRule, UnicodeToLatexEncoder

    braces = UnicodeToLatexConversionRule(RULE_DICT, {ord("{"): r"\textbraceleft", ord("}"): r"\textbraceright"})  # `\{` would unbalance BibTeX
    return UnicodeToLatexEncoder(
        conversion_rules=[braces, "defaults"], replacement_latex_protection="braces-all", unknown_char_policy="keep", unknown_char_warning=False
    )

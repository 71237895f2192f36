r"""TeX → plain Unicode, for what can render nothing: mail, chat, a browser's tab, the search index.

What lives here: `$\alpha_i \le 1$` becomes `α_i ≤ 1`, and the text commands around it what they mean. What does
not: mathematics on pages (`html.py`). A formula that cannot be read stays as its source.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexWalkerError

from digest_pipeline.tex.scan import Segment
from digest_pipeline.tex.text import Node, Styled, Text, nodes
from digest_pipeline.text import one_line

_CONVERTER_FAILURES = (LatexWalkerError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
r"""What pylatexenc raises on TeX that it cannot read; `\href` without its package's state is an IndexError."""
_COMMENT = re.compile(r"(?<!\\)%")


def plain_text(text: str) -> str:
    """One line of Unicode: formulas as far as Unicode can write them, text commands read, styles gone."""
    return _joined(text, lambda formula: unicode_formula(formula.source, formula.tex or ""))


def text_with_tex(text: str) -> str:
    """One line: text commands read, formulas as their TeX without dollars, as one would copy or search for them."""
    return _joined(text, lambda formula: formula.tex or "")


def _joined(text: str, of_formula: Callable[[Segment], str]) -> str:
    line = one_line(text)
    return one_line("".join(_pieces(nodes(line), of_formula))) if "\\" in line or "$" in line or "``" in line or "{" in line else line


def _pieces(found: Iterable[Node], of_formula: Callable[[Segment], str]) -> Iterable[str]:
    for node in found:
        if isinstance(node, Text):
            yield node.text
        elif isinstance(node, Styled):
            yield from _pieces(node.children, of_formula)
        else:
            yield of_formula(node)


@lru_cache(maxsize=4_096)
def unicode_formula(source: str, tex: str) -> str:
    """The formula in Unicode; its source where it cannot be read."""
    if _COMMENT.search(tex):  # a comment sign would swallow the rest of the formula
        return source
    try:
        plain = " ".join(_converter().latex_to_text(tex).split())
    except _CONVERTER_FAILURES:
        return source
    return plain or source


@cache
def _converter() -> LatexNodes2Text:
    logging.getLogger("pylatexenc").setLevel(logging.ERROR)  # it warns about every TeX slip of every author
    return LatexNodes2Text(math_mode="text", keep_comments=False, strict_latex_spaces="based-on-source")

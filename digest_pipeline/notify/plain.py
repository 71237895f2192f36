r"""Mathematics as a person reads it where nothing can render it: `$\alpha_i \le 1$` becomes `α_i ≤ 1`.

What lives here: text with TeX → plain text, for e-mail and chat. What does not: mathematics on pages (the site
renders MathML). Only what stands between math delimiters is touched; a formula that cannot be read stays as it is.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pylatexenc.latex2text import LatexNodes2Text

_MATH = re.compile(
    r"(?<!\\)\$\$(?P<display>.+?)(?<!\\)\$\$|(?<!\\)\$(?P<inline>[^$]*[^$\\\s])(?<!\\)\$(?!\d)|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]", re.S
)


def plain_math(text: str) -> str:
    """`text` with its formulas in Unicode; text without formulas comes back as it is."""
    return _MATH.sub(_formula, text)


def _formula(match: re.Match[str]) -> str:
    tex = next(group for group in match.groups() if group is not None)
    if re.search(r"(?<!\\)%", tex):  # a comment sign would swallow the rest of the formula
        return match[0]
    plain = " ".join(_converter().latex_to_text(tex).split())
    return plain or match[0]


@cache
def _converter() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    logging.getLogger("pylatexenc").setLevel(logging.ERROR)  # it warns about every TeX slip of every author
    return LatexNodes2Text(math_mode="text", keep_comments=False, strict_latex_spaces="based-on-source")

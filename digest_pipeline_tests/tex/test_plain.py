"""Formulas and text commands as a person reads them where nothing can render them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.tex.plain import plain_text, text_with_tex
from digest_pipeline.tex.text import with_accents_read


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        (r"$O(n \log n)$ steps", "O(n log n) steps"),
        (r"costs $5 and $7 each", r"costs $5 and $7 each"),
        (r"\(x^2\) and \[\sum_i y_i\]", "x^2 and ∑_i y_i"),
        (r"100\% of $\beta$", "100% of β"),
        (r"an unbalanced $x", r"an unbalanced $x"),
        (r"256$\times$256 images", "256×256 images"),
        (r"gain $<$5% on $p<0.05$", "gain <5% on p<0.05"),
        (r"\textbf{K$^{2}$-Sort} by G\"odel", "K^2-Sort by Gödel"),
    ],
)
def test_formulas_become_what_a_person_reads(tex: str, plain: str) -> None:
    assert plain_text(tex) == plain


def test_a_formula_that_cannot_be_read_is_shown_as_its_source() -> None:
    assert plain_text(r"see $\href{u}{t}$ and $a % b$") == r"see $\href{u}{t}$ and $a % b$"


@given(st.text(alphabet=st.characters(exclude_characters="$\\`'-~{}"), max_size=200))
def test_text_without_tex_keeps_every_word(text: str) -> None:
    assert plain_text(text).split() == text_with_tex(text).split()


_COMMANDS = [
    "$",
    r"\href",
    r"\frac",
    "{",
    "}",
    r"\left(",
    r"\begin{matrix}",
    r"\end{matrix}",
    "^",
    "_",
    "&",
    r"\\",
    r"\text{a}",
    r"\'e",
    "x",
    " ",
    "[",
]


@given(
    st.text(alphabet="$\\(){}[]_^%ab 1α", max_size=80) | st.lists(st.sampled_from(_COMMANDS), max_size=25).map(lambda parts: f"${''.join(parts)}$")
)
def test_broken_tex_never_raises_nor_empties_a_text(text: str) -> None:
    assert plain_text(text).strip() or not text.strip().strip("{}")


def test_accents_alone_are_read_where_only_names_matter() -> None:
    assert with_accents_read(r"Erd\H{o}s and Schr{\"o}dinger, \o re, $x$") == "Erdős and Schrödinger, øre, $x$"

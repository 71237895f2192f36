"""What is a formula and what is prose, and that every output agrees on it and loses no character of the prose."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.markdown.escaping import paragraph
from digest_pipeline.tex.bibtex import latex_text
from digest_pipeline.tex.html import inline_html
from digest_pipeline.tex.plain import plain_text, text_with_tex
from digest_pipeline.tex.scan import segments
from digest_pipeline.tex.text import with_accents_read
from digest_pipeline_tests.support.digest_engines import commonmark_with_mathematics


def formulas_of(text: str) -> list[str]:
    return [segment.source for segment in segments(text) if segment.tex is not None]


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        (r"gain $<$5% improvement over all of the known baselines ($r=0.81$)", ["$<$", "$r=0.81$"]),
        (r"256$\times$256 images", [r"$\times$"]),
        ("costs $5 and $10 a day", []),
        ("costs $5 for a run, and $10 for two", []),
        (r"\$5 and $x$", ["$x$"]),
        ("one $ alone", []),
        ("$3D$ and $2$", ["$3D$", "$2$"]),
        (r"$\href{u}{t}$", [r"$\href{u}{t}$"]),
        (r"so \[ x \] and \(y\)", [r"\[ x \]", r"\(y\)"]),
        (r"\begin{align} a &= b \end{align}", [r"\begin{align} a &= b \end{align}"]),
        (r"\begin{itemize} \item $x$ \end{itemize}", ["$x$"]),
        ("$$x$$ then $y$", ["$$x$$", "$y$"]),
    ],
)
def test_formulas_are_found_and_money_is_not(text: str, formulas: list[str]) -> None:
    assert formulas_of(text) == formulas


@given(st.text(alphabet="$\\()[]{}ab1 %^_", max_size=60))
def test_segments_joined_are_the_text(text: str) -> None:
    assert "".join(segment.source for segment in segments(text)) == text


# -- every output has every character of the prose -------------------------------------------------

_WORDS = [
    "gain",
    "of",
    "the",
    "5%",
    "improvement",
    "over",
    "known",
    "baselines,",
    "models",
    "(with",
    "memory)",
    "reach",
    "87.3",
    "and",
    "beat",
    "others;",
    "see",
    "below",
]
_HOSTILE = [
    "$<$5%",
    r"($r=0.81$)",
    r"256$\times$256",
    r"$\href{u}{t}$",
    "$5",
    "$10",
    r"\$7",
    r"$O(n \log n)$",
    r"\emph{two words}",
    r"\textbf{K$^{2}$-Sort}",
    "$x<y$,",
    "$a>b$",
    r"$\unknown{}$",
    r"\(z\)",
    r"\[q=1\]",
    r"G\"odel",
    "<b>bold</b>",
    "a_b",
    "#1",
    "50\\%",
    "$p<0.05$.",
    "R&D",
    "[12]",
    "*star*",
    "{set}",
    "`code`",
    "$",
    r"\cite{key}",
]


def hostile_texts() -> Iterator[str]:
    """A thousand sentences of plain words and hostile formulas; the same ones every time."""
    chance = random.Random(20260602)
    for _ in range(1000):
        yield " ".join(chance.choice(_HOSTILE) if chance.random() < 0.25 else chance.choice(_WORDS) for _ in range(30))


def prose_of(text: str) -> list[str]:
    """The letters and digits outside of formulas and of the commands that every output reads, in order."""
    prose = " ".join(segment.source if segment.tex is None else " " for segment in segments(text))
    prose = re.sub(r"\\href\{u\}|\\(?:emph|textbf)(?=\{)", " ", with_accents_read(prose))
    return re.findall(r"[^\W_]+", prose)


def shown_in_html(text: str) -> str:
    tree = html5lib.parseFragment(str(inline_html(text)), treebuilder="etree", namespaceHTMLElements=False)
    return "".join(tree.itertext())


def shown_in_markdown(text: str) -> str:
    """A digest keeps text commands as the authors wrote them."""
    html = commonmark_with_mathematics(paragraph(text))
    return with_accents_read("".join(html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False).itertext()))


def shown_in_bibtex(text: str) -> str:
    return re.sub(r"\{\\[\"'^`~=.]\s*\{?(\\?[A-Za-z])\}?\}", lambda m: {"o": "ö"}.get(m[1], m[1]), latex_text(text))


def in_order(words: list[str], shown: str) -> list[str]:
    """The words that do not stand in `shown` after the ones before them."""
    at, lost = 0, []
    for word in words:
        found = shown.find(word, at)
        if found < 0:
            lost.append(word)
        else:
            at = found + len(word)
    return lost


@pytest.mark.parametrize("shown", [shown_in_html, shown_in_markdown, shown_in_bibtex, plain_text, text_with_tex], ids=lambda f: f.__name__)
def test_every_word_of_the_prose_arrives_whatever_formulas_stand_between(shown: Callable[[str], str]) -> None:
    lost = [(text, words) for text in hostile_texts() if (words := in_order(prose_of(text), shown(text)))]
    assert not lost, f"{len(lost)} texts, e.g. {lost[0]}"

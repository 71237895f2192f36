"""TeX as readers should see it, and nothing that a hostile title could make of it."""

from __future__ import annotations

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.tex.html import formula, inline_html, paragraphs_html
from digest_pipeline.tex.plain import text_with_tex
from digest_pipeline.tex.scan import segments
from digest_pipeline_tests.support.site_days import HOSTILE

_ALLOWED = {"em", "strong", "code", "span"}


def elements(html: str) -> list[tuple[str, dict[str, str]]]:
    """(name, attributes) of every element a browser would make of the HTML."""
    tree = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    return [(str(one.tag).rpartition("}")[2], {str(name): value for name, value in one.attrib.items()}) for one in tree.iter() if one is not tree]


def is_harmless(html: str) -> bool:
    inside_mathematics = {"math", "semantics", "annotation", "b", "i"}
    return all(
        (name in _ALLOWED or name in inside_mathematics or name.startswith("m"))
        and not any(attribute.startswith("on") or attribute in ("href", "src", "style", "xlink:href") for attribute in attributes)
        for name, attributes in elements(html)
    )


def text_of(html: str) -> str:
    return "".join(html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False).itertext())


def test_a_formula_becomes_mathml_and_keeps_its_tex_for_copying() -> None:
    html = str(inline_html(r"at most $O(n^2)$ steps"))
    assert "<math" in html
    assert '<annotation encoding="application/x-tex">O(n^2)</annotation>' in html
    assert html.startswith("at most ")


def test_a_formula_that_cannot_be_converted_is_shown_as_its_tex() -> None:
    assert str(inline_html(r"the $\nosuchcommand{x}$ norm")) == r'the <code class="tex">$\nosuchcommand{x}$</code> norm'


def test_a_comma_after_a_formula_never_begins_a_line() -> None:
    assert '<span class="held"><math' in str(inline_html("a score $s(x)$, learned"))


def test_a_long_formula_scrolls_by_itself_and_by_keyboard() -> None:
    html = str(inline_html("$" + " + ".join(f"x_{{{n}}}" for n in range(20)) + "$"))
    assert html.startswith('<span class="long-formula" tabindex="0"><math')


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("costs $5 to $10 a day", "costs $5 to $10 a day"),
        (r"\$5 and 50\% of R\&D", "$5 and 50% of R&D"),
        ("a lone $ stays", "a lone $ stays"),
        ("50% of all", "50% of all"),
        (r"G\"odel, Erd\H{o}s, \'{\i}, Schr{\"o}dinger, \o re", "Gödel, Erdős, í, Schrödinger, øre"),
        (r"Nguy\~{\^e}n Th\d{i} M\~{\^a}u, \"Ornek, Zolt\'an", "Nguyễn Thị Mẫu, Örnek, Zoltán"),
        ("``quoted'' text", "“quoted” text"),
        ("Knuth~1984 -- pages 3--7, well---known", "Knuth\u00a01984 – pages 3–7, well—known"),
        ("see https://a.example/~user--x", "see https://a.example/~user--x"),
        (r"by \LaTeX\ alone", "by LaTeX alone"),
        (r"\unknown{thing} and \cite{Key}", r"\unknown{thing} and \cite{Key}"),
        (r"\href{https://a.example}{the page}", "the page (https://a.example)"),
        (r"{BERT} and {GPT-4} in {a, b}", "BERT and GPT-4 in {a, b}"),
    ],
)
def test_text_commands_are_read_and_everything_else_is_left_alone(text: str, shown: str) -> None:
    assert text_of(str(inline_html(text))) == shown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (r"an \emph{old} one", "an <em>old</em> one"),
        (r"\textbf{A \textit{b}}", "<strong>A <em>b</em></strong>"),
        (r"{\tt x}", "<code>x</code>"),
        (r"K\textsuperscript{2}-Sort\textsubscript{a}", "K<sup>2</sup>-Sort<sub>a</sub>"),
        (r"\uline{K}ept", "Kept"),
    ],
)
def test_emphasis_is_kept(text: str, html: str) -> None:
    assert str(inline_html(text)) == html


def test_a_formula_within_emphasis_is_mathematics_and_the_emphasis_stays_whole() -> None:
    html = inline_html(r"our \textbf{K$^{2}$-Sort}, with \emph{keys $\times$ values $\times$ time}}, beats $\textbf{x}$ <b>")
    assert [name for name, _ in elements(html) if name in ("strong", "em", "math")] == ["strong", "math", "em", "math", "math", "math"]
    assert "textbf{K" not in html
    assert "emph{" not in html
    assert html.endswith("&lt;b&gt;")
    assert text_with_tex(r"\textbf{K$^{2}$-Sort} wins") == "K^{2}-Sort wins"
    assert "underline" not in inline_html(r"\underline{keys $x$} first")
    assert "<strong>" not in inline_html(r"$a \textbf{if $b$ c} d$")  # the style is part of a formula


def test_display_mathematics_and_environments_are_found() -> None:
    html = str(inline_html(r"so \[ x = 1 \] and \begin{align} a &= b \\ c &= d \end{align}"))
    assert html.count('<math display="block"') == 2


def test_an_abstract_keeps_its_paragraphs() -> None:
    assert [str(one) for one in paragraphs_html("One line\nwrapped.\n  Two.\n\nThree.")] == ["One line wrapped.", "Two.", "Three."]


def test_the_plain_form_has_no_markup_and_keeps_the_spaces_around_formulas() -> None:
    assert text_with_tex(r"\emph{On} the $k$-th & last <b>") == "On the k-th & last <b>"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_makes_no_element_of_its_own(text: str) -> None:
    assert is_harmless(str(inline_html(text)))


def test_control_and_bidi_characters_are_gone() -> None:
    assert text_of(str(inline_html(HOSTILE["control"]))) == "abcde"
    assert "\u202e" not in str(inline_html(HOSTILE["bidi"]))


_TEX = st.text(alphabet="$\\{}()[]^_&<>\"'`~%-#ab1 é文\n", max_size=60) | st.text(max_size=60)
_COMMANDS = st.lists(
    st.sampled_from(
        [
            "$",
            "\\frac",
            "{",
            "}",
            "\\left(",
            "\\right",
            "^",
            "_",
            "&",
            "\\\\",
            "\\text{<b>}",
            "\\begin{matrix}",
            "\\end{matrix}",
            "\\href{x}{y}",
            "\\'e",
            "x",
            "<",
            '"',
            " ",
        ]
    ),
    max_size=25,
).map("".join)


@given(_TEX | _COMMANDS)
def test_any_text_at_all_comes_out_harmless(text: str) -> None:
    assert is_harmless(str(inline_html(text)))


@given(_TEX | _COMMANDS)
def test_segments_are_the_text_again(text: str) -> None:
    assert "".join(segment.source for segment in segments(text)) == text


@given(_COMMANDS)
def test_a_formula_is_converted_or_refused_but_never_breaks_the_build(tex: str) -> None:
    html = formula(tex)
    assert html is None or "<math" in html

"""Text from outside in a digest: shown as the text it is, never markup, in every engine; mathematics character by character."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest_pipeline.markdown.escaping import addresses_in, cell, inline, paragraph, paragraphs
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.models import DigestEntry
from digest_pipeline.text import one_line
from digest_pipeline.text import paragraphs as paragraphs_of
from digest_pipeline_tests.support.digest_days import digest_of, paper, summary
from digest_pipeline_tests.support.digest_engines import ENGINES, commonmark_with_mathematics, github, seen

engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())

PLAIN_TAGS = {"div", "h1", "h2", "hr", "li", "ol", "p", "section", "sup", "table", "tbody", "td", "th", "thead", "tr", "a", "span", "eqn"}
EMPHASIS = {"em", "strong", "del"}
"""What an engine without mathematics may make of `$a*b*c$`; harmless, and not to be had without spoiling the formula."""
PLAIN_ATTRIBUTES = {"class", "href", "id", "title", "rel", "rev", "style", "aria-label", "role"}

NASTY = [
    "a | b || c",
    "`code` and ``more` ```",
    "[link](http://evil.example) and ![image](http://evil.example/x.png)",
    "[^1] and [^2]: and ^[inline note]",
    "<script>alert(1)</script><img src=x onerror=alert(1)><!-- x --><?php ?>",
    "&lt;b&gt; &#60;b&#62; &copy; Q&A",
    "# not a heading",
    "- not a list",
    "1. not a list",
    "12) not a list",
    "+ no",
    "> no quote",
    "=== no heading",
    "--- no rule",
    "*** no rule *em* **strong** _em_ __strong__",
    ": no definition",
    "!!! no admonition",
    "~~~ no fence ~~gone~~",
    "| no | table |",
    "[ref]: http://evil.example",
    "http://evil.example/path and www.evil.example and https://evil.example",
    "<http://evil.example>",
    "ends with a backslash \\",
    "\\| \\[ \\` \\$ \\\\",
    "$5 and $10, or $ 7",
    "lone $ and *emphasis* and [x](http://evil.example) $",
    "{: .class} {#id} {{ x }} {% y %}",
    "two\nlines and\r\nthree\u2028four",
    "right\u202eto left\u2066 and \u200fmark",
    "nul\x00 bell\x07 escape\x1b[31m next\x85line",
    "tab\tand\u00a0space",
    "lone \ud800 surrogate",
    "\U000e0041invisible tag",
    "    four spaces",
    "== mark == %% comment %% #tag",
    "word" * 300,
    "\\( x < y \\) and \\[ |z| \\]",
    "$<script>alert(1)</script>$",
    '$<img src=x onerror=alert(1) alt="$ and $">$',
    "$[a](http://evil.example)$ $![a](b)$ $x[^1]$ $y^[note]$",
    "$`a$ and $b`$ | $`c$",
    "$a<b c>d$ and $<https://evil.example>$",
    "$\\text{a|b}$ $a||b$ $\\|a\\|$ $]$ $[$ $[0,1)$",
    "$$x|y$$ $ $ $$ $$$ $$$$",
    "$unbalanced [ `",
    "$lone ` in a formula$ <b>",
    "$one ` in a formula$ and one ` outside",
    "$a<b x$ and $c>d$",
]


def day_of(text: str) -> str:
    """A digest with `text` wherever text from outside can stand, between two ordinary papers."""
    nasty = DigestEntry(
        paper("2606.00012", title=text, abstract=text, authors=(text, "B"), comment=text, journal_ref=text, doi=text),
        summary("2606.00012", translated_title=text, translated_abstract=text, tldr=text, tldr_en=text, motivation=text, flags=(f"odd: {text}",)),
    )
    return digest_of(
        DigestEntry(paper("2606.00013"), summary("2606.00013")),
        nasty,
        DigestEntry(paper("2606.00011"), summary("2606.00011")),
    )


def assert_harmless(engine, text: str, linked: frozenset[str] = frozenset()) -> None:
    digest = day_of(text)
    page = seen(engine(digest))
    ids = ["2606.00013", "2606.00012", "2606.00011"]
    assert [len(row) for row in page.rows] == [3, 3, 3]
    assert page.row_links == [[f"https://arxiv.org/abs/{i}"] for i in ids]
    assert len(page.notes) == 3
    assert [links[0] for links in page.note_links] == [f"https://arxiv.org/abs/{i}" for i in ids]
    assert page.tags <= PLAIN_TAGS | EMPHASIS, page.tags - PLAIN_TAGS
    assert {a for a in page.attributes if not a.startswith("data-footnote")} <= PLAIN_ATTRIBUTES
    assert {link for link in page.links if not link.startswith("mailto:")} <= {f"https://arxiv.org/abs/{i}" for i in ids} | linked


def linked_by(engine, addresses: frozenset[str]) -> frozenset[str]:
    """The addresses as the engine itself writes them (it percent-encodes)."""
    return frozenset(link for address in addresses for link in seen(engine(f"<{address}>")).links)


@engines
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_nasty_text_stays_text(engine, text):
    assert_harmless(engine, text, linked_by(engine, addresses_in([text])))


# -- what the reader sees is what the author wrote ---------------------------------------------------------

_PIECES = st.sampled_from(
    [*NASTY, *"|`[]<>()!#-+*_~&\\$^:={}%@\"'.0 1\n\t", "$x$", "$a|b$", "](", "<a", "</", "www.", "://", "[^1]", "译文", "\u0301"]
)
TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=12).map("".join)
WORDS = TEXTS.map(lambda text: re.sub(r"\$|\\(?=[(\[])|https?://", "", text)).filter(
    lambda t: "\\(" not in t and "\\[" not in t and not re.search(r"https?://", t, re.I)
)
"""Texts without mathematics and addresses: these must come out as they went in."""

FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@FAST
@given(WORDS)
def test_words_without_mathematics_are_shown_exactly(text):
    row = seen(ENGINES["commonmark"](f"| a | b | c |\n| - | - | - |\n| 1 | {cell(text)} | [{cell(text)}](u) |\n")).rows[0]
    assert row == ["1", " ".join(one_line(text).split()), " ".join(one_line(text).split())]


@FAST
@given(WORDS)
def test_a_paragraph_is_one_paragraph_with_exactly_its_words(text):
    html = ENGINES["commonmark"](f"x[^1]\n\n[^1]: title\n\n    {paragraph(text)}\n")
    note = seen(html).notes[0].removesuffix("↩︎").strip()
    assert note == f"title {' '.join(one_line(text).split())}".strip()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_any_text_leaves_every_engine_with_three_rows_three_notes_and_no_markup(text):
    linked = addresses_in([text])
    for engine in ENGINES.values():
        assert_harmless(engine, text, linked_by(engine, linked))


@FAST
@given(TEXTS)
def test_the_digest_is_readable_back_whatever_its_papers_hold(text):
    digest = day_of(text)
    assert rendered_ids(digest) == ["2606.00013", "2606.00012", "2606.00011"]
    digest.encode("utf-8")


@FAST
@given(TEXTS)
def test_every_line_is_one_line_without_characters_that_turn_or_hide_text(text):
    for form in (cell(text), inline(text), paragraph(text), *paragraphs(text)):
        assert len(form.splitlines()) <= 1
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", form)
    assert "|" not in cell(text)


# -- mathematics ---------------------------------------------------------------------------------------------

FORMULAS = [
    "$x_i^2$",
    "$a*b*c$",
    "$\\{x \\mid y\\}$",
    "$\\|x\\|_2 \\le 1$",
    "$P(a|b)$",
    "$a<b$",
    "$p \\to q \\\\ r$",
    "$$\\sum_{i=1}^n x_i$$",
    "$[0,1]$",
    "$[0,1)$",
    "$\\$5$",
    "$ x $",
    "$x&y$",
    "$\\mathcal{O}(n\\log n)$",
    "$f'(x)~g$",
    "$10^{-3}$",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_in_a_note_is_the_formula_character_by_character(formula):
    digest = digest_of(
        DigestEntry(paper(title=f"On {formula}", abstract=f"Let {formula} be *given* here."), summary(translated_abstract=f"设 {formula} 为真"))
    )
    assert f"    On {formula}\n" in digest
    assert f"    Let {formula} be \\*given\\* here.\n" in digest
    assert f"    设 {formula} 为真\n" in digest


@pytest.mark.parametrize("formula", [f for f in FORMULAS if f != "$ x $"])
def test_an_engine_with_mathematics_gets_the_formula_as_tex(formula):
    html = commonmark_with_mathematics(f"x[^1]\n\n[^1]: t\n\n    {paragraph(f'Let {formula} be.')}\n")
    shown = re.search(r'class="math (?:inline|display)">(.*?)</(?:span|div)>', html, re.DOTALL)
    assert shown is not None
    tex = shown[1].strip().replace("&lt;", "<").replace("&amp;", "&")
    assert tex == formula.strip("$").replace("\\$5", "\\$5")


@pytest.mark.parametrize(
    ("formula", "in_a_row"),
    [
        ("$P(a|b)$", "$P(a\\vert b)$"),
        ("$|S|$", "$\\vert S\\vert$"),
        ("$\\|x\\|_2$", "$\\Vert x\\Vert_2$"),
        ("$\\left| x \\right|$", "$\\left\\vert x \\right\\vert$"),
        ("$a \\\\| b$", "$a \\\\\\vert b$"),
        ("$[0,1)$", "$\\lbrack0,1)$"),
        ("$(0,1]$", "$(0,1\\rbrack$"),
        ("$[0,1]$", "$[0,1]$"),
        ("$\\sqrt[3]{x}$", "$\\sqrt[3]{x}$"),
        ("$x_i$", "$x_i$"),
    ],
)
def test_a_formula_in_a_row_is_the_same_formula_without_bars_and_lone_brackets(formula, in_a_row):
    assert cell(f"On {formula}.") == f"On {in_a_row}."


def test_a_bar_that_is_no_symbol_is_shown_as_text_in_a_row():
    assert seen(ENGINES["commonmark_with_mathematics"](cell("$\\text{a|b}$ holds"))).text == "$\\text{a|b}$ holds"


def test_delimiters_few_engines_know_become_dollars():
    assert inline("for \\(x < y\\) and \\[z\\]") == "for $x < y$ and $$z$$"
    assert inline("\\\\[2pt] and \\(unclosed") == "\\\\\\\\\\[2pt\\] and \\\\(unclosed"


@pytest.mark.parametrize("text", ["from $5 to $10", "only $5", "\\$5 and \\$6", "$ $", "$"])
def test_money_is_no_formula(text):
    assert "math" not in commonmark_with_mathematics(inline(text))
    assert seen(commonmark_with_mathematics(inline(text))).text == " ".join(text.split())


def test_comparisons_stay_whole_unless_they_could_be_a_tag():
    assert paragraph("$a<b$ and $c>d$") == "$a<b$ and $c>d$"
    assert paragraph("$a<b c>d$") == "$a< b c>d$"
    assert inline("$a<b$") == "$a< b$", "what follows on the same line is not known"


# -- addresses -------------------------------------------------------------------------------------------------


def test_an_authors_address_is_a_link_without_the_sentence_around_it():
    text = "Code (see https://example.org/a_b(c)/d*e?x=1&y=2). And 见https://example.org/中文。"
    linked = addresses_in([text])
    assert linked == {"https://example.org/a_b(c)/d*e?x=1&y=2", "https://example.org/"}
    assert seen(github(inline(text, linked))).links[0] == "https://example.org/a_b(c)/d*e?x=1&y=2"


def test_a_models_address_that_the_authors_lack_is_text_even_on_github():
    entry = DigestEntry(
        paper(abstract="See https://example.org/x."),
        summary(translated_abstract="见 https://example.org/x 与 https://evil.example/y 和 www.evil.example"),
    )
    page = seen(github(digest_of(entry)))
    assert set(page.links) == {"https://arxiv.org/abs/2606.00011", "https://example.org/x"}
    assert "https://evil.example/y 和 www.evil.example" in page.text


def test_an_address_with_tex_in_it_is_text():
    assert addresses_in(["https://example.org/a\\_b", "\\url{https://example.org/c}", "https://"]) == {"https://example.org/c"}


# -- paragraphs --------------------------------------------------------------------------------------------------


def test_paragraphs_begin_at_blank_lines_and_at_indented_lines():
    assert paragraphs_of("One\nline.\n  Two.\n\nThree\r\n\r\nFour\n\n\n \n") == ["One line.", "Two.", "Three", "Four"]
    assert paragraphs_of("") == paragraphs_of(" \n\x00 ") == []


def test_every_paragraph_of_an_abstract_stays_in_its_note():
    entry = DigestEntry(paper(abstract="# One\n\n1. Two\n\n- Three\n  | Four"), summary(translated_abstract="甲\n\n> 乙"))
    for engine in ENGINES.values():
        page = seen(engine(digest_of(entry)))
        assert "甲 > 乙 # One 1. Two - Three | Four" in page.notes[0]

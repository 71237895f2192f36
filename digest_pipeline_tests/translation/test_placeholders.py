"""What must not be translated never reaches the model, and comes back exactly, or the answer is rejected."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.translation.placeholders import (
    Damage,
    damage_of,
    fill_in,
    invented_placeholders,
    mask,
    without_placeholders,
)

# Pieces that abstracts are made of, among them those that masks are most easily confused by.
PIECES = st.sampled_from(
    [
        "$", "$$", "\\$", "$x$", "$k=4$", "\\", "\\\\", "{", "}", "[", "]", "\\textbf{", "\\emph{two words}", "\\cite{a}", "\\alpha ", "\\begin{x}", "\\end{x}",
        "\\(", "\\)", "\\[", "\\]", "⟦", "⟧", "⟦1⟧", "[1]", "[3, 4]", "https://a.org/b", "a@b.org", "5", "10", " and ", "word", "é", "论文", "\n", "<|im_start|>",
        "2404.01438v2", "hep-ex/0406020", "\\'e", "\\%", "97.5\\%", "a\\_b", "`x`", "<b>", ".", ",", "|", "𝔽", "\u202e",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


@given(TEXTS, st.integers(1, 500))
def test_restoring_a_masked_text_gives_the_text_back(text: str, first_number: int) -> None:
    masked = mask(text, first_number)
    assert fill_in(masked.text, masked.masks) == text


@given(TEXTS)
def test_the_numbers_count_up_in_the_texts_order_without_a_gap(text: str) -> None:
    masked = mask(text, 5)
    assert [made.number for made in masked.masks] == list(range(5, 5 + len(masked.masks)))
    assert [text.find(made.original) >= 0 for made in masked.masks] == [True] * len(masked.masks)


@given(TEXTS.filter(lambda text: "⟦" in mask(text).text), st.data())
def test_a_text_with_one_placeholder_less_or_more_is_damaged(text: str, data: st.DataObject) -> None:
    masked = mask(text)
    chosen = data.draw(st.sampled_from(masked.masks))
    token = f"⟦{chosen.number}⟧"
    for damaged in (masked.text.replace(token, ""), masked.text + token, masked.text.replace(token, f"[{chosen.number}]"), masked.text + "⟦99999⟧"):
        assert damage_of(damaged, masked.masks)


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("the rate $O(n^2)$ holds", "the rate ⟦1⟧ holds"),
        ("$a$$b$ and $$c$$.", "⟦1⟧⟦2⟧ and ⟦3⟧."),
        ("let \\(x\\) and \\[y = 2\\] be", "let ⟦1⟧ and ⟦2⟧ be"),
        ("so \\begin{align*}a &= b\\end{align*} holds", "so ⟦1⟧ holds"),
        ("as in [12] and [3, 4–6] by \\citep[p.~2]{knuth}", "as in ⟦1⟧ and ⟦2⟧ by ⟦3⟧"),
        ("code: https://x.org/a_(b). Ask a.b@c-d.org.", "code: ⟦1⟧. Ask ⟦2⟧."),
        ("(see http://x.org/y), github.com/a/b, and/or v1.5/v2.0", "(see ⟦1⟧), ⟦2⟧, and/or v1.5/v2.0"),
        ("it extends arXiv:2404.01438v2 and hep-ex/0406020", "it extends ⟦1⟧ and ⟦2⟧"),
        ("gains of 93.2\\% over \\textsc{Foo-2}", "gains of ⟦1⟧ over ⟦2⟧"),
        ("Erd\\H{o}s, Poincar\\'e and Fran\\c{c}ois", "⟦1⟧, ⟦2⟧ and ⟦3⟧"),
        ("a file\\_name and <|im_start|>system", "a ⟦1⟧ and ⟦2⟧system"),
        ("\\textbf{two words with $x$ inside} end", "⟦1⟧two words with ⟦2⟧ inside⟦3⟧ end"),
        ("an \\emph{important} point", "an ⟦1⟧important⟦2⟧ point"),
        ("by \\cite{knuth, turing} and \\approx 3 \\& more", "by ⟦1⟧ and ⟦2⟧ 3 ⟦3⟧ more"),
        ("at 10.1000/xyz.123, doi:10.1000/abc.", "at ⟦1⟧, ⟦2⟧."),
        ("tokens such as <answer> from `tool.run`", "tokens such as ⟦1⟧ from ⟦2⟧"),
        ("$5 $ and $x$", "⟦1⟧ and ⟦2⟧"),
        ("no closing \\emph{brace here", "no closing ⟦1⟧{brace here"),
        ("\\textsc{foo}, \\mathrm{ab}c", "⟦1⟧, ⟦2⟧c"),
        ("\\textsc{a{b}c}d and \\textsc{a\\}b}c", "⟦1⟧d and ⟦2⟧c"),
        ("\\textbf{two words $x$}$y$ in [1]", "⟦1⟧two words ⟦2⟧⟦3⟧⟦4⟧ in ⟦5⟧"),
        ("\\[a\\] or \\[b\\], \\(c\\) or \\(d\\)", "⟦1⟧ or ⟦2⟧, ⟦3⟧ or ⟦4⟧"),
        ("\\begin{x}a\\end{x} or \\begin{x}b\\end{x}", "⟦1⟧ or ⟦2⟧"),
        ("from data.example.org/x, https://a.org/X", "from ⟦1⟧, ⟦2⟧"),
        ("$5$ samples, $n^2$ pairs", "⟦1⟧ samples, ⟦2⟧ pairs"),
        ("$5$ samples", "⟦1⟧ samples"),
        ("$n^2$ pairs", "⟦1⟧ pairs"),
        ("$ x+1$ has degree 5", "⟦1⟧ has degree 5"),
        ("costs $5/$x$ and $7", "costs $5/⟦1⟧ and $7"),
        ("the $mean loss over time$ falls", "the ⟦1⟧ falls"),
        ("a stray $[2]", "a stray $⟦1⟧"),
        ("plain words, 3 of them (e.g. these) cost 5% & more", "plain words, 3 of them (e.g. these) cost 5% & more"),
    ],
)
def test_what_must_survive_is_masked_and_words_stay(source: str, masked: str) -> None:
    assert mask(source).text == masked


@pytest.mark.parametrize(
    "source",
    [
        "costs $5 and $10 per month",
        "between US$5-$10 a day",
        "5$ and 10$",
        "5$ or 7$",
        "one pays $5,$7 or so",
        "spends $20M on training three large language models, or US$ 35M",
        "one pays $5,$10 or so",
        "~$1.5M to fill but only ~$0.03M to reuse it",
        "a $20 licence for the whole team of annotators, or $35",
    ],
)
def test_money_is_not_mathematics(source: str) -> None:
    assert mask(source).text == source


def test_money_beside_a_formula_leaves_the_formula_masked() -> None:
    assert mask("$5, or $10, for each $n$ of $m$").text == "$5, or $10, for each ⟦1⟧ of ⟦2⟧"


def test_an_odd_number_of_dollars_leaves_them_all_and_says_so() -> None:
    masked = mask("a price of $7 where $x$ is [2]")
    assert masked.text == "a price of $7 where $x$ is ⟦1⟧"
    assert not masked.is_balanced
    assert mask("an escaped \\$7 and $x$").is_balanced


def test_dollars_around_prose_are_no_pair() -> None:
    source = "we pay X$ for every single labelled example in the pool and sell it for Y$ later"
    assert mask(source).text == source


def test_a_formula_opened_by_two_dollars_is_not_closed_by_one() -> None:
    assert mask("so $$a$ b$ c").text == "so $$a$ b$ c"


def test_a_citation_in_the_answer_is_never_taken_for_a_placeholder() -> None:
    masked = mask("as in $x$ and [1]")
    assert damage_of("如 [1] 与 ⟦2⟧", masked.masks) == Damage(lost=(1,))
    assert damage_of("如 ⟦01⟧ 与 ⟦2⟧", masked.masks).lost == (1,)
    assert damage_of("如 ⟦ 1 ⟧ 与 ⟦2⟧", masked.masks).invented == ("⟦", "⟧")


def test_the_frame_of_a_command_must_not_be_turned_around() -> None:
    masked = mask("we use \\textbf{two words} here", first_number=8)
    assert fill_in("我们用⟦8⟧两个词⟦9⟧", masked.masks) == "我们用\\textbf{两个词}"
    assert damage_of("我们用⟦9⟧两个词⟦8⟧", masked.masks).crossed == (9,)
    later = mask("with $x$, [1] and \\textbf{two words \\emph{more of them} here}", first_number=8)
    assert [(made.number, made.closes) for made in later.masks] == [(8, None), (9, None), (10, None), (11, None), (12, 11), (13, 10)]


@pytest.mark.parametrize(("length", "masked"), [(60, "⟦1⟧"), (61, "⟦1⟧" + "x" * 61 + "⟦2⟧")])
def test_a_long_argument_is_taken_for_words(length: int, masked: str) -> None:
    assert mask("\\textsc{" + "x" * length + "}").text == masked


def test_a_brace_that_closes_beyond_reach_is_no_frame_so_that_no_text_makes_masking_slow() -> None:
    words = "word " * 500
    assert mask(f"\\emph{{{words}}}").text == f"⟦1⟧{{{words}}}"


def test_damage_is_told_with_the_numbers() -> None:
    assert damage_of("⟦1⟧", mask("$x$ $y$").masks) == Damage(lost=(2,))


def test_words_are_counted_without_placeholders() -> None:
    assert without_placeholders("由⟦1⟧到⟦2⟧") == "由 到 "


def test_a_link_is_parted_from_the_han_text_after_it() -> None:
    masked = mask("Code at https://x.org/y is free; see $x$.")
    assert fill_in("代码见⟦1⟧免费；见⟦2⟧。", masked.masks, space_after_url=True) == "代码见https://x.org/y 免费；见$x$。"
    assert fill_in("代码见⟦1⟧。见⟦2⟧", masked.masks, space_after_url=True) == "代码见https://x.org/y 。见$x$"
    assert fill_in("Le code ⟦1⟧, ⟦2⟧", masked.masks, space_after_url=True) == "Le code https://x.org/y, $x$"
    assert fill_in("代码见⟦1⟧免费；见⟦2⟧。", masked.masks) == "代码见https://x.org/y免费；见$x$。"
    assert fill_in("代码见⟦1⟧免费", masked.masks) == "代码见https://x.org/y免费"


@pytest.mark.parametrize("link", ["github.com/a/b", "10.1000/xyz", "www.x.org"])
def test_every_kind_of_link_is_parted_from_han_text(link: str) -> None:
    assert fill_in("见⟦1⟧免费", mask(f"see {link} free").masks, space_after_url=True) == f"见{link} 免费"


def test_a_short_summary_may_use_some_placeholders_but_make_up_none() -> None:
    masked = mask("from $x$ to $y$")
    assert fill_in("到 ⟦2⟧", masked.masks) == "到 $y$"
    assert invented_placeholders("到 ⟦2⟧", masked.masks) == ()
    assert invented_placeholders("到 ⟦3⟧", masked.masks) == ("⟦3⟧",)


@pytest.mark.parametrize("piece", ["$", "a", "\\textbf{a b ", "{", "\\'", "a.", "[1,", "https://", "$5 ", "\\begin{x}", "x@", "<", "a\\_"])
def test_hostile_text_is_masked_in_reasonable_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()  # not the wall's clock, which other processes slow down
    masked = mask(text)
    assert time.process_time() - start < 5
    assert fill_in(masked.text, masked.masks) == text

"""Text from outside, made fit for every format: nothing unreadable stays, nothing readable goes."""

from __future__ import annotations

import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.text import one_line, printable, without_accents

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x7fc\x9fd", "abcd"),
        ("a\r\nb\rc\u2028d\x85e\x0bf\x0cg\x1ch", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("turned \u202eround\u202c", "turned round"),
        ("mark\ufeff, tag\U000e0041, non-character\ufdd0\uffff", "mark, tag, non-character"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("tab\tand newline\nstay", "tab\tand newline\nstay"),
        ("東京 αβγ é 𝔽 👩\u200d🔬", "東京 αβγ é 𝔽 👩\u200d🔬"),
    ],
)
def test_what_nobody_can_read_is_taken_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_any_text_becomes_what_a_file_and_xml_can_hold(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    shown.encode("utf-8")
    element = ElementTree.Element("t")
    element.text = shown
    assert (ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8")).text or "") == shown


@given(ANY_TEXT)
def test_one_line_is_one_line_with_single_spaces(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == " ".join(line.split())
    assert one_line(line) == line


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=40))
def test_plain_text_is_left_alone(text: str) -> None:
    assert printable(text) == one_line(text) == without_accents(text) == text


def test_words_parted_by_a_line_end_of_any_kind_stay_two_words() -> None:
    assert one_line("two\x0bwords\u2029more") == "two words more"


@pytest.mark.parametrize(
    ("text", "bare"), [("Éluard Øster Łódź", "Eluard Oster Lodz"), ("ガギ 한국어", "ガギ 한국어"), ("αύριο", "αυριο"), ("straße", "strasse")]
)
def test_accents_go_from_latin_greek_and_cyrillic_only(text: str, bare: str) -> None:
    assert without_accents(text) == bare
    assert without_accents(unicodedata.normalize("NFD", text)) == bare

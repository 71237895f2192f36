"""Addresses as mail programs write them are read; what is none is refused with its own words, never cut to a half."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.mail_address import parse_addresses


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ('"Last, First" <first@example.org>', ['"Last, First" <first@example.org>']),
        ("读者 <reader@example.org>", ["读者 <reader@example.org>"]),
        ("a@x.org; b@x.org", ["a@x.org", "b@x.org"]),
        ("a@x.org，b@x.org；c@x.org", ["a@x.org", "b@x.org", "c@x.org"]),
        ("a@x.org,\nb@x.org,", ["a@x.org", "b@x.org"]),
        ("a@例子.测试", ["a@xn--fsqu00a.xn--0zwm56d"]),
        ("Dr. A. Bee <a@x.org>", ['"Dr. A. Bee" <a@x.org>']),
        ('"Müller; Jürgen" <j@x.org>', ['"Müller; Jürgen" <j@x.org>']),
        ("=?utf-8?q?J=C3=BCrgen?= <j@x.org>", ["Jürgen <j@x.org>"]),
        ("root@localhost", ["root@localhost"]),
        ("", []),
        (" ; ", []),
    ],
)
def test_what_people_and_mail_programs_write_is_read(typed: str, read: list[str]) -> None:
    assert [str(address) for address in parse_addresses(typed)] == read


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("Last, First <first@example.org>", "'Last' is no mail address; a name with a comma stands in quotes"),
        ("nobody", "'nobody' is no mail address"),
        ("a@x..org", r"'a@x\.\.org' cannot be read"),
        ("a@-x.org", "'a@-x.org' is no mail address"),
        ("a@x.org b@x.org", "cannot be read"),
        ("a@", "cannot be read"),
        ("a@x.org\nBcc: evil@x.org", "cannot be read"),
        ("A <a@x.org", "cannot be read"),
    ],
)
def test_what_is_no_address_is_refused_naming_it(typed: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_addresses(typed)


@given(st.text(alphabet='a@.,;:<>"\\() \n\t读é=?_-[]', max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ValueError):
        for address in parse_addresses(text):
            assert address.username
            assert address.domain.isascii()

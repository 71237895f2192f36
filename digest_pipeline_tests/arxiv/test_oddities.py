"""Feeds and answers as real ones have been: one odd item never costs the others, and what is mended is read as it was meant."""

from __future__ import annotations

from datetime import date
from xml.sax.saxutils import escape

import pytest

from digest_pipeline.arxiv import atom, rss
from digest_pipeline.arxiv.xml import read_xml
from digest_pipeline.errors import SourceError
from digest_pipeline.models import AnnounceType

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
NAMES = 'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"'
GOOD = {
    "title": "<title>A title</title>",
    "link": "<link>https://arxiv.org/abs/2601.90001</link>",
    "description": "<description>arXiv:2601.90001v1 Announce Type: new \nAbstract: A text.</description>",
    "guid": '<guid isPermaLink="false">oai:arXiv.org:2601.90001v1</guid>',
    "category": "<category>cs.CL</category><category>cs.LG</category>",
    "type": "<arxiv:announce_type>new</arxiv:announce_type>",
    "creator": "<dc:creator>Ada Quill, Bo Reed</dc:creator>",
}


def item(**parts: str) -> str:
    return f"<item>{''.join({**GOOD, **parts}.values())}</item>"


def feed(*items: str, head: str = HEAD) -> bytes:
    channel = "<title>cs.CL updates on arXiv.org</title><pubDate>Thu, 15 Jan 2026 00:00:00 -0500</pubDate>"
    return f'{head}<rss {NAMES} version="2.0"><channel>{channel}{"".join(items)}</channel></rss>'.encode()


def read(**parts: str) -> rss.FeedItem:
    """The one item, read beside a good one that it must not disturb."""
    other = item(guid="<guid>oai:arXiv.org:2601.90002v1</guid>", link="<link>https://arxiv.org/abs/2601.90002</link>")
    odd, good = rss.read_feed(feed(item(**parts), other)).items
    assert (good.arxiv_id, good.title, good.authors) == ("2601.90002", "A title", ("Ada Quill", "Bo Reed"))
    return odd


# -- the announce type -----------------------------------------------------------------------------------


def told(word: str) -> str:
    return f"<description>arXiv:2601.90001v1 Announce Type: {word} \nAbstract: A text.</description>"


def stated(word: str) -> str:
    return f"<arxiv:announce_type>{word}</arxiv:announce_type>"


@pytest.mark.parametrize(
    ("tag", "description", "version", "expected"),
    [
        (stated("New"), told("new"), 1, AnnounceType.NEW),
        (stated(" CROSS\n"), told("cross"), 1, AnnounceType.CROSS),
        (stated("replace_cross"), told("x"), 2, AnnounceType.REPLACE_CROSS),
        ("", told("cross"), 1, AnnounceType.CROSS),
        ("", told("Replace-Cross"), 3, AnnounceType.REPLACE_CROSS),
        (stated("surprise"), told("replace"), 2, AnnounceType.REPLACE),
        (stated("surprise"), told("surprise"), 1, AnnounceType.NEW),
        ("", "<description>A text.</description>", 1, AnnounceType.NEW),
        ("", "<description>A text.</description>", 4, AnnounceType.REPLACE),
        ("<arxiv:announce_type/>", "", 1, AnnounceType.NEW),
    ],
)
def test_an_announce_type_that_is_missing_or_odd_is_read_from_the_description_or_the_version(
    tag: str, description: str, version: int, expected: AnnounceType
) -> None:
    odd = read(type=tag, description=description, guid=f"<guid>oai:arXiv.org:2601.90001v{version}</guid>")
    assert odd.announce_type is expected


# -- what an item lacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "version"),
    [
        ({"guid": ""}, 1),
        ({"guid": "", "link": ""}, 1),
        ({"guid": "<guid>2601.90001v3</guid>"}, 3),
        ({"guid": "<guid>https://arxiv.org/abs/2601.90001v2</guid>"}, 2),
        ({"guid": "<guid>oai:arXiv.org:2601.90001</guid>"}, 1),
        ({"guid": "<guid>something else</guid>", "description": ""}, 1),
        ({"guid": "", "link": "<link>http://arxiv.org/pdf/2601.90001v2</link>", "description": ""}, 2),
    ],
)
def test_the_paper_is_found_wherever_the_item_names_it(parts: dict[str, str], version: int) -> None:
    odd = read(**parts)
    assert (odd.arxiv_id, odd.version) == ("2601.90001", version)


def test_an_item_that_names_no_paper_is_told_by_its_title_and_costs_no_other() -> None:
    found = rss.read_feed(feed(item(guid="", link="", description="<description>2601 words</description>"), item()))
    assert [i.arxiv_id for i in found.items] == ["2601.90001"]
    assert found.unreadable == ("A title",)


def test_an_item_without_anything_but_its_id_is_an_item() -> None:
    odd = read(title="", description="", category="", type="", creator="", link="")
    assert (odd.title, odd.abstract, odd.authors, odd.categories) == ("", "", (), ())


@pytest.mark.parametrize(
    "description",
    [
        "A text.",
        "Abstract: A text.",
        "Announce Type: new\nAbstract: A text.",
        "arXiv:2601.90001v1 Announce Type: new A text.",
        "arXiv:2601.90001v1 Announce Type: new \nAbstract: <p>A text.</p>",
        "arXiv:2601.90001v1 announce type: new \nabstract: A text.",
    ],
)
def test_the_abstract_stands_alone_whatever_of_its_prefix_is_there(description: str) -> None:
    assert read(description=f"<description>{escape(description)}</description>").abstract == "A text."


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("On <i>E. coli</i> and H<sub>2</sub>O", "On E. coli and H2O"),
        ("For $a<b$ and $c>d$", "For $a<b$ and $c>d$"),
        ("If x <p then", "If x <p then"),
        ("Two<br/>lines", "Two lines"),
        ("<b><i>Both</i></b>", "Both"),
    ],
)
def test_html_in_a_title_is_not_part_of_it_and_formulas_stay(title: str, expected: str) -> None:
    assert read(title=f"<title>{escape(title)}</title>").title == expected
    assert "coli" not in title or read(title=f"<title>{title}</title>").title == expected  # also where it was not escaped


@pytest.mark.parametrize(
    ("creator", "authors", "affiliations"),
    [
        ("A. Name (1 and 2 (Dept.))", ("A. Name",), ("1 and 2 (Dept.)",)),
        ("A. Name (1 and 2 (Dept.)), B. Name", ("A. Name", "B. Name"), ("1 and 2 (Dept.)", "")),
        ("A. Name (1), B. Name (1 and 2) ((1) Dept. X, (2) Dept. Y)", ("A. Name", "B. Name"), ("1", "1 and 2; (1) Dept. X, (2) Dept. Y")),
        ("A. Name (Univ. (Dept. X, Dept. Y), Town), B. Name", ("A. Name", "B. Name"), ("Univ. (Dept. X, Dept. Y), Town", "")),
        ("A. Name (Dept. X, B. Name", ("A. Name (Dept. X", "B. Name"), ("", "")),
        ("A. Name), B. Name", ("A. Name)", "B. Name"), ("", "")),
        ("The X Collaboration: A. Name, B. Name", ("The X Collaboration: A. Name", "B. Name"), ("", "")),
        ("A. Name,, B. Name, ", ("A. Name", "B. Name"), ("", "")),
        ("(Nobody)", ("(Nobody)",), ("",)),
        ("", (), ()),
    ],
)
def test_people_are_told_from_their_notes_however_deep_those_are(creator: str, authors: tuple[str, ...], affiliations: tuple[str, ...]) -> None:
    odd = read(creator=f"<dc:creator>{creator}</dc:creator>")
    assert (odd.authors, odd.affiliations) == (authors, affiliations)


def test_each_person_in_an_element_of_ones_own_is_a_person() -> None:
    assert read(creator="<dc:creator>Ada Quill</dc:creator><dc:creator>Bo Reed</dc:creator>").authors == ("Ada Quill", "Bo Reed")


def test_where_the_channel_has_no_date_of_its_own_the_time_of_its_making_stands_for_it() -> None:
    made = feed(item()).replace(b"pubDate", b"lastBuildDate")
    assert rss.read_feed(made).dated == date(2026, 1, 15)
    with pytest.raises(SourceError, match="date"):
        rss.read_feed(made.replace(b"Thu, 15 Jan 2026", b"some day in"))


# -- documents that are almost XML -------------------------------------------------------------------------


def titled(text: str) -> str:
    return item(title=f"<title>{text}</title>")


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (feed(titled("A&nbsp;title")), "A title"),
        (feed(titled("&eacute;t&eacute; &mdash; &alpha;")), "été — α"),
        (feed(titled("R&D and AT&T; x")), "R&D and AT&T; x"),
        (feed(titled("An &undefined; entity")), "An &undefined; entity"),
        (feed(titled("a < b and 1 <2")), "a < b and 1 <2"),
        (feed(titled("A\x0ctitle\x0b\x00")), "A title"),
        (feed(titled("A&#12;title&#0;&#x1F;")), "A title"),
        (feed(titled("Łukasz"), head="<!DOCTYPE rss>"), "Łukasz"),
        (feed(titled("A title"), head=f'{HEAD}<!DOCTYPE rss PUBLIC "-//X//EN" "http://example.org/rss.dtd">'), "A title"),
        (feed(titled("A&nbsp;title"), head=f"{HEAD}<!DOCTYPE rss [ <!ELEMENT rss ANY> ]>"), "A title"),
        (b"\xef\xbb\xbf" + feed(titled("Łukasz")), "Łukasz"),
        (b"\n  " + feed(titled("Łukasz")), "Łukasz"),
        (feed(titled("Łukasz"), head='<?xml version="1.0" encoding="iso-8859-1"?>'), "Łukasz"),
        (feed(titled("Łukasz"), head='<?xml version="1.0" encoding="klingon"?>'), "Łukasz"),
        (feed(titled("Łukasz &amp; <![CDATA[R&D <x>]]>&nbsp;"), head='<?xml version="1.0" encoding="klingon"?>'), "Łukasz & R&D <x>"),
        (feed(titled("été")).decode().encode("latin-1"), "été"),
        (feed(titled("Łukasz"), head='<?xml version="1.0" encoding="utf-16"?>').decode().encode("utf-16"), "Łukasz"),
    ],
)
def test_a_slip_that_leaves_no_doubt_is_read_as_it_was_meant(body: bytes, title: str) -> None:
    assert rss.read_feed(body).items[0].title == title


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE r [<!entity % b SYSTEM "http://127.0.0.1:1/x"> %b;]>'


@pytest.mark.parametrize("doctype", [BOMB, OUTSIDE, PARAMETER])
@pytest.mark.parametrize("slip", ["", "&nbsp;", "\x0c"])
def test_a_document_with_entities_of_its_own_is_refused_mended_or_not(doctype: str, slip: str) -> None:
    body = feed(titled(f"&b;{slip}"), head=HEAD + doctype)
    assert read_xml(body) is None
    with pytest.raises(SourceError, match="no whole XML"):
        rss.read_feed(body)


@pytest.mark.parametrize("cut", [20, 200, 700])
def test_a_torn_feed_stays_refused_where_it_has_slips_too(cut: int) -> None:
    whole = feed(titled("A&nbsp;title"), item(), item())
    assert rss.read_feed(whole)
    with pytest.raises(SourceError, match="no whole XML"):
        rss.read_feed(whole[:-cut])


# -- the API ---------------------------------------------------------------------------------------------


def page(*entries: str) -> bytes:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">'
        f"<o:totalResults>{len(entries)}</o:totalResults>{''.join(entries)}</feed>"
    ).encode()


def entry(number: int, *, name: str = "", times: str = "<published>2026-01-10T20:00:00Z</published><updated>2026-01-13T20:00:00Z</updated>") -> str:
    named = name or f"<id>http://arxiv.org/abs/2601.{number}v1</id>"
    return f'<entry>{named}<title>T</title><summary>S</summary>{times}<category term="cs.CL"/><author><name>A</name></author></entry>'


def test_an_entry_without_id_is_known_by_its_links_and_one_without_either_costs_no_other() -> None:
    by_link = entry(0, name='<link href="https://arxiv.org/pdf/2601.90002v1" rel="related"/>')
    found = atom.read_page(page(entry(90001), by_link, entry(0, name="<id/>"), entry(90004)))
    assert [r.arxiv_id for r in found.records] == ["2601.90001", "2601.90002", "2601.90004"]
    assert (found.unreadable, found.total) == (1, 4)


@pytest.mark.parametrize("times", ["", "<published>yesterday</published>", "<published/><updated/>"])
def test_an_entry_without_times_is_a_record_of_an_unknown_time(times: str) -> None:
    record = atom.read_page(page(entry(90001, times=times))).records[0]
    assert (record.submitted_at_utc, record.updated_at_utc) == (atom.UNKNOWN_TIME, atom.UNKNOWN_TIME)


def test_an_entry_with_one_time_has_it_for_both() -> None:
    record = atom.read_page(page(entry(90001, times="<updated>2026-01-13T20:00:00Z</updated>"))).records[0]
    assert record.submitted_at_utc == record.updated_at_utc != atom.UNKNOWN_TIME


def test_an_entry_with_nothing_but_its_id_is_a_record() -> None:
    record = atom.read_page(page("<entry><id>http://arxiv.org/abs/2601.90001v1</id></entry>")).records[0]
    assert (record.title, record.abstract, record.authors, record.categories, record.primary_category) == ("", "", (), (), "")

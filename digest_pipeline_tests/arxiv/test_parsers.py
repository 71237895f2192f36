"""arXiv's two formats: fields without loss, hostile and broken bodies refused, nothing crashes on nonsense."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline import sample
from digest_pipeline.arxiv import atom, rss
from digest_pipeline.errors import SourceError
from digest_pipeline.models import AnnounceType, VersionedId, id_sort_key

XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=200)


def atom_page(title: str, summary: str, authors: str = "<author><name>Ada Quill</name></author>", total: int = 1) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"'
        f' xmlns="http://www.w3.org/2005/Atom"><opensearch:totalResults>{total}</opensearch:totalResults><opensearch:startIndex>0</opensearch:startIndex>'
        f"<entry><id>http://arxiv.org/abs/2601.90001v2</id><title>{title}</title><updated>2026-01-13T20:00:00Z</updated><summary>{summary}</summary>"
        '<category term="cs.IR"/><category term="cs.CL"/><published>2026-01-10T20:00:00Z</published><arxiv:comment>12 pages,\n  to appear</arxiv:comment>'
        '<arxiv:primary_category term="cs.CL"/><arxiv:doi>10.0/x</arxiv:doi><arxiv:journal_ref>J. 1 (2026)</arxiv:journal_ref>'
        f"{authors}</entry></feed>"
    ).encode()


def rss_feed(title: str, description: str, creator: str = "Ada Quill, Bo Reed", kind: str = "new") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>'
        "<title>cs.CL, econ updates on arXiv.org</title><pubDate>Thu, 15 Jan 2026 00:00:00 -0500</pubDate>"
        f"<item><title>{title}</title><link>https://arxiv.org/abs/2601.90001</link><description>{description}</description>"
        '<guid isPermaLink="false">oai:arXiv.org:2601.90001v1</guid><category>cs.CL</category><category>cs.LG</category>'
        f"<arxiv:announce_type>{kind}</arxiv:announce_type><dc:creator>{creator}</dc:creator></item></channel></rss>"
    ).encode()


@given(XML_TEXT, XML_TEXT)
def test_titles_and_abstracts_survive_the_api_whatever_they_hold(title: str, abstract: str) -> None:
    record = atom.read_page(atom_page(escape(title), escape(abstract))).records[0]
    assert record.title == " ".join(title.split())
    assert record.abstract == abstract.strip()


def test_mathematics_line_breaks_and_accents_of_an_abstract_survive_exactly() -> None:
    abstract = "We show $\\mathcal{O}(n\\log n)$ for $a < b$.\n\nSecond paragraph — Łukasz, 张伟, naïve."
    assert atom.read_page(atom_page("t", escape(abstract))).records[0].abstract == abstract


def test_every_field_of_an_api_record_is_kept() -> None:
    authors = "<author><name>Ada\n Quill</name><arxiv:affiliation>A</arxiv:affiliation><arxiv:affiliation>B</arxiv:affiliation></author><author><name>Bo Reed</name></author>"
    record = atom.read_page(atom_page("A title\n  over two lines", "x", authors)).records[0]
    assert record.title == "A title over two lines"
    assert (record.arxiv_id, record.version) == ("2601.90001", 2)
    assert record.authors == ("Ada Quill", "Bo Reed")
    assert record.affiliations == ("A; B", "")
    assert record.categories == ("cs.CL", "cs.IR")
    assert (record.comment, record.doi, record.journal_ref) == ("12 pages, to appear", "10.0/x", "J. 1 (2026)")
    assert record.submitted_at_utc == datetime(2026, 1, 10, 20, tzinfo=UTC)
    assert record.updated_at_utc == datetime(2026, 1, 13, 20, tzinfo=UTC)


BOMB = b'<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><feed xmlns="http://www.w3.org/2005/Atom">&b;</feed>'


@pytest.mark.parametrize(
    "body",
    [b"", b"Rate exceeded.", b"<html><p>busy</html>", atom_page("t", "x")[:-30], BOMB, rss_feed("t", "x")],
    ids=["empty", "words", "html", "torn", "bomb", "rss"],
)
def test_what_is_no_whole_atom_feed_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(SourceError):
        atom.read_page(body)


def test_an_empty_page_that_counts_results_is_refused() -> None:
    page = atom_page("t", "x", total=5)
    without_entry = page[: page.index(b"<entry>")] + b"</feed>"
    with pytest.raises(SourceError, match="empty page"):
        atom.read_page(without_entry)


@given(st.binary(max_size=300))
def test_no_bytes_whatever_crash_the_judgement_of_a_body(body: bytes) -> None:
    for read in (atom.read_page, rss.read_feed):
        with contextlib.suppress(SourceError):
            read(body)


@pytest.mark.parametrize("encoding", ["TF-8", "GB18030", "utf-7"])
def test_what_is_utf_8_is_read_as_that_whatever_encoding_is_declared(encoding: str) -> None:
    page = b'<?xml version="1.0" encoding="%s"?>' % encoding.encode() + atom_page("Łukasz", "x").partition(b"?>")[2]
    assert atom.read_page(page).records[0].title == "Łukasz"
    assert rss.read_feed(rss_feed("Łukasz", "x").replace(b"UTF-8", encoding.encode())).items[0].title == "Łukasz"


@pytest.mark.parametrize("count", ["", "many", "-3", "9" * 5000])
def test_a_page_that_counts_in_no_digits_is_read_by_its_entries(count: str) -> None:
    page = re.sub(rb"(<opensearch:totalResults[^>]*>)\d+", rb"\g<1>" + count.encode(), atom_page("t", "x"))
    assert len(atom.read_page(page).records) == 1


DAMAGE = st.tuples(
    st.floats(0, 1, exclude_max=True), st.integers(0, 40), st.sampled_from([b"", b"<", b"&", b"&#0;", b"</item>", b"<x/>", b"\xff", b"]]>"])
)


@pytest.mark.parametrize(("name", "read"), [("rss.xml", rss.read_feed), ("api.xml", atom.read_page)])
@given(damages=st.lists(DAMAGE, min_size=1, max_size=4))
def test_a_damaged_answer_is_read_or_refused_in_words(name: str, read: Callable[[bytes], object], damages: list[tuple[float, int, bytes]]) -> None:
    body = (Path(sample.__file__).parent / name).read_bytes()[:9000]
    for place, length, put in damages:
        at = int(place * len(body))
        body = body[:at] + put + body[at + length :]
    with contextlib.suppress(SourceError):
        read(body)


@given(XML_TEXT)
def test_feed_boilerplate_is_removed_and_the_abstract_kept(abstract: str) -> None:
    description = f"arXiv:2601.90001v1 Announce Type: new \nAbstract: {abstract}"
    item = rss.read_feed(rss_feed("t", escape(description))).items[0]
    assert item.abstract == abstract.strip()


def test_a_feed_says_its_date_its_categories_and_its_items() -> None:
    feed = rss.read_feed(rss_feed("A &amp; B | `c`", "arXiv:2601.90001v1 Announce Type: cross \nAbstract: text", kind="cross"))
    assert feed.dated == date(2026, 1, 15)
    assert feed.categories == ("cs.CL", "econ")
    assert feed.items[0].announce_type is AnnounceType.CROSS
    assert feed.items[0].title == "A & B | `c`"


@pytest.mark.parametrize(
    ("creator", "authors", "affiliations"),
    [
        ("Ada Quill, Bo Reed", ("Ada Quill", "Bo Reed"), ("", "")),
        ("Very Real Sr. (Some University)", ("Very Real Sr.",), ("Some University",)),
        (r"Daniel P\'erez Herrera, \L{}ukasz {\AA}berg", ("Daniel Pérez Herrera", "Łukasz Åberg"), ("", "")),
        ("A B (Dept. X, Univ. Y), C D", ("A B", "C D"), ("Dept. X, Univ. Y", "")),
    ],
)
def test_the_creators_are_split_at_commas_outside_affiliations(creator: str, authors: tuple[str, ...], affiliations: tuple[str, ...]) -> None:
    item = rss.read_feed(rss_feed("t", "x", creator)).items[0]
    assert (item.authors, item.affiliations) == (authors, affiliations)


@pytest.mark.parametrize(
    ("text", "arxiv_id", "version"),
    [
        ("2404.01438v2", "2404.01438", 2),
        ("hep-ex/0406020", "hep-ex/0406020", 1),
        ("math.GT/0309136v12", "math.GT/0309136", 12),
        (" 0704.0001\n", "0704.0001", 1),
    ],
)
def test_both_styles_of_ids_are_read_and_without_version_it_is_the_first(text: str, arxiv_id: str, version: int) -> None:
    read = VersionedId.parse(text)
    assert read == VersionedId(arxiv_id, version)
    assert str(read) == f"{arxiv_id}v{version}"


@pytest.mark.parametrize("text", ["../../etc/passwd", "2404.01438v0", "abc", "2404.014", "hep-ex/04060201", "2404.01438\n/x"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="arXiv id"):
        VersionedId.parse(text)


def test_ids_are_ordered_by_age_over_both_styles() -> None:
    ids = ["hep-th/9901001", "hep-ex/0406020", "0704.0001", "1412.9999", "1501.00001", "2601.00002"]
    assert sorted(ids, key=id_sort_key) == ids
    ids = ["hep-th/9108001", "cs/0001001", "math/0102345", "hep-th/0703999", "0704.0001", "0704.0002", "0710.0001", "1001.0001", "1011.0001"]
    assert sorted(set(ids), key=id_sort_key) == ids

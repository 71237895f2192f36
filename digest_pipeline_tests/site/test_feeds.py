"""Feeds: what a feed reader gets, on ordinary days, after holidays, and from hostile texts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from digest_pipeline.models import AnnounceType, DigestEntry
from digest_pipeline.site.feeds import Feed, category_feed, feed_entries, feed_formats, named_feed, write_feed
from digest_pipeline.site.feeds.atom import atom_bytes
from digest_pipeline.site.feeds.feed import LARGEST_FEED
from digest_pipeline.site.feeds.json_feed import json_bytes
from digest_pipeline.site.feeds.rss import rss_bytes
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline_tests.support.outputs import DAY, HOSTILE, an_entry, an_untranslated_entry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # feedparser's own imports
    import feedparser

SCHEMAS = Path(__file__).parents[1] / "support" / "schemas"
SITE = "https://digest.example.org"


def a_feed(entries: Sequence[DigestEntry], tag: str = "zh", category: str = "all", site_url: str = SITE) -> Feed:
    return category_feed(category, entries, load_language(tag), newest_day=DAY, site_url=site_url)


def assert_valid(feed: Feed) -> list[Any]:
    """Every format is valid by its schema and read by feedparser without a complaint; the three readings."""
    for name, content in (("atom.rng", atom_bytes(feed)), ("rss.rng", rss_bytes(feed))):
        schema = etree.RelaxNG(etree.parse(SCHEMAS / name))
        schema.assertValid(etree.fromstring(content))
    document = json.loads(json_bytes(feed))
    jsonschema.validate(document, json.loads((SCHEMAS / "jsonfeed.json").read_text(encoding="utf-8")))
    parsed = [feedparser.parse(content) for content in (atom_bytes(feed), rss_bytes(feed))]
    assert [one.bozo for one in parsed] == [0, 0]
    assert len(document["items"]) == len(parsed[0].entries) == len(parsed[1].entries) == len(feed.items)
    return [*parsed, document]


def test_a_reader_gets_title_summary_text_authors_and_a_link() -> None:
    for parsed in assert_valid(a_feed([an_entry()]))[:2]:
        (entry,) = parsed.entries
        assert entry.title == "论语言模型如何泡茶"
        assert entry.id == "https://arxiv.org/abs/2606.00001v1#zh"
        assert entry.link == f"{SITE}/zh/2026-06-02/index.html#p-2606.00001"
        assert entry.summary == "语言模型学会了泡茶。"
        assert "我们泡了 n^2 杯茶" in entry.content[0].value
        assert "We brew n^2 cups." in entry.content[0].value
        assert {tag.term for tag in entry.tags} == {"cs.CL", "cs.IR"}
    assert parsed.feed.title == "arXiv 每日论文：全部类别"
    assert parsed.feed.language == "zh-Hans"


def test_dates_are_the_listing_day_at_midnight_eastern_and_never_the_moment_of_the_build() -> None:
    winter = an_entry(listing_date=date(2026, 1, 6), arxiv_id="2601.00002")
    atom, rss, document = assert_valid(a_feed([an_entry(), winter]))
    assert [entry.published for entry in atom.entries] == ["2026-06-02T00:00:00-04:00", "2026-01-06T00:00:00-05:00"]
    assert [entry.updated for entry in atom.entries] == [entry.published for entry in atom.entries]
    assert atom.feed.updated == "2026-06-02T00:00:00-04:00"
    assert rss.entries[0].published == "Tue, 02 Jun 2026 00:00:00 -0400"
    assert document["items"][0]["date_published"] == "2026-06-02T00:00:00-04:00"


def test_the_same_papers_give_the_same_bytes() -> None:
    entries = [an_entry(), an_untranslated_entry(arxiv_id="2606.00002")]
    for write in (atom_bytes, rss_bytes, json_bytes):
        assert write(a_feed(entries)) == write(a_feed(entries))


def test_ids_do_not_depend_on_the_site_and_differ_between_languages() -> None:
    ids = [a_feed([an_entry()], site_url=url).items[0].id for url in ("", SITE)]
    assert ids[0] == ids[1]
    assert a_feed([an_entry("ja")], "ja").items[0].id != ids[0]
    assert a_feed([], site_url="").id == a_feed([], site_url=SITE).id != a_feed([], "ja").id != a_feed([], "ja", "cs.CL").id


def test_without_a_public_address_entries_link_to_arxiv() -> None:
    atom, _, _ = assert_valid(a_feed([an_entry()], site_url=""))
    assert atom.entries[0].link == "https://arxiv.org/abs/2606.00001"


def test_every_format_says_where_older_papers_are() -> None:
    atom, rss, document = assert_valid(a_feed([an_entry()]))
    archive = f"{SITE}/zh/archive/index.html"
    assert [link.href for link in atom.feed.links if link.rel == "related"] == [archive]
    assert all(said.endswith(f" {archive}") for said in (atom.feed.subtitle, rss.feed.subtitle, document["description"]))


def test_holidays_and_failed_days_push_no_paper_out() -> None:
    days = [DAY - timedelta(days=n) for n in (0, 1, 20, 21, 22)]
    entries = [an_entry(arxiv_id=f"2605.0000{n}", listing_date=day) for n, day in enumerate(days)]
    assert [e.paper.listing_date for e in feed_entries(entries, "all", 3)] == days[:3]
    assert len(feed_entries(entries[2:], "all", 7)) == 3


def test_a_category_counts_its_own_days_and_an_archive_takes_all_of_its_categories() -> None:
    economics = an_entry(arxiv_id="2605.00009", listing_date=DAY - timedelta(days=30), categories=("econ.GN",))
    entries = [an_entry(), economics]
    assert feed_entries(entries, "econ", 1) == (economics,)
    assert feed_entries(entries, "cs.IR", 1) == (entries[0],)
    assert feed_entries(entries, "math.CO", 7) == ()


def test_replacements_stand_last_within_their_day_and_say_their_version() -> None:
    entries = [
        an_entry(arxiv_id="2601.00001", version=3, announce_type=AnnounceType.REPLACE),
        an_entry(arxiv_id="2606.00001"),
        an_entry(arxiv_id="2606.00002"),
        an_entry(arxiv_id="hep-ex/0406020", version=2, announce_type=AnnounceType.REPLACE_CROSS),
    ]
    kept = feed_entries(entries, "all", 7)
    assert [str(e.paper.arxiv_id) for e in kept] == ["2606.00002", "2606.00001", "2601.00001", "hep-ex/0406020"]
    feed = a_feed(kept)
    assert feed.items[2].title == "[v3] 论语言模型如何泡茶"
    assert "新版本 · v3" in feed.items[2].html
    assert_valid(feed)


def test_a_version_announced_on_two_days_keeps_its_first_date() -> None:
    again = an_entry(listing_date=DAY + timedelta(days=3), announce_type=AnnounceType.CROSS)
    assert [e.paper.listing_date for e in feed_entries([again, an_entry()], "all", 7)] == [DAY]


def test_an_untranslated_paper_is_there_in_the_original_with_a_mark() -> None:
    (item,) = a_feed([an_untranslated_entry()]).items
    assert item.title == "On the Brewing of Tea by Language Models"
    assert "未翻译" in item.html
    assert "We brew" in item.html


def test_an_empty_feed_is_valid_and_dated() -> None:
    atom, _, document = assert_valid(a_feed([]))
    assert atom.feed.updated == "2026-06-02T00:00:00-04:00"
    assert document["items"] == []


def test_three_thousand_authors_are_counted_not_listed() -> None:
    feed = a_feed([an_entry(authors=tuple(f"Author Number{n}" for n in range(3000)))])
    assert feed.items[0].authors[-1] == "另有 2980 位"
    assert len(atom_bytes(feed)) < 20_000
    assert_valid(feed)


def test_a_watch_list_feed_says_why() -> None:
    feed = named_feed(
        "watch-tea", "Tea & more", [an_entry()], load_language("zh"), newest_day=DAY, site_url=SITE, reasons={"2606.00001": ["标题：tea"]}
    )
    assert feed.path("xml") == "zh/feeds/watch-tea.xml"
    assert "为何显示： 标题：tea" in feed.items[0].html
    assert assert_valid(feed)[0].feed.title == "Tea & more"


def hostile_entry(text: str) -> DigestEntry:
    texts = {"translated_title": text, "translated_abstract": text, "tldr": text, "tldr_en": text}
    return an_entry(summary=texts, title=text, abstract=text, authors=(text,), affiliations=("",), comment=text, journal_ref=text, doi=text)


def assert_only_known_markup(content: str) -> None:
    tree = html.fragment_fromstring(content, create_parent="div")
    assert {element.tag for element in tree.iter()} <= {"div", "p", "strong", "em", "h4", "br", "a"}
    assert not [name for element in tree.iter() for name in element.attrib if name not in ("href", "lang")]


def test_hostile_texts_stay_text() -> None:
    feed = a_feed([hostile_entry(HOSTILE)])
    atom, _, document = assert_valid(feed)
    for content in (feed.items[0].html, document["items"][0]["content_html"]):
        assert_only_known_markup(content)
        assert "<script>" in html.fragment_fromstring(content, create_parent="div").text_content()
    assert not any(c in feed.items[0].title for c in "\u202e\u2066\x00\x1b")
    assert "]]>" in feed.items[0].title
    assert "A ]]>" in atom.entries[0].content[0].value.replace("&gt;", ">")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300))
def test_any_text_gives_valid_feeds(text: str) -> None:
    feed = a_feed([hostile_entry(text)])
    assert_valid(feed)
    assert_only_known_markup(feed.items[0].html)


@pytest.mark.parametrize("tag", sorted(known_language_tags()))
def test_every_language_has_a_valid_feed(tag: str) -> None:
    assert_valid(a_feed([an_entry(tag), an_entry(tag, arxiv_id="2606.00003", authors=("A B",) * 30)], tag))


def test_no_format_grows_beyond_what_a_reader_takes_and_every_paper_of_the_newest_day_is_there() -> None:
    long_text = "We brew <many> cups & taste them. " * 60
    texts = {"translated_abstract": "我们泡了许多杯茶。" * 60}
    days = [DAY - timedelta(days=n) for n in range(3)]
    numbered = list(enumerate(days))
    entries = [
        an_entry(arxiv_id=f"26{6 - n:02}.{k:05}", listing_date=day, abstract=long_text, summary=texts) for n, day in numbered for k in range(1, 301)
    ]
    feed = a_feed(feed_entries(entries, "all", 7))
    for one in feed_formats():
        assert len(one.write(feed)) <= 1_000_000
    newest = [item for item in feed.items if item.published.date() == DAY]
    assert len(newest) == 300
    assert "We brew" in newest[0].html
    assert "We brew" not in newest[-1].html
    assert newest[-1].summary


def test_earlier_days_follow_whole_for_as_long_as_there_is_room() -> None:
    texts = {"translated_abstract": "我们泡了许多杯茶。" * 200}
    entries = [an_entry(arxiv_id=f"26{6 - n:02}.{k:05}", listing_date=DAY - timedelta(days=n), summary=texts) for n in range(6) for k in range(1, 41)]
    feed = a_feed(feed_entries(entries, "all", 7))
    assert 40 < len(feed.items) < 240
    assert all("我们泡了" in item.html for item in feed.items)
    assert 800_000 < max(len(one.write(feed)) for one in feed_formats()) <= LARGEST_FEED


def test_a_format_is_a_file_that_is_found() -> None:
    assert [one.suffix for one in feed_formats()] == ["xml", "json", "rss.xml"]


def test_the_three_files_are_written_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    written = write_feed(storage, a_feed([an_entry()], category="cs.CL"))
    assert sorted(written) == ["zh/feeds/cs.CL.json", "zh/feeds/cs.CL.rss.xml", "zh/feeds/cs.CL.xml"]
    times = [(tmp_path / "site" / file).stat().st_mtime_ns for file in written]
    write_feed(storage, a_feed([an_entry()], category="cs.CL"))
    assert [(tmp_path / "site" / file).stat().st_mtime_ns for file in written] == times

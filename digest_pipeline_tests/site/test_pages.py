"""What stands on the pages, read as a browser reads them: structure, links, words, and hostile input."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest

from digest_pipeline.models import AnnounceType, Evidence
from digest_pipeline.papers.ledger import read_ledger, write_ledger
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.site import paths
from digest_pipeline.site.build import SiteOptions, build_site
from digest_pipeline.site.details import read_details
from digest_pipeline.site.views import code_links
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline_tests.support.site_days import CATEGORIES, HOSTILE, make_paper, make_summary, quarantined, write_day

FIRST, HOLIDAY, LAST = date(2026, 5, 22), date(2026, 5, 25), date(2026, 5, 27)
LISTS = (WatchList("dialogue", "对话 <b>", keywords=("dialogue agents",)),)
OPTIONS = SiteOptions(languages=("zh", "en"), categories=CATEGORIES, watch_lists=LISTS, paper_pages=True)
MANY_AUTHORS = tuple(f"Author {n}" for n in range(3_000))


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def by_class(root: Element, name: str) -> list[Element]:
    return [one for one in root.iter() if name in one.get("class", "").split()]


def by_id(root: Element, name: str) -> Element:
    return next(one for one in root.iter() if one.get("id") == name)


class Site:
    """A finished site, read page by page."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._parsed: dict[str, Element] = {}
        self.complaints: dict[str, list[tuple[object, str, object]]] = {}

    def html(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def page(self, path: str) -> Element:
        if path not in self._parsed:
            parser = html5lib.HTMLParser(namespaceHTMLElements=False)
            self._parsed[path] = parser.parse(self.html(path))
            self.complaints[path] = parser.errors
        return self._parsed[path]

    def details(self, folder: str) -> dict[str, Any]:
        """arXiv id → what opens below its row, of one day and language."""
        found: dict[str, Any] = {}
        for file in sorted((self.root / folder).glob("abstracts-*.js")):
            for arxiv_id, (html, _) in read_details(file.read_bytes()).items():
                found[arxiv_id] = html5lib.parseFragment(html, namespaceHTMLElements=False)
        return found

    def ids(self, path: str) -> list[str]:
        return [name for one in self.page(path).iter() if (name := one.get("id"))]

    def pages(self) -> Iterator[str]:
        return (one.relative_to(self.root).as_posix() for one in sorted(self.root.rglob("*.html")) if "/search/20" not in one.as_posix())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    storage = Storage(tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        write_days_with_everything(storage)
        build_site(storage, OPTIONS, now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    return Site(storage.local_path("site"))


def write_days_with_everything(storage: Storage) -> None:
    old = make_paper("2605.11111", FIRST, title="A Ledger of Citations", abstract="It keeps 98 percent of the quality of the whole.")
    write_day(storage, FIRST, [old], languages=OPTIONS.languages)
    write_day(storage, HOLIDAY, [], languages=OPTIONS.languages, announced=False)
    new = replace(old, version=2, announce_type=AnnounceType.REPLACE, listing_date=LAST, abstract="It keeps 99 percent of the quality of the whole.")
    papers = [
        make_paper("2605.20009", LAST, title="How Much Does a Tokenizer Forget? In $k$-Gram Models", authors=MANY_AUTHORS),
        make_paper("2605.20008", LAST, comment="Withdrawn by the authors", doi="10.1000/x<y>", journal_ref="Invented Journal 3"),
        make_paper("2605.20007", LAST, primary_category="cs.IR", categories=("cs.IR",)),
        make_paper("2605.20006", LAST, primary_category="cs.LG", categories=("cs.LG", "cs.IR"), announce_type=AnnounceType.CROSS),
        make_paper("2605.20005", LAST, title="Speaking in Turns: Dialogue Agents that Know When to Wait"),
        make_paper("2605.20004", LAST),
        *(
            make_paper(
                f"2605.2100{n}" if n < 10 else f"2605.210{n}",
                LAST,
                title=bad,
                abstract=f"{bad} and so on.",
                authors=(bad, "X"),
                comment=bad,
                doi=bad,
                journal_ref=bad,
            )
            for n, bad in enumerate(HOSTILE.values())
        ),
        new,
    ]
    summaries = [
        make_summary(p, "zh", translated_title=p.title, tldr=p.title, translated_abstract=p.abstract, tldr_en=p.title, flags=(f"length: {p.title}",))
        for p in papers
        if p.arxiv_id.startswith("2605.21")
    ]
    summaries += [quarantined(papers[5], tag, ("numbers: 41 % is missing",)) for tag in OPTIONS.languages]
    summaries.append(make_summary(papers[3], "zh", flags=("length: the translation is short",)))
    write_day(storage, LAST, papers, languages=OPTIONS.languages, summaries=summaries, evidence=Evidence.ID_BLOCK, is_sample=True)


DAY = "zh/2026-05-27/index.html"


def test_every_link_leads_to_a_file_and_an_element_that_exist(site: Site) -> None:
    ids = cache(lambda path: frozenset(site.ids(path)))
    for path in site.pages():
        root = site.page(path)
        for element in root.iter():
            target = element.get("href") or element.get("src")
            if not target or urlsplit(target).scheme or element.tag == "math":
                continue
            file, fragment = urldefrag(target)
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(urlsplit(file).path))) if urlsplit(file).path else path
            assert path == "404.html" or (site.root / found).is_file(), f"{path} links to {target}"
            assert not fragment or fragment in ids(found), f"{path} links to {target}"


def test_links_out_lead_to_arxiv_doi_and_code_only(site: Site) -> None:
    for path in site.pages():
        for element in site.page(path).iter():
            scheme, host, *_ = urlsplit(element.get("href") or element.get("src") or "")
            assert scheme in ("", "https"), f"{path}: {element.attrib}"
            if element.tag in ("link", "script", "img"):
                assert not host, f"{path} asks {host}"


def test_ids_are_unique_on_every_page(site: Site) -> None:
    for path in site.pages():
        assert len(site.ids(path)) == len(set(site.ids(path))), path


def test_pages_are_valid_enough_that_the_strict_parser_has_no_complaint(site: Site) -> None:
    for path in site.pages():
        site.page(path)
        assert not [error for error in site.complaints[path] if error[1] != "non-void-element-with-trailing-solidus"], path


def test_every_paper_of_the_day_stands_on_it_exactly_once(site: Site) -> None:
    papers = by_class(site.page(DAY), "paper")
    ids = [one.get("id") for one in papers]
    assert len(ids) == len(set(ids)) == 7 + len(HOSTILE)


def test_a_row_has_title_tldr_authors_category_permalink_and_a_button_for_its_bibtex(site: Site) -> None:
    row = by_id(site.page(DAY), "p-2605.20007")
    assert row.get("data-arxiv-id") == "2605.20007"
    assert text(next(row.iter("h3"))) == "面向长上下文检索的稀疏路由"
    assert text(by_class(row, "tldr")[0]).startswith("稀疏路由只读取")
    assert text(by_class(row, "by")[0]) == "Ana Lindqvist, Wei Zhang"
    assert text(by_class(row, "cats")[0]) == "cs.IR"
    assert [one.get("href") for one in row.iter("a")] == ["../paper/2605.20007/index.html", "#p-2605.20007"]
    assert text(next(row.iter("button"))) == "BibTeX"


def test_the_abstract_lies_beside_the_page_with_the_original_beside_it(site: Site) -> None:
    assert not by_class(site.page(DAY), "texts")
    opened = site.details("zh/2026-05-27")["2605.20007"]
    assert text(by_class(opened, "original-title")[0]).startswith("Sparse Routing for")
    assert len(by_class(opened, "text")) == 2
    assert by_class(opened, "original")[0].get("lang") == "en"
    assert {one.get("href") for one in by_class(opened, "links")[0].iter("a")} >= {"https://arxiv.org/abs/2605.20007"}


def test_what_opens_is_well_formed(site: Site) -> None:
    for arxiv_id, html in (
        (one, html) for file in site.root.glob("zh/*/abstracts-*.js") for one, (html, _) in read_details(file.read_bytes()).items()
    ):
        parser = html5lib.HTMLParser()
        parser.parseFragment(html)
        assert not [error for error in parser.errors if error[1] != "non-void-element-with-trailing-solidus"], arxiv_id


def test_bibtex_for_the_clipboard_is_the_papers_own_without_its_abstract(site: Site) -> None:
    _, bibtex = read_details((site.root / "zh/2026-05-27/abstracts-00.js").read_bytes())["2605.20007"]
    assert bibtex.startswith("@misc{arxiv-2605.20007,")
    assert "abstract =" not in bibtex


def test_abstracts_come_in_files_of_some_papers_in_the_order_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "DETAILS_PAPERS", 2)
    storage = Storage(tmp_path)
    write_day(storage, LAST, [make_paper(f"2605.2000{n}", LAST) for n in (1, 2, 3)])
    build_site(storage, SiteOptions(languages=("zh",), categories=CATEGORIES), now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    built = Site(storage.local_path("site"))
    rows = [one.get("data-arxiv-id") for one in by_class(built.page(DAY), "paper")]
    files = [list(read_details(file.read_bytes())) for file in sorted((built.root / "zh/2026-05-27").glob("abstracts-*.js"))]
    assert files == [rows[:2], rows[2:]]


def test_without_pages_of_their_own_rows_lead_to_arxiv_and_no_paper_has_a_file(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write_day(storage, LAST, [make_paper(f"2605.2000{n}", LAST) for n in (1, 2, 3)])
    build_site(storage, SiteOptions(languages=("zh",), categories=CATEGORIES), now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    built = Site(storage.local_path("site"))
    row = by_id(built.page(DAY), "p-2605.20001")
    assert next(row.iter("a")).get("href") == "https://arxiv.org/abs/2605.20001"
    assert not (built.root / "zh/paper").exists()
    assert json.loads((built.root / "ids/2605-20.json").read_text()) == {f"2605.2000{n}": "2026-05-27" for n in (1, 2, 3)}


def test_three_thousand_authors_are_named_on_a_line_and_all_there_once_opened(site: Site) -> None:
    assert text(by_class(by_id(site.page(DAY), "p-2605.20009"), "by")[0]) == "Author 0, Author 1 等另外 2998 位"
    authors = by_class(site.details("zh/2026-05-27")["2605.20009"], "authors")[0]
    assert text(authors).endswith("Author 2999")


def test_replacements_stand_apart_at_the_end_with_their_version(site: Site) -> None:
    groups = by_class(site.page(DAY), "group")
    assert [one.get("aria-labelledby") for one in groups] == ["watched", "cs-CL", "cs-IR", "replacements"]
    assert "v2" in text(by_class(groups[-1], "meta")[0])


def test_a_cross_listed_paper_is_marked_as_such(site: Site) -> None:
    assert "交叉列表" in text(by_class(by_id(site.page(DAY), "p-2605.20006"), "meta")[0])


def test_every_number_counts_what_it_says(site: Site) -> None:
    root = site.page(DAY)
    rows = by_class(root, "paper")
    for section in by_class(root, "group"):
        assert text(by_class(section, "n")[0]) == str(len(by_class(section, "paper")))
    chips = {urlsplit(one.get("href", "")).query: text(one).split()[-1] for one in by_class(root, "chips")[0].iter("a")}
    in_category = sum("cs.CL" in text(by_class(row, "cats")[0]).split() for row in rows)
    assert chips["category=cs.CL"] == str(in_category)
    assert text(by_class(by_id(root, "cs-CL"), "n")[1]) == f"本类别共 {in_category} 篇", "the heading's papers are fewer: it says so"
    assert sum(int(count) for query, count in chips.items() if query.startswith("type=")) == len(rows)
    assert "可能计入几个类别" in text(by_class(root, "day-end")[0])


def test_sample_and_reconstructed_days_say_so(site: Site) -> None:
    notices = [text(one) for one in by_class(site.page(DAY), "notice")]
    assert any("示例" in one for one in notices)
    assert any("重建" in one for one in notices)
    assert "示例" in text(by_class(site.page("zh/paper/2605.20007/index.html"), "notice")[0])


def test_the_day_closes_with_its_ledger(site: Site) -> None:
    count = 7 + len(HOSTILE)
    assert text(by_class(site.page(DAY), "ledger")[0]).endswith(f"公布 {count} = 取得 {count} = 已译 {count - 1} + 未译 1 = 展示 {count}")


def test_a_day_that_lost_a_paper_does_not_close_as_if_it_were_whole(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write_day(storage, LAST, [make_paper("2605.20004", LAST)])
    write_ledger(storage, LAST, [replace(row, announced=2, missing_fetched=("2605.20003",)) for row in read_ledger(storage, LAST)])
    build_site(storage, SiteOptions(languages=("zh",), categories=CATEGORIES), now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    chain, missing = by_class(Site(storage.local_path("site")).page(DAY), "ledger")
    assert text(chain) == "当日完整性: 公布 2 ≠ 取得 1 = 已译 1 + 未译 0 = 展示 1"
    assert "2605.20003" in text(missing)


def test_marks_for_withdrawn_untranslated_and_doubtful_papers(site: Site) -> None:
    root = site.page(DAY)
    assert "已撤稿" in text(by_class(by_id(root, "p-2605.20008"), "meta")[0])
    assert "未翻译" in text(by_class(by_id(root, "p-2605.20004"), "meta")[0])
    assert "请核对" in text(by_class(by_id(root, "p-2605.20006"), "meta")[0])
    assert "41 % is missing" in text(by_class(site.details("zh/2026-05-27")["2605.20004"], "notes")[0])


def test_an_untranslated_paper_is_shown_in_the_original(site: Site) -> None:
    paper = by_id(site.page(DAY), "p-2605.20004")
    heading = next(paper.iter("h3"))
    assert heading.get("lang") == "en"
    assert text(heading) == "Sparse Routing for Long-Context Retrieval"
    assert not by_class(paper, "original-title")


def test_english_pages_show_the_original_title_and_one_tldr(site: Site) -> None:
    paper = by_id(site.page("en/2026-05-27/index.html"), "p-2605.20007")
    assert text(next(paper.iter("h3"))) == "Sparse Routing for Long-Context Retrieval"
    assert len(by_class(paper, "tldr")) == 1
    assert not by_class(site.details("en/2026-05-27")["2605.20007"], "tldr-en")


def test_a_watched_paper_says_why_it_is_shown(site: Site) -> None:
    assert by_id(site.page(DAY), "p-2605.20005").get("data-watch") == LISTS[0].name
    why = text(by_class(site.details("zh/2026-05-27")["2605.20005"], "why")[0])
    assert "对话 <b>" in why
    assert "Dialogue Agents" in why


def test_the_paper_page_shows_what_changed_and_where_it_was_listed(site: Site) -> None:
    root = site.page("zh/paper/2605.11111/index.html")
    assert next(text(one) for one in root.iter("del")) == "98"
    assert next(text(one) for one in root.iter("ins")) == "99"
    assert "标题没有变化" in text(root)
    assert [one.get("datetime") for one in by_class(root, "versions")[0].iter("time")] == ["2026-05-27", "2026-05-22"]


def test_the_paper_page_carries_what_reference_managers_read(site: Site) -> None:
    names = {one.get("name"): one.get("content") for one in site.page("zh/paper/2605.20007/index.html").iter("meta")}
    assert names["citation_title"] == "Sparse Routing for Long-Context Retrieval"
    assert names["citation_arxiv_id"] == "2605.20007"


def test_the_archive_shows_counts_holidays_and_gaps(site: Site) -> None:
    cells = {text(by_class(one, "date")[0]): one.get("class") for one in site.page("zh/archive/index.html").iter("td") if by_class(one, "date")}
    assert cells["22"].startswith("level")
    assert cells["25"] == "holiday"
    assert cells["26"] == "gap"
    assert cells["28"] is None, "today may still come"


def test_an_opened_replacement_shows_what_changed(site: Site) -> None:
    changes = by_class(site.details("zh/2026-05-27")["2605.11111"], "changes")[0]
    assert next(text(one) for one in changes.iter("del")) == "98"


def test_every_page_says_in_a_line_what_it_is(site: Site) -> None:
    for path in site.pages():
        if path != "404.html":
            meta = {one.get("name") or one.get("property"): one.get("content") for one in site.page(path).iter("meta")}
            assert meta["description"] == meta["og:description"], path
            assert meta["description"], path
            assert meta["og:title"], path
    assert "cs.CL 18" in next(one.get("content", "") for one in site.page(DAY).iter("meta") if one.get("name") == "description")


def test_every_page_names_its_language_and_has_one_heading_of_the_first_rank(site: Site) -> None:
    for path in site.pages():
        root = site.page(path)
        html = root if root.tag == "html" else next(root.iter("html"))
        assert html.get("lang") in ("zh-Hans", "en"), path
        assert len(list(root.iter("h1"))) == 1, path


def test_hostile_texts_are_words_and_nothing_else(site: Site) -> None:
    for path in site.pages():
        for element in site.page(path).iter():
            tag = str(element.tag)
            if tag == "script":
                assert path == "404.html" or element.get("src", "").split("?")[0].endswith(
                    ("site.js", "rows.js", "narrow.js", "rank.js", "mine.js", "search-index.js", "search.js")
                ), path
            assert not any(str(name).lower().startswith("on") for name in element.attrib), path
            assert not re.match(r"\s*javascript:", element.get("href", ""), re.IGNORECASE), path
            assert tag not in ("iframe", "object", "embed", "base", "svg"), path
            if tag == "img":
                assert element.get("src", "").endswith(".svg"), path


def test_hostile_texts_can_still_be_read(site: Site) -> None:
    titles = [text(one) for one in site.page(DAY).iter("h3")]
    assert HOSTILE["script"] in titles
    assert HOSTILE["template"] in titles


def test_no_control_or_bidi_character_reaches_a_page(site: Site) -> None:
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", site.html(DAY))


def test_pages_forbid_scripts_that_are_not_their_own(site: Site) -> None:
    for path in site.pages():
        policy = next(one.get("content", "") for one in site.page(path).iter("meta") if one.get("http-equiv"))
        assert policy.startswith("default-src 'none'"), path
        assert re.match(r"default-src 'none'(; script-src ('self'|'sha256-)|$)", policy), path
        assert "unsafe-inline" not in policy


@pytest.mark.parametrize(
    ("words", "links"),
    [
        ("Code: https://github.com/a/b.", [("GitHub", "https://github.com/a/b")]),
        ("see (github.com/a/b_c), and https://x.example/p/.", [("GitHub", "https://github.com/a/b_c"), ("x.example", "https://x.example/p/")]),
        (r"\url{https://huggingface.co/x\_y}", [("Hugging Face", "https://huggingface.co/x_y")]),
        ("https://arxiv.org/abs/2605.1 and https://github.com/a and https://github.com/a/", [("GitHub", "https://github.com/a")]),
        ("javascript:alert(1) https://", []),
        ("mail me@github.com/ x", []),
    ],
)
def test_code_links_are_found_once_and_cleaned(words: str, links: list[tuple[str, str]]) -> None:
    assert [(one.label, one.url) for one in code_links(words)] == links


@pytest.mark.parametrize("tag", sorted(known_language_tags()))
def test_every_language_renders_every_page(tmp_path: Path, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    storage = Storage(tmp_path)
    old = make_paper("2605.11111", FIRST)
    write_day(storage, FIRST, [old], languages=(tag,))
    write_day(
        storage,
        LAST,
        [replace(old, version=2, announce_type=AnnounceType.REPLACE, listing_date=LAST, title="Another"), make_paper("2605.20004", LAST)],
        languages=(tag,),
        summaries=[quarantined(make_paper("2605.20004"), tag)],
    )
    build_site(storage, replace(OPTIONS, languages=(tag,), pages_only=True), now=lambda: datetime(2026, 5, 28, 12, tzinfo=UTC))
    label = load_language(tag).label
    site = Site(storage.local_path("site"))
    assert label("site", "untranslated_text") in text(site.details(f"{tag}/2026-05-27")["2605.20004"])
    assert label("site", "of_category").format(count=2) in text(site.page(f"{tag}/2026-05-27/index.html"))
    assert label("site", "what_changed").format(before=1, after=2) in text(site.page(f"{tag}/paper/2605.11111/index.html"))
    assert label("site", "gap") in text(site.page(f"{tag}/archive/index.html"))

"""What a reader finds, in Chromium and in Firefox: exactly the papers whose text holds the words."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest

from digest_pipeline import tables
from digest_pipeline.models import DigestEntry, Evidence, ListingInfo
from digest_pipeline.papers.ledger import day_ledger, write_facts, write_ledger
from digest_pipeline.site import paths, render
from digest_pipeline.site.build import build_site
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.site.search import search_page_values, update_search
from digest_pipeline.site.search.segmentation import normalized, tokens
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import an_entry
from digest_pipeline_tests.support.serving import folder_served

pytestmark = pytest.mark.slow

CATEGORIES = ["cs.CL", "cs.IR"]
FIRST = date(2026, 6, 1)

WORDS = {
    "zh": [
        "注意力",
        "机制",
        "对齐",
        "多模态",
        "知识图谱",
        "图像",
        "分割",
        "模型",
        "推理",
        "检索",
        "增强",
        "幻觉",
        "鲁棒性",
        "数据集",
        "智能体",
        "视频",
        "语音",
        "机器人",
        "三维",
        "点云",
    ],
    "ja": [
        "注意機構",
        "モデル",
        "学習",
        "データ",
        "推論",
        "画像",
        "翻訳",
        "音声",
        "ロボット",
        "グラフ",
        "検索",
        "評価",
        "生成",
        "対話",
        "表現",
        "拡散",
        "強化",
        "知識",
        "安全",
        "言語",
    ],
    "ko": [
        "주의",
        "모델",
        "학습",
        "데이터",
        "추론",
        "이미지",
        "번역",
        "음성",
        "로봇",
        "그래프",
        "검색",
        "평가",
        "생성",
        "대화",
        "표현",
        "확산",
        "강화",
        "지식",
        "안전",
        "언어",
    ],
    "de": [
        "Aufmerksamkeit",
        "Größe",
        "Übersetzung",
        "Maß",
        "Sprache",
        "Bilder",
        "Lernen",
        "Daten",
        "Straße",
        "Graph",
        "Suche",
        "Bewertung",
        "Dialog",
        "Wissen",
        "Vögel",
        "Ähnlichkeit",
    ],
}
ENGLISH = [
    "attention",
    "model",
    "learning",
    "data",
    "graph",
    "retrieval",
    "speech",
    "robot",
    "image",
    "dialogue",
    "alignment",
    "reward",
    "policy",
    "planning",
    "token",
    "gaussian",
    "naïve",
]
NAMES = ["Yoshua Beispiel", "Ana María Muster", "Wei Zhang", "Zhang Wei", "Zoë Example", "Ludwig van Muster", "Li Wei"]


class Page(Protocol):
    def goto(self, address: str) -> None: ...
    def evaluate(self, expression: str) -> Any: ...


class ChromiumPage:
    def __init__(self, page: Any) -> None:
        self._page = page

    def goto(self, address: str) -> None:
        self._page.goto(address)

    def evaluate(self, expression: str) -> Any:
        return self._page.evaluate(f"async () => ({expression})")


@contextmanager
def a_page(browser: str) -> Iterator[Page]:
    if browser == "firefox":
        from digest_pipeline_tests.support.firefox import firefox_page

        with firefox_page() as page:
            yield page
    else:
        from digest_pipeline_tests.support.browser import chromium

        with chromium() as running:
            yield ChromiumPage(running.new_page())


_ANSWER = """(async () => {
  const list = document.getElementById("search-results"), more = document.getElementById("search-more");
  document.getElementById("query").value = %s;
  document.getElementById("search").requestSubmit();
  while (list.dataset.total === undefined) await new Promise((done) => setTimeout(done, 5));
  const total = Number(list.dataset.total);
  while (list.children.length < total) {
    if (!more.hidden) more.click();
    await new Promise((done) => setTimeout(done, 5));
  }
  return {
    total,
    ids: [...list.children].map((one) => one.dataset.arxivId),
    marks: [...list.children].map((one) => [...one.querySelectorAll("mark")].map((mark) => mark.textContent)),
    said: document.getElementById("search-status").textContent,
  };
})()"""


def answer(page: Page, question: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_ANSWER % json.dumps(question))
    return found


def a_corpus(tag: str) -> list[DigestEntry]:
    """Ninety papers of three days, of the language's words glued together as its script does."""
    chance = random.Random(tag)
    glue = " " if tag in ("ko", "de") else ""
    mark = "." if tag in ("ko", "de") else "。"

    def sentence(words: list[str], between: str) -> str:
        return between.join(chance.choice(words) for _ in range(7))

    def text() -> str:
        return mark.join(sentence(WORDS[tag], glue) for _ in range(3)) + mark + f" {chance.choice(ENGLISH)} " + sentence(WORDS[tag], glue)

    return [
        an_entry(
            tag,
            arxiv_id=f"2606.{n:05}",
            listing_date=FIRST + timedelta(days=n % 3),
            title=sentence(ENGLISH, " "),
            abstract=f"{sentence(ENGLISH, ' ')}. {sentence(ENGLISH, '-')}, {sentence(ENGLISH, ' ')}; $x_{{{chance.choice(ENGLISH)}}}$.",
            authors=tuple(chance.sample(NAMES, 2)),
            summary={"translated_title": sentence(WORDS[tag], glue), "translated_abstract": text(), "tldr": text()},
        )
        for n in range(1, 91)
    ]


def write_site(folder: Path, tag: str, entries: list[DigestEntry]) -> None:
    """The search page and what it needs, without the rest of the site."""
    storage, language = Storage(folder), load_language(tag)
    by_day: dict[date, list[DigestEntry]] = {}
    for entry in entries:
        by_day.setdefault(entry.paper.listing_date, []).append(entry)
    outcome = update_search(storage, language, dict.fromkeys(by_day, "1"), by_day.__getitem__, CATEGORIES)
    renderer = render.Renderer(SiteOptions(languages=(tag,), categories=tuple(CATEGORIES)))
    page = renderer.page("search", paths.search_page(tag), language, place=paths.search_page, **search_page_values(outcome, language, CATEGORIES))
    storage.write_bytes(f"site/{paths.search_page(tag)}", page)
    for name in render.ASSETS:
        storage.write_bytes(f"site/assets/{name}", render.asset(name))


def holding(entries: list[DigestEntry], words: str) -> set[str]:
    """By reading: the papers whose text has the words, Latin ones as whole words."""
    wanted = re.escape(normalized(words)).replace(r"\ ", r"[\s\-]+")
    latin = re.match("[a-z]", normalized(words)) is not None
    pattern = re.compile(rf"(?<![a-z0-9]){wanted}(?![a-z0-9])" if latin else wanted)
    return {e.paper.arxiv_id for e in entries if any(pattern.search(normalized(text)) for text in texts_of(e))}


def shown_in(entries: list[DigestEntry], words: str) -> set[str]:
    """Those that hold them in a title or TL;DR, which a result shows; a sentence of the abstract needs the day's page beside it."""
    bare = [replace(e, paper=replace(e.paper, abstract=""), summary=replace(e.summary, translated_abstract="")) for e in entries]
    return holding(bare, words.strip('"'))


def texts_of(entry: DigestEntry) -> list[str]:
    paper, summary = entry.paper, entry.summary
    return [paper.title, paper.abstract, summary.translated_title, summary.translated_abstract, summary.tldr]


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_every_word_finds_exactly_the_papers_that_hold_it(browser: str, tmp_path: Path) -> None:
    corpora = {tag: a_corpus(tag) for tag in WORDS}
    for tag, entries in corpora.items():
        write_site(tmp_path / tag, tag, entries)
    wrong = []
    with a_page(browser) as page:
        for tag, entries in corpora.items():
            with folder_served(tmp_path / tag / "site") as address:
                page.goto(f"{address}/{tag}/search/index.html")
                questions = [*WORDS[tag], *ENGLISH, '"attention model"', '"graph retrieval"']
                questions += [one[:1] for one in WORDS[tag][:3] if tag in ("zh", "ja", "ko")] + (
                    [a + b for a, b in zip(WORDS[tag], WORDS[tag][1:], strict=False)] if tag in ("zh", "ja") else []
                )
                for question in questions:
                    found, want = answer(page, question), holding(entries, question.strip('"'))
                    if set(found["ids"]) != want or (found["total"] != len(want)):
                        wrong.append((tag, question, found["total"], len(want), sorted(set(found["ids"]) ^ want)[:3]))
                    elif not all(marks for one, marks in zip(found["ids"], found["marks"], strict=True) if one in shown_in(entries, question)):
                        wrong.append((tag, question, "nothing marked"))
    assert not wrong, f"{len(wrong)} questions, e.g. {wrong[:5]}"


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_names_ids_several_words_orders_and_typing_mistakes(browser: str, tmp_path: Path) -> None:
    entries = a_corpus("zh")
    write_site(tmp_path, "zh", entries)
    called = {name: {e.paper.arxiv_id for e in entries if name in e.paper.authors} for name in NAMES}
    with a_page(browser) as page, folder_served(tmp_path / "site") as address:
        page.goto(f"{address}/zh/search/index.html?q={quote('注意力')}")
        assert page.evaluate(
            "(async () => { const list = document.getElementById('search-results');"
            " while (!list.children.length) await new Promise((done) => setTimeout(done, 5)); return list.dataset.total; })()"
        ) == str(len(holding(entries, "注意力")))
        for name, ids in called.items():
            assert set(answer(page, name)["ids"]) == ids, name
        assert set(answer(page, "Muster, Ludwig van")["ids"]) == called["Ludwig van Muster"]
        assert set(answer(page, "Beispiel Yoshua")["ids"]) == called["Yoshua Beispiel"]
        assert answer(page, "arXiv:2606.00007v2")["ids"] == ["2606.00007"]
        both = answer(page, "注意力 机制")
        assert set(both["ids"]) == holding(entries, "注意力") & holding(entries, "机制")
        assert all(marks for one, marks in zip(both["ids"], both["marks"], strict=True) if one in shown_in(entries, "注意力"))
        assert "attention" in answer(page, "atention")["said"]
        assert answer(page, "xyzzyqq")["total"] == 0
        assert answer(page, "注意力x机制")["total"] == 0
        page.evaluate("(document.getElementById('order').value = 'day', 1)")
        newest = answer(page, "model")["ids"]
        day = {e.paper.arxiv_id: e.paper.listing_date for e in entries}
        assert newest == sorted(newest, key=lambda one: (day[one], one), reverse=True)


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_the_browser_cuts_texts_as_the_index_does(browser: str, tmp_path: Path) -> None:
    texts = [text for tag in WORDS for entry in a_corpus(tag)[:5] for text in texts_of(entry)]
    texts += [
        "Erdős–Rényi Ønsket İstanbul ﬁne ǅ ΑΣ ß ｶﾞ が ㌔ x² ½ Straße",
        "e.g. GPT-4.1's (2nd), a_b/c; «d» … — f",
        "深度学习（DL）与A/B测试:v2.0",
        "हिन्दी ไทย العربية עברית",
    ]
    write_site(tmp_path, "zh", a_corpus("zh")[:3])
    with a_page(browser) as page, folder_served(tmp_path / "site") as address:
        page.goto(f"{address}/zh/search/index.html")
        cut = page.evaluate(f"{json.dumps(texts)}.map((text) => digestSearch.pieces(text).map((one) => [one.term, one.at, one.isRun]))")
    for text, pieces in zip(texts, cut, strict=True):
        expected = [(term[i : i + 2], at + i) if is_run else (term, at) for term, at, is_run in pieces for i in (range(len(term)) if is_run else [0])]
        assert list(tokens(text)) == expected, text


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_result_shows_the_sentence_of_the_abstract_that_matched(browser: str, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    texts = {"translated_abstract": "第一句话。第二句说的是鲁棒性。第三句话。"}
    entries = [
        an_entry(arxiv_id="2606.00001", listing_date=FIRST, summary=texts),
        an_entry(arxiv_id="2606.00002", listing_date=FIRST, abstract="First one. The $x^2$ of sturdiness, proved. Last one."),
    ]
    papers, summaries = [e.paper for e in entries], {e.paper.arxiv_id: e.summary for e in entries}
    storage.write_table(storage.papers_file(FIRST), tables.papers_to_table(papers))
    storage.write_table(storage.summaries_file(FIRST, "zh"), tables.summaries_to_table(summaries.values()))
    ids = list(summaries)
    write_ledger(storage, FIRST, [day_ledger(FIRST, "all", "zh", announced_ids=ids, papers=papers, summaries=summaries, rendered_ids=ids)])
    write_facts(storage, ListingInfo(FIRST, True, Evidence.RSS, False))
    build_site(storage, SiteOptions(languages=("zh",), categories=tuple(CATEGORIES)), now=lambda: datetime(2026, 6, 2, tzinfo=UTC))
    with a_page(browser) as page, folder_served(tmp_path / "site") as address:
        page.goto(f"{address}/zh/search/index.html")
        for question, sentence in (("鲁棒性", "第二句说的是鲁棒性。"), ("sturdiness", "The x^2 of sturdiness, proved.")):
            answer(page, question)
            shown = page.evaluate(
                "(async () => { const line = () => document.querySelector('#search-results .excerpt');"
                " for (let n = 0; n < 400 && !line().querySelector('mark'); n++) await new Promise((done) => setTimeout(done, 10));"
                " return line().textContent; })()"
            )
            assert shown == sentence


def test_without_javascript_the_page_says_so(tmp_path: Path) -> None:
    write_site(tmp_path, "zh", a_corpus("zh")[:3])
    assert load_language("zh").label("search", "needs_script") in (tmp_path / "site/zh/search/index.html").read_text(encoding="utf-8")

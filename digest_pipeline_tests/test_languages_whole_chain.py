"""One paper through every shipped language at once: announced by arXiv, asked of an endpoint, in the digest, on its page.

A real run against loopback servers. The paper and its faithful answers are in `support/answers.py`; it is the only one of
its category, so that the day stays small.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from html.parser import HTMLParser

import dagster as dg
import pytest

from digest_pipeline import tables
from digest_pipeline.calendar import EASTERN
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.models import DigestEntry, SummaryStatus
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.site import paths
from digest_pipeline.translation.languages import Language, known_language_tags, load_language
from digest_pipeline_tests.support.answers import ANSWERS, PAPER, TLDR_EN, answer
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, Reply, completion, fake_openai
from digest_pipeline_tests.support.listing_days import ListingDay, generate_days
from digest_pipeline_tests.support.runs import Clients, live_clients, materialize

TAGS = sorted(known_language_tags())
TRANSLATED = [tag for tag in TAGS if tag != "en"]
DAY = date(2026, 6, 10)
CATEGORY = "q-fin.PM"
"""The generated papers are never in it."""


@dataclass
class Run:
    clients: Clients
    openai: FakeOpenAI
    arxiv_id: str
    success: bool

    def entry(self, tag: str) -> DigestEntry:
        [paper] = tables.papers_from_table(self.clients.storage.read_table(self.clients.storage.papers_file(DAY), tables.PAPERS))
        [summary] = tables.summaries_from_table(
            self.clients.storage.read_table(self.clients.storage.summaries_file(DAY, tag), tables.TRANSLATED_SUMMARIES)
        )
        return DigestEntry(paper, summary)

    def site(self, page: str) -> str:
        return self.clients.storage.read_text(f"site/{page}")


def days_with_the_paper() -> tuple[list[ListingDay], str]:
    """Generated days around `DAY`; one paper of its block carries the invented texts and stands alone in the category."""
    days = generate_days(date(2026, 6, 8), date(2026, 6, 12), papers_per_day=30)
    chosen = next(day for day in days if day.listing_date == DAY).block[12]
    chosen.categories = (CATEGORY, "cs.CL")
    chosen.versions[0] = replace(chosen.versions[0], title=PAPER.title, abstract=PAPER.abstract)
    return days, chosen.arxiv_id


def asked_language(asked: Asked) -> str:
    """By what the instructions name, as a model would tell; the longest name first, because Chinese is part of another."""
    instructions = asked.body["messages"][0]["content"]
    names = sorted(((load_language(tag).english_name, tag) for tag in TRANSLATED), key=lambda pair: -len(pair[0]))
    return next((tag for name, tag in names if f"into {name} (" in instructions), "en")


def faithful(asked: Asked) -> Reply:
    tag = asked_language(asked)
    return Reply(body=completion(answer(tag) if tag != "en" else json.dumps({"tldr_en": TLDR_EN})))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    days, arxiv_id = days_with_the_paper()
    with FakeArxiv(days, now=datetime.combine(DAY, time(12), EASTERN)) as arxiv, fake_openai() as openai, dg.DagsterInstance.ephemeral() as instance:
        openai.behave = faithful
        folder = tmp_path_factory.mktemp("languages")
        clients = live_clients(folder, arxiv, openai.url, DIGEST_CATEGORIES=CATEGORY, DIGEST_LANGUAGES=",".join(TAGS))
        result = materialize(clients, instance, DAY.isoformat())
        yield Run(clients, openai, arxiv_id, result.success)


def test_the_run_succeeds_and_asks_once_for_each_language(run: Run) -> None:
    assert run.success
    assert sorted(asked_language(asked) for asked in run.openai.asked) == TAGS


def test_the_ledger_balances_in_every_language(run: Run) -> None:
    rows = {(row.language, row.category): row for row in read_ledger(run.clients.storage, DAY)}
    assert set(rows) == {(tag, category) for tag in TAGS for category in (CATEGORY, "all")}
    for row in rows.values():
        assert (row.announced, row.fetched, row.translated, row.untranslated, row.rendered) == (1, 1, 1, 0, 1)


@pytest.mark.parametrize("tag", TAGS)
def test_a_faithful_answer_is_kept_without_a_flag_and_with_its_formulas_back(tag: str, run: Run) -> None:
    summary = run.entry(tag).summary
    assert (summary.arxiv_id, summary.status, summary.flags) == (run.arxiv_id, SummaryStatus.TRANSLATED, ())
    assert summary.tldr == ANSWERS[tag].get("tldr", TLDR_EN)
    assert summary.tldr_en == TLDR_EN
    if tag != "en":
        assert "$k$" in summary.translated_title
        for kept in ("$k=4$", "98.3\\%", "\\textbf{", "[7]", "https://example.org/lumarank"):
            assert kept in summary.translated_abstract
    assert "⟦" not in summary.translated_title + summary.translated_abstract


def words_of(language: Language) -> list[str]:
    return [f"# {language.label('digest', 'summary')}", f"# {language.label('digest', 'details')}"]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("category", [CATEGORY, "all"])
def test_the_digest_holds_the_paper_and_its_words_are_the_languages_own(tag: str, category: str, run: Run) -> None:
    digest = run.clients.storage.read_text(f"{run.clients.storage.digest_folder(tag, DAY)}/{category}.md")
    assert rendered_ids(digest) == [run.arxiv_id]
    assert f"\nlanguage: {tag}\n" in digest
    assert ANSWERS[tag].get("tldr", TLDR_EN) in digest
    for word in words_of(load_language(tag)):
        assert word in digest
    assert "announced 1 = fetched 1 = translated 1 + untranslated 0 = rendered 1" in digest


class _Page(HTMLParser):
    """What a reader's program takes from a page: its language, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.languages: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.languages += [value for name, value in attrs if name == "lang" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("tag", TAGS)
def test_the_day_has_a_page_in_the_language(tag: str, run: Run) -> None:
    page = _Page(run.site(paths.day_page(tag, DAY)))
    assert page.languages[0] == load_language(tag).html_lang
    assert ANSWERS[tag].get("tldr", TLDR_EN) in page.text
    translated_words = ANSWERS[tag].get("translated_title", PAPER.title).partition("⟦1⟧")[0].partition("$")[0].strip()
    assert translated_words in page.text


@pytest.mark.parametrize("tag", TAGS)
def test_feeds_and_exports_have_the_paper_in_the_language(tag: str, run: Run) -> None:
    feed = json.loads(run.site(paths.feed(tag, kind="json")))
    assert feed["language"] == load_language(tag).html_lang
    [item] = feed["items"]
    assert run.arxiv_id in item["id"]
    [row] = [json.loads(line) for line in run.site(paths.export(tag, DAY, "all", "jsonl")).splitlines()]
    assert (row["arxiv_id"], row["tldr"]) == (run.arxiv_id, ANSWERS[tag].get("tldr", TLDR_EN))

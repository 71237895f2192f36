"""A finished day read once: for every output the same papers, the same order, the same watch lists."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline.errors import SourceError
from digest_pipeline.models import AnnounceType, Evidence, ListingInfo, SummaryStatus
from digest_pipeline.notify.mail import read_mail_day
from digest_pipeline.papers.ledger import write_facts, write_ledger
from digest_pipeline.render.day import counts_in_words, in_reading_order, read_day
from digest_pipeline.render.reading import read_entries, read_papers
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import DAY, an_entry


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Three papers, translated into Chinese; of the newest there is a Japanese translation too."""
    storage = Storage(tmp_path)
    entries = [
        an_entry(arxiv_id="2606.00001"),
        an_entry(arxiv_id="2606.00003", summary={"translated_title": "关于茶"}),
        an_entry(arxiv_id="2606.00002", announce_type=AnnounceType.REPLACE, version=2),
    ]
    japanese = an_entry("ja", arxiv_id="2606.00003", summary={"translated_title": "抹茶について"}).summary
    storage.write_table(storage.papers_file(DAY), tables.papers_to_table(e.paper for e in entries))
    storage.write_table(storage.summaries_file(DAY, "zh"), tables.summaries_to_table(e.summary for e in entries))
    storage.write_table(storage.summaries_file(DAY, "ja"), tables.summaries_to_table([japanese]))
    write_ledger(storage, DAY, [])
    write_facts(storage, ListingInfo(DAY, True, Evidence.RSS, False))
    return storage


def test_papers_come_newest_first_and_replacements_at_the_end_of_a_digest(storage: Storage) -> None:
    day = read_day(storage, DAY, ["zh"])
    assert [paper.arxiv_id for paper in day.papers] == ["2606.00003", "2606.00002", "2606.00001"]
    assert [e.paper.arxiv_id for e in in_reading_order(day.entries("zh"))] == ["2606.00003", "2606.00001", "2606.00002"]
    assert list(counts_in_words(day.entries("zh"), load_language("zh")).values()) == [2, 1]


def test_a_language_that_a_paper_lacks_gives_a_summary_that_waits(storage: Storage) -> None:
    statuses = [e.summary.status for e in read_day(storage, DAY, ["ja"]).entries("ja")]
    assert statuses == [SummaryStatus.TRANSLATED, SummaryStatus.DEFERRED, SummaryStatus.DEFERRED]
    with pytest.raises(SourceError, match=r"2 papers of .* have no summary in ja, e\.g\. 2606\.00002"):
        read_entries(storage, DAY, "ja")


def test_a_day_without_a_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no papers table of 2026-01-05"):
        read_papers(Storage(tmp_path), date(2026, 1, 5))


def test_a_watch_list_shows_the_same_papers_in_the_mail_and_on_the_page_whatever_the_language(storage: Storage) -> None:
    lists = [WatchList("matcha", "Matcha", keywords=("抹茶",))]
    assert list(read_day(storage, DAY, ["zh", "ja"], lists).watched("matcha")) == ["2606.00003"]
    for languages in (["zh", "ja"], ["ja", "zh"]):
        (watch,) = read_mail_day(storage, DAY, languages, lists).watches
        assert list(watch.reasons) == ["2606.00003"]

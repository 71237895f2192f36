"""What arXiv sends when there is nothing, or not what was asked: each form is told apart from a listing, in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest_pipeline.arxiv import atom, rss
from digest_pipeline.errors import SourceError

RECORDINGS = Path(__file__).parent / "recordings"
NO_ATOM = {
    "rate_exceeded.txt": "no whole XML",
    "html_200.html": "no ",
    "api_error_entry.xml": "error entry: incorrect id format",
    "feed_bad_category.xml": "no Atom feed",
}
NO_FEED = {"rate_exceeded.txt": "no whole XML", "html_200.html": "no ", "api_error_entry.xml": "no RSS feed"}


def recorded(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def test_a_day_without_announcement_is_a_whole_feed_without_items() -> None:
    announcement = rss.read_feed(recorded("feed_empty_saturday.xml"))
    assert announcement == rss.Announcement(date(2026, 1, 17), ("cs.CL", "cs.IR"), ())


def test_a_bad_category_is_refused_with_arxivs_own_words() -> None:
    body = recorded("feed_bad_category.xml")
    with pytest.raises(SourceError, match="Bad subject class 'QQ'"):
        rss.read_feed(body)


def test_an_answer_that_matches_nothing_is_a_whole_answer_without_records() -> None:
    assert atom.read_page(recorded("api_empty.xml")).records == ()


@pytest.mark.parametrize("name", NO_ATOM)
def test_what_is_no_answer_of_the_api_is_never_an_empty_page(name: str) -> None:
    with pytest.raises(SourceError, match=NO_ATOM[name]):
        atom.read_page(recorded(name))


@pytest.mark.parametrize("name", NO_FEED)
def test_what_is_no_feed_is_never_an_empty_day(name: str) -> None:
    with pytest.raises(SourceError, match=NO_FEED[name]):
        rss.read_feed(recorded(name))


def test_every_recording_is_used_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    unused = [path.name for path in RECORDINGS.iterdir() if path.name != "README.md" and path.name not in tests]
    assert unused == []

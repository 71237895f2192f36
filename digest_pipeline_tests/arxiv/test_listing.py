"""One listing day, whichever way it is had, against a loopback arXiv with its habits and faults."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import requests

from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.id_ranges import BoundaryCache, IdRangeFinder
from digest_pipeline.arxiv.listing import ListingFetcher, fetch_listing
from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.errors import ArxivUnavailable, FeedIncomplete, ListingDateError, NotPublishedYet, RawCorrupt, SourceError
from digest_pipeline.models import NO_ABSTRACT, AnnounceType, Evidence
from digest_pipeline.papers.assemble import assemble_papers
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, Refusal, generate_days
from digest_pipeline_tests.support.fetchers import CATEGORIES, fetcher_for

CALENDAR = load_calendar()
RECORDINGS = Path(__file__).parents[1] / "recordings"
WEDNESDAY = date(2026, 6, 10)


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN)


@contextmanager
def arxiv_around(day: date, now: datetime, **oddities: object) -> Iterator[FakeArxiv]:
    """arXiv with the listings of a fortnight around `day`."""
    days = generate_days(day - timedelta(days=9), day + timedelta(days=6), skipped_evenings=set(CALENDAR.skipped), papers_per_day=120, **oddities)  # type: ignore[arg-type]
    with FakeArxiv(days, now=now) as arxiv:
        yield arxiv


def announced_versions(day: date, fetcher: ListingFetcher) -> dict[str, str]:
    manifest = fetch_listing(day, fetcher)
    return {f"{p.arxiv_id}v{p.version}": p.announce_type.value for p in assemble_papers(manifest, fetcher.raw, fetcher.categories).papers}


# -- past days ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 6, 10),
        date(2026, 6, 1),
        date(2026, 6, 2),
        date(2026, 6, 9),
        date(2025, 12, 1),
        date(2026, 1, 5),
        date(2026, 3, 9),
        date(2025, 11, 4),
    ],
    ids=[
        "ordinary",
        "last of a month",
        "first of a month",
        "tuesday",
        "after thanksgiving",
        "after new year",
        "spring clock change",
        "autumn clock change",
    ],
)
def test_a_past_day_is_exactly_its_id_block_within_fifteen_requests(day: date, tmp_path: Path) -> None:
    with arxiv_around(day, eastern(day + timedelta(days=30), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        manifest = fetch_listing(day, fetcher)
        papers = assemble_papers(manifest, fetcher.raw, CATEGORIES).papers
        assert sorted(p.arxiv_id for p in papers) == sorted(arxiv.day(day).block_ids(CATEGORIES))
        assert manifest.block == (arxiv.day(day).block[0].arxiv_id, arxiv.day(day).block[-1].arxiv_id)
        assert {p.evidence for p in papers} == {Evidence.ID_BLOCK}
        assert {p.version for p in papers} == {1}
        assert len(arxiv.requests) <= 15


def test_neighbouring_days_share_their_edges_and_cost_fewer_requests(tmp_path: Path) -> None:
    week = [date(2026, 6, d) for d in (8, 9, 10, 11, 12)]
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        together = fetcher_for(arxiv, tmp_path / "together")
        for day in week:
            fetch_listing(day, together)
        shared = len(arxiv.requests)
        for day in week:
            fetch_listing(day, fetcher_for(arxiv, tmp_path / str(day)))
        assert shared < len(arxiv.requests) - shared


def test_a_done_day_asks_nothing_and_a_later_category_comes_from_the_kept_block(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))
        asked = len(arxiv.requests)
        wider = fetcher_for(arxiv, tmp_path, (*CATEGORIES, "math"))
        papers = assemble_papers(fetch_listing(WEDNESDAY, wider), wider.raw, wider.categories).papers
        assert sorted(p.arxiv_id for p in papers) == sorted(arxiv.day(WEDNESDAY).block_ids(wider.categories))
        assert len(arxiv.requests) == asked


def test_refetching_asks_again_and_keeps_the_earlier_answers(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        first = fetch_listing(WEDNESDAY, fetcher)
        asked = len(arxiv.requests)
        arxiv.now = eastern(date(2026, 7, 11), 12)
        fetch_listing(WEDNESDAY, fetcher, refetch=True)
        assert len(arxiv.requests) > asked
        assert all((tmp_path / "raw" / "2026-06-10" / file.file).exists() for file in first.files)


def test_a_torn_raw_file_is_noticed_and_the_day_fetched_anew(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        manifest = fetch_listing(WEDNESDAY, fetcher)
        torn = tmp_path / "raw" / "2026-06-10" / manifest.files[-1].file
        torn.write_bytes(torn.read_bytes()[:-20])
        again = fetch_listing(WEDNESDAY, fetcher)
        fetcher.raw.verify(again)
        assert {p.arxiv_id for p in assemble_papers(again, fetcher.raw, CATEGORIES).papers} == set(arxiv.day(WEDNESDAY).block_ids(CATEGORIES))


@pytest.mark.parametrize("damage", [lambda body: gzip.compress(b"something else"), lambda body: b"no archive"], ids=["other content", "no archive"])
def test_a_raw_file_that_is_not_what_was_kept_is_noticed(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        manifest = fetch_listing(WEDNESDAY, fetcher)
        kept = tmp_path / "raw" / "2026-06-10" / manifest.files[-1].file
        kept.write_bytes(damage(kept.read_bytes()))
        with pytest.raises(RawCorrupt, match=kept.name):
            fetcher.raw.verify(manifest)
        asked = len(arxiv.requests)
        fetcher.raw.verify(fetch_listing(WEDNESDAY, fetcher))
        assert len(arxiv.requests) > asked


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 1}'])
def test_a_manifest_that_cannot_be_read_is_fetched_anew(text: str, tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        good = fetch_listing(WEDNESDAY, fetcher)
        (tmp_path / "raw" / "2026-06-10" / "manifest.json").write_text(text)
        with pytest.raises(RawCorrupt, match=r"manifest\.json"):
            fetcher.raw.manifest(WEDNESDAY)
        assert fetch_listing(WEDNESDAY, fetcher).block == good.block


def test_the_complete_mailing_of_2011_02_03_is_found_by_its_ids(tmp_path: Path) -> None:
    with (RECORDINGS / "mailing_2011-02-03.csv").open(encoding="utf-8") as file:
        new = [row for row in csv.DictReader(file) if row["type"] == "new"]
    records = {f"{r['arxiv_id']}v1": _record(r["arxiv_id"], r["submitted_utc"], r["categories"]) for r in new}
    block = IdRangeFinder(CALENDAR, _Recorded(records), BoundaryCache(storage_in(tmp_path)), log=lambda _: None).block(date(2011, 2, 3))
    assert [r.arxiv_id for r in block.records] == [f"1102.{n:04d}" for n in range(278, 556)]


class _Recorded:
    """Answers the two questions from a fixed set of papers."""

    def __init__(self, records: dict[str, ApiRecord]) -> None:
        self._records = records

    def submitted_between(self, opens_utc: datetime, closes_utc: datetime) -> list[ApiRecord]:
        return [r for r in self._records.values() if opens_utc <= r.submitted_at_utc < closes_utc]

    def records(self, versioned_ids: list[str]) -> list[ApiRecord]:
        return [self._records[i] for i in versioned_ids if i in self._records]


def _record(arxiv_id: str, submitted: str, categories: str) -> ApiRecord:
    at = datetime.fromisoformat(submitted).replace(tzinfo=UTC)
    names = tuple(categories.split())
    return ApiRecord(arxiv_id, 1, "t", "a", ("x",), ("",), names[0], names, None, None, None, at, at)


def storage_in(folder: Path):  # type: ignore[no-untyped-def]
    from digest_pipeline.storage import Storage

    return Storage(folder)


# -- days without announcement -----------------------------------------------------------------------


def test_a_skipped_day_is_explicit_empty_and_asks_nothing(tmp_path: Path) -> None:
    day = date(2026, 1, 2)
    with arxiv_around(day, eastern(date(2026, 2, 1), 12)) as arxiv:
        manifest = fetch_listing(day, fetcher_for(arxiv, tmp_path))
        assert not manifest.announced
        assert "New Year" in manifest.notes[0]
        assert arxiv.requests == []


def test_an_unlisted_holiday_is_recognised_and_its_papers_are_in_the_next_listing(tmp_path: Path) -> None:
    thursday = date(2026, 6, 11)
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12), unlisted_holidays={WEDNESDAY}) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        holiday = fetch_listing(WEDNESDAY, fetcher)
        assert not holiday.announced
        assert "touch" in holiday.notes[0]
        after = assemble_papers(fetch_listing(thursday, fetcher), fetcher.raw, CATEGORIES).papers
        assert sorted(p.arxiv_id for p in after) == sorted(arxiv.day(thursday).block_ids(CATEGORIES))


def test_where_the_ids_contradict_the_calendar_the_content_wins_and_says_so(tmp_path: Path) -> None:
    friday, monday = date(2025, 11, 28), date(2025, 12, 1)
    with arxiv_around(friday, eastern(date(2026, 1, 10), 12), announced_after_all={friday}) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        assert not fetch_listing(friday, fetcher).announced  # nobody knows better yet
        after = fetch_listing(monday, fetcher)
        assert "2025-11-28" in after.notes[0]
        assert {p.arxiv_id for p in assemble_papers(after, fetcher.raw, CATEGORIES).papers} == set(arxiv.day(monday).block_ids(CATEGORIES))
        corrected = fetch_listing(friday, fetcher)
        assert corrected.announced
        assert {p.arxiv_id for p in assemble_papers(corrected, fetcher.raw, CATEGORIES).papers} == set(arxiv.day(friday).block_ids(CATEGORIES))


# -- today's listing ---------------------------------------------------------------------------------


def test_todays_listing_is_the_feed_with_replacements_and_newly_cross_listed_papers(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        assert announced_versions(WEDNESDAY, fetcher) == arxiv.day(WEDNESDAY).announced(CATEGORIES)


def test_a_day_whose_feed_was_kept_is_served_from_it_later(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        fetch_listing(WEDNESDAY, fetcher)
        asked = len(arxiv.requests)
        arxiv.now = eastern(date(2026, 7, 10), 12)
        assert announced_versions(WEDNESDAY, fetcher) == arxiv.day(WEDNESDAY).announced(CATEGORIES)
        assert len(arxiv.requests) == asked


def test_the_announce_type_follows_the_configured_categories_not_the_ones_once_asked_for(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path, ("cs.CL", "cs.LG")))
        narrower = fetcher_for(arxiv, tmp_path, ("cs.CL",))
        assert announced_versions(WEDNESDAY, narrower) == arxiv.day(WEDNESDAY).announced(("cs.CL",))


def test_a_category_added_after_the_day_comes_from_the_id_block_beside_the_kept_feed(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))
        arxiv.now = eastern(date(2026, 7, 10), 12)
        wider = fetcher_for(arxiv, tmp_path, (*CATEGORIES, "math"))
        papers = assemble_papers(fetch_listing(WEDNESDAY, wider), wider.raw, wider.categories).papers
        assert {p.arxiv_id for p in papers} >= set(arxiv.day(WEDNESDAY).block_ids(wider.categories))
        assert any(p.announce_type is AnnounceType.REPLACE and p.evidence is Evidence.RSS for p in papers)
        assert any(p.evidence is Evidence.ID_BLOCK and p.primary_category.startswith("math") for p in papers)


NOT_YET: list[tuple[str, datetime, Callable[[FakeArxiv], None]]] = [
    ("the evening before, the feed still shows yesterday", eastern(date(2026, 6, 9), 21), lambda _: None),
    ("yesterday's items under today's date", eastern(WEDNESDAY, 3), lambda a: setattr(a.faults, "stale_feed", True)),
    ("one category stale", eastern(WEDNESDAY, 3), lambda a: a.faults.stale_categories.add("cs.CL")),
    ("one small category stale", eastern(WEDNESDAY, 3), lambda a: a.faults.stale_categories.add("cs.IR")),
    ("half filled", eastern(WEDNESDAY, 3), lambda a: setattr(a.faults, "feed_share", 0.5)),
]


@pytest.mark.parametrize(("_why", "now", "happens"), NOT_YET, ids=[why for why, _, _ in NOT_YET])
def test_a_feed_that_is_not_the_whole_listing_yet_means_wait(_why: str, now: datetime, happens: Callable[[FakeArxiv], None], tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, now) as arxiv:
        happens(arxiv)
        fetcher = fetcher_for(arxiv, tmp_path)
        with pytest.raises(NotPublishedYet):
            fetch_listing(WEDNESDAY, fetcher)
        assert fetcher.raw.manifest(WEDNESDAY) is None
        arxiv.faults.stale_feed, arxiv.faults.feed_share = False, 1.0
        arxiv.faults.stale_categories.clear()
        arxiv.now = eastern(WEDNESDAY, 4)
        assert announced_versions(WEDNESDAY, fetcher) == arxiv.day(WEDNESDAY).announced(CATEGORIES)


def feed_of(arxiv: FakeArxiv) -> bytes:
    return requests.get(f"{arxiv.rss_url}/{'+'.join(CATEGORIES)}", timeout=10).content


def without_items(feed: bytes, is_dropped: Callable[[bytes], object]) -> bytes:
    return re.sub(rb"<item>.*?</item>", lambda item: b"" if is_dropped(item[0]) else item[0], feed, flags=re.DOTALL)


def test_yesterdays_whole_feed_shortly_after_midnight_means_wait(tmp_path: Path) -> None:
    tuesday = date(2026, 6, 9)
    with arxiv_around(WEDNESDAY, eastern(tuesday, 3)) as arxiv:
        arxiv.faults.rss_bodies.append(feed_of(arxiv))
        arxiv.now = eastern(WEDNESDAY, 0, 5)
        with pytest.raises(NotPublishedYet, match=r"feed is dated 2026-06-09, not 2026-06-10.*asked for again"):
            fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))


def test_a_paper_that_the_feed_lost_is_added_from_its_block_and_named(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        lost = max(i for i, kind in arxiv.day(WEDNESDAY).announced(CATEGORIES).items() if kind == "new")  # not held: those come first
        arxiv.faults.rss_bodies.append(without_items(feed_of(arxiv), lambda item: lost.encode() in item))
        fetcher = fetcher_for(arxiv, tmp_path)
        manifest = fetch_listing(WEDNESDAY, fetcher)
        assert manifest.notes == (f"1 papers of the id block were not in the feed and are added: {lost.removesuffix('v1')}",)
        assert announced_versions(WEDNESDAY, fetcher) == arxiv.day(WEDNESDAY).announced(CATEGORIES)


@pytest.mark.parametrize("api_lag", [timedelta(0), timedelta(hours=20)], ids=["the API shows its papers", "the API lags"])
def test_a_category_without_a_paper_of_its_own_is_waited_for(api_lag: timedelta, tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        arxiv.faults.api_lag = api_lag
        arxiv.faults.rss_bodies.append(without_items(feed_of(arxiv), lambda item: b"cs.IR" in item))
        fetcher = fetcher_for(arxiv, tmp_path)
        with pytest.raises(NotPublishedYet, match=r"cs\.IR"):
            fetch_listing(WEDNESDAY, fetcher)
        assert fetcher.raw.manifest(WEDNESDAY) is None


def test_a_feed_cannot_be_judged_while_the_api_does_not_even_show_the_listing_before(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        arxiv.faults.api_lag = timedelta(days=2)
        with pytest.raises(NotPublishedYet, match="does not show the end of the listing before"):
            fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))


def test_an_unlisted_holidays_empty_feed_means_wait_on_the_day_itself(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 9), unlisted_holidays={WEDNESDAY}) as arxiv, pytest.raises(NotPublishedYet, match="no items"):
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))


def test_a_category_missing_from_the_feed_is_an_error_not_a_shorter_day(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        arxiv.faults.missing_categories.add("cs.IR")
        with pytest.raises(FeedIncomplete, match=r"cs\.IR"):
            fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))


def test_a_feed_at_its_cap_is_asked_in_halves_and_one_category_at_its_cap_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        whole = arxiv.day(WEDNESDAY).announced(CATEGORIES)
        cap = len(whole)
        arxiv.faults.feed_cap = cap
        monkeypatch.setattr("digest_pipeline.arxiv.rss.MOST_ITEMS", cap)
        assert announced_versions(WEDNESDAY, fetcher_for(arxiv, tmp_path / "halves")) == whole
        arxiv.faults.feed_cap = 3
        monkeypatch.setattr("digest_pipeline.arxiv.rss.MOST_ITEMS", 3)
        with pytest.raises(FeedIncomplete, match="cap"):
            fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path / "capped"))


def test_an_announced_paper_that_the_api_does_not_know_yet_keeps_the_feeds_own_text(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        late = arxiv.day(WEDNESDAY).block_ids(CATEGORIES)[3]
        arxiv.faults.hidden_ids.add(late)
        fetcher = fetcher_for(arxiv, tmp_path)
        assembled = assemble_papers(fetch_listing(WEDNESDAY, fetcher), fetcher.raw, CATEGORIES)
        paper = next(p for p in assembled.papers if p.arxiv_id == late)
        assert assembled.from_feed_text == (late,)
        assert paper.title
        assert paper.abstract
        assert "Announce Type" not in paper.abstract
        assert paper.authors
        assert paper.submitted_at_utc is None


@pytest.mark.parametrize("is_known", [True, False], ids=["with a record", "not known to the API yet"])
def test_an_announced_paper_without_a_category_in_the_feed_is_in_the_day(is_known: bool, tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 8)) as arxiv:
        odd = arxiv.day(WEDNESDAY).block_ids(("cs.CL",))[2]
        feed = re.sub(
            rb"<item>.*?</item>",
            lambda item: re.sub(rb"<category>.*?</category>", b"", item[0]) if odd.encode() in item[0] else item[0],
            feed_of(arxiv),
            flags=re.DOTALL,
        )
        arxiv.faults.rss_bodies.append(feed)
        if not is_known:
            arxiv.faults.hidden_ids.add(odd)
        fetcher = fetcher_for(arxiv, tmp_path, ("cs.CL",) if not is_known else CATEGORIES)
        papers = {p.arxiv_id: p for p in assemble_papers(fetch_listing(WEDNESDAY, fetcher), fetcher.raw, fetcher.categories).papers}
        assert set(arxiv.day(WEDNESDAY).block_ids(fetcher.categories)) <= papers.keys()
        assert papers[odd].categories == (next(p for p in arxiv.day(WEDNESDAY).block if p.arxiv_id == odd).categories if is_known else ("cs.CL",))


def test_on_a_day_the_calendar_skips_a_feed_with_new_ids_wins(tmp_path: Path) -> None:
    friday = date(2025, 11, 28)
    with arxiv_around(friday, eastern(friday, 3), announced_after_all={friday}) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        manifest = fetch_listing(friday, fetcher)
        assert manifest.announced
        assert "the content wins" in manifest.notes[0]
        assert announced_versions(friday, fetcher) == arxiv.day(friday).announced(CATEGORIES)


def test_on_a_skipped_day_that_is_today_an_empty_feed_confirms_the_calendar(tmp_path: Path) -> None:
    friday = date(2025, 11, 28)
    with arxiv_around(friday, eastern(friday, 3)) as arxiv:
        manifest = fetch_listing(friday, fetcher_for(arxiv, tmp_path))
        assert not manifest.announced
        assert len(arxiv.requests) == 1


def test_on_a_skipped_day_that_is_today_yesterdays_items_under_its_date_confirm_nothing(tmp_path: Path) -> None:
    """A holiday's feed is empty; this may be an announcement after all, in a feed that is stale."""
    friday = date(2025, 11, 28)
    with arxiv_around(friday, eastern(friday, 3), announced_after_all={friday}) as arxiv:
        arxiv.faults.stale_feed = True
        with pytest.raises(NotPublishedYet, match="it is stale"):
            fetch_listing(friday, fetcher_for(arxiv, tmp_path))


@pytest.mark.parametrize("day", [date(2025, 11, 28), WEDNESDAY], ids=["skipped", "ordinary"])
def test_an_outage_is_no_confirmation_that_nothing_was_announced(day: date, tmp_path: Path) -> None:
    with arxiv_around(day, eastern(day, 3)) as arxiv:
        arxiv.faults.rss_statuses.extend([503] * 4)
        fetcher = fetcher_for(arxiv, tmp_path)
        with pytest.raises(ArxivUnavailable):
            fetch_listing(day, fetcher)
        assert fetcher.raw.manifest(day) is None


# -- refusals and faults -----------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 6, 13), date(2026, 6, 29), date(2006, 1, 4)], ids=["a saturday", "the future", "before the present ids"])
def test_a_date_without_listing_is_refused_before_any_request(day: date, tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        with pytest.raises(ListingDateError):
            fetch_listing(day, fetcher_for(arxiv, tmp_path))
        assert arxiv.requests == []


FAULTS: list[tuple[str, Callable[[FakeArxiv], None]]] = [
    ("503 with Retry-After", lambda a: a.faults.api_statuses.extend([Refusal(503, retry_after="0"), 503])),
    ("429", lambda a: a.faults.api_statuses.append(429)),
    ("Rate exceeded with status 200", lambda a: a.faults.api_bodies.append(b"Rate exceeded.")),
    ("a page of HTML with status 200", lambda a: a.faults.api_bodies.append(b"<html><body>Service busy</body></html>")),
    ("an empty first page", lambda a: setattr(a.faults, "empty_pages", 2)),
    ("a torn page", lambda a: setattr(a.faults, "torn_bodies", 1)),
    ("a 503 of the feed", lambda a: a.faults.rss_statuses.append(503)),
    ("HTML for the feed", lambda a: a.faults.rss_bodies.append(b"<html></html>")),
]


@pytest.mark.parametrize(("_fault", "happens"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_passing_fault_costs_a_retry_and_no_paper(_fault: str, happens: Callable[[FakeArxiv], None], tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        happens(arxiv)
        assert announced_versions(WEDNESDAY, fetcher_for(arxiv, tmp_path)) == arxiv.day(WEDNESDAY).announced(CATEGORIES)


@pytest.mark.parametrize("body", [b"Rate exceeded.", b"<html></html>"])
def test_an_api_that_never_gives_a_usable_answer_fails_loudly_and_writes_nothing(body: bytes, tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        arxiv.faults.api_bodies.extend([body] * 50)
        fetcher = fetcher_for(arxiv, tmp_path)
        with pytest.raises(ArxivUnavailable, match="run the same partition again"):
            fetch_listing(WEDNESDAY, fetcher)
        assert fetcher.raw.manifest(WEDNESDAY) is None


def test_a_paper_without_title_or_abstract_ships_with_what_there_is_and_is_named(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(date(2026, 7, 10), 12)) as arxiv:
        fetcher = fetcher_for(arxiv, tmp_path)
        untitled, untold = arxiv.day(WEDNESDAY).block_ids(CATEGORIES)[:2]
        for paper in arxiv.day(WEDNESDAY).block:
            if paper.arxiv_id == untitled:
                paper.versions[0] = replace(paper.versions[0], title="")
            if paper.arxiv_id == untold:
                paper.versions[0] = replace(paper.versions[0], abstract="")
        assembled = assemble_papers(fetch_listing(WEDNESDAY, fetcher), fetcher.raw, CATEGORIES)
        papers = {p.arxiv_id: p for p in assembled.papers}
        assert papers.keys() == set(arxiv.day(WEDNESDAY).block_ids(CATEGORIES))
        assert papers[untitled].title == f"arXiv:{untitled}"
        assert papers[untold].abstract == NO_ABSTRACT
        assert sorted(assembled.incomplete) == sorted((untitled, untold))


def test_a_category_that_arxiv_does_not_know_is_refused_with_arxivs_own_words(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv, pytest.raises(SourceError, match=r"refuses the feed of cs\.XX.*DIGEST_CATEGORIES"):
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path, ("cs.XX",)))


def test_a_wrong_address_of_the_feed_is_told_with_its_status_and_setting(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        arxiv.faults.rss_statuses.append(404)
        with pytest.raises(ArxivUnavailable, match=r"HTTP 404.*DIGEST_ARXIV_RSS_URL"):
            fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))


def test_every_request_says_who_asks(tmp_path: Path) -> None:
    with arxiv_around(WEDNESDAY, eastern(WEDNESDAY, 3)) as arxiv:
        fetch_listing(WEDNESDAY, fetcher_for(arxiv, tmp_path))
        assert all("tests@example.org" in {k.lower(): v for k, v in r.headers.items()}["user-agent"] for r in arxiv.requests)

"""The stand-in for arXiv keeps arXiv's habits: what the tests of the source rest on."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import arxiv as arxiv_package
import feedparser
import pytest
import requests
from arxiv._feed import parse

from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, Faults, Refusal, generate_days
from digest_pipeline_tests.support.listing_days import ListingDay

UNION = ("cs.CL", "cs.IR")
MORNING = datetime(2026, 1, 15, 14, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def days() -> list[ListingDay]:
    return generate_days(date(2025, 12, 29), date(2026, 1, 23), skipped_evenings={date(2026, 1, 1), date(2026, 1, 19)})


def by_date(days: list[ListingDay]) -> dict[date, ListingDay]:
    return {day.listing_date: day for day in days}


def get(url: str, **params: str) -> requests.Response:
    with requests.Session() as session:
        return session.get(url, params=params, timeout=5)


def test_skipped_evenings_remove_the_next_business_days_listing(days: list[ListingDay]) -> None:
    listed = set(by_date(days))
    assert date(2026, 1, 2) not in listed
    assert date(2026, 1, 20) not in listed
    assert date(2026, 1, 19) in listed
    roll = by_date(days)[date(2026, 1, 21)]
    assert roll.window[0] == datetime(2026, 1, 16, 19, 0, tzinfo=UTC)


def test_ids_are_contiguous_and_restart_with_the_first_announcement_evening_of_a_month(days: list[ListingDay]) -> None:
    ids = [paper.arxiv_id for day in days for paper in day.block]
    assert len(ids) == len(set(ids))
    for month in ("2512", "2601"):
        numbers = [int(one[5:]) for one in ids if one.startswith(month)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    first_of_january = next(one for one in ids if one.startswith("2601"))
    assert first_of_january == "2601.00001"
    assert by_date(days)[date(2026, 1, 5)].block[0].arxiv_id == first_of_january  # Sunday evening, 4 January
    assert by_date(days)[date(2026, 1, 1)].block[0].arxiv_id.startswith("2512")  # the evening of 31 December


def test_a_block_opens_with_held_papers_and_then_follows_the_window_in_order() -> None:
    days = generate_days(date(2026, 3, 2), date(2026, 3, 13), papers_per_day=900)
    held = total = inversions = 0
    for day in days:
        start, end = day.window
        times = [paper.submitted_at for paper in day.block]
        on_time = [instant for instant in times if instant > start]
        assert times[len(times) - len(on_time) :] == on_time
        assert max(on_time) <= end
        held, total = held + len(times) - len(on_time), total + len(times)
        inversions += sum(later < earlier for earlier, later in pairwise(on_time))
    assert 0.05 < held / total < 0.08
    assert inversions / total < 0.0025


def test_an_unlisted_holidays_papers_roll_into_the_next_listing() -> None:
    days = by_date(generate_days(date(2026, 1, 12), date(2026, 1, 16), unlisted_holidays={date(2026, 1, 14)}))
    assert date(2026, 1, 14) not in days
    assert days[date(2026, 1, 15)].window[0] == days[date(2026, 1, 13)].window[1]
    assert int(days[date(2026, 1, 15)].block[0].arxiv_id[5:]) == int(days[date(2026, 1, 13)].block[-1].arxiv_id[5:]) + 1


def test_a_skipped_evening_can_have_been_announced_after_all() -> None:
    first, last, friday = date(2025, 11, 24), date(2025, 12, 2), date(2025, 11, 28)
    assert friday not in by_date(generate_days(first, last, skipped_evenings={date(2025, 11, 27)}))
    assert friday in by_date(generate_days(first, last, skipped_evenings={date(2025, 11, 27)}, announced_after_all={friday}))


def test_the_feed_lists_exactly_the_days_announcement_with_types_for_the_union(days: list[ListingDay]) -> None:
    with FakeArxiv(days, now=MORNING) as arxiv:
        feed = feedparser.parse(get(f"{arxiv.rss_url}/cs.CL+cs.IR").content)
        assert feed.feed.title == "cs.CL, cs.IR updates on arXiv.org"
        assert feed.feed.published == "Thu, 15 Jan 2026 00:00:00 -0500"
        listed = {item.id.removeprefix("oai:arXiv.org:"): item.arxiv_announce_type for item in feed.entries}
        assert listed == arxiv.day(date(2026, 1, 15)).announced(UNION)
        assert set(Counter(listed.values())) == {"new", "cross", "replace", "replace-cross"}
        item = feed.entries[0]
        assert item.description.startswith(f"arXiv:{item.id.removeprefix('oai:arXiv.org:')} Announce Type: {item.arxiv_announce_type} \nAbstract: ")


def test_the_feed_flips_at_eastern_midnight_and_is_empty_on_a_holiday(days: list[ListingDay]) -> None:
    with FakeArxiv(days, now=datetime(2026, 1, 15, 4, 59, tzinfo=UTC)) as arxiv:
        assert "Wed, 14 Jan 2026" in get(f"{arxiv.rss_url}/cs.CL").text
        arxiv.now = datetime(2026, 1, 15, 5, 0, tzinfo=UTC)
        assert "Thu, 15 Jan 2026" in get(f"{arxiv.rss_url}/cs.CL").text
        arxiv.now = datetime(2026, 1, 20, 15, 0, tzinfo=UTC)
        holiday = get(f"{arxiv.rss_url}/cs.CL").text
        assert "Tue, 20 Jan 2026 00:00:00 -0500" in holiday
        assert "<item>" not in holiday


def test_an_unknown_category_is_an_error_feed(days: list[ListingDay]) -> None:
    with FakeArxiv(days, now=MORNING) as arxiv:
        answer = get(f"{arxiv.rss_url}/cs.NOPE")
        assert answer.status_code == 400
        assert "<title>Feed error for query:" in answer.text


def test_the_arxiv_package_reads_versions_and_misses_unknown_ids_silently(days: list[ListingDay]) -> None:
    day = by_date(days)[date(2026, 1, 15)]
    replaced, number = day.replacements[0]
    with FakeArxiv(days, now=MORNING) as arxiv:
        client = arxiv_package.Client(page_size=100, delay_seconds=0, num_retries=0)
        client.query_url_format = f"{arxiv.api_url}?{{}}"
        wanted = [f"{replaced.arxiv_id}v{number}", f"{replaced.arxiv_id}v1", "2601.99999v1"]
        found = {result.get_short_id(): result for result in client.results(arxiv_package.Search(id_list=wanted, max_results=None))}
        client._session.close()
        assert sorted(found) == sorted(wanted[:2])
        assert found[wanted[0]].updated > found[wanted[1]].updated
        assert found[wanted[0]].published == found[wanted[1]].published == replaced.submitted_at


def test_a_search_by_submission_is_inclusive_and_can_name_categories(days: list[ListingDay]) -> None:
    day = by_date(days)[date(2026, 1, 15)]
    start, end = day.window
    dates = f"submittedDate:[{start:%Y%m%d%H%M} TO {end:%Y%m%d%H%M}]"
    with FakeArxiv(days, now=MORNING) as arxiv:
        everything = parse(get(arxiv.api_url, search_query=dates, max_results="500", sortBy="submittedDate", sortOrder="ascending").content)
        some = parse(get(arxiv.api_url, search_query=f"{dates} AND (cat:cs.CL OR cat:cs.IR)", max_results="500").content)
        page = parse(get(arxiv.api_url, search_query=dates, start="5", max_results="7", sortBy="submittedDate", sortOrder="ascending").content)
    times = [result.published for result in everything.results]
    assert times == sorted(times)
    assert {paper.arxiv_id for paper in day.block if start <= paper.submitted_at} <= {r.get_short_id().split("v")[0] for r in everything.results}
    assert all(start <= instant <= end for instant in times)
    assert {r.entry_id for r in some.results} == {r.entry_id for r in everything.results if set(r.categories) & set(UNION)}
    assert [r.entry_id for r in page.results] == [r.entry_id for r in everything.results[5:12]]
    assert page.header.total_results == len(everything.results)


def test_the_api_lags_behind_the_announcement_and_has_holes(days: list[ListingDay]) -> None:
    day = by_date(days)[date(2026, 1, 15)]
    first, second = (paper.arxiv_id for paper in day.block[:2])
    with FakeArxiv(days, now=day.announced_at + timedelta(hours=1), faults=Faults(hidden_ids={second})) as arxiv:
        assert parse(get(arxiv.api_url, id_list=f"{first},{second}").content).results == []
        arxiv.now = day.announced_at + timedelta(hours=2)
        assert [r.get_short_id() for r in parse(get(arxiv.api_url, id_list=f"{first},{second}").content).results] == [f"{first}v1"]


def test_bad_ids_and_bad_queries_are_refused_with_an_error_entry(days: list[ListingDay]) -> None:
    with FakeArxiv(days, now=MORNING) as arxiv:
        for params in ({"id_list": "abc"}, {"search_query": "submittedDate:[x TO y]"}, {"id_list": "2601.00001", "start": "99999"}):
            answer = get(arxiv.api_url, **params)
            assert answer.status_code == 400
            assert "https://arxiv.org/api/errors#" in answer.text


def test_faults_are_used_up_and_requests_are_recorded(days: list[ListingDay]) -> None:
    faults = Faults()
    faults.api_statuses.extend([Refusal(429, retry_after="2"), 503])
    faults.api_bodies.append(b"Rate exceeded.")
    faults.empty_pages, one = 1, days[3].block[0].arxiv_id
    with FakeArxiv(days, now=MORNING, faults=faults) as arxiv:
        refused = get(arxiv.api_url, id_list=one)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert get(arxiv.api_url, id_list=one).status_code == 503
        assert get(arxiv.api_url, id_list=one).text == "Rate exceeded."
        empty = parse(get(arxiv.api_url, id_list=one).content)
        assert (len(empty.results), empty.header.total_results) == (0, 1)
        assert len(parse(get(arxiv.api_url, id_list=one).content).results) == 1
        faults.torn_bodies = 1
        with pytest.raises(requests.RequestException):
            get(f"{arxiv.rss_url}/cs.CL")
        assert [request.kind for request in arxiv.requests] == ["api"] * 5 + ["rss"]
        assert arxiv.requests[0].query == f"id_list={one}"
        assert arxiv.peak_concurrency == 1


def test_feeds_can_be_stale_capped_short_or_lack_a_category(days: list[ListingDay]) -> None:
    faults = Faults(stale_feed=True)
    wednesday, thursday = (by_date(days)[day] for day in (date(2026, 1, 14), date(2026, 1, 15)))

    def feed() -> tuple[str, dict[str, str]]:
        parsed = feedparser.parse(get(f"{arxiv.rss_url}/cs.CL+cs.IR").content)
        assert parsed.feed.published.startswith("Thu, 15 Jan 2026")
        return parsed.feed.title, {item.id.removeprefix("oai:arXiv.org:"): item.arxiv_announce_type for item in parsed.entries}

    with FakeArxiv(days, now=MORNING, faults=faults) as arxiv:
        assert feed()[1] == wednesday.announced(UNION)
        faults.stale_feed, faults.stale_categories = False, {"cs.IR"}
        assert set(feed()[1]) == set(thursday.announced(["cs.CL"])) | set(wednesday.announced(["cs.IR"]))
        faults.stale_categories, faults.missing_categories = set(), {"cs.IR"}
        assert feed() == ("cs.CL updates on arXiv.org", thursday.announced(["cs.CL"]))
        faults.missing_categories, faults.feed_cap = set(), 8
        capped = feed()[1]
        assert len(capped) == 8
        assert sum(kind.startswith("replace") for kind in capped.values()) == min(
            8, sum(k.startswith("replace") for k in thursday.announced(UNION).values())
        )
        faults.feed_cap, faults.feed_share = 2000, 0.5
        assert len(feed()[1]) < len(thursday.announced(UNION))

"""The block of ids of one listing: its edges on clear and on doubtful evidence, and what is said where they are in doubt."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest_pipeline.arxiv.api import IDS_PER_REQUEST
from digest_pipeline.arxiv.id_boundaries import BoundaryCache, BoundaryKind, IdBoundary, id_of, number_of, rising_run
from digest_pipeline.arxiv.id_ranges import IdRange, IdRangeFinder
from digest_pipeline.calendar import ListingCalendar, load_calendar
from digest_pipeline.errors import BoundaryUnclear, NotPublishedYet
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.corpus import Corpus, eastern, held, record, steady
from digest_pipeline_tests.support.listing_days import generate_days

CALENDAR = load_calendar()
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 6, day) for day in range(8, 13))
WEEK = [date(2026, 6, 5), MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY]
MONTH = "2606"


class Finder:
    """A finder over a corpus, with the edges it keeps and the lines it logs."""

    def __init__(self, corpus: Corpus, folder: Path, calendar: ListingCalendar = CALENDAR) -> None:
        self.corpus, self.log = corpus, list[str]()
        self.boundaries = BoundaryCache(Storage(folder))
        self.finder = IdRangeFinder(calendar, corpus, self.boundaries, log=self.log.append)

    def ids(self, day: date) -> list[str]:
        return [r.arxiv_id for r in self.finder.block(day).records]


def freeze(day: date) -> datetime:
    """When submissions to the listing dated `day` closed."""
    return CALENDAR.freeze_utc(day)


def window(day: date, minutes: int = 15) -> list[datetime]:
    return steady(freeze(CALENDAR.previous_listing(day)), freeze(day), minutes)


def week_of(held_papers: dict[date, int] | int = 20, days: Sequence[date] = WEEK, minutes: int = 15) -> tuple[Corpus, dict[date, list[str]]]:
    """Listings from number 1000 on, each opened by its held papers; which ids each has."""
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in days:
        count = held_papers if isinstance(held_papers, int) else held_papers.get(day, 20)
        ids[day] = corpus.announce(MONTH, [*held(count, freeze(CALENDAR.previous_listing(day))), *window(day, minutes)])
    return corpus, ids


# -- the ordinary case -------------------------------------------------------------------------------


def test_a_block_between_two_drops_is_exact_named_and_without_a_note(tmp_path: Path) -> None:
    corpus, ids = week_of()
    block = Finder(corpus, tmp_path).finder.block(WEDNESDAY)
    assert [r.arxiv_id for r in block.records] == ids[WEDNESDAY]
    assert (block.listing_date, block.announced, block.first_id, block.last_id) == (WEDNESDAY, True, ids[WEDNESDAY][0], ids[WEDNESDAY][-1])
    assert (block.notes, block.contradicted) == ((), ())


def test_no_id_and_no_search_is_asked_twice(tmp_path: Path) -> None:
    corpus, _ = week_of()
    found = Finder(corpus, tmp_path)
    found.finder.block(WEDNESDAY)
    assert len(corpus.asked) == len(set(corpus.asked))
    assert len(corpus.searches) == len(set(corpus.searches)) == 2
    assert all(i.endswith("v1") for i in corpus.asked)


def test_a_found_edge_is_kept_and_begins_the_next_day_without_a_search(tmp_path: Path) -> None:
    corpus, ids = week_of()
    found = Finder(corpus, tmp_path)
    found.finder.block(WEDNESDAY)
    kept = found.boundaries.get(freeze(WEDNESDAY))
    assert kept is not None
    assert (kept.kind, kept.held, kept.month, kept.last_before) == (BoundaryKind.DROP, 20, MONTH, number_of(ids[WEDNESDAY][-1]))
    again = Finder(corpus, tmp_path)
    corpus.searches.clear()
    assert again.ids(THURSDAY) == ids[THURSDAY]
    assert len(corpus.searches) == 1


def test_a_kept_edge_at_the_end_needs_no_search_either(tmp_path: Path) -> None:
    corpus, ids = week_of()
    for day in (TUESDAY, THURSDAY):
        Finder(corpus, tmp_path).finder.block(day)
    corpus.searches.clear()
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]
    assert corpus.searches == []


@settings(max_examples=6)
@given(
    st.integers(0, 10_000), st.sampled_from([250, 500]), st.sampled_from([date(2026, 6, 10), date(2026, 6, 1), date(2025, 12, 1), date(2026, 3, 9)])
)
@example(72, 250, date(2026, 6, 10))  # two papers held from the last minutes before a freeze, and one that was not, with the id before theirs
@example(72, 250, date(2025, 12, 1))
def test_no_paper_is_lost_or_doubled_between_generated_days_and_only_what_continues_a_run_is_given_to_it(seed: int, size: int, day: date) -> None:
    """The first held paper of a block may have been submitted just before the freeze; then no id tells it from the run before.

    Days are large enough to have some ten held papers each; with fewer no edge is evident, and days may be joined.
    """
    days = generate_days(day - timedelta(days=9), day + timedelta(days=9), skipped_evenings=set(CALENDAR.skipped), papers_per_day=size, seed=seed)
    corpus = Corpus()
    corpus.known = {p.arxiv_id: record(p.arxiv_id, p.submitted_at) for listing in days for p in listing.block}
    at = [listing.listing_date for listing in days].index(day)
    with tempfile.TemporaryDirectory() as folder:
        found = Finder(corpus, Path(folder))
        found = [found.ids(listing.listing_date) for listing in days[at : at + 3]]
    announced = [p for listing in days[at : at + 3] for p in listing.block]
    together = [i for ids in found for i in ids]
    seams = {days[at + n].block[-1].arxiv_id: freeze(days[at + n].listing_date) for n in range(3)}
    first_given = len([i for i in [p.arxiv_id for p in announced] if i not in together and i < together[0]])
    assert together[: len(announced) - first_given] == [p.arxiv_id for p in announced][first_given:]
    for ids, listing in zip(found, days[at : at + 3], strict=True):
        last = listing.block[-1]
        given = [r for r in corpus.known.values() if last.arxiv_id < r.arxiv_id <= ids[-1]]
        assert ids[-1] >= last.arxiv_id
        assert all(r.submitted_at_utc < seams[last.arxiv_id] for r in given)
        assert not given or given[-1].submitted_at_utc >= min(p.submitted_at for p in listing.block[-3:])


# -- doubtful edges ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "kind"), [(0, BoundaryKind.CLOCK), (4, BoundaryKind.CLOCK), (5, BoundaryKind.DROP)])
def test_few_held_papers_prove_no_announcement_and_the_note_says_so(count: int, kind: BoundaryKind, tmp_path: Path) -> None:
    corpus, ids = week_of({THURSDAY: count, WEDNESDAY: 5})
    found = Finder(corpus, tmp_path)
    block = found.finder.block(WEDNESDAY)
    assert [r.arxiv_id for r in block.records] == ids[WEDNESDAY]
    kept = found.boundaries.get(freeze(WEDNESDAY))
    assert kept is not None
    assert (kept.kind, kept.held) == (kind, count)
    expected = () if kind is BoundaryKind.DROP else (f"the block's end is told by the clock alone ({freeze(WEDNESDAY).isoformat()})",)
    assert block.notes == expected


def test_a_beginning_told_by_the_clock_is_noted_and_exact(tmp_path: Path) -> None:
    corpus, ids = week_of({WEDNESDAY: 0, THURSDAY: 9})
    block = Finder(corpus, tmp_path).finder.block(WEDNESDAY)
    assert [r.arxiv_id for r in block.records] == ids[WEDNESDAY]
    assert block.notes == (f"the block's beginning is told by the clock alone ({freeze(TUESDAY).isoformat()})",)


def test_a_time_without_held_papers_has_every_edge_from_the_clock(tmp_path: Path) -> None:
    """As in February 2011."""
    corpus, ids = week_of(0)
    block = Finder(corpus, tmp_path).finder.block(WEDNESDAY)
    assert [r.arxiv_id for r in block.records] == ids[WEDNESDAY]
    assert block.notes == (f"the block's end is told by the clock alone ({freeze(WEDNESDAY).isoformat()})",)


# -- a holiday that the calendar does not list -------------------------------------------------------


def with_holiday(held_papers: int = 20) -> tuple[Corpus, dict[date, list[str]]]:
    """Wednesday did not happen; its submissions went out on Thursday."""
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in (date(2026, 6, 5), MONDAY, TUESDAY):
        ids[day] = corpus.announce(MONTH, [*held(held_papers, freeze(CALENDAR.previous_listing(day))), *window(day)])
    ids[THURSDAY] = corpus.announce(MONTH, [*held(held_papers, freeze(TUESDAY)), *window(WEDNESDAY), *window(THURSDAY)])
    ids[FRIDAY] = corpus.announce(MONTH, [*held(held_papers, freeze(THURSDAY)), *window(FRIDAY)])
    return corpus, ids


def test_a_holiday_without_ids_of_its_own_is_no_announcement(tmp_path: Path) -> None:
    found = Finder(with_holiday()[0], tmp_path)
    block = found.finder.block(WEDNESDAY)
    assert (block.announced, block.first_id, block.last_id, block.records) == (False, None, None, ())
    assert "the ids run through the freeze of" in block.notes[0]
    assert found.boundaries.get(freeze(WEDNESDAY)) is None


def test_the_listing_after_such_a_holiday_has_the_papers_of_both_days(tmp_path: Path) -> None:
    corpus, ids = with_holiday()
    found = Finder(corpus, tmp_path)
    assert found.ids(THURSDAY) == ids[THURSDAY]
    assert any(f"submissions rolled into {THURSDAY}" in line for line in found.log)


@pytest.mark.parametrize(("count", "is_holiday"), [(9, False), (10, True)])
def test_only_a_time_that_releases_held_papers_in_bulk_proves_a_holiday(count: int, is_holiday: bool, tmp_path: Path) -> None:
    """Otherwise every day of 2011 would look like one."""
    assert Finder(with_holiday(count)[0], tmp_path).finder.block(WEDNESDAY).announced is not is_holiday


# -- submissions frozen at another hour ----------------------------------------------------------------


@pytest.mark.parametrize("shift", [timedelta(hours=2), timedelta(hours=-2)], ids=["later", "earlier"])
def test_a_freeze_at_another_hour_of_the_day_is_found_where_the_held_papers_are(shift: timedelta, tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in WEEK:
        opens = freeze(CALENDAR.previous_listing(day)) + (shift if day == THURSDAY else timedelta())
        closes = freeze(day) + (shift if day == WEDNESDAY else timedelta())
        ids[day] = corpus.announce(MONTH, [*held(80, opens), *steady(opens, closes, 5)])
    found = Finder(corpus, tmp_path)
    assert found.ids(WEDNESDAY) == ids[WEDNESDAY]
    assert found.ids(THURSDAY) == ids[THURSDAY]
    said = f"submissions were frozen about {(freeze(WEDNESDAY) + shift).isoformat()}, not at {freeze(WEDNESDAY).isoformat()}"
    assert (said in found.log) is (shift > timedelta())  # an earlier one needs no second look: the held papers tell it by themselves
    kept = found.boundaries.get(freeze(WEDNESDAY))  # under the calendar's hour, where it is looked for
    assert kept is not None
    assert kept.kind is BoundaryKind.DROP


# -- months ------------------------------------------------------------------------------------------


def over_the_turn_of_a_month() -> tuple[Corpus, dict[date, list[str]]]:
    """From May to June 2026: Monday 06-01 was frozen on Friday 05-29."""
    corpus, ids = Corpus(), {}
    corpus.announce("2605", [], first=7000)
    for day in (date(2026, 5, 28), date(2026, 5, 29), date(2026, 6, 1)):
        ids[day] = corpus.announce("2605", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    for day in (date(2026, 6, 2), date(2026, 6, 3), date(2026, 6, 4)):
        ids[day] = corpus.announce("2606", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    return corpus, ids


@pytest.mark.parametrize("day", [date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)], ids=["last of May's ids", "first of June's", "second"])
def test_ids_restart_with_the_first_freeze_of_a_month(day: date, tmp_path: Path) -> None:
    corpus, ids = over_the_turn_of_a_month()
    block = Finder(corpus, tmp_path).finder.block(day)
    assert [r.arxiv_id for r in block.records] == ids[day]
    assert block.notes == ()


def test_where_the_weekend_turns_the_month_the_ids_are_asked_and_not_the_rule(tmp_path: Path) -> None:
    """Should arXiv ever number Sunday's announcement by Sunday's month, the ids say so themselves."""
    corpus, ids = Corpus(), {}
    monday = date(2026, 8, 3)  # frozen Friday 07-31, announced Sunday 08-02
    corpus.announce("2607", [], first=9000)
    for day in (date(2026, 7, 30), date(2026, 7, 31)):
        ids[day] = corpus.announce("2607", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    for day in (monday, date(2026, 8, 4), date(2026, 8, 5)):
        ids[day] = corpus.announce("2608", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    for day in (date(2026, 7, 31), monday, date(2026, 8, 4)):
        assert Finder(corpus, tmp_path / str(day)).ids(day) == ids[day]


@pytest.mark.parametrize(
    ("month", "number", "arxiv_id"), [("1412", 7, "1412.0007"), ("1501", 7, "1501.00007"), ("2606", 12345, "2606.12345"), ("0704", 1, "0704.0001")]
)
def test_numbers_had_four_digits_until_the_end_of_2014(month: str, number: int, arxiv_id: str) -> None:
    assert id_of(month, number) == arxiv_id
    assert number_of(arxiv_id) == number


# -- the ends of what exists ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, IDS_PER_REQUEST, IDS_PER_REQUEST + 1, 2 * IDS_PER_REQUEST + 30])
def test_the_newest_block_ends_where_a_whole_page_of_ids_is_absent(size: int, tmp_path: Path) -> None:
    corpus, ids = week_of(days=WEEK[:3], minutes=1)
    opens = freeze(TUESDAY)
    ids[WEDNESDAY] = corpus.announce(MONTH, [*held(20, opens), *steady(opens, opens + timedelta(minutes=size), 1)])
    found = Finder(corpus, tmp_path)
    assert found.ids(WEDNESDAY) == ids[WEDNESDAY]
    assert found.boundaries.get(freeze(WEDNESDAY)) is None  # later answers may move it
    assert found.boundaries.get(freeze(TUESDAY)) is not None


def test_a_listing_of_which_nothing_exists_yet_is_not_published_yet(tmp_path: Path) -> None:
    corpus, _ = week_of(days=WEEK[:3])
    with pytest.raises(NotPublishedYet, match=rf"{WEDNESDAY}.*nor any after it"):
        Finder(corpus, tmp_path).finder.block(WEDNESDAY)


def test_the_first_block_of_all_begins_with_what_exists_below_its_run(tmp_path: Path) -> None:
    corpus, ids = week_of({WEDNESDAY: IDS_PER_REQUEST + 50}, days=[WEDNESDAY, THURSDAY, FRIDAY])
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


@pytest.mark.parametrize(("days_old", "is_clear"), [(399, True), (402, False)])
def test_papers_of_long_ago_below_such_a_block_make_its_beginning_unclear(days_old: int, is_clear: bool, tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    ids[WEDNESDAY] = corpus.announce(MONTH, [freeze(TUESDAY) - timedelta(days=days_old), *window(WEDNESDAY)])
    corpus.announce(MONTH, [*held(20, freeze(WEDNESDAY)), *window(THURSDAY)])
    if is_clear:
        assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]
    else:
        with pytest.raises(BoundaryUnclear, match="no earlier neighbour and holds very old papers"):
            Finder(corpus, tmp_path).finder.block(WEDNESDAY)


def test_a_block_beyond_all_measure_is_refused_before_its_ids_are_asked_for(tmp_path: Path) -> None:
    corpus = Corpus()
    corpus.announce(MONTH, [*held(20, freeze(MONDAY)), *window(TUESDAY)], first=1000)
    corpus.announce(MONTH, [*held(20, freeze(TUESDAY)), *window(WEDNESDAY)])
    corpus.announce(MONTH, window(THURSDAY), first=9500)
    with pytest.raises(BoundaryUnclear, match=r"a boundary must be wrong.*unlisted holiday"):
        Finder(corpus, tmp_path).finder.block(WEDNESDAY)
    assert len(corpus.asked) < 1000


# -- days that the calendar skips ------------------------------------------------------------------------


def thanksgiving(*, was_announced: bool, released: int = 20) -> tuple[Corpus, list[str]]:
    """Friday 2025-11-28 is skipped; Monday 12-01 has its submissions, unless arXiv announced on the Friday after all."""
    corpus = Corpus()
    corpus.announce("2511", [], first=9000)
    wednesday, thursday, friday, monday = date(2025, 11, 26), date(2025, 11, 27), date(2025, 11, 28), date(2025, 12, 1)
    for day in (wednesday, thursday):
        corpus.announce("2511", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    holidays, weekend = steady(freeze(thursday), freeze(friday)), steady(freeze(friday), freeze(monday))
    if was_announced:
        corpus.announce("2511", [*held(20, freeze(thursday)), *holidays])
        return corpus, corpus.announce("2511", [*held(released, freeze(friday)), *weekend])
    return corpus, corpus.announce("2511", [*held(20, freeze(thursday)), *holidays, *weekend])


def test_the_block_after_a_skipped_day_has_the_submissions_of_both(tmp_path: Path) -> None:
    corpus, ids = thanksgiving(was_announced=False)
    block = Finder(corpus, tmp_path).finder.block(date(2025, 12, 1))
    assert [r.arxiv_id for r in block.records] == ids
    assert (block.notes, block.contradicted) == ((), ())


def test_held_papers_inside_it_show_an_announcement_that_the_calendar_denies(tmp_path: Path) -> None:
    corpus, ids = thanksgiving(was_announced=True)
    found = Finder(corpus, tmp_path)
    block = found.finder.block(date(2025, 12, 1))
    assert [r.arxiv_id for r in block.records] == ids
    assert block.contradicted == (date(2025, 11, 28),)
    assert "arXiv's ids show an announcement on 2025-11-28 although the calendar skips it" in block.notes[0]
    assert (kept := found.boundaries.get(freeze(date(2025, 11, 28)))) is not None
    assert kept.kind is BoundaryKind.DROP


# -- the edge alone ----------------------------------------------------------------------------------


def test_the_boundary_before_a_day_costs_two_requests_and_is_kept(tmp_path: Path) -> None:
    corpus, ids = week_of(days=WEEK[:5])
    found = Finder(corpus, tmp_path)
    edge = found.finder.before(THURSDAY)
    assert (edge.last_before, edge.kind, edge.month) == (number_of(ids[WEDNESDAY][-1]), BoundaryKind.DROP, MONTH)
    assert len(corpus.searches) == 1
    assert len(corpus.asked) <= IDS_PER_REQUEST
    assert found.boundaries.get(freeze(WEDNESDAY)) == edge


def test_the_before_a_months_first_block_is_zero_without_a_question(tmp_path: Path) -> None:
    corpus = Corpus()
    edge = Finder(corpus, tmp_path).finder.before(date(2026, 6, 2))
    assert (edge.last_before, edge.first_after, edge.kind) == (0, 1, BoundaryKind.MONTH)
    assert corpus.asked == []


def test_an_edge_that_is_known_is_not_looked_for(tmp_path: Path) -> None:
    corpus, _ = week_of()
    found = Finder(corpus, tmp_path)
    known = IdBoundary(freeze(WEDNESDAY).isoformat(), MONTH, 1234, 1240, 5, BoundaryKind.DROP)
    found.boundaries.put(known)
    assert found.finder.before(THURSDAY) == known
    assert corpus.searches == []


def test_where_nothing_exists_the_edge_is_open(tmp_path: Path) -> None:
    edge = Finder(Corpus(), tmp_path).finder.before(THURSDAY)
    assert (edge.last_before, edge.kind) == (0, BoundaryKind.OPEN)


def test_only_an_edge_of_which_both_sides_were_seen_is_kept_whatever_the_zone_it_is_asked_in(tmp_path: Path) -> None:
    book = BoundaryCache(Storage(tmp_path))
    seen = IdBoundary(freeze(WEDNESDAY).isoformat(), MONTH, 10, 11, 0, BoundaryKind.CLOCK)
    book.put(replace(seen, first_after=None))
    assert book.get(freeze(WEDNESDAY)) is None
    book.put(seen)
    assert book.get(eastern(TUESDAY)) == seen
    assert book.get(freeze(WEDNESDAY).astimezone(UTC) + timedelta(minutes=1)) is None


# -- runs --------------------------------------------------------------------------------------------


def run_numbers(*hours: float) -> list[int]:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    records = [record(id_of(MONTH, n), start + timedelta(hours=hour)) for n, hour in enumerate(hours)]
    return [number_of(r.arxiv_id) for r in rising_run(records)]


def test_a_run_leaves_out_held_papers_and_keeps_equal_times() -> None:
    assert run_numbers(90, 80, 1, 2, 2, 3, 4) == [2, 3, 4, 5, 6]
    assert run_numbers() == []
    assert run_numbers(5) == [0]


def test_where_two_papers_changed_places_both_are_in_the_run() -> None:
    assert run_numbers(1, 2, 4, 3, 5) == [0, 1, 2, 3, 4]


@given(st.lists(st.integers(0, 6), max_size=9))
def test_a_run_is_the_union_of_the_longest_rising_subsequences(hours: list[int]) -> None:
    subsets = [s for size in range(len(hours), -1, -1) for s in itertools.combinations(range(len(hours)), size)]
    rising = [s for s in subsets if all(hours[a] <= hours[b] for a, b in itertools.pairwise(s))]
    longest = len(rising[0])
    assert run_numbers(*hours) == sorted(set().union(*(s for s in rising if len(s) == longest)))


def test_a_block_is_a_plain_value() -> None:
    assert IdRange(WEDNESDAY, False, None, None, ()) == IdRange(WEDNESDAY, False, None, None, (), (), ())


# -- odd days ----------------------------------------------------------------------------------------


def test_where_the_month_is_empty_nothing_is_published_yet(tmp_path: Path) -> None:
    with pytest.raises(NotPublishedYet):
        Finder(Corpus(), tmp_path).finder.block(WEDNESDAY)


def test_between_two_kept_edges_without_an_id_there_was_no_announcement(tmp_path: Path) -> None:
    corpus, ids = week_of(days=[TUESDAY, THURSDAY, FRIDAY])
    found = Finder(corpus, tmp_path)
    last, first = number_of(ids[TUESDAY][-1]), number_of(ids[THURSDAY][0])
    for day in (TUESDAY, WEDNESDAY):
        found.boundaries.put(IdBoundary(freeze(day).isoformat(), MONTH, last, first, 20, BoundaryKind.DROP))
    block = found.finder.block(WEDNESDAY)
    assert (block.announced, block.records) == (False, ())
    assert "no id was assigned for it" in block.notes[0]


def test_the_newest_block_may_end_in_more_than_a_page_of_papers_that_no_search_near_its_freeze_shows(tmp_path: Path) -> None:
    corpus, ids = week_of(days=WEEK[:3])
    late = held(IDS_PER_REQUEST + 50, freeze(TUESDAY), days=9)
    ids[WEDNESDAY] = corpus.announce(MONTH, [*held(20, freeze(TUESDAY)), *window(WEDNESDAY), *late])
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


def test_ids_that_were_never_given_are_not_taken_for_an_announcement(tmp_path: Path) -> None:
    """A wide gap in the ids near a freeze counts only where held papers lie in it."""
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in WEEK:
        before = CALENDAR.previous_listing(day)
        ids[day] = corpus.announce(MONTH, steady(freeze(before), freeze(before) + timedelta(hours=1), 5))
        ids[day] += corpus.announce(MONTH, steady(freeze(before) + timedelta(hours=1), freeze(day), 5), first=number_of(ids[day][-1]) + 60)
    found = Finder(corpus, tmp_path)
    assert found.ids(WEDNESDAY) == ids[WEDNESDAY]
    assert not any("frozen about" in line for line in found.log)


@pytest.mark.parametrize("hours", [0, 4])
def test_a_skipped_day_without_submissions_of_its_own_is_no_announcement(hours: int, tmp_path: Path) -> None:
    corpus = Corpus()
    corpus.announce("2511", [], first=9000)
    wednesday, thursday, friday, monday = date(2025, 11, 26), date(2025, 11, 27), date(2025, 11, 28), date(2025, 12, 1)
    for day in (wednesday, thursday):
        corpus.announce("2511", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    ids = corpus.announce("2511", [*held(20, freeze(thursday)), *steady(freeze(friday) + timedelta(hours=hours), freeze(monday))])
    block = Finder(corpus, tmp_path).finder.block(monday)
    assert [r.arxiv_id for r in block.records] == ids
    assert block.contradicted == ()


@pytest.mark.parametrize(("released", "is_evident"), [(4, False), (5, True)])
def test_so_few_held_papers_inside_a_block_contradict_no_calendar(released: int, is_evident: bool, tmp_path: Path) -> None:
    corpus, _ = thanksgiving(was_announced=True, released=released)
    assert bool(Finder(corpus, tmp_path).finder.block(date(2025, 12, 1)).contradicted) is is_evident


def test_the_first_block_of_all_may_begin_with_its_run(tmp_path: Path) -> None:
    corpus, ids = week_of({WEDNESDAY: 0}, days=[WEDNESDAY, THURSDAY, FRIDAY])
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


def test_a_few_held_papers_of_the_last_hour_are_not_the_end_of_a_days_run(tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    just_before = [freeze(TUESDAY) - timedelta(minutes=m) for m in (50, 20)]
    ids[WEDNESDAY] = corpus.announce(MONTH, [*just_before, *window(WEDNESDAY, 5)])
    corpus.announce(MONTH, [*held(20, freeze(WEDNESDAY)), *window(THURSDAY, 5)])
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


def test_after_quiet_hours_the_run_before_a_freeze_is_looked_for_further_back(tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in WEEK:
        before = CALENDAR.previous_listing(day)
        ids[day] = corpus.announce(MONTH, [*held(20, freeze(before)), *steady(freeze(before), freeze(day) - timedelta(hours=5))])
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


def seam_of(*first_held: timedelta) -> tuple[Corpus, dict[date, list[str]]]:
    """A week whose Thursday block opens with papers submitted so long before the freeze, then the usual held ones."""
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in WEEK:
        opens = freeze(CALENDAR.previous_listing(day))
        first = [opens - ago for ago in first_held] if day == THURSDAY else []
        ids[day] = corpus.announce(MONTH, [*first, *held(20, opens), *window(day)])
    return corpus, ids


def test_a_held_paper_of_the_last_minutes_behind_an_old_one_is_told_from_the_run(tmp_path: Path) -> None:
    corpus, ids = seam_of(timedelta(days=3), timedelta(minutes=5))
    assert Finder(corpus, tmp_path).ids(WEDNESDAY) == ids[WEDNESDAY]


def test_a_held_paper_of_the_last_minutes_that_comes_first_is_not_and_is_in_exactly_one_block(tmp_path: Path) -> None:
    """No id can tell it from the run before; it is given there, and not twice."""
    corpus, ids = seam_of(timedelta(minutes=5))
    found = Finder(corpus, tmp_path)
    assert found.ids(WEDNESDAY) == [*ids[WEDNESDAY], ids[THURSDAY][0]]
    assert found.ids(THURSDAY) == ids[THURSDAY][1:]


@pytest.mark.parametrize(("strays", "is_holiday"), [(1, True), (2, False)])
def test_one_stray_paper_at_the_freeze_does_not_make_an_announcement_of_a_holiday(strays: int, is_holiday: bool, tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in (date(2026, 6, 5), MONDAY, TUESDAY):
        ids[day] = corpus.announce(MONTH, [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    corpus.announce(MONTH, [*held(20, freeze(TUESDAY)), *window(WEDNESDAY), *held(strays, freeze(WEDNESDAY)), *window(THURSDAY)])
    corpus.announce(MONTH, [*held(20, freeze(THURSDAY)), *window(FRIDAY)])
    assert Finder(corpus, tmp_path).finder.block(WEDNESDAY).announced is not is_holiday


def test_the_months_ids_are_told_by_what_was_submitted_before_the_freeze_however_much_follows(tmp_path: Path) -> None:
    corpus, ids = Corpus(), {}
    for day in (date(2026, 7, 30), date(2026, 7, 31), date(2026, 8, 3)):
        ids[day] = corpus.announce("2607", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day)])
    for day in (date(2026, 8, 4), date(2026, 8, 5)):
        ids[day] = corpus.announce("2608", [*held(20, freeze(CALENDAR.previous_listing(day))), *window(day, 4)])
    for day in (date(2026, 7, 31), date(2026, 8, 3), date(2026, 8, 4)):
        assert Finder(corpus, tmp_path / str(day)).ids(day) == ids[day]


# -- small days, and quiet hours -------------------------------------------------------------------------


def small_wednesday(
    papers: Sequence[datetime], *, held_papers: int = 0, released_after: Sequence[datetime] | None = None
) -> tuple[Corpus, dict[date, list[str]]]:
    """A week of usual days about a Wednesday of these papers alone."""
    corpus, ids = Corpus(), {}
    corpus.announce(MONTH, [], first=1000)
    for day in WEEK:
        opens = freeze(CALENDAR.previous_listing(day))
        released = held(held_papers if day == WEDNESDAY else 20, opens)
        if day == THURSDAY and released_after is not None:
            released = [*released_after, *released]
        ids[day] = corpus.announce(MONTH, [*released, *(papers if day == WEDNESDAY else window(day, 5))])
    return corpus, ids


@pytest.mark.parametrize("count", [3, 4, 8, 20])
@pytest.mark.parametrize("held_papers", [0, 2])
def test_a_small_day_is_a_day_and_its_neighbours_keep_theirs(count: int, held_papers: int, tmp_path: Path) -> None:
    spread = [freeze(TUESDAY) + (n + 0.5) * timedelta(days=1) / count for n in range(count)]
    corpus, ids = small_wednesday(spread, held_papers=held_papers)
    for day in (TUESDAY, WEDNESDAY, THURSDAY):
        assert Finder(corpus, tmp_path / str(day)).ids(day) == ids[day]


def test_the_feed_after_a_small_day_is_judged_by_that_days_end(tmp_path: Path) -> None:
    corpus, ids = small_wednesday([freeze(TUESDAY) + timedelta(hours=h) for h in (2, 7, 19)])
    assert Finder(corpus, tmp_path).finder.before(THURSDAY).last_before == number_of(ids[WEDNESDAY][-1])


def test_a_small_day_without_a_paper_in_its_first_hours_does_not_begin_among_the_next_days_held_ones(tmp_path: Path) -> None:
    submitted = [freeze(TUESDAY) + timedelta(hours=h) for h in (15, 18, 21)]
    first_held = [freeze(WEDNESDAY) - timedelta(days=3), freeze(TUESDAY) + timedelta(hours=1), freeze(TUESDAY) + timedelta(hours=2)]
    corpus, ids = small_wednesday(submitted, released_after=first_held)
    for day in (TUESDAY, WEDNESDAY, THURSDAY):
        assert Finder(corpus, tmp_path / str(day)).ids(day) == ids[day]


@pytest.mark.parametrize("hours", [6, 8, 12])
def test_after_hours_of_quiet_before_the_freeze_held_papers_of_those_hours_stay_with_the_next_day(hours: int, tmp_path: Path) -> None:
    """Several of them, the first of all ids in rising order: the way in which they look most like the day's own."""
    opens, closes = freeze(TUESDAY), freeze(WEDNESDAY)
    quiet = steady(opens, closes - timedelta(hours=hours), 5)
    first_held = [closes - timedelta(hours=h) for h in (2.4, 2.6, 2.4, 2.5, 80, 4, 2.9, 2.4, 30)]
    corpus, ids = small_wednesday(quiet, held_papers=20, released_after=first_held)
    for day in (WEDNESDAY, THURSDAY):
        assert Finder(corpus, tmp_path / str(day)).ids(day) == ids[day]

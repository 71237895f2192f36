"""A feed is taken with the day's papers whole and none of an earlier listing, or it is not published yet: over many ways of being stale."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.feed_listing import ApiEvidence, EarlierFeed, FeedJudge, FeedJudgement
from digest_pipeline.arxiv.id_boundaries import BoundaryKind, IdBoundary, number_of
from digest_pipeline.arxiv.rss import FeedItem
from digest_pipeline.calendar import load_calendar
from digest_pipeline.errors import NotPublishedYet
from digest_pipeline.models import AnnounceType
from digest_pipeline_tests.support.listing_days import GeneratedPaper, ListingDay, covers, freeze_of, generate_days

DAY, BEFORE = date(2026, 6, 10), date(2026, 6, 9)
CALENDAR = load_calendar()
CATEGORIES = ("cs.CL", "cs.IR", "cs.CV", "econ")


class World:
    """Two neighbouring listings of generated days, what the feed of the second may show, and what the API knows."""

    def __init__(self, seed: int = 1, size: int = 90) -> None:
        days = {d.listing_date: d for d in generate_days(date(2026, 6, 1), date(2026, 6, 12), papers_per_day=size, seed=seed)}
        self.today, self.yesterday = days[DAY], days[BEFORE]
        last = self.yesterday.block[-1]
        self.boundary = IdBoundary(
            freeze_of(BEFORE).isoformat(), "2606", number_of(last.arxiv_id), number_of(self.today.block[-1].arxiv_id), 9, BoundaryKind.DROP
        )
        self.asked: list[str] = []

    def listed(self, day: ListingDay, through: Collection[str], typed_for: Sequence[str]) -> list[FeedItem]:
        """One day's items that these categories bring into a feed, with the types of a request for `typed_for`."""
        papers = {p.arxiv_id: p for p in [*day.block, *(p for p, _ in day.replacements), *(p for p, _ in day.late_crosses)]}
        types = day.announced(typed_for)
        return [
            item_of(papers[versioned.rsplit("v", 1)[0]], int(versioned.rsplit("v", 1)[1]), types[versioned], day)
            for versioned in day.announced(through)
        ]

    def feed(self, stale: Collection[str] = (), categories: Sequence[str] = CATEGORIES) -> list[FeedItem]:
        """The union of today's listing of the fresh categories and yesterday's of the stale ones, each paper once."""
        fresh = [c for c in categories if c not in stale]
        items = [*self.listed(self.today, fresh, fresh), *self.listed(self.yesterday, stale, categories)]
        return list({item.arxiv_id: item for item in reversed(items)}.values())[::-1]

    def api(self, *, lags: bool = False, hidden: Collection[str] = ()) -> ApiEvidence:
        known = [] if lags else [record_of(p, 1) for p in self.today.block if p.arxiv_id not in hidden]

        def shown() -> list[ApiRecord]:
            self.asked.append("shown")
            return [r for r in known if covers(CATEGORIES, r.categories)]

        def behind_boundary() -> list[ApiRecord]:
            self.asked.append("block")
            return known

        def current_versions(items: Sequence[FeedItem]) -> list[ApiRecord]:
            papers = {p.arxiv_id: p for day in (self.today, self.yesterday) for p, _ in day.replacements}
            return [record_of(papers[i.arxiv_id], i.version) for i in items if i.arxiv_id in papers]

        return ApiEvidence(shown, behind_boundary, current_versions)

    def judged(self, items: Sequence[FeedItem], api: ApiEvidence, *, kept: bool = False, categories: tuple[str, ...] = CATEGORIES) -> FeedJudgement:
        earlier = [EarlierFeed(BEFORE, categories, {i.arxiv_id: i for i in self.listed(self.yesterday, categories, categories)})] if kept else []
        return FeedJudge(
            DAY, items, categories, boundary=self.boundary, earlier=earlier, previous_listing=BEFORE, closes_utc=freeze_of(DAY), api=api
        ).judge()

    def wrong(self, items: Sequence[FeedItem], judgement: FeedJudgement, categories: Sequence[str] = CATEGORIES) -> str:
        """What a day taken this way would have lost, or taken from the listing before; empty where it is right."""
        taken = {i.arxiv_id: i for i in items if i.arxiv_id not in judgement.earlier_ids}
        lost = set(self.today.block_ids(categories)) - taken.keys() - set(judgement.lacking_ids)
        old = [
            i for i in taken.values() if i.announce_type is AnnounceType.NEW and number_of(i.arxiv_id) <= self.boundary.last_before and i.version == 1
        ]
        return f"lost {sorted(lost)}, of an earlier day {[i.arxiv_id for i in old]}" if lost or old else ""


def item_of(paper: GeneratedPaper, version: int, kind: str, day: ListingDay) -> FeedItem:
    return FeedItem(
        paper.arxiv_id,
        version,
        AnnounceType(kind),
        "t",
        "a",
        paper.authors,
        ("",) * len(paper.authors),
        paper.categories_at(day.announced_at),
        None,
        None,
    )


def record_of(paper: GeneratedPaper, version: int) -> ApiRecord:
    updated = paper.versions[version - 1].submitted_at
    return ApiRecord(
        paper.arxiv_id, version, "t", "a", ("x",), ("",), paper.categories[0], paper.categories, None, None, None, paper.submitted_at, updated
    )


# -- good days -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True])
@given(seed=st.integers(0, 300))
@settings(max_examples=12)
def test_a_good_feed_is_taken_whole_with_the_late_cross_lists_and_replacements(kept: bool, seed: int) -> None:
    world = World(seed)
    items = world.feed()
    assert world.judged(items, world.api(), kept=kept) == FeedJudgement()


def test_a_good_feed_is_not_compared_with_all_ids() -> None:
    world = World()
    world.judged(world.feed(), world.api())
    assert world.asked == ["shown"]


@pytest.mark.parametrize("kept", [False, True])
def test_a_good_feed_is_not_believed_while_the_api_lags_because_a_half_filled_one_looks_the_same(kept: bool) -> None:
    world = World(size=300)
    with pytest.raises(NotPublishedYet, match="half-filled"):
        world.judged(world.feed(), world.api(lags=True), kept=kept)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 300),
    size=st.sampled_from([60, 250]),
    share=st.floats(0, 0.95),
    shown=st.sampled_from([0.0, 0.3, 1.0]),
    kept=st.booleans(),
    categories=st.sampled_from([("cs.IR",), ("econ",), ("cs.CL", "cs.IR"), CATEGORIES]),
)
def test_a_feed_of_which_any_part_is_lacking_is_never_taken_short(
    seed: int, size: int, share: float, shown: float, kept: bool, categories: tuple[str, ...]
) -> None:
    """Whatever the API knows: nothing, its first ids, or all; and also where one category has few papers or none a day."""
    world = World(seed, size)
    block = [p.arxiv_id for p in world.today.block]
    whole = world.feed(categories=categories)
    items = random.Random(seed).sample(whole, int(share * len(whole)))
    api = world.api(hidden=block[int(shown * len(block)) :])
    try:
        judgement = world.judged(items, api, kept=kept, categories=categories)
    except NotPublishedYet:
        return
    known = set(block[: int(shown * len(block))])
    lost = set(world.today.block_ids(categories)) - {i.arxiv_id for i in items} - set(judgement.lacking_ids)
    assert not lost & known
    assert shown > 0
    assert shown == 1 or len(lost) <= 3


def test_a_category_without_a_new_paper_is_taken_with_its_replacements_once_the_api_shows_the_listing() -> None:
    world = World(size=300)
    world.today = replace(world.today, block=tuple(p for p in world.today.block if not covers(["cs.IR"], p.categories)), late_crosses=())
    items = world.feed(categories=("cs.IR",))
    assert items
    assert all(i.announce_type.is_replacement for i in items)
    assert world.judged(items, world.api(), kept=True, categories=("cs.IR",)) == FeedJudgement()
    with pytest.raises(NotPublishedYet):
        world.judged(items, world.api(lags=True), kept=True, categories=("cs.IR",))


def test_an_empty_day_of_one_category_is_believed_where_the_api_has_none_of_it_either() -> None:
    world = World()
    world.today = replace(world.today, block=tuple(p for p in world.today.block if not covers(["econ"], p.categories)), late_crosses=())
    items = [i for i in world.feed() if not covers(["econ"], i.categories)]
    assert world.judged(items, world.api()) == FeedJudgement()
    assert world.asked == ["block"]
    with pytest.raises(NotPublishedYet, match=r"econ.*does not show this listing yet"):
        world.judged(items, world.api(lags=True))


# -- stale ones ------------------------------------------------------------------------------------------


STALE = [c for n in (1, 2, 3, 4) for c in itertools.combinations(CATEGORIES, n)]


@pytest.mark.parametrize("stale", STALE, ids=["+".join(c) for c in STALE])
@pytest.mark.parametrize("lags", [False, True], ids=["API current", "API lags"])
@pytest.mark.parametrize("kept", [False, True], ids=["", "day before kept"])
def test_a_stale_category_is_never_a_day_with_papers_lost_or_old_ones_as_new(stale: tuple[str, ...], lags: bool, kept: bool) -> None:
    for seed in range(3):
        world = World(seed)
        items = world.feed(stale)
        try:
            judgement = world.judged(items, world.api(lags=lags), kept=kept)
        except NotPublishedYet:
            continue
        assert not lags  # a category that had nothing on either day may be confirmed, but only by the API
        assert world.wrong(items, judgement) == ""


@settings(max_examples=60)
@given(
    seed=st.integers(0, 500),
    size=st.sampled_from([30, 90, 250]),
    count=st.integers(1, 8),
    lags=st.booleans(),
    kept=st.booleans(),
    categories=st.sampled_from([("cs.CL",), ("cs.CL", "cs.IR"), CATEGORIES, ("cs", "econ.GN")]),
)
def test_single_items_of_the_listing_before_are_left_out_or_waited_for(
    seed: int, size: int, count: int, lags: bool, kept: bool, categories: tuple[str, ...]
) -> None:
    world = World(seed, size)
    old = [i for i in world.listed(world.yesterday, categories, categories) if i.announce_type is AnnounceType.NEW]
    items = [*world.feed(categories=categories), *random.Random(seed).sample(old, min(count, len(old)))]
    try:
        judgement = world.judged(items, world.api(lags=lags), kept=kept, categories=categories)
    except NotPublishedYet:
        return
    assert world.wrong(items, judgement, categories) == ""


def test_one_old_item_in_a_whole_feed_is_left_out_where_the_api_confirms_the_rest() -> None:
    world = World(size=300)
    old = next(i for i in world.listed(world.yesterday, CATEGORIES, CATEGORIES) if i.announce_type is AnnounceType.NEW)
    items = [*world.feed(), old]
    assert world.judged(items, world.api()) == FeedJudgement(earlier_ids=(old.arxiv_id,))
    with pytest.raises(NotPublishedYet, match="1 of its new papers belong to an earlier listing"):
        world.judged(items, world.api(lags=True))


def test_a_replacement_of_yesterdays_list_is_left_out_where_that_list_is_kept() -> None:
    world = World(size=300)
    old = [i for i in world.listed(world.yesterday, CATEGORIES, CATEGORIES) if i.announce_type.is_replacement]
    todays = {i.arxiv_id for i in world.feed()}
    repeated = next(i for i in old if i.arxiv_id not in todays)
    assert world.judged([*world.feed(), repeated], world.api(), kept=True).earlier_ids == (repeated.arxiv_id,)


def test_a_paper_of_yesterday_that_joins_a_category_today_is_no_repetition() -> None:
    world = World(size=300)
    paper = next(
        i for i in world.listed(world.yesterday, CATEGORIES, CATEGORIES) if i.announce_type is AnnounceType.NEW and "cs.CV" not in i.categories
    )
    joined = replace(paper, announce_type=AnnounceType.CROSS, categories=(*paper.categories, "cs.CV"))
    assert world.judged([*world.feed(), joined], world.api(), kept=True) == FeedJudgement()


@settings(max_examples=40)
@given(seed=st.integers(0, 300), category=st.sampled_from(CATEGORIES), share=st.floats(0, 0.95))
@example(182, "econ", 0.5)  # the one paper that it lacks was held, and no search by the time of submission shows it
def test_a_category_that_is_half_filled_is_completed_or_waited_for(seed: int, category: str, share: float) -> None:
    world = World(seed)
    own = [i for i in world.feed() if [c for c in CATEGORIES if covers([c], i.categories)] == [category]]
    shown = {i.arxiv_id for i in own[: int(share * len(own))]}
    items = [i for i in world.feed() if i not in own or i.arxiv_id in shown]
    try:
        judgement = world.judged(items, world.api())
    except NotPublishedYet:
        return
    assert world.wrong(items, judgement) == ""


def test_papers_that_the_api_does_not_know_yet_do_not_hold_back_a_good_feed() -> None:
    world = World(size=300)
    hidden = set(world.today.block_ids(CATEGORIES)[:40:2])
    assert world.judged(world.feed(), world.api(hidden=hidden)) == FeedJudgement()


def test_without_the_end_of_the_listing_before_nothing_is_judged() -> None:
    world = World()
    world.boundary = replace(world.boundary, last_before=0, kind=BoundaryKind.OPEN)
    with pytest.raises(NotPublishedYet, match="does not show the end of the listing before"):
        world.judged(world.feed(), world.api())
    assert world.judged(world.feed(), world.api(), kept=True) == FeedJudgement()  # then the kept feed tells it


def test_what_was_announced_on_a_day_that_is_kept_is_old_even_where_the_api_does_not_know_that_day() -> None:
    world = World()
    world.boundary = replace(world.boundary, last_before=world.boundary.last_before - 200)
    with pytest.raises(NotPublishedYet, match="it is stale"):
        world.judged(world.feed(CATEGORIES), world.api(lags=True), kept=True)


def test_a_replacement_of_today_shows_a_category_without_new_papers_to_be_todays() -> None:
    world = World(size=300)
    replaced = [(p, v) for p, v in world.today.replacements if covers(["econ"], p.categories)][:1]
    if not replaced:
        replaced = [(world.today.replacements[0][0], world.today.replacements[0][1])]
        replaced[0][0].categories = ("econ.GN",)
    world.today = replace(
        world.today,
        block=tuple(p for p in world.today.block if not covers(["econ"], p.categories)),
        late_crosses=(),
        replacements=tuple(replaced),
    )
    assert replaced[0][0].versions[replaced[0][1] - 1].submitted_at > freeze_of(BEFORE) - timedelta(days=1)
    items = world.feed()
    assert any(covers(["econ"], i.categories) for i in items)
    assert world.judged(items, world.api()) == FeedJudgement()

"""The ledger: what is counted where, which ids are named as missing, and that it is read back as it was written."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline import tables
from digest_pipeline.arxiv.raw_store import RawManifest
from digest_pipeline.models import ALL, AnnounceType, DayLedger, Evidence, ListingInfo, SummaryStatus
from digest_pipeline.papers.ledger import day_facts, day_ledger, in_category, read_facts, read_ledger, usual_size, write_facts, write_ledger
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.digest_days import paper, summary, untranslated

DAY = date(2026, 6, 10)
IDS = ("2606.00001", "2606.00002", "2606.00003", "2606.00004")
NUMBERS = st.sets(st.integers(1, 12))


def ledger(announced: set[str], fetched: set[str], translated: set[str], rendered: list[str], **more: str) -> DayLedger:
    papers = [paper(i) for i in sorted(fetched)]
    summaries = {i: summary(i) if i in translated else untranslated(i) for i in sorted(fetched)}
    return day_ledger(
        DAY,
        more.get("category", ALL),
        more.get("language", "zh"),
        announced_ids=sorted(announced),
        papers=papers,
        summaries=summaries,
        rendered_ids=rendered,
    )


def test_a_whole_day_balances_and_names_nothing() -> None:
    row = ledger(set(IDS), set(IDS), set(IDS[:3]), list(IDS))
    assert (row.announced, row.fetched, row.translated, row.untranslated, row.rendered) == (4, 4, 3, 1, 4)
    assert row.balances
    assert (row.missing_fetched, row.missing_rendered) == ((), ())
    assert (row.listing_date, row.category, row.language) == (DAY, "all", "zh")


def test_each_loss_is_named_by_its_id_at_its_step_and_unbalances_the_day() -> None:
    row = ledger(set(IDS), set(IDS[1:]), set(IDS[1:]), [IDS[1]])
    assert row.missing_fetched == (IDS[0],)
    assert row.missing_rendered == (IDS[2], IDS[3])
    assert not row.balances


def test_the_chain_in_words_shows_where_it_breaks() -> None:
    assert str(ledger(set(IDS), set(IDS), set(IDS[:3]), list(IDS))) == "announced 4 = fetched 4 = translated 3 + untranslated 1 = rendered 4"
    assert str(ledger(set(IDS), set(IDS[1:]), set(IDS[1:]), [IDS[1]])) == "announced 4 ≠ fetched 3 = translated 3 + untranslated 0 ≠ rendered 1"


def test_a_paper_rendered_twice_unbalances_the_day() -> None:
    row = ledger(set(IDS), set(IDS), set(IDS), [*IDS, IDS[0]])
    assert row.rendered == 5
    assert not row.balances


def test_one_paper_lost_and_another_rendered_twice_do_not_balance() -> None:
    row = ledger(set(IDS), set(IDS), set(IDS), [*IDS[1:], IDS[1]])
    assert (row.rendered, row.missing_rendered) == (4, (IDS[0],))
    assert not row.balances


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_it_balances_exactly_where_nothing_is_lost_or_invented_on_the_way(
    announced: set[int], fetched: set[int], translated: set[int], rendered: set[int]
) -> None:
    def ids(numbers: set[int]) -> set[str]:
        return {f"2606.{n:05d}" for n in numbers}

    row = ledger(ids(announced), ids(fetched), ids(translated), sorted(ids(rendered)))
    assert row.translated + row.untranslated == row.fetched == len(fetched)
    assert set(row.missing_fetched) == ids(announced - fetched)
    assert set(row.missing_rendered) == ids(fetched - rendered)
    assert list(row.missing_fetched) == sorted(row.missing_fetched)
    assert list(row.missing_rendered) == sorted(row.missing_rendered)
    assert row.balances == (announced == fetched == rendered)


def test_a_paper_without_a_summary_counts_as_untranslated() -> None:
    row = day_ledger(DAY, ALL, "zh", announced_ids=IDS[:1], papers=[paper(IDS[0])], summaries={}, rendered_ids=IDS[:1])
    assert (row.translated, row.untranslated) == (0, 1)


@pytest.mark.parametrize("status", [SummaryStatus.QUARANTINED, SummaryStatus.DEFERRED])
def test_quarantined_and_deferred_papers_are_untranslated(status: SummaryStatus) -> None:
    row = day_ledger(
        DAY, ALL, "zh", announced_ids=IDS[:1], papers=[paper(IDS[0])], summaries={IDS[0]: untranslated(IDS[0], status)}, rendered_ids=IDS[:1]
    )
    assert (row.translated, row.untranslated) == (0, 1)


def test_the_announce_types_are_counted_with_their_zeros() -> None:
    papers = [paper(IDS[0]), paper(IDS[1], announce_type=AnnounceType.REPLACE), paper(IDS[2], announce_type=AnnounceType.REPLACE)]
    row = day_ledger(DAY, ALL, "zh", announced_ids=IDS[:3], papers=papers, summaries={}, rendered_ids=IDS[:3])
    assert row.by_type == {"new": 1, "cross": 0, "replace": 2, "replace-cross": 0}


def test_a_category_has_its_papers_in_their_order_and_all_has_every_one() -> None:
    papers = [paper(IDS[3], categories=("cs.IR",)), paper(IDS[2], categories=("math.CO", "cs.CL")), paper(IDS[1], categories=("cs.CL",))]
    assert [p.arxiv_id for p in in_category("cs.CL", papers)] == [IDS[2], IDS[1]]
    assert [p.arxiv_id for p in in_category("math", papers)] == [IDS[2]]
    assert in_category(ALL, papers) == papers
    assert in_category("econ", papers) == []


# -- kept and read back ------------------------------------------------------------------------------


def test_rows_are_read_back_as_they_were_written_but_for_the_types(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    rows = [
        ledger(set(IDS), set(IDS[1:]), set(IDS[2:]), [IDS[1]], category="cs.CL"),
        ledger(set(), set(), set(), [], language="ja"),
    ]
    write_ledger(storage, DAY, rows)
    read = read_ledger(storage, DAY)
    assert [(r.category, r.language, r.announced, r.missing_fetched, r.missing_rendered) for r in read] == [
        ("cs.CL", "zh", 4, (IDS[0],), (IDS[2], IDS[3])),
        ("all", "ja", 0, (), ()),
    ]
    assert [r.balances for r in read] == [False, True]
    assert read[0].by_type == {}
    assert storage.read_table(storage.ledger_file(DAY), tables.LEDGER).num_rows == 2


def test_a_day_without_ledger_or_facts_is_no_empty_day(tmp_path: Path) -> None:
    for read in (read_ledger, read_facts):
        with pytest.raises(FileNotFoundError):
            read(Storage(tmp_path), DAY)


@pytest.mark.parametrize("evidence", [Evidence.RSS, Evidence.ID_BLOCK, None])
@pytest.mark.parametrize("flag", [True, False])
def test_facts_are_what_the_manifest_says_and_are_read_back_the_same(evidence: Evidence | None, flag: bool, tmp_path: Path) -> None:
    manifest = RawManifest(DAY, evidence is not None, evidence, (), notes=("eine Notiz", "第二"))
    facts = day_facts(manifest, is_sample=flag)
    assert facts == ListingInfo(DAY, evidence is not None, evidence, flag, ("eine Notiz", "第二"))
    storage = Storage(tmp_path)
    write_facts(storage, facts)
    assert read_facts(storage, DAY) == facts
    text = storage.read_text("ledger/date=2026-06-10/facts.json")
    assert "第二" in text  # for people who look into the file
    assert len(text.splitlines()) > 5


# -- the usual size ----------------------------------------------------------------------------------


def with_listings(storage: Storage, sizes: dict[int, int]) -> None:
    """Weeks before `DAY` → number of papers."""
    for weeks, size in sizes.items():
        day = DAY - timedelta(weeks=weeks)
        storage.write_table(storage.papers_file(day), tables.papers_to_table(paper(f"2606.{n:05d}", listing_date=day) for n in range(size)))


@pytest.mark.parametrize(
    ("sizes", "usual"),
    [
        ({1: 5, 2: 9, 3: 7}, 7.0),
        ({1: 5, 2: 9, 3: 7, 4: 8}, 7.5),
        ({1: 5, 2: 9}, None),
        ({1: 5, 2: 9, 3: 0}, None),
        ({1: 0, 2: 4, 3: 6, 4: 8}, 6.0),
        ({}, None),
        ({1: 5, 2: 9, 8: 7}, 7.0),
        ({1: 5, 2: 9, 9: 7}, None),
        ({0: 100, 1: 5, 2: 9, 3: 7}, 7.0),
        ({-1: 100, 1: 5, 2: 9, 3: 7}, 7.0),
    ],
    ids=["odd", "even", "too few", "empty days are none", "empty days aside", "nothing", "eight weeks", "nine weeks", "itself", "later"],
)
def test_the_usual_size_is_the_median_of_the_last_eight_weeks_listings(sizes: dict[int, int], usual: float | None, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with_listings(storage, sizes)
    assert usual_size(storage, DAY) == usual


def test_other_weekdays_do_not_count_because_tuesdays_are_long(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with_listings(storage, {1: 5, 2: 9, 3: 7})
    assert usual_size(storage, DAY + timedelta(days=1)) is None
    assert usual_size(storage, DAY, weeks=2) is None

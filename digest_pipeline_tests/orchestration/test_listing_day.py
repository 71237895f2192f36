"""Listing days through real Dagster runs: the sample against its golden digest, live days against loopback servers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline import sample, tables
from digest_pipeline.arxiv.late_papers import papers_that_turned_up
from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, RAW, SITE, SUMMARIES
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.failures import SCHEDULED
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.translation.batch_days import collect_batches, ready_days
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, Reply, completion, fake_openai
from digest_pipeline_tests.support.runs import Clients, checks_of, latest_metadata, live_clients, materialize, materialized, sample_clients

GOLDEN = Path(__file__).parents[1] / "golden"
SAMPLE = sample.SAMPLE_DAY.isoformat()
ALL = [RAW, PAPERS, SUMMARIES, DIGESTS, SITE]
UP_TO_DIGEST = [RAW, PAPERS, SUMMARIES, DIGESTS]
WEDNESDAY = date(2026, 6, 10)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@contextmanager
def live(folder: Path, now: datetime, papers_per_day: int = 40, **environ: str) -> Iterator[tuple[Clients, FakeArxiv, FakeOpenAI]]:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=papers_per_day)
    with FakeArxiv(days, now=now) as arxiv, fake_openai() as openai:
        yield live_clients(folder, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL,cs.LG", **environ), arxiv, openai


def eastern(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), EASTERN)


# -- the sample --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clients, dg.DagsterInstance, object]]:
    folder = tmp_path_factory.mktemp("sample")
    with dg.DagsterInstance.ephemeral() as ephemeral:
        clients = sample_clients(folder)
        yield clients, ephemeral, materialize(clients, ephemeral, SAMPLE)


@pytest.mark.parametrize("name", ["all", "cs.CL", "cs.IR"])
def test_the_sample_day_gives_the_golden_digest(name: str, sample_run: tuple[Clients, dg.DagsterInstance, object]) -> None:
    clients, _, result = sample_run
    assert result.success  # type: ignore[attr-defined]
    assert clients.storage.read_text(f"digests/zh/{SAMPLE}/{name}.md") == (GOLDEN / f"sample-{name}.md").read_text(encoding="utf-8")


def test_everything_of_the_sample_lies_apart_and_says_so(sample_run: tuple[Clients, dg.DagsterInstance, object]) -> None:
    clients, _, _ = sample_run
    root = clients.storage.local_path("")
    assert root.name == "sample"
    assert [child.name for child in root.parent.iterdir()] == ["sample"]
    assert "sample: true" in clients.storage.read_text(f"digests/zh/{SAMPLE}/all.md")


def test_each_materialization_carries_counts_path_preview_and_numbers(sample_run: tuple[Clients, dg.DagsterInstance, object]) -> None:
    _, ephemeral, _ = sample_run
    papers = latest_metadata(ephemeral, PAPERS, SAMPLE)
    assert papers["dagster/partition_row_count"] == papers["papers"] == 17
    assert papers["type new"] + papers["type cross"] + papers["type replace"] + papers["type replace-cross"] == 17
    assert papers["category cs.CL"] > 0
    assert papers["path"].endswith(f"papers/date={SAMPLE}/papers.parquet")
    assert "| arxiv_id " in papers["preview"]
    summaries = latest_metadata(ephemeral, SUMMARIES, SAMPLE)
    assert summaries["status translated"] == 16
    assert summaries["status quarantined"] == 1
    assert summaries["input_tokens"] >= 0
    digests = latest_metadata(ephemeral, DIGESTS, SAMPLE)
    assert digests["rendered (zh)"] == digests["announced (zh)"] == 17
    assert "data:image/svg+xml" in digests["figure"]


def test_the_ledger_of_the_sample_balances(sample_run: tuple[Clients, dg.DagsterInstance, object]) -> None:
    clients, ephemeral, result = sample_run
    rows = read_ledger(clients.storage, sample.SAMPLE_DAY)
    assert {row.category for row in rows} == {"cs.CL", "cs.IR", "all"}
    assert all(row.balances for row in rows)
    assert checks_of(ephemeral, result)["announced_fetched_and_rendered_are_equal"]


def test_running_the_sample_again_pays_nothing_and_changes_no_digest(sample_run: tuple[Clients, dg.DagsterInstance, object]) -> None:
    clients, ephemeral, _ = sample_run
    before = clients.storage.read_text(f"digests/zh/{SAMPLE}/all.md")
    assert materialize(Clients(clients.settings), ephemeral, SAMPLE, select=UP_TO_DIGEST).success
    assert latest_metadata(ephemeral, SUMMARIES, SAMPLE)["paid_now"] <= 1  # the quarantined one is asked again
    assert clients.storage.read_text(f"digests/zh/{SAMPLE}/all.md") == before


def test_assets_materialize_one_alone_after_another(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    clients = sample_clients(tmp_path)
    for asset in ALL:
        assert materialize(clients, instance, SAMPLE, select=[asset]).success
        assert materialized(instance, asset) == ({SAMPLE} if asset != SITE else set())
    assert latest_metadata(instance, SITE, None)["days"] == 1


def test_an_asset_whose_upstream_is_missing_fails_saying_what_to_run_first(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    result = materialize(sample_clients(tmp_path), instance, SAMPLE, select=[PAPERS])
    assert not result.success
    assert "materialize raw_arxiv_metadata of that day first" in failure_text(instance, result)


def test_another_day_than_the_samples_fails_saying_how_to_go_live(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    result = materialize(sample_clients(tmp_path), instance, "2026-01-14")
    assert "OPENAI_API_KEY" in failure_text(instance, result)


def failure_text(instance: dg.DagsterInstance, result: object) -> str:
    records = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)  # type: ignore[attr-defined]
    return "\n".join(
        str(r.dagster_event.step_failure_data.user_failure_data or r.dagster_event.step_failure_data.error_display_string)
        for r in records
        if r.dagster_event
    )


# -- live days ---------------------------------------------------------------------------------------


def test_todays_listing_ends_as_a_digest_that_lists_each_paper_once(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, eastern(WEDNESDAY, 3)) as (clients, arxiv, openai):
        assert materialize(clients, instance, WEDNESDAY.isoformat()).success
        announced = arxiv.day(WEDNESDAY).announced(("cs.CL", "cs.LG"))
        listed = rendered_ids(clients.storage.read_text(f"digests/zh/{WEDNESDAY}/all.md"))
        assert sorted(listed) == sorted(v.split("v")[0] for v in announced)
        rows = tables.summaries_from_table(clients.storage.read_table(clients.storage.summaries_file(WEDNESDAY, "zh"), tables.TRANSLATED_SUMMARIES))
        assert all(row.is_translated for row in rows)
        assert openai.requests == len(announced)
        secret = b"sk-test-not-a-key"
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_a_second_category_pays_only_for_the_papers_it_adds(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, eastern(date(2026, 6, 18), 12)) as (clients, arxiv, openai):
        assert materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST).success
        first = openai.requests
        wider = live_clients(tmp_path, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL,cs.LG,math")
        assert materialize(wider, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST).success
        added = set(arxiv.day(WEDNESDAY).block_ids(("cs.CL", "cs.LG", "math"))) - set(arxiv.day(WEDNESDAY).block_ids(("cs.CL", "cs.LG")))
        assert openai.requests - first == len(added) > 0


def test_a_holiday_is_a_successful_explicit_empty_day(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, datetime(2026, 6, 18, 12, tzinfo=UTC)) as (clients, arxiv, openai):
        day = "2026-01-20"  # the evening of Martin Luther King Day was skipped
        assert materialize(clients, instance, day).success
        assert materialized(instance, DIGESTS) == {day}
        assert "announcement: false" in clients.storage.read_text(f"digests/zh/{day}/all.md")
        assert read_ledger(clients.storage, date.fromisoformat(day))[0].announced == 0
        assert (arxiv.requests, openai.requests) == ([], 0)


def test_a_listing_that_is_not_out_yet_is_neither_materialized_nor_empty(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, eastern(WEDNESDAY, 3)) as (clients, arxiv, _):
        arxiv.faults.stale_feed = True
        by_hand = materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST)
        assert not by_hand.success
        assert "not published yet" in failure_text(instance, by_hand)
        scheduled = materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST, tags={SCHEDULED: "true"})
        assert scheduled.success  # it is asked for again by the schedule: a wait is no failure
        assert materialized(instance, RAW) == set()
        observations = instance.fetch_observations(dg.AssetKey(RAW), limit=1).records
        assert observations[0].asset_observation.metadata["state"].value == "not published yet"  # type: ignore[union-attr]
        arxiv.faults.stale_feed = False
        assert materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST).success


def test_pages_that_cannot_be_written_fail_the_run_in_words_and_the_days_stay_made(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    clients = sample_clients(tmp_path)
    clients.storage.write_text("site", "a file where a folder must be")
    result = materialize(clients, instance, SAMPLE)
    assert not result.success
    assert "site of " in failure_text(instance, result)
    assert "cannot be" in failure_text(instance, result)
    assert materialized(instance, DIGESTS) == {SAMPLE}
    assert instance.get_latest_materialization_event(dg.AssetKey(SITE)) is None


def test_a_paper_that_turns_up_later_fails_the_check_and_the_next_run_adds_it_without_paying_for_the_rest(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with live(tmp_path, eastern(date(2026, 6, 12), 12)) as (clients, arxiv, openai):
        in_window = [
            p.arxiv_id
            for p in arxiv.day(WEDNESDAY).block
            if p.submitted_at >= arxiv.day(WEDNESDAY).window[0] and set(p.categories) & {"cs.CL", "cs.LG"}
        ]
        arxiv.faults.hidden_ids.add(in_window[2])
        assert materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST).success
        paid, asked = openai.requests, len(arxiv.requests)
        assert papers_that_turned_up(WEDNESDAY, clients.storage, clients.listing_fetcher) == []
        arxiv.faults.hidden_ids.clear()
        assert papers_that_turned_up(WEDNESDAY, clients.storage, clients.listing_fetcher) == [in_window[2]]
        assert len(arxiv.requests) == asked + 2
        assert not checks_of(instance, materialize(clients, instance, WEDNESDAY.isoformat(), select=[PAPERS]))[
            "every_announced_paper_is_in_the_table"
        ]
        assert materialize(clients, instance, WEDNESDAY.isoformat(), select=UP_TO_DIGEST).success
        assert in_window[2] in rendered_ids(clients.storage.read_text(f"digests/zh/{WEDNESDAY}/all.md"))
        assert openai.requests == paid + 1
        assert papers_that_turned_up(WEDNESDAY, clients.storage, clients.listing_fetcher) == []


@pytest.mark.parametrize(("poisoned", "passes"), [(1, True), (2, False)])
def test_more_than_one_untranslated_paper_and_two_in_a_hundred_fails_the_days_check_and_ships_marked(
    tmp_path: Path, instance: dg.DagsterInstance, poisoned: int, passes: bool
) -> None:
    with live(tmp_path, eastern(WEDNESDAY, 21), papers_per_day=30) as (clients, _, openai):
        poison: set[str] = set()

        def behave(asked: Asked) -> Reply | None:
            if len(poison) < poisoned:
                poison.add(asked.title)
            return Reply(body=completion("no JSON")) if asked.title in poison else None

        openai.behave = behave
        result = materialize(clients, instance, "2026-06-09", select=UP_TO_DIGEST)
        assert result.success
        assert checks_of(instance, result)["nearly_every_paper_is_translated"] is passes
        (whole,) = [row for row in read_ledger(clients.storage, date(2026, 6, 9)) if row.category == "all"]
        assert whole.untranslated == poisoned
        assert whole.rendered == whole.announced


def test_a_shrunken_listing_warns(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, eastern(date(2026, 6, 18), 12)) as (clients, arxiv, _):
        for weeks in (1, 2, 3):
            day = WEDNESDAY - timedelta(weeks=weeks)
            many = [p for p in _some_papers(clients, arxiv, instance) for _ in range(1)] * 9
            clients.storage.write_table(clients.storage.papers_file(day), tables.papers_to_table(many))
        result = materialize(clients, instance, WEDNESDAY.isoformat(), select=[RAW, PAPERS])
        assert result.success
        assert not checks_of(instance, result)["the_listing_has_its_usual_size"]


def _some_papers(clients: Clients, arxiv: FakeArxiv, instance: dg.DagsterInstance) -> list[tables.Paper]:
    if not clients.storage.exists(clients.storage.papers_file(WEDNESDAY)):
        assert materialize(clients, instance, WEDNESDAY.isoformat(), select=[RAW, PAPERS]).success
    return tables.papers_from_table(clients.storage.read_table(clients.storage.papers_file(WEDNESDAY), tables.PAPERS))


def test_a_backfill_by_batch_is_sent_once_collected_later_and_finished_without_asking_again(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with live(tmp_path, eastern(date(2026, 6, 18), 12), DIGEST_BATCH="backfill") as (clients, _, openai):
        days, tags = ["2026-06-09", "2026-06-10"], {"dagster/backfill": "abc"}
        for day in days:
            sent = materialize(clients, instance, day, select=UP_TO_DIGEST, tags=tags)
            assert sent.success
            assert not checks_of(instance, sent)["nothing_waits_for_budget_or_batch"]
        assert openai.peak == 0  # not one question went the ordinary way
        collect_batches(clients.storage, clients.translator)
        assert list(ready_days(clients.storage)) == days
        for day in days:
            assert materialize(clients, instance, day, select=UP_TO_DIGEST, tags=tags).success
            assert latest_metadata(instance, SUMMARIES, day)["status deferred"] == 0
        assert openai.peak == 0


def test_the_site_follows_a_digest_that_is_made_right_after_it(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    clients = sample_clients(tmp_path)
    definitions = build_definitions(clients.settings)

    def requested(cursor: object) -> tuple[int, object]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            result = dg.evaluate_automation_conditions(defs=definitions, instance=instance, cursor=cursor)  # type: ignore[arg-type]
        return result.total_requested, result.cursor

    count, look = requested(None)
    assert count == 0
    assert materialize(clients, instance, SAMPLE).success
    assert materialize(clients, instance, SAMPLE, select=[DIGESTS]).success  # between the same two looks as the site
    count, look = requested(look)
    assert count == 1
    assert requested(look)[0] == 0

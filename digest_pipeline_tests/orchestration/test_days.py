"""`digest backfill` as a function: a run a day in one process, what one day's fault costs the others, and what is asked meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from threading import Event
from time import sleep

import dagster as dg
import pytest

from digest_pipeline.arxiv.raw_store import RawStore
from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.cli import MISUSED, main
from digest_pipeline.clients import open_storage
from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.orchestration.assets import DIGESTS, PAPERS, SITE
from digest_pipeline.orchestration.days import DayResult, State, run_days
from digest_pipeline.settings import Settings
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import Asked, FakeOpenAI, error, fake_openai
from digest_pipeline_tests.support.runs import live_clients, materialized

DAYS = [date(2026, 6, 9), date(2026, 6, 10), date(2026, 6, 11)]


@contextmanager
def live(folder: Path, papers_per_day: int = 20, **environ: str) -> Iterator[tuple[Settings, FakeArxiv, FakeOpenAI]]:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=papers_per_day)
    with FakeArxiv(days, now=datetime.combine(date(2026, 6, 18), time(12), EASTERN)) as arxiv, fake_openai() as openai:
        yield live_clients(folder, arxiv, openai.url, DIGEST_CATEGORIES="cs.CL,cs.LG", **environ).settings, arxiv, openai


@pytest.fixture(autouse=True)
def _dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))


def made(settings: Settings, days: list[date] = DAYS) -> list[DayResult]:
    return run_days(settings, days, lambda _: None)


def of_asset(name: str) -> set[str]:
    with dg.DagsterInstance.get() as instance:
        return materialized(instance, name)


def test_each_day_is_a_run_of_its_own_with_a_step_a_stage_and_the_site_is_made_once_at_the_end(tmp_path: Path) -> None:
    with live(tmp_path) as (settings, _, _openai):
        results = made(settings)
        assert [(result.day, result.state) for result in results] == [(day, State.DONE) for day in DAYS] + [(None, State.DONE)]
        assert of_asset(DIGESTS) == {day.isoformat() for day in DAYS}
        with dg.DagsterInstance.get() as instance:
            runs = instance.get_runs()
            assert sorted((run.job_name, run.tags.get("dagster/partition", "")) for run in runs) == [
                *(("daily_digest", day.isoformat()) for day in DAYS),
                ("update_site", ""),
            ]
            steps = {stats.step_key for stats in instance.get_run_step_stats(runs[-1].run_id)}
            assert steps == {"raw_arxiv_metadata", "papers", "translated_summaries", "digest_files"}
            assert instance.get_latest_materialization_event(dg.AssetKey(SITE)) is not None


def test_the_same_backfill_again_asks_nobody(tmp_path: Path) -> None:
    with live(tmp_path) as (settings, arxiv, openai):
        made(settings)
        asked, paid = len(arxiv.requests), openai.requests
        assert all(result.state is State.DONE for result in made(settings, DAYS[::-1]))
        assert (len(arxiv.requests), openai.requests) == (asked, paid)


def test_a_place_that_cannot_be_written_ends_it_in_words_that_name_the_stage_and_leaves_later_days_untried(tmp_path: Path) -> None:
    with live(tmp_path) as (settings, _, _openai):
        open_storage(settings).write_text("papers/date=2026-06-10", "a file where a folder must be")
        first, second, site = made(settings)
        assert (first.state, second.state, second.stops, site.day) == (State.DONE, State.FAILED, True, None)
        assert second.message.startswith("papers: ")
        assert "papers.parquet cannot be written" in second.message
        assert of_asset(DIGESTS) == {"2026-06-09"}


def test_a_dead_key_ends_the_backfill_after_its_first_day_with_one_request_a_later_try(tmp_path: Path) -> None:
    with live(tmp_path) as (settings, _, openai):
        openai.behave = lambda _: error(401, "Incorrect API key provided", "invalid_api_key")
        first = made(settings)
        assert [(result.state, result.stops) for result in first] == [(State.FAILED, True)]
        assert "OPENAI_API_KEY" in first[0].message
        assert of_asset(PAPERS) == {"2026-06-09"}
        assert RawStore(open_storage(settings)).manifest(DAYS[1]) is None  # nor is arXiv asked for more
        before = openai.requests
        again = made(settings)
        assert openai.requests == before + 1
        assert [result.message for result in again] == [result.message for result in first]
        openai.behave = lambda _: None
        assert all(result.state is State.DONE for result in made(settings))


def test_when_no_answer_can_be_kept_no_further_day_is_paid_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with live(tmp_path, DIGEST_MAX_CONCURRENCY="2") as (settings, _, openai):

        def full(*_: object) -> None:
            raise AnswerStoreError("the answer store failed: database or disk is full", hint="free disk space")

        monkeypatch.setattr("digest_pipeline.translation.cache.sqlite.SqliteCache.put_all", full)
        results = made(settings)
        assert [(result.state, result.stops) for result in results] == [(State.FAILED, True)]
        assert openai.requests <= 4


def test_arxiv_is_asked_for_the_next_day_while_the_model_answers_for_this_one(tmp_path: Path) -> None:
    with live(tmp_path, papers_per_day=40) as (settings, arxiv, openai):
        of_the_first = len(arxiv.day(DAYS[0]).block_ids(("cs.CL", "cs.LG")))
        last_of_the_third = arxiv.day(DAYS[2]).block[-1].arxiv_id
        gave_up = Event()

        def answered_once_arxiv_was_asked_for_the_third_day(asked: Asked) -> None:
            for _ in range(2_000):  # twenty seconds at the most, once
                if asked.number <= of_the_first or gave_up.is_set() or any(last_of_the_third in request.query for request in arxiv.requests):
                    return
                sleep(0.01)
            gave_up.set()

        openai.behave = answered_once_arxiv_was_asked_for_the_third_day
        assert all(result.state is State.DONE for result in made(settings))
        assert not gave_up.is_set()


def test_the_models_endpoint_is_greeted_once_for_all_days(tmp_path: Path) -> None:
    with live(tmp_path, papers_per_day=10, DIGEST_MAX_CONCURRENCY="2") as (settings, _, openai):
        made(settings)
        assert openai.requests > 8
        assert openai.connections <= 2


@pytest.mark.parametrize("command", [["run", "--day", "2011-02-03"], ["backfill", "2011-02-03", "2011-02-04", "--yes"]])
def test_a_day_before_the_first_listing_is_refused_by_the_settings_name(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence, not Dagster's insides."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DIGEST_DATA_DIR", str(tmp_path / "data"))
    assert main(command) == MISUSED
    assert "DIGEST_FIRST_LISTING=2024-01-02 → set it to 2011-02-03 or earlier" in capsys.readouterr().err
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").rglob("*.parquet"))

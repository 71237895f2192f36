"""A week in real Dagster runs: made whole, made with a day lacking, empty, and failed; and which weeks the schedule asks for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from digest_pipeline import tables
from digest_pipeline.models import AnnounceType, ListingInfo, Paper
from digest_pipeline.orchestration.assets import PAPERS, WEEKLY
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.schedules import weekly_digest_schedule
from digest_pipeline.papers.ledger import write_facts
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.votes import Vote, add_vote
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline.weekly.week import Week
from digest_pipeline_tests.ranking.test_profiles import bibtex
from digest_pipeline_tests.support.site_days import generated_papers
from digest_pipeline_tests.support.tastes import library_of, paper

WEEK = Week(date(2026, 6, 1))
_TEMPLATE = generated_papers(WEEK.monday, 1)[0]


def listed(one: Document, day: date, **changes: object) -> Paper:
    known = {"arxiv_id": one.key, "title": one.title, "abstract": one.abstract, "authors": one.authors, "affiliations": ("",) * len(one.authors)}
    known |= {"categories": one.categories, "primary_category": one.categories[0], "listing_date": day}
    return replace(_TEMPLATE, **(known | changes))


def write_day(storage: Storage, day: date, papers: Sequence[Paper], *, announced: bool = True) -> None:
    storage.write_table(storage.papers_file(day), tables.papers_to_table(papers))
    write_facts(storage, ListingInfo(day, announced, None, False))


def day_of_four_fields(day: date, count: int = 30) -> list[Paper]:
    fields = ["cs.GT", "cs.RO", "cs.IT", "cs.CY"]
    return [listed(paper(1000 * day.day + number, fields[number % 4], seed=day.day), day) for number in range(count)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def settings_of(folder: Path, **more: str) -> Settings:
    environ = {"DIGEST_DEMO": "false", "DIGEST_DATA_DIR": str(folder / "data"), "DIGEST_CATEGORIES": "cs.GT,cs.RO", "DIGEST_LANGUAGES": "zh,en"}
    return load_settings(environ | {"DIGEST_FIRST_LISTING": "2026-06-02"} | more, folder)


def make(settings: Settings, instance: dg.DagsterInstance, week: Week = WEEK) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_job_def(WEEKLY)
    return job.execute_in_process(instance=instance, partition_key=week.monday.isoformat(), raise_on_error=False)


def materialization(instance: dg.DagsterInstance) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(WEEKLY))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def front_matter(text: str) -> dict[str, object]:
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_a_week_is_made_without_any_profile_and_twice_the_same(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings, storage = settings_of(tmp_path), Storage(tmp_path / "data")
    for day in WEEK.days[:4]:
        write_day(storage, day, day_of_four_fields(day))
    write_day(storage, WEEK.days[4], [], announced=False)
    assert make(settings, instance).success
    text = storage.read_text("digests/zh/week-2026-W23.md")
    head = front_matter(text)
    assert (head["papers"], head["lacking"], head["without_announcement"]) == (120, [], [WEEK.days[4]])
    assert "| 2026-06-01 | 8 | 8 | 30 | 30 | 0 | 0 | 0 |" in text
    assert "| 全周 | 32 | 32 | 120 | 120 | 0 | 0 | 0 |" in text
    assert "至少需要此前 2 周的数据，目前有 0 周" in text
    assert storage.exists("digests/en/week-2026-W23.md")
    assert not storage.exists("private")
    made = materialization(instance)
    assert (made.partition, made.metadata["lacking"].value, made.metadata["dagster/partition_row_count"].value) == ("2026-06-01", "none", 120)
    assert make(settings, instance).success
    assert storage.read_text("digests/zh/week-2026-W23.md") == text


def test_a_day_that_failed_is_named_and_the_week_is_made(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings, storage = settings_of(tmp_path), Storage(tmp_path / "data")
    write_day(storage, WEEK.days[0], day_of_four_fields(WEEK.days[0]))
    assert make(settings, instance).success
    assert "以下日期尚未生成，因此不在本周概览中：2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05" in storage.read_text("digests/zh/week-2026-W23.md")
    assert materialization(instance).metadata["lacking"].value == "2026-06-02, 2026-06-03, 2026-06-04, 2026-06-05"


def test_a_week_without_any_announcement_is_an_empty_success(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings, storage = settings_of(tmp_path), Storage(tmp_path / "data")
    for day in WEEK.days:
        write_day(storage, day, [], announced=False)
    assert make(settings, instance).success
    text = storage.read_text("digests/zh/week-2026-W23.md")
    assert "arXiv 在这一周没有发布公告。" in text
    assert "##" not in text


def test_a_week_of_which_nothing_is_there_fails_and_says_what_to_do(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    result = make(settings_of(tmp_path), instance)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "digest backfill 2026-06-01 2026-06-05" in str(failure.step_failure_data.user_failure_data)
    assert not Storage(tmp_path / "data").exists("digests")


def test_a_profile_gets_its_ten_best_of_all_days_from_both_interests_and_new_versions_of_what_it_likes(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    library = [*library_of("cs.GT", 15), *library_of("cs.RO", 15)]
    (tmp_path / "mine.bib").write_text(bibtex(library), encoding="utf-8")
    (tmp_path / "profiles.toml").write_text('[[profile]]\nname = "ada"\nlibrary = ["mine.bib"]\nlikes = ["2605.00001"]\n[[profile]]\nname = "bo"\n')
    settings, storage = settings_of(tmp_path, DIGEST_PROFILES_FILE=str(tmp_path / "profiles.toml")), Storage(tmp_path / "data")
    papers = {day: day_of_four_fields(day, 60) for day in WEEK.days}
    liked = listed(paper(1, "cs.GT"), WEEK.days[2], arxiv_id="2605.00001", version=3, announce_type=AnnounceType.REPLACE, title="A liked paper anew")
    papers[WEEK.days[2]].append(liked)
    for day, of_day in papers.items():
        write_day(storage, day, of_day)
    read = papers[WEEK.days[0]][0]
    add_vote(storage, "ada", read.arxiv_id, Vote.LIKE, datetime(2026, 6, 2, tzinfo=UTC))
    assert make(settings, instance).success
    text = storage.read_text("private/ada/zh/week-2026-W23.md")
    shown = {one.arxiv_id: one for of_day in papers.values() for one in of_day if f"({one.abs_url})" in text.split("## 您喜欢的论文")[0]}
    assert len(shown) == 10
    assert {one.primary_category for one in shown.values()} == {"cs.GT", "cs.RO"}
    assert len({one.listing_date for one in shown.values()}) > 1
    assert read.arxiv_id not in shown
    assert "301 篇中有 10 篇适合您" in text
    assert "A liked paper anew](https://arxiv.org/abs/2605.00001v3) · v3 · 2026-06-03" in text
    assert "A liked paper anew" in storage.read_text("private/ada/en/week-2026-W23.html")
    assert "A liked paper anew" not in storage.read_text("private/bo/zh/week-2026-W23.md")
    assert "这一周没有为您选出的论文" in storage.read_text("private/bo/zh/week-2026-W23.md")
    assert {name: value.value for name, value in materialization(instance).metadata.items() if name.startswith("shown")} == {
        "shown to ada": 10, "shown to bo": 0,
    }  # fmt: skip


def test_a_profile_of_categories_or_watch_lists_alone_gets_its_ten_best_too(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    (tmp_path / "watch.toml").write_text('[[list]]\nname = "robots"\ntitle = "Robots that grasp"\nkeywords = ["gripper"]\n')
    (tmp_path / "profiles.toml").write_text(
        '[[profile]]\nname = "listed"\nwatch_lists = ["robots"]\n[[profile]]\nname = "of-fields"\ncategories = ["cs.IT", "cs.CY"]\n'
    )
    files = {"DIGEST_PROFILES_FILE": str(tmp_path / "profiles.toml"), "DIGEST_WATCH_FILE": str(tmp_path / "watch.toml")}
    settings, storage = settings_of(tmp_path, **files), Storage(tmp_path / "data")
    papers = [one for day in WEEK.days for one in day_of_four_fields(day)]
    for day in WEEK.days:
        write_day(storage, day, day_of_four_fields(day))
    assert make(settings, instance).success

    def shown_to(profile: str) -> list[Paper]:
        text = storage.read_text(f"private/{profile}/zh/week-2026-W23.md")
        return [one for one in papers if f"({one.abs_url})" in text]

    assert len(shown_to("listed")) == len(shown_to("of-fields")) == 10
    assert all("gripper" in f"{one.title} {one.abstract}" for one in shown_to("listed"))
    assert "Robots that grasp" in storage.read_text("private/listed/zh/week-2026-W23.md")
    assert {one.primary_category for one in shown_to("of-fields")} == {"cs.IT", "cs.CY"}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides={"telemetry": {"enabled": False}}) as made:
        yield made


def test_the_schedule_asks_for_the_week_that_ended_and_again_where_a_day_came_later(tmp_path: Path, sqlite: dg.DagsterInstance) -> None:
    definitions = build_definitions(settings_of(tmp_path))
    schedule = weekly_digest_schedule(settings_of(tmp_path))

    def asked(at: datetime) -> list[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            context = dg.build_schedule_context(instance=sqlite, scheduled_execution_time=at, repository_def=definitions.get_repository_def())
            return [request.partition_key or "" for request in schedule.evaluate_tick(context).run_requests or []]

    def report(asset: str, *days: date) -> None:
        for day in days:
            sqlite.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day.isoformat()))

    saturday, sunday = datetime(2026, 6, 6, 18, 30, tzinfo=UTC), datetime(2026, 6, 7, 18, 30, tzinfo=UTC)
    assert asked(saturday) == [], "nothing was ever made"
    report(PAPERS, *WEEK.days)
    assert asked(saturday) == ["2026-06-01"]
    report(WEEKLY, WEEK.monday)
    assert asked(sunday) == []
    report(PAPERS, WEEK.days[1])
    assert asked(sunday) == ["2026-06-01"]
    assert asked(datetime(2026, 6, 13, 18, 30, tzinfo=UTC)) == ["2026-06-01"], "the week before last, once more"
    assert asked(datetime(2026, 6, 20, 18, 30, tzinfo=UTC)) == []

"""`DIGEST_TRANSLATE=ranked:N` in real runs: the best of each profile are translated, the rest is listed in the original, and nothing calls that a fault."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline.calendar import EASTERN, load_calendar
from digest_pipeline.errors import SettingsError
from digest_pipeline.forecast import forecast_range
from digest_pipeline.hosted.environment import Runner
from digest_pipeline.hosted.report import summary
from digest_pipeline.hosted.run import DayResult, DayState, RunReport, _chosen_since, days_due, deferred_papers
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.models import SummaryStatus
from digest_pipeline.notify.mail import compose, read_mail_day
from digest_pipeline.notify.ready import announcement
from digest_pipeline.orchestration.assets import PAPERS, RANKINGS, RAW, SUMMARIES
from digest_pipeline.papers.ledger import read_ledger
from digest_pipeline.ranking.rankings import best_ranks
from digest_pipeline.render.reading import read_papers, read_summaries
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline.why import explain
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.runs import Clients, checks_of, latest_metadata, live_clients, materialize

DAY = date(2026, 6, 9)
BEST = 3


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@contextmanager
def servers() -> Iterator[tuple[FakeArxiv, FakeOpenAI]]:
    days = generate_days(date(2026, 6, 1), date(2026, 6, 19), skipped_evenings=set(load_calendar().skipped), papers_per_day=20)
    with FakeArxiv(days, now=datetime.combine(date(2026, 6, 18), time(12), EASTERN)) as arxiv, fake_openai() as openai:
        yield arxiv, openai


def clients_with(folder: Path, arxiv: FakeArxiv, openai: FakeOpenAI, **environ: str) -> Clients:
    """Two profiles that like a listed paper each."""
    profiles = folder / "profiles.toml"
    if not profiles.exists():
        profiles.write_text('[[profile]]\nname = "ada"\ncategories = ["cs.CL"]\n\n[[profile]]\nname = "bo"\ncategories = ["cs.LG"]\n')
    values = {"DIGEST_CATEGORIES": "cs.CL,cs.LG", "DIGEST_PROFILES_FILE": str(profiles), "DIGEST_TRANSLATE": f"ranked:{BEST}", **environ}
    return live_clients(folder, arxiv, openai.url, **values)


def statuses(clients: Clients, tag: str = "zh") -> dict[str, SummaryStatus]:
    return {key: row.status for key, row in read_summaries(clients.storage, DAY, tag).items()}


def chosen(clients: Clients, best: int = BEST) -> set[str]:
    return {key for key, rank in best_ranks(clients.storage, DAY).items() if rank <= best}


def with_translate(clients: Clients, value: str) -> Clients:
    """The same place with another setting, its store opened anew."""
    clients.translator.close()
    return Clients(clients.settings.model_copy(update={"translate": value}), clients.now)


def test_only_the_best_of_each_profile_are_asked_for_and_nothing_calls_the_rest_a_fault(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai)
        result = materialize(clients, instance, DAY.isoformat())
        assert result.success
        wanted, found = chosen(clients), statuses(clients)
        assert BEST < len(wanted) <= 2 * BEST < len(found)
        assert found == {key: SummaryStatus.TRANSLATED if key in wanted else SummaryStatus.ORIGINAL for key in found}
        assert openai.requests == len(wanted)
        assert all(checks_of(instance, result).values())
        assert latest_metadata(instance, SUMMARIES, DAY.isoformat())["status original"] == len(found) - len(wanted)
        whole = next(row for row in read_ledger(clients.storage, DAY) if row.category == "all")
        assert (whole.translated, whole.untranslated, whole.original, whole.balances) == (len(wanted), 0, len(found) - len(wanted), True)
        assert f"untranslated 0 + original {whole.original} = rendered {len(found)}" in str(whole)
        assert deferred_papers(clients.storage, clients.settings, DAY) == 0
        assert DAY not in days_due(clients.storage, clients.settings, arxiv.instant())

        outputs_say_that_it_was_chosen(clients, next(key for key in found if key not in wanted), len(found) - len(wanted))


def outputs_say_that_it_was_chosen(clients: Clients, paper_id: str, count: int) -> None:
    storage, root = clients.storage, Path(clients.settings.data_root)
    original = next(paper for paper in read_papers(storage, DAY) if paper.arxiv_id == paper_id)
    markdown = (root / f"digests/zh/{DAY}/all.md").read_text()
    assert paper_id in rendered_ids(markdown)
    row = next(line for line in markdown.splitlines() if line.startswith("| [^") and f"/abs/{paper_id})" in line)
    assert row.endswith("| 以原文列出 |")
    assert f"\n  original: {count}\n" in markdown
    page = (root / f"site/zh/{DAY}/index.html").read_text()
    article = page[page.index(f'data-arxiv-id="{paper_id}"') :].partition("</article>")[0]
    assert '<span class="mark">以原文列出</span>' in article
    assert f"以原文列出 {count}</p>" in page
    assert "未翻译" not in page.partition('<div class="papers"')[0]
    feed = (root / "site/zh/feeds/all.xml").read_text()
    assert "以原文列出" in feed
    assert paper_id in feed
    [exported] = [line for line in (root / f"site/zh/{DAY}/all.jsonl").read_text().splitlines() if json.loads(line)["arxiv_id"] == paper_id]
    assert (json.loads(exported)["status"], json.loads(exported)["title"]) == ("original", original.title)
    packed = (root / f"site/zh/{DAY}/abstracts-00.js").read_text().partition('"')[2].partition('"')[0]
    abstracts = gzip.decompress(base64.b64decode(packed)).decode()
    assert load_language("zh").label("site", "original_text") in abstracts
    [row_of_day] = json.loads((root / "site/zh/statistics/statistics.json").read_text())
    assert (row_of_day["untranslated"], row_of_day["original"]) == (0, count)
    assert "以原文列出" in (root / "site/zh/statistics/index.html").read_text()
    mail_day = read_mail_day(storage, DAY, ["zh"], [])
    mail = compose(mail_day, list_name="", sender="a@example.org", recipient="b@example.org", page="", sent_at=clients.now())
    assert "以原文列出" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "未翻译" not in str(announcement(mail_day, ""))
    [line] = [line for line in explain(storage, paper_id) if line.strip().startswith("zh")]
    assert "listed in the original by choice; DIGEST_TRANSLATE" in line
    report = RunReport(DAY, DAY, days=[DayResult(DAY, DayState.MADE)], is_finished=True)
    said = summary(report, storage, clients.settings, Runner.from_environment({}))
    assert report.exit_status == 0
    assert "wait for the budget" not in said
    assert "| original |" not in said
    assert f"| 0 | {count} |" in said


def test_a_larger_number_and_then_all_translate_the_rest_later_and_pay_nothing_twice(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        first = clients_with(tmp_path, arxiv, openai)
        assert materialize(first, instance, DAY.isoformat()).success
        more = with_translate(first, f"ranked:{2 * BEST}")
        assert _chosen_since(more.storage, more.settings, DAY), "a hosted range takes the day up again"
        assert materialize(more, instance, DAY.isoformat()).success
        assert openai.requests == len(chosen(more, 2 * BEST))
        assert not _chosen_since(more.storage, more.settings, DAY)
        back = with_translate(more, "ranked:1")
        assert materialize(back, instance, DAY.isoformat()).success
        translated = [key for key, status in statuses(back).items() if status is SummaryStatus.TRANSLATED]
        assert len(translated) == openai.requests, "what is paid is used though it is not chosen"
        everything = with_translate(back, "all")
        assert materialize(everything, instance, DAY.isoformat()).success
        assert set(statuses(everything).values()) == {SummaryStatus.TRANSLATED}
        assert openai.requests == len(statuses(everything)) == sum(openai.answered.values())


def test_batches_hold_only_the_chosen_papers_best_first(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai, DIGEST_BATCH="always")
        assert materialize(clients, instance, DAY.isoformat(), select=[RAW, PAPERS, RANKINGS, SUMMARIES]).success
        [lines] = [[json.loads(line) for line in content.splitlines()] for content in openai.files.values()]
        wanted, found = chosen(clients), statuses(clients)
        assert len(lines) == len(wanted)
        assert {key for key, status in found.items() if status is SummaryStatus.DEFERRED} == wanted
        assert {found[key] for key in found.keys() - wanted} == {SummaryStatus.ORIGINAL}
        ranks, [batch] = best_ranks(clients.storage, DAY), clients.translator.store.open_batches()
        order = [ranks[item.about.partition("v")[0]] for item in batch.items]
        assert order == sorted(order)


def test_a_forecast_counts_the_best_of_each_profile_only(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai)
        assert materialize(clients, instance, DAY.isoformat(), select=[RAW, PAPERS]).success

        def expected(settings: Settings) -> tuple[int, int | None]:
            one = forecast_range(settings, DAY, date(2026, 6, 11), now=clients.now)
            return one.papers_known, one.papers_estimated

        assert expected(clients.settings) == (2 * BEST, 2 * 2 * BEST), "before it is ranked: as many as can be"
        assert materialize(clients, instance, DAY.isoformat(), select=[RANKINGS]).success
        assert expected(clients.settings)[0] == len(chosen(clients))
        assert "the 3 best of each profile a day" in forecast_range(clients.settings, DAY, DAY, now=clients.now).to_text()
        all_known, all_estimated = expected(clients.settings.model_copy(update={"translate": "all"}))
        assert all_known > 2 * BEST
        assert (all_estimated or 0) > 4 * BEST


def test_without_a_ranking_of_the_day_nothing_is_left_out_silently(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai)
        assert materialize(clients, instance, DAY.isoformat(), select=[RAW, PAPERS]).success
        result = materialize(clients, instance, DAY.isoformat(), select=[SUMMARIES])
        assert not result.success
        [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        assert "materialize rankings of that day first" in str(failure.user_failure_data or failure.error)
        assert openai.requests == 0


def test_a_day_without_announcement_is_made_under_it_too(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai)
        day = "2026-01-20"  # the evening of Martin Luther King Day was skipped
        assert materialize(clients, instance, day, select=[RAW, PAPERS, RANKINGS, SUMMARIES]).success
        assert latest_metadata(instance, SUMMARIES, day)["dagster/partition_row_count"] == 0


def test_it_is_refused_without_profiles_naming_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"DIGEST_TRANSLATE": "ranked:20"}, tmp_path)
    assert "DIGEST_TRANSLATE=ranked:20" in refused.value.message
    assert "copy profiles.example.toml to profiles.toml" in str(refused.value)
    for bad in ("ranked", "ranked:0", "ranked:-3", "best", "ranked:1.5"):
        with pytest.raises(SettingsError, match="allowed: all, or ranked:N"):
            load_settings({"DIGEST_TRANSLATE": bad}, tmp_path)


def test_every_language_has_words_of_its_own_for_it() -> None:
    for tag in known_language_tags():
        language = load_language(tag)
        words = {language.label("digest", key) for key in ("original", "untranslated", "deferred")}
        texts = {language.label("site", f"{key}_text") for key in ("original", "untranslated", "deferred")}
        assert (len(words), len(texts)) == (3, 3), tag

"""An endpoint's embeddings in a ranking: each text paid for once, within the budget, and words alone, loudly, where they cannot be had."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from digest_pipeline.cli import main
from digest_pipeline.errors import EmbeddingsUnavailable, SettingsError
from digest_pipeline.hosted.segments import SegmentWriter
from digest_pipeline.ranking.embeddings import PRIVATE, Embedder
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.rank import Taste
from digest_pipeline.ranking.rankings import rank_days
from digest_pipeline.storage import Storage
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.cache.exchange import export_answers
from digest_pipeline.translation.cache.records import month_of
from digest_pipeline.translation.translator import Translator
from digest_pipeline_tests.ranking.test_commands import folder  # noqa: F401 - a fixture
from digest_pipeline_tests.ranking.test_profiles import write_papers
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, Reply, error, fake_openai
from digest_pipeline_tests.support.tastes import area_under_curve, library_of, papers_of_all_fields
from digest_pipeline_tests.support.translators import KEY, MODEL, translator_for, utc_now

DAY = date(2026, 6, 2)
PAPERS = papers_of_all_fields(100)
LIBRARY = library_of("cs.GT", 8)


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "data")
    write_papers(storage, DAY, PAPERS)
    return storage


def embedder(url: str, translator: Translator, model: str = MODEL) -> Embedder:
    return Embedder(model, url, KEY, translator, timeout_seconds=5.0)


def order(storage: Storage, one: Embedder | None) -> list[tuple[str, int, float]]:
    [(_, rows)] = rank_days(PapersAtHand(storage, one), [DAY], Taste(LIBRARY))
    return [(row.arxiv_id, row.rank, row.score) for row in rows]


def test_vectors_take_part_in_the_order_and_each_text_is_paid_for_once(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path) -> None:
    by_words = order(storage, None)
    orders = []
    for _ in range(2):  # the second process finds them kept
        with translator_for(endpoint.url, tmp_path / "answers") as translator:
            orders.append(order(storage, embedder(endpoint.url, translator)))
            spent = translator.store.spending(month_of(utc_now())).usd
    assert orders[0] == orders[1] != by_words
    assert len(endpoint.embedded) == len(PAPERS) + len(LIBRARY)
    assert set(endpoint.embedded.values()) == {1}
    assert max(len(body["input"]) for body in endpoint.embedding_requests) <= 64
    tokens = sum(sum(map(len, body["input"])) // 4 for body in endpoint.embedding_requests)
    assert spent == pytest.approx(tokens * 1.0 / 1e6, rel=1e-3)
    mine = {paper.key for paper in PAPERS if "cs.GT" in paper.categories}
    assert area_under_curve([key for key, _, _ in orders[0]], mine) > 0.95


def test_a_later_day_pays_for_its_own_papers_only(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path / "answers") as translator:
        order(storage, embedder(endpoint.url, translator))
        before = len(endpoint.embedded)
        write_papers(storage, date(2026, 6, 3), papers_of_all_fields(20, seed=5, first=500))
        order(storage, embedder(endpoint.url, translator))
    assert len(endpoint.embedded) - before == 20
    assert set(endpoint.embedded.values()) == {1}


def test_a_moments_trouble_is_waited_out(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path) -> None:
    endpoint.embedding_replies = [error(503, "overloaded"), error(429, "slow down", headers={"Retry-After": "0"})]
    with translator_for(endpoint.url, tmp_path / "answers") as translator:
        order(storage, embedder(endpoint.url, translator))
    assert set(endpoint.embedded.values()) == {1}


@pytest.mark.parametrize(
    "reply",
    [
        error(401, "the library paper Secret Orchard is refused"),
        error(404, "no such route"),
        error(400, "Secret Orchard is too long"),
        Reply(body={"data": []}),
        Reply(body={"data": [{"index": 0, "embedding": "none"}]}),
        Reply(body=b"<html>"),
    ],
)
def test_a_fault_is_told_without_what_was_asked_and_the_day_goes_by_words(
    endpoint: FakeOpenAI, storage: Storage, tmp_path: Path, reply: Reply
) -> None:
    endpoint.embedding_replies = [reply] * 20
    told: list[EmbeddingsUnavailable] = []
    with translator_for(endpoint.url, tmp_path / "answers") as translator:
        at_hand = PapersAtHand(storage, embedder(endpoint.url, translator))
        [(_, rows)] = at_hand.by_words_where_vectors_fail(lambda: list(rank_days(at_hand, [DAY], Taste(LIBRARY))), told.append)
    assert [(row.arxiv_id, row.rank, row.score) for row in rows] == order(storage, None)
    [failure] = told
    assert MODEL in str(failure)
    assert "Orchard" not in str(failure)


@pytest.mark.parametrize("budget", [Budget(per_run_usd=0.0003), Budget(per_month_usd=0.0003)])
def test_the_budget_bounds_it_and_what_was_paid_is_kept(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path, budget: Budget) -> None:
    write_papers(storage, DAY, papers_of_all_fields(400))
    with translator_for(endpoint.url, tmp_path / "answers", budget=budget) as translator:
        with pytest.raises(EmbeddingsUnavailable, match="the budget is reached"):
            order(storage, embedder(endpoint.url, translator))
        assert translator.store.spending(month_of(utc_now())).usd <= 0.0003
    paid = len(endpoint.embedded)
    with translator_for(endpoint.url, tmp_path / "answers") as translator:
        order(storage, embedder(endpoint.url, translator))
    assert set(endpoint.embedded.values()) == {1}
    assert len(endpoint.embedded) == 400 + len(LIBRARY) > paid


def test_a_budget_without_a_price_is_refused_before_anything_is_sent(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path) -> None:
    with (
        translator_for(endpoint.url, tmp_path / "answers", budget=Budget(per_run_usd=1.0)) as translator,
        pytest.raises(SettingsError, match="the price of the model 'nobody-knows' is unknown"),
    ):
        order(storage, embedder(endpoint.url, translator, "nobody-knows"))
    assert endpoint.embedding_requests == []


def test_a_librarys_papers_are_not_named_in_the_store_and_stay_off_a_hosted_branch(endpoint: FakeOpenAI, storage: Storage, tmp_path: Path) -> None:
    with translator_for(endpoint.url, tmp_path / "answers") as translator:
        order(storage, embedder(endpoint.url, translator))
        about = [answer.about for answer in translator.store.every_answer()]
        assert about.count(PRIVATE) == len(LIBRARY)
        assert set(about) == {PRIVATE, *(paper.key for paper in PAPERS)}
        exported = io.StringIO()
        export_answers(translator.store, exported)
        assert LIBRARY[0].title not in exported.getvalue()
        written = SegmentWriter(storage).write(translator.store, [])
        assert len(written) == 1
    import gzip

    kept = gzip.decompress(storage.read_bytes(written[0])).decode()
    assert len(kept.splitlines()) == len(PAPERS)
    assert PRIVATE not in kept


def test_the_command_uses_them_and_says_where_it_goes_without(
    endpoint: FakeOpenAI,
    folder: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_EMBEDDING_MODEL", "some-embedder")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    assert main(["rank", "2026-06-02", "2026-06-03", "--json"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 120
    assert "by words alone" not in said.err
    assert len(endpoint.embedded) == 126
    endpoint.embedding_replies = [error(401, "no")] * 9
    monkeypatch.setenv("DIGEST_EMBEDDING_MODEL", "another")
    assert main(["rank", "2026-06-02", "2026-06-03", "--json"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 120
    assert "! ranked by words alone: another at 127.0.0.1" in said.err

"""The asset `rankings` with an endpoint's embeddings: had, not to be had, or without a price."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from digest_pipeline.orchestration.assets import PAPERS, RANKINGS, RAW
from digest_pipeline.ranking.rankings import best_ranks
from digest_pipeline_tests.orchestration.test_ranked_translation import DAY, clients_with, instance, servers  # noqa: F401 - a fixture
from digest_pipeline_tests.support.fake_openai import error
from digest_pipeline_tests.support.runs import checks_of, materialize

HAD = "embeddings_were_had_where_they_are_set"
MODEL = {"DIGEST_EMBEDDING_MODEL": "text-embedding-3-small"}


def test_embeddings_that_fail_warn_and_the_day_is_ranked_by_words(tmp_path: Path, instance: dg.DagsterInstance) -> None:  # noqa: F811
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai, **MODEL)
        (tmp_path / "profiles.toml").write_text('[[profile]]\nname = "ada"\nlikes = ["2606.00145"]\ncategories = ["cs.CL"]\n')
        openai.embedding_replies = [error(401, "no such key")] * 9
        result = materialize(clients, instance, DAY.isoformat(), select=[RAW, PAPERS, RANKINGS])
        assert result.success
        assert not checks_of(instance, result)[HAD]
        assert checks_of(instance, result)["every_profile_is_ranked"]
        by_words = best_ranks(clients.storage, DAY)
        openai.embedding_replies = []
        result = materialize(clients, instance, DAY.isoformat(), select=[RANKINGS])
        assert checks_of(instance, result)[HAD]
        assert best_ranks(clients.storage, DAY).keys() == by_words.keys()
        assert set(openai.embedded.values()) == {1}


def test_a_budget_without_their_price_fails_before_anything_is_sent(tmp_path: Path, instance: dg.DagsterInstance) -> None:  # noqa: F811
    with servers() as (arxiv, openai):
        clients = clients_with(tmp_path, arxiv, openai, DIGEST_EMBEDDING_MODEL="nobody-knows", DIGEST_BUDGET_PER_RUN_USD="1")
        assert materialize(clients, instance, DAY.isoformat(), select=[RAW, PAPERS]).success
        assert not materialize(clients, instance, DAY.isoformat(), select=[RANKINGS]).success
        assert openai.embedding_requests == []

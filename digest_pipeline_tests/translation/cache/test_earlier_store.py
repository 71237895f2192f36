"""Paid answers that an earlier version kept in an object store are read, and nothing of it is paid again.

`golden/answers-of-cb5b89d.json` was made by commit cb5b89d's own code: the store's objects (three answers, one of them after a rejection, an endpoint that
knows no json_schema, an open batch, the lease of a run that was killed on another machine), and what the endpoint held of the batch.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from digest_pipeline.translation.batch import client as batch_client
from digest_pipeline.translation.batch.collect import collect_open_batches
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm import client as chat_client
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.translators import papers, translator_for

KEPT = json.loads((Path(__file__).parents[2] / "golden" / "answers-of-cb5b89d.json").read_text("utf-8"))
ZH = load_language("zh")


@pytest.fixture
def root() -> str:
    return f"memory://answers-{uuid.uuid4().hex}"


@pytest.fixture
def earlier_store(root: str) -> str:
    for name, content in KEPT["objects"].items():
        place = UPath(f"{root}/{name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode())
    return root


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    """Holds the batch, and goes by the address that it had then: the port is another each time."""
    for module in (batch_client, chat_client):
        monkeypatch.setattr(module, "endpoint_name", lambda _: KEPT["endpoint"].removeprefix("http://"))
    with fake_openai() as fake:
        fake.batches = json.loads(json.dumps(KEPT["held_by_the_endpoint"]["batches"]))
        fake.files = {name: content.encode() for name, content in KEPT["held_by_the_endpoint"]["files"].items()}
        yield fake


def test_an_earlier_versions_objects_are_read_and_nothing_is_paid_again(earlier_store: str, holder: FakeOpenAI) -> None:
    with translator_for(holder.url, earlier_store) as translator:
        spent = translator.store.spending("2026-06")
        assert (spent.usd, spent.answers, spent.input_tokens, spent.output_tokens) == (pytest.approx(0.0056), 4, 2400, 1600)
        assert [flags for _, flags in translator.store.every_rejected()] == [("answer-unreadable: no JSON object with the fields asked for",)]
        first = translate_papers(papers(4), [ZH], translator)
        assert [row.status for row in first.summaries["zh"]] == ["translated"] * 3 + ["deferred"]
        assert first.summaries["zh"][1].cost_usd == pytest.approx(0.0028), "with the rejected answer before it"
        assert holder.requests == 0
        assert collect_open_batches(translator).answers == 1
        then = translate_papers(papers(4), [ZH], translator)
        assert ([row.status for row in then.summaries["zh"]], then.reused, then.requests) == (["translated"] * 4, 4, 0)


def test_what_an_earlier_version_learned_holds_and_its_killed_run_blocks_nobody(earlier_store: str, holder: FakeOpenAI) -> None:
    with translator_for(holder.url, earlier_store) as translator:
        assert translate_papers(papers(1, first=5), [ZH], translator).summaries["zh"][0].is_translated
    assert [asked.format for asked in holder.asked] == ["json_object"]

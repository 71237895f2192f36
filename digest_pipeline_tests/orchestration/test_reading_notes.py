"""The asset `reading_notes` in a real run: the best papers of each profile, once for all, against a page server and a model on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline import tables
from digest_pipeline.orchestration.assets import READING_NOTES
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.ranking.rank import RankedPaper
from digest_pipeline.ranking.rankings import write_rankings
from digest_pipeline.reading.view import notes_file
from digest_pipeline.settings import load_settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.reading.test_fulltext import RECORDINGS
from digest_pipeline_tests.reading.test_reader import LIMIT, TRUE, answering
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai
from digest_pipeline_tests.support.site_days import generated_papers
from digest_pipeline_tests.support.translators import translator_for


class Pages:
    """arXiv's HTML on loopback: one paper has a page, the others have none."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known = ""


@pytest.fixture
def pages() -> Iterator[tuple[Pages, str]]:
    state = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            page = (RECORDINGS / "lantern.html").read_bytes() if self.path == f"/html/{state.known}" else b"<h1>Not found</h1>"
            self.send_response(200 if self.path == f"/html/{state.known}" else 404)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield state, f"http://127.0.0.1:{server.server_address[1]}/html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as server:
        yield server


def test_the_best_papers_of_each_profile_are_read_once_for_all(tmp_path: Path, pages: tuple[Pages, str], endpoint: FakeOpenAI) -> None:
    state, address = pages
    (tmp_path / "profiles.toml").write_text('[[profile]]\nname = "ada"\n', encoding="utf-8")
    settings = load_settings(
        {
            "DIGEST_DEMO": "false", "DIGEST_DATA_DIR": str(tmp_path / "data"), "DIGEST_PROFILES_FILE": str(tmp_path / "profiles.toml"), "DIGEST_READ_TOP": "2",
            "DIGEST_ARXIV_HTML_URL": address, "DIGEST_ARXIV_INTERVAL_SECONDS": "0", "DIGEST_ARXIV_LOCK_DIR": str(tmp_path), "DIGEST_FIRST_LISTING": "2026-06-01",
            "OPENAI_BASE_URL": endpoint.url,
        },
        tmp_path,
    )  # fmt: skip
    storage, day = Storage(tmp_path / "data"), load_settings({"DIGEST_FIRST_LISTING": "2026-06-02"}, tmp_path).first_listing
    papers = generated_papers(day, 4)
    storage.write_table(storage.papers_file(day), tables.papers_to_table(papers))
    for profile in ("ada", "bo"):  # the same two papers are both readers' best
        write_rankings(storage, day, profile, [RankedPaper(paper.arxiv_id, place, 1 / place, "terms", ()) for place, paper in enumerate(papers, 1)])
    state.known = f"{papers[0].arxiv_id}v{papers[0].version}"
    endpoint.behave = answering([TRUE, LIMIT])
    with translator_for(endpoint.url, tmp_path / "answers") as translator, dg.DagsterInstance.ephemeral() as instance:
        definitions = build_definitions(settings, resources={"translator": translator})
        for _ in range(2):
            result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, partition_key=day.isoformat(), asset_selection=[dg.AssetKey(READING_NOTES)]
            )
            assert result.success
    rows = storage.read_table(notes_file(day, "zh"), tables.READING_NOTES).to_pylist()
    assert [(row["arxiv_id"], row["status"]) for row in rows] == [
        (papers[0].arxiv_id, "shown"), (papers[0].arxiv_id, "shown"), (papers[1].arxiv_id, "no full text"),
    ]  # fmt: skip
    assert (endpoint.requests, len(state.asked)) == (1, 2)  # the second run asks nobody
    [event] = result.asset_materializations_for_node(READING_NOTES)
    assert event.metadata["papers"].value == 2
    assert json.loads(json.dumps(event.metadata["forecast_usd"].value)) == 0.0

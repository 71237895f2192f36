"""The examples of docs/extending.md: each is run as a user would, a source, a language, an output, a provider."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from digest_pipeline import sample
from digest_pipeline.arxiv.listing import fetch_listing
from digest_pipeline.errors import EndpointConfigurationError, SourceError
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.markdown.render import render_digest
from digest_pipeline.models import ALL, DigestEntry, Evidence, ListingInfo, SummaryStatus
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.papers.ledger import day_ledger
from digest_pipeline.papers.table import write_papers
from digest_pipeline.render.reading import read_entries, read_papers
from digest_pipeline.settings import load_settings
from digest_pipeline.translation.languages import Language, load_language, parse_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.translator import Translator
from digest_pipeline_tests.support.answers import ANSWERS, PAPER, TLDR_EN
from digest_pipeline_tests.support.runs import Clients, sample_clients, translated_sample
from digest_pipeline_tests.support.translators import translator_for
from examples.command_provider import CommandProvider
from examples.mirror import keep_mirrored
from examples.own_definitions import OwnEndpoint, own_definitions
from examples.ris import render_ris

ROOT = Path(__file__).parents[2]
DAY = sample.SAMPLE_DAY
NOWHERE = "http://127.0.0.1:9"
ITALIAN = {
    "translated_title": "LumaRank: riordinamento dei passaggi più veloce con ⟦1⟧ teste di attenzione condivise",
    "translated_abstract": (
        "I modelli linguistici di grandi dimensioni riordinano bene i passaggi, ma lentamente. Presentiamo LumaRank, che condivide ⟦2⟧ teste di "
        "attenzione tra gli strati e non richiede fine-tuning. Su due benchmark con 12.500 interrogazioni, LumaRank mantiene il ⟦3⟧ "
        "dell'accuratezza con una latenza di 41 ms per interrogazione, contro i 160 ms della baseline più forte. Uno studio di ablazione con "
        "⟦4⟧tre modelli più piccoli⟦5⟧ mostra che il guadagno cresce con la profondità, come previsto in ⟦6⟧. Il codice è in ⟦7⟧."
    ),
    "tldr": "LumaRank condivide le teste di attenzione tra gli strati e riordina i passaggi quasi quattro volte più velocemente con la stessa accuratezza.",
    "tldr_en": TLDR_EN,
}


def italian() -> Language:
    return parse_language("it", (ROOT / "examples" / "it.toml").read_text(encoding="utf-8"))


def program(folder: Path, body: str) -> list[str]:
    """A model as a program: reads the question, writes what `body` prints."""
    path = folder / "model.py"
    path.write_text("import json, sys\nquestion = json.load(sys.stdin)\n" + textwrap.dedent(body), encoding="utf-8")
    return [sys.executable, str(path)]


def desk_of(command: list[str], folder: Path) -> Translator:
    return replace(translator_for(NOWHERE, folder, paper_timeout_seconds=60.0), make_client=lambda: CommandProvider(command))


# -- a source ----------------------------------------------------------------------------------------


def save_day(folder: Path, day: date) -> Path:
    """The sample's bytes as another machine would have saved them."""
    (folder / day.isoformat()).mkdir(parents=True)
    (folder / day.isoformat() / "rss.xml").write_bytes(sample.feed_bytes())
    (folder / day.isoformat() / "api-1.xml").write_bytes(sample.api_bytes())
    return folder


def offline_clients(folder: Path) -> Clients:
    """Live settings whose arXiv and model cannot be reached."""
    values = {"DIGEST_DATA_DIR": str(folder / "data"), "DIGEST_ARXIV_API_URL": NOWHERE, "DIGEST_ARXIV_RSS_URL": NOWHERE, "OPENAI_BASE_URL": NOWHERE}
    return Clients(load_settings(values, folder), lambda: datetime(2026, 1, 20, tzinfo=UTC))


def test_a_mirrored_day_is_served_without_a_request_to_arxiv(tmp_path: Path) -> None:
    clients = offline_clients(tmp_path)
    keep_mirrored(save_day(tmp_path / "mirror", DAY), DAY, clients.raw, clients.now())
    assert fetch_listing(DAY, clients.listing_fetcher).announced
    write_papers(DAY, clients.storage, clients.categories)
    assert len(read_papers(clients.storage, DAY)) == 17
    assert clients.arxiv.request_count == 0


def test_a_mirror_of_another_day_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    clients = offline_clients(tmp_path)
    friday = date(2026, 1, 16)
    save_day(tmp_path / "mirror", friday)
    with pytest.raises(SourceError, match="dated 2026-01-15, not the listing of 2026-01-16"):
        keep_mirrored(tmp_path / "mirror", friday, clients.raw, clients.now())
    with pytest.raises(SourceError, match="there is no"):
        keep_mirrored(tmp_path / "mirror", date(2026, 1, 19), clients.raw, clients.now())
    assert clients.raw.manifest(friday) is None


# -- a language --------------------------------------------------------------------------------------


def test_the_italian_file_has_all_that_the_shipped_languages_have() -> None:
    ours, english = italian().labels, load_language("en").labels
    for room, words in english.items():
        assert set(ours[room]) == set(words), room
        for key, text in words.items():
            assert {part.partition("}")[0] for part in ours[room][key].split("{")[1:]} == {part.partition("}")[0] for part in text.split("{")[1:]}, (
                key
            )


def test_a_new_language_and_a_new_provider_make_a_digest(tmp_path: Path) -> None:
    command = program(tmp_path, f"print(json.dumps({ITALIAN!r}))")
    with desk_of(command, tmp_path) as translator:
        summary = translate_papers([PAPER], [italian()], translator).summaries["it"][0]
    assert (summary.status, summary.flags) == (SummaryStatus.TRANSLATED, ())
    assert "$k=4$ teste di attenzione" in summary.translated_abstract

    facts = ListingInfo(PAPER.listing_date, True, Evidence.RSS, False)
    ids = [PAPER.arxiv_id]
    ledger = day_ledger(PAPER.listing_date, ALL, "it", announced_ids=ids, papers=[PAPER], summaries={ids[0]: summary}, rendered_ids=ids)
    (digest,) = render_digest(facts, ledger, [DigestEntry(PAPER, summary)], italian(), model="a-program", generator="test")
    assert rendered_ids(digest) == ids
    assert "# Riassunto" in digest


def test_an_answer_in_another_language_is_not_taken_for_italian(tmp_path: Path) -> None:
    command = program(tmp_path, f"print(json.dumps({ANSWERS['es'] | {'tldr_en': TLDR_EN}!r}))")
    with desk_of(command, tmp_path) as translator:
        summary = translate_papers([PAPER], [italian()], translator).summaries["it"][0]
    assert summary.status is SummaryStatus.QUARANTINED
    assert any(flag.startswith("not-translated") for flag in summary.flags)


# -- a provider --------------------------------------------------------------------------------------


def test_a_program_that_does_not_exist_stops_the_run_and_says_what_to_correct(tmp_path: Path) -> None:
    with (
        desk_of(["no-such-program"], tmp_path) as translator,
        pytest.raises(EndpointConfigurationError, match="MODEL_COMMAND"),
    ):
        translate_papers([PAPER], [load_language("zh")], translator)


def test_a_program_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    answer = json.dumps(ANSWERS["zh"] | {"tldr_en": TLDR_EN})
    command = program(
        tmp_path,
        f"""
        from pathlib import Path
        before = Path({str(tmp_path / "before")!r})
        if not before.exists():
            before.touch()
            sys.exit("out of memory")
        print({answer!r})
        """,
    )
    with desk_of(command, tmp_path) as translator:
        outcome = translate_papers([PAPER], [load_language("zh")], translator)
    assert outcome.summaries["zh"][0].is_translated
    assert outcome.requests == 2


def test_the_command_replaces_the_client_of_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_COMMAND", "my-model --quiet")
    with OwnEndpoint.of(offline_clients(tmp_path).settings).yield_for_execution(dg.build_init_resource_context()) as translator:
        assert isinstance(translator.make_client(), CommandProvider)
        assert translator.make_batch_endpoint is None


# -- an output ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*currently in beta")  # Dagster warns of parameters that it passes itself
def test_the_day_becomes_references_as_one_more_asset(tmp_path: Path) -> None:
    clients = sample_clients(tmp_path)
    translated_sample(clients)

    definitions = own_definitions(clients.settings)
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get(dg.AssetKey("ris_file")).parent_keys} == {"digest_files"}
    usual = build_definitions(clients.settings).resolve_asset_graph().get_all_asset_keys()
    assert graph.get_all_asset_keys() == usual | {dg.AssetKey("ris_file")}
    with dg.DagsterInstance.ephemeral() as instance:
        run = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("ris_file")], partition_key=str(DAY)
        )
    assert run.success

    references = (tmp_path / "sample" / "ris" / f"{DAY}.ris").read_bytes().decode().split("ER  - \r\n\r\n")[:-1]
    assert len(references) == 17
    newest = references[0].split("\r\n")
    assert newest[0] == "TY  - UNPB"
    assert "UR  - https://arxiv.org/abs/2601.90420" in newest
    assert sum(line.startswith("AU  - ") for line in newest) == 30
    untranslated = [reference for reference in references if "N1  - " not in reference]
    assert len(untranslated) == 1


def test_a_day_without_papers_is_an_empty_file(tmp_path: Path) -> None:
    assert render_ris([]) == ""
    with pytest.raises(SourceError, match="no papers table"):
        read_entries(offline_clients(tmp_path).storage, DAY, "zh")

"""The installed command as a person types it: what it prints, its exit status, and what it leaves alone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from digest_pipeline import sample
from digest_pipeline.cli import FAILED, MISUSED, OK, main
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.fake_openai import fake_openai
from digest_pipeline_tests.support.runs import sample_clients, translated_sample

DAY = sample.SAMPLE_DAY.isoformat()
NOWHERE = "http://127.0.0.1:9"
Output = pytest.CaptureFixture[str]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and Dagster's records in a folder of the test's own; live commands reach nothing."""
    monkeypatch.setenv("DIGEST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    for name in ("DIGEST_ARXIV_API_URL", "DIGEST_ARXIV_RSS_URL"):
        monkeypatch.setenv(name, NOWHERE)
    return tmp_path


# -- run ---------------------------------------------------------------------------------------------


def test_run_without_a_key_makes_the_sample_and_says_what_it_did_and_what_comes_next(scratch: Path) -> None:
    """In a process of its own, because what the terminal shows is what counts, warnings and log lines too."""
    strict = "error,ignore:datetime.datetime.utcfromtimestamp"  # as in pyproject.toml: warnings are errors there too
    environ = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONWARNINGS": strict}
    done = subprocess.run([sys.executable, "-m", "digest_pipeline.cli", "run"], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == OK, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"SAMPLE DAY {DAY}: invented papers")
    assert "  zh: announced 17 = fetched 17 = translated 16 + untranslated 1 = rendered 17" in lines
    digest, pages = scratch / f"data/sample/digests/zh/{DAY}/all.md", scratch / "data/sample/site/index.html"
    assert [line.strip() for line in lines[lines.index("Files") + 1 :][:2]] == [str(digest), str(pages)]
    assert digest.is_file()
    assert pages.is_file()
    assert lines[-1].startswith("Next: `make serve` shows the pages; set OPENAI_API_KEY")
    assert "Warning" not in done.stderr
    assert (scratch / "dagster" / "dagster.yaml").is_file()


def test_a_saturday_is_refused_with_the_two_nearest_listings_before_anything_is_written(scratch: Path, capsys: Output) -> None:
    assert main(["run", "--day", "2026-01-17"]) == MISUSED
    assert "2026-01-17 is a Saturday" in (said := capsys.readouterr().err)
    assert "2026-01-16 and 2026-01-19" in said
    assert list(scratch.iterdir()) == []


def test_a_future_day_is_refused(scratch: Path, capsys: Output) -> None:
    assert main(["run", "--day", "2999-01-01"]) == MISUSED
    assert "will be announced on" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-02-30", "15.1.2026"])
def test_what_is_no_date_is_refused_with_an_example(text: str, scratch: Path, capsys: Output) -> None:
    assert main(["run", "--day", text]) == MISUSED
    assert f"'{text}' is no date; write it as 2026-11-20" in capsys.readouterr().err


def test_a_run_that_fails_says_so_and_keeps_what_it_has(scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)
    monkeypatch.setenv("DIGEST_ARXIV_ATTEMPTS", "1")
    monkeypatch.setenv("DIGEST_ARXIV_INTERVAL_SECONDS", "0")
    monkeypatch.setattr("time.sleep", lambda _: None)  # between the stage's attempts
    assert main(["run", "--day", DAY]) == FAILED
    said = capsys.readouterr()
    assert said.out.startswith(f"Listing of {DAY} · cs.CL, cs.IR → zh · model ")
    assert f"✗ {DAY} did not finish" in said.out
    assert "run the same command again" in said.out


# -- settings and arguments --------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["run"], ["forecast", DAY, DAY], ["answers", "export", "x"]])
def test_an_unknown_setting_is_refused_with_the_nearest_known_one(
    command: list[str], scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("DIGEST_MODELL", "x")
    assert main(command) == MISUSED
    assert "DIGEST_MODELL (in the environment) is no setting → did you mean one of DIGEST_MODEL" in capsys.readouterr().err
    assert list(scratch.iterdir()) == []


def test_no_command_or_an_unknown_one_shows_what_there_is(capsys: Output) -> None:
    for arguments in ([], ["rum"]):
        assert main(arguments) == MISUSED
        assert "Usage: digest" in capsys.readouterr().err


# -- ranges ------------------------------------------------------------------------------------------


def test_a_forecast_tells_requests_time_and_cost_of_five_days_and_sends_nothing(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    with fake_openai() as openai:
        monkeypatch.setenv("OPENAI_BASE_URL", openai.url)
        assert main(["forecast", "2026-01-12", "2026-01-16"]) == OK
        assert openai.keys_seen == set()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-01-12 to 2026-01-16: 5 listing days, 0 without announcement, 0 kept, 5 to fetch"
    assert [line.split()[0] for line in lines[1:]] == ["arXiv", "papers", "model", "cost"]
    assert "requests" in lines[1]
    assert "unknown (no listing of these categories was fetched yet" in lines[2]
    assert "unknown" in lines[3]
    assert "unknown" in lines[4]
    assert "$0" not in lines[4], "what is not known does not cost nothing"


def test_a_forecast_over_a_skipped_day_counts_it(scratch: Path, capsys: Output) -> None:
    assert main(["forecast", "2026-01-15", "2026-01-20"]) == OK
    assert "4 listing days, 1 without announcement, 0 kept, 3 to fetch" in capsys.readouterr().out


@pytest.mark.parametrize(("first", "last"), [("2026-01-16", "2026-01-12"), ("2026-01-17", "2026-01-18"), ("2026-01-12", "2999-01-01")])
def test_a_range_that_cannot_be_is_refused(first: str, last: str, scratch: Path, capsys: Output) -> None:
    assert main(["forecast", first, last]) == MISUSED
    assert "✗" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "enter", "nobody there"])
def test_a_backfill_shows_its_forecast_and_starts_nothing_without_consent(
    answer: str, scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["backfill", "2026-01-12", "2026-01-16"]) == OK
    said = capsys.readouterr().out
    assert said.startswith("2026-01-12 to 2026-01-16: 5 listing days")
    assert said.endswith("\nWhat it will cost is unknown. Start? [y/N] Nothing was started.\n")
    assert not (scratch / "dagster").exists()


def test_a_backfill_without_a_model_is_refused_before_the_forecast(scratch: Path, capsys: Output) -> None:
    assert main(["backfill", "2026-01-12", "2026-01-16", "--yes"]) == MISUSED
    said = capsys.readouterr()
    assert said.out == ""
    assert "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set" in said.err


def test_ctrl_c_ends_a_command_without_a_traceback_and_says_that_nothing_is_lost(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)
    monkeypatch.setattr("builtins.input", interrupted)
    assert main(["backfill", "2026-01-12", "2026-01-16"]) == FAILED
    assert capsys.readouterr().err == "\nStopped. Nothing is lost: run the same command again.\n"


# -- answers, pages ----------------------------------------------------------------------------------


def test_paid_answers_are_carried_to_another_machine_and_taken_in_once(scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    clients = sample_clients(scratch / "data")
    translated_sample(clients)
    clients.translator.close()
    file = scratch / "answers.jsonl"
    assert main(["answers", "export", str(file)]) == OK
    count = len(file.read_text(encoding="utf-8").splitlines())
    assert capsys.readouterr().out == f"{count} answers written to {file}\n"
    monkeypatch.setenv("DIGEST_ANSWERS_DIR", str(scratch / "elsewhere"))
    for said in (f"{count} answers added, 0 known already\n", f"0 answers added, {count} known already\n"):
        assert main(["answers", "import", str(file)]) == OK
        assert capsys.readouterr().out == said


def test_a_file_of_answers_that_is_not_there_is_refused_in_words(scratch: Path, capsys: Output) -> None:
    assert main(["answers", "import", str(scratch / "nowhere.jsonl")]) == MISUSED
    assert "nowhere.jsonl cannot be opened: No such file or directory" in capsys.readouterr().err


def test_a_file_that_holds_no_answers_fails_naming_its_line(scratch: Path, capsys: Output) -> None:
    (scratch / "x.jsonl").write_text("\nhello\n")
    assert main(["answers", "import", str(scratch / "x.jsonl")]) == FAILED
    assert "line 2 is no exported answer" in capsys.readouterr().err


def test_serve_without_pages_says_what_makes_them(scratch: Path, capsys: Output) -> None:
    assert main(["serve"]) == FAILED
    assert "there are no pages" in (said := capsys.readouterr().err)
    assert "`make run` first" in said


# -- what Dagster loads ------------------------------------------------------------------------------


@pytest.mark.slow
def test_dagsters_own_command_validates_the_definitions(scratch: Path) -> None:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "digest_pipeline.definitions"]
    (scratch / "dagster").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr
    assert Storage(scratch / "data").names("") == []  # loading writes nothing

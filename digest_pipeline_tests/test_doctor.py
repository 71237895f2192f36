"""The doctor finds what would make tonight's run fail, says what to do, shows no secret, and its exit status can be relied on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline import doctor
from digest_pipeline.doctor import Finding, Level, machine
from digest_pipeline.settings import load_settings
from digest_pipeline_tests.support.fake_openai import error, fake_openai
from digest_pipeline_tests.support.loopback import smtp_server
from digest_pipeline_tests.support.serving import serving

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOW = datetime(2026, 6, 2, 12, 0, tzinfo=UTC)
KEY = "sk-test-0123456789"


class Services:
    """arXiv and a model's endpoint on loopback, as the doctor needs them."""

    def __init__(self) -> None:
        self.address = ""
        self.arxiv_body = b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"></feed>'
        self.clock = NOW
        self.model_status = 200
        self.model_error: dict[str, Any] = {}
        self.paths: list[str] = []


@contextmanager
def running() -> Iterator[Services]:
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: bytes, kind: str) -> None:
            services.paths.append(self.path)
            self.send_response_only(status)
            self.send_header("Date", format_datetime(services.clock, usegmt=True))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer(200, services.arxiv_body, "application/atom+xml")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "OK"}}
            good = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            body = good if services.model_status == 200 else {"error": services.model_error}
            self.answer(services.model_status, json.dumps(body).encode(), "application/json")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as server:
        services.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield services


@pytest.fixture
def services() -> Iterator[Services]:
    with running() as started:
        yield started


def examine(tmp_path: Path, services: Services | None = None, environ: dict[str, str] | None = None, **settings: str) -> dict[str, list[Finding]]:
    """Findings by subject."""
    given = {
        "DIGEST_DATA_DIR": str(tmp_path / "data"),
        "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
        "DIGEST_CONTACT": "ops@lab.example",
        "DIGEST_ALERT_URLS": "json://127.0.0.1:9/x",
    }
    if services is not None:
        given |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{services.address}/v1", "DIGEST_ARXIV_API_URL": f"{services.address}/api/query"}
    findings = doctor.examine(
        load_settings(given | settings, root=tmp_path), environ=environ or {}, root=tmp_path, now=lambda: NOW, offline=services is None
    )
    assert KEY not in repr(findings)
    return {subject: [f for f in findings if f.subject == subject] for subject in dict.fromkeys(f.subject for f in findings)}


def worst(found: dict[str, list[Finding]], subject: str) -> Finding:
    return max(found[subject], key=lambda finding: finding.level)


def test_a_healthy_machine_has_nothing_but_good_news(tmp_path: Path, services: Services) -> None:
    found = examine(tmp_path, services)
    assert {finding.level for findings in found.values() for finding in findings} == {Level.OK}
    assert {"mode", "calendar", "data directory", "DAGSTER_HOME", "versions", "alerts", "arXiv", "clock", "model"} <= set(found)


def test_each_outside_service_gets_one_tiny_request(tmp_path: Path, services: Services) -> None:
    examine(tmp_path, services)
    assert [path.split("?")[0] for path in services.paths] == ["/api/query", "/v1/chat/completions"]


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (401, {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}, "OPENAI_API_KEY"),
        (404, {"message": "The model does not exist", "code": "model_not_found"}, "DIGEST_MODEL"),
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}, "no credit left"),
        (429, {"message": "Rate limit reached"}, "too many requests"),
        (500, {"message": "oops"}, "endpoint"),
    ],
)
def test_a_refusing_endpoint_is_an_error_with_its_own_advice(
    tmp_path: Path, services: Services, status: int, error: dict[str, Any], advice: str
) -> None:
    services.model_status, services.model_error = status, error
    finding = worst(examine(tmp_path, services), "model")
    assert finding.level is Level.ERROR
    assert advice in finding.hint


def test_an_embedding_model_is_asked_for_one_word_and_named_where_it_fails(tmp_path: Path, services: Services) -> None:
    with fake_openai() as endpoint:
        given = {"OPENAI_BASE_URL": endpoint.url, "DIGEST_EMBEDDING_MODEL": "some-embedder"}
        found = examine(tmp_path, services, **given)["model"]
        assert [finding.level for finding in found] == [Level.OK, Level.OK]
        assert "some-embedder gives embeddings of 64 numbers" in found[1].message
        assert [body["input"] for body in endpoint.embedding_requests] == [["OK"]]
        endpoint.embedding_replies = [error(404, "The model does not exist", "model_not_found")]
        failing = worst(examine(tmp_path, services, **given), "model")
        assert (failing.level, "DIGEST_EMBEDDING_MODEL" in failing.hint) == (Level.ERROR, True)
        unpriced = worst(examine(tmp_path, services, **given, DIGEST_BUDGET_PER_RUN_USD="1"), "model")
        assert "the price of the model 'some-embedder' is unknown" in unpriced.message


def test_an_arxiv_that_cannot_be_reached_or_answers_nonsense_is_an_error(tmp_path: Path, services: Services) -> None:
    services.arxiv_body = b"<html>Rate exceeded.</html>"
    assert worst(examine(tmp_path, services), "arXiv").level is Level.ERROR
    assert worst(examine(tmp_path, services, DIGEST_ARXIV_API_URL="http://127.0.0.1:9/api"), "arXiv").level is Level.ERROR


@pytest.mark.parametrize(
    ("off", "level"), [(timedelta(seconds=5), Level.OK), (timedelta(minutes=2), Level.WARNING), (timedelta(hours=-1), Level.ERROR)]
)
def test_a_wrong_clock_is_found_by_arxivs(tmp_path: Path, services: Services, off: timedelta, level: Level) -> None:
    services.clock = NOW + off
    assert worst(examine(tmp_path, services), "clock").level is level


def test_a_year_whose_holidays_are_unknown_is_told_before_it_begins(tmp_path: Path) -> None:
    settings = load_settings({"DIGEST_DATA_DIR": str(tmp_path)}, root=tmp_path)
    for moment, level in ((datetime(2026, 10, 1, tzinfo=UTC), Level.OK), (datetime(2126, 12, 1, tzinfo=UTC), Level.ERROR)):
        findings = doctor.examine(settings, environ={}, root=tmp_path, now=lambda moment=moment: moment, offline=True)
        assert max(f.level for f in findings if f.subject == "calendar") is level


def test_a_data_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert worst(examine(tmp_path, DIGEST_DATA_DIR=str(tmp_path / "file" / "data")), "data directory").level is Level.ERROR


@pytest.mark.parametrize("given", ["relative/home", "/nowhere/at/all"])
def test_a_dagster_home_that_dagster_would_refuse_is_an_error(tmp_path: Path, given: str) -> None:
    assert worst(examine(tmp_path, environ={"DAGSTER_HOME": given}), "DAGSTER_HOME").level is Level.ERROR


def test_a_damaged_answer_store_is_an_error_and_a_good_one_tells_the_months_cost(tmp_path: Path) -> None:
    assert "$0.00 paid this month for 0 answers" in worst(examine(tmp_path), "answer store").message
    (store,) = (tmp_path / "data").rglob("answers.sqlite")
    store.write_bytes(b"no database " * 1000)
    assert worst(examine(tmp_path), "answer store").level is Level.ERROR


def test_before_the_first_run_the_home_that_make_gives_is_no_error(tmp_path: Path) -> None:
    assert worst(examine(tmp_path, environ={"DAGSTER_HOME": str(tmp_path / ".dagster_home")}), "DAGSTER_HOME").level is Level.OK


def test_files_that_the_advice_names_exist(tmp_path: Path) -> None:
    root = Path(doctor.__file__).resolve().parents[2]
    advice = worst(examine(tmp_path, environ={"DAGSTER_HOME": "/nowhere/at/all"}), "DAGSTER_HOME").hint
    named = [word for word in advice.split() if "/" in word]
    assert len(named) == 2
    assert all((root / path).is_file() for path in named)


def test_a_version_outside_its_bounds_is_an_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["pytest>=999", "no-such-package-of-ours"]\n')
    messages = [f.message for f in examine(tmp_path)["versions"] if f.level is Level.ERROR]
    assert any(message.startswith("pytest ") and ">=999" in message for message in messages)
    assert any("no-such-package-of-ours is not installed" in message for message in messages)


def test_nobody_to_tell_is_a_warning_and_an_unreadable_address_an_error(tmp_path: Path, services: Services) -> None:
    assert worst(examine(tmp_path, services, DIGEST_ALERT_URLS=""), "alerts").level is Level.WARNING
    assert worst(examine(tmp_path, services, DIGEST_ALERT_URLS="slack://x"), "alerts").level is Level.ERROR


def test_the_mail_server_is_greeted_and_gets_no_mail(tmp_path: Path, services: Services) -> None:
    with smtp_server() as mailbox:
        settings = {"DIGEST_SMTP_URL": f"smtp://{mailbox.address}", "DIGEST_MAIL_FROM": "d@lab.example", "DIGEST_MAIL_TO": "a@lab.example"}
        assert worst(examine(tmp_path, services, **settings), "mail").level is Level.OK
        assert mailbox.received == []
    assert worst(examine(tmp_path, services, DIGEST_MAIL_TO="a@lab.example"), "mail").level is Level.ERROR


@pytest.mark.parametrize(("mode", "level"), [(0o755, Level.OK), (0o750, Level.WARNING)])
def test_public_pages_that_a_web_server_cannot_get_to_are_a_warning_that_names_the_folder(mode: int, level: Level) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "data" / "sample" / "site").mkdir(parents=True)
        (folder / "data" / "sample" / "site" / "index.html").write_text("x")
        (folder / "data").chmod(mode)
        finding = worst(examine(folder, DIGEST_SITE_URL="https://digest.example.org"), "pages")
        assert finding.level is level
        assert finding.hint == ("" if level is Level.OK else f"chmod o+x {folder / 'data'}")
        assert "pages" not in examine(folder), "nobody is to see them"


def test_a_proxy_is_named_without_its_password_and_lost_certificates_are_an_error(tmp_path: Path) -> None:
    found = examine(tmp_path, environ={"HTTPS_PROXY": "http://user:s3cret@proxy.lab:3128", "SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert "proxy.lab" in found["network"][0].message
    assert "s3cret" not in repr(found)
    assert worst(found, "network").level is Level.ERROR


def test_a_bad_watch_list_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text("[[list]\n")
    assert worst(examine(tmp_path), "watch lists").level is Level.ERROR


@pytest.mark.parametrize(("setting", "value", "status"), [("DIGEST_CATEGORIES", "cs.XX", 2), ("DIGEST_SMTP_URL", "smtp://127.0.0.1:9", 0)])
def test_the_exit_status_is_the_worst_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], setting: str, value: str, status: int
) -> None:
    monkeypatch.setenv("DIGEST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(setting, value)
    monkeypatch.setattr(doctor, "HERE", machine.QUESTIONS[2:3])  # the data directory alone
    assert doctor.main(["--offline", "--json"]) == status
    assert json.loads(capsys.readouterr().out)[0]["level"] == ("error" if status else "ok")

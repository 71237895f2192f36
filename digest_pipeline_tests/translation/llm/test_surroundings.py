"""A lab or a country behind a proxy, with an authority of its own: the environment's settings hold towards the model."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import cast
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import trustme

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.run import translate_papers
from digest_pipeline_tests.support.fake_openai import FakeOpenAI, _Handler, _Server, fake_openai
from digest_pipeline_tests.support.serving import serving
from digest_pipeline_tests.support.translators import papers, translator_for

ZH = load_language("zh")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class _Proxy(BaseHTTPRequestHandler):
    """Hands plain http on, and counts."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012 - one a test, replaced by it
    target = ""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.asked.append(self.path)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path = "/" + self.path.split("/", 3)[3]
        with build_opener(ProxyHandler({})).open(Request(self.target + path, content, {"Content-Type": "application/json"}), timeout=10) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_the_model_is_asked_through_the_environments_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_openai() as endpoint, serving(_Proxy) as proxy:
        _Proxy.asked, _Proxy.target = [], endpoint.url.removesuffix("/v1")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        with translator_for("http://model.invalid/v1", tmp_path) as translator:
            outcome = translate_papers(papers(2), [ZH], translator)
        assert all(row.is_translated for row in outcome.summaries["zh"])
        assert _Proxy.asked == ["http://model.invalid/v1/chat/completions"] * 2


def test_no_proxy_is_used_for_a_host_that_is_excepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_openai() as endpoint:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with translator_for(endpoint.url, tmp_path) as translator:
            assert all(row.is_translated for row in translate_papers(papers(2), [ZH], translator).summaries["zh"])


@contextmanager
def endpoint_with_own_authority(authority: trustme.CA) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = _Server(("127.0.0.1", 0), _Handler)
    cast(_Server, server).fake = FakeOpenAI()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_trusted_where_the_environment_names_it(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv(setting, str(tmp_path / "ca.pem"))
    with endpoint_with_own_authority(authority) as url, translator_for(url, tmp_path / "store") as translator:
        assert all(row.is_translated for row in translate_papers(papers(2), [ZH], translator).summaries["zh"])


def test_a_certificate_that_is_not_trusted_ends_the_run_with_what_to_set(tmp_path: Path) -> None:
    with endpoint_with_own_authority(trustme.CA()) as url, translator_for(url, tmp_path) as translator:
        with pytest.raises(EndpointConfigurationError, match="is not trusted here") as raised:
            translate_papers(papers(2), [ZH], translator)
        assert "SSL_CERT_FILE" in raised.value.hint


def test_a_proxy_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks9://nowhere:1")
    with translator_for("http://127.0.0.1:9/v1", tmp_path) as translator, pytest.raises(EndpointConfigurationError, match="proxy of the environment"):
        translate_papers(papers(1), [ZH], translator)

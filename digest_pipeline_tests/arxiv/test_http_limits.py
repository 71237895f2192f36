"""What a request to arXiv never does: outlast its limit, leave its host, or pass by the environment's proxy and certificates."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from digest_pipeline.arxiv import atom
from digest_pipeline.arxiv.http import Pace, RateLimitedAdapter, get, polite_session, user_agent
from digest_pipeline.arxiv.rate_limit import CrossProcessRateLimiter
from digest_pipeline.errors import ArxivUnavailable, SourceError

PAGE = b'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title></feed>'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/atom+xml\r\n"
SECONDS = 0.6


def adapter(folder: Path, timeout: float = SECONDS) -> RateLimitedAdapter:
    return RateLimitedAdapter(
        CrossProcessRateLimiter(folder / "turn", 0.0),
        Pace(0.0, timeout, 1),
        user_agent("t@example.org"),
        atom.read_page,
        now=lambda: datetime.now(UTC),
    )


def ask(url: str, folder: Path, timeout: float = SECONDS) -> bytes:
    polite = adapter(folder, timeout)
    with polite_session(polite) as session:
        return get(session, url).content


Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that reads one request a connection, headers only, and answers as told; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def one(connection: socket.socket) -> None:
        try:
            with connection, context.wrap_socket(connection, server_side=True) if context else connection as channel:
                asked = b""
                while b"\r\n\r\n" not in asked and (more := channel.recv(65536)):
                    asked += more
                answer(channel, asked)
        except OSError:
            return  # the client has gone

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(10)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def dripping(first: bytes, drop: bytes = b"x", last: bytes = b"") -> Answer:
    """Sends `first`, then `drop` again and again, more often than any limit on a single read would notice."""

    def answer(channel: socket.socket, _: bytes) -> None:
        channel.sendall(first)
        for _ in range(100):
            channel.sendall(drop)
            time.sleep(0.05)
        channel.sendall(last)

    return answer


SLOW: dict[str, Answer] = {
    "status line": dripping(b"HTTP/1.1 200 O", b"K"),
    "headers": dripping(HEAD + b"X-Slow: ", b"a"),
    "body with its length": dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunked body": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "size of a chunk": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "body without length": dripping(HEAD + b"Connection: close\r\n\r\n", b" "),
    "gzip body": dripping(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n" + gzip.compress(b"")[:9], b"\0"),
    "a whole page and then nothing": dripping(HEAD + b"Connection: close\r\n\r\n" + PAGE, b"\n"),
}


@pytest.mark.parametrize("where", SLOW)
def test_a_byte_now_and_then_is_given_up_at_the_limit_and_the_turn_is_free_again(where: str, tmp_path: Path) -> None:
    with serving(SLOW[where]) as port:
        began = time.monotonic()
        with pytest.raises(ArxivUnavailable, match=r"no whole answer within 0\.6 s"):
            ask(f"http://127.0.0.1:{port}/api/query?x", tmp_path)
        with CrossProcessRateLimiter(tmp_path / "turn", 0.0).turn():
            assert SECONDS <= time.monotonic() - began < SECONDS + 1.5


def test_a_slow_handshake_is_given_up_at_the_limit_too(tmp_path: Path) -> None:
    with serving(lambda channel, _: time.sleep(5)) as port:
        began = time.monotonic()
        with pytest.raises(ArxivUnavailable, match="no whole answer"):
            ask(f"https://127.0.0.1:{port}/api/query?x", tmp_path)
        assert time.monotonic() - began < SECONDS + 1.5


# -- redirects -------------------------------------------------------------------------------------------


def redirecting(target: str) -> Answer:
    def answer(channel: socket.socket, asked: bytes) -> None:
        if b" /start" in asked:
            channel.sendall(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 12\r\n\r\nSECRET-BYTES".encode())
        else:
            channel.sendall(HEAD + f"Content-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE)

    return answer


@pytest.mark.parametrize("target", ["/api/query?y", "//127.0.0.1:{port}/there"])
def test_a_redirect_on_the_host_that_was_asked_is_followed(target: str, tmp_path: Path) -> None:
    answers: list[str] = []
    with serving(lambda channel, asked: redirecting(answers[0])(channel, asked)) as port:
        answers.append(target.replace("{port}", str(port)))
        assert ask(f"http://127.0.0.1:{port}/start", tmp_path) == PAGE


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost/x",
        "http://127.0.0.1:1/x",
        "https://example.org/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://user@127.0.0.1/x",
        "http://127.0.0.1:many/x",
        "javascript:x",
    ],
)
def test_a_redirect_anywhere_else_is_refused_in_words_and_shows_nothing_of_the_answer(target: str, tmp_path: Path) -> None:
    with serving(redirecting(target)) as port, pytest.raises(SourceError, match="which is not followed") as refused:
        ask(f"http://127.0.0.1:{port}/start", tmp_path)
    assert "SECRET" not in str(refused.value)


def test_a_redirect_in_a_circle_ends_in_words(tmp_path: Path) -> None:
    with serving(redirecting("/start")) as port, pytest.raises(ArxivUnavailable, match="TooManyRedirects"):
        ask(f"http://127.0.0.1:{port}/start", tmp_path)


# -- proxies and certificates ----------------------------------------------------------------------------


@contextmanager
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy on loopback, for http and for https by CONNECT; yields its port and the first lines of what it was asked."""
    lines: list[str] = []

    def relay(source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            return

    def answer(channel: socket.socket, asked: bytes) -> None:
        line = asked.split(b"\r\n", 1)[0].decode()
        lines.append(line)
        place = line.split()[1].removeprefix("http://").split("/")[0]
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port or 80)), timeout=5) as beyond:
            if line.startswith("CONNECT"):
                channel.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                beyond.sendall(asked.replace(b"http://" + place.encode(), b"", 1))
            back = threading.Thread(target=relay, args=(beyond, channel), daemon=True)
            back.start()
            relay(channel, beyond)
            back.join(5)

    with serving(answer) as port:
        yield port, lines


@pytest.fixture
def own_authority(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """An https server whose certificate is of an authority that only a file names; yields its port and that file."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    with serving(lambda channel, _: channel.sendall(HEAD + f"Content-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE), context) as port:
        yield port, tmp_path / "authority.pem"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_is_trusted_where_the_environment_names_it(
    name: str, own_authority: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, file = own_authority
    with pytest.raises(ArxivUnavailable, match=r"not trusted here.*REQUESTS_CA_BUNDLE or SSL_CERT_FILE"):
        ask(f"https://127.0.0.1:{port}/x", tmp_path, 5)
    monkeypatch.setenv(name, str(file))
    assert ask(f"https://127.0.0.1:{port}/x", tmp_path, 5) == PAGE


def test_https_goes_through_the_environments_proxy(own_authority: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, file = own_authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with proxy() as (through, lines):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{through}")
        assert ask(f"https://127.0.0.1:{port}/x", tmp_path, 5) == PAGE
    assert lines == [f"CONNECT 127.0.0.1:{port} HTTP/1.0"] or lines == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"]


@pytest.mark.parametrize(("exempt", "is_used"), [("", True), ("127.0.0.1", False), ("example.org", True)])
def test_http_goes_through_the_environments_proxy_unless_the_host_is_exempt(
    exempt: str, is_used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (through, lines), serving(redirecting("/there")) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{through}")
        monkeypatch.setenv("NO_PROXY", exempt)
        assert ask(f"http://127.0.0.1:{port}/x", tmp_path, 5) == PAGE
        assert bool(lines) is is_used


def test_a_proxy_that_is_not_there_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(ArxivUnavailable, match="ProxyError"):
        ask("http://127.0.0.1:9/x", tmp_path, 5)

"""Requests to arXiv: in their turn, within a time limit, tried again with patience, believed by their body.

`RateLimitedAdapter` puts every request of a `requests.Session` through the machine's turns (`rate_limit.py`), bounds it from
the start to the last byte, backs off as Retry-After says, for all processes, and looks at the body, because arXiv also says
"Rate exceeded." with status 200. Proxies and certificates are the environment's; redirects stay on the host asked.

What does not live here: what is asked (`api.py`) and what the answers mean (`atom.py`, `rss.py`).
"""

from __future__ import annotations

import logging
import os
import queue
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import punctuation
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from digest_pipeline import __version__
from digest_pipeline.arxiv.rate_limit import LONGEST_WAIT_SECONDS, CrossProcessRateLimiter
from digest_pipeline.errors import ArxivUnavailable, SourceError

logger = logging.getLogger(__name__)
_ID_LIST = re.compile(r"(\bid_list=)[^&]+")

MOST_BYTES = 64 * 1024 * 1024  # the largest honest page, 2,000 entries, is about 6 MB; beyond this it is no feed
MOST_REDIRECTS = 3
_BUSY = frozenset({429, 500, 502, 503, 504})
_PORTS = {"http": 80, "https": 443}


class UnusableBody(SourceError):
    """The body of an answer is not what was asked for; says what came instead."""

    retryable = True


@dataclass(frozen=True, slots=True)
class RawResponse:
    """One answer of arXiv as it came: the bytes with when and whence, and what they were read as when they arrived."""

    url: str
    fetched_at_utc: datetime
    status: int
    body: bytes
    content: Any = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are spaced and how long one may take, in seconds."""

    interval: float = 3.0
    timeout: float = 60.0
    attempts: int = 6


@dataclass(frozen=True, slots=True)
class ArxivAccess:
    """What every request to arXiv goes by: the machine's turns, the pace, who asks, and the clock."""

    rate_limit_file: Path
    pace: Pace
    contact: str
    now: Callable[[], datetime]

    @property
    def rate_limiter(self) -> CrossProcessRateLimiter:
        return CrossProcessRateLimiter(self.rate_limit_file, self.pace.interval)

    def adapter(self, validate_body: Callable[[bytes], Any]) -> RateLimitedAdapter:
        return RateLimitedAdapter(self.rate_limiter, self.pace, user_agent(self.contact), validate_body, now=self.now)


class RateLimitedAdapter(HTTPAdapter):
    """Sends each request in its turn, tries again with patience, and gives back only answers that `validate_body` reads.

    `validate_body(body)` returns what the body holds and raises UnusableBody where it is not the answer asked for.
    Raises ArxivUnavailable when the attempts are used up. Every good answer is appended to `raw_responses`.
    """

    def __init__(
        self,
        rate_limiter: CrossProcessRateLimiter,
        pace: Pace,
        user_agent: str,
        validate_body: Callable[[bytes], Any],
        *,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self.raw_responses: list[RawResponse] = []
        self.request_count = 0
        self._rate_limiter, self._pace, self._user_agent, self._validate_body, self._now = rate_limiter, pace, user_agent, validate_body, now
        self._deadline = _Deadline(pace.timeout)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        request.headers["User-Agent"] = self._user_agent
        environment = {name: options.get(name) for name in ("verify", "cert", "proxies")}
        trouble = ""
        for attempt in range(1, self._pace.attempts + 1):
            with self._rate_limiter.turn() as pause_everybody:
                self.request_count += 1
                response, trouble = self._try(request, environment)
                if response is not None and not trouble:
                    return response
                wait = self._wait_after(response, attempt)
                if attempt < self._pace.attempts and wait <= LONGEST_WAIT_SECONDS:
                    address = _ID_LIST.sub(r"\1…", str(request.url))  # they may be those of somebody's library
                    logger.warning("arXiv: %s; attempt %d of %d, next in %.1f s (%s)", trouble, attempt, self._pace.attempts, wait, address)
                    pause_everybody(wait)
                else:
                    break
        raise ArxivUnavailable(
            f"arXiv did not give a usable answer to {request.url} ({trouble}; {attempt} attempts)",
            hint="nothing is lost; run the same partition again later, and see https://status.arxiv.org if it lasts",
        )

    def _try(self, request: requests.PreparedRequest, environment: Mapping[str, Any]) -> tuple[requests.Response | None, str]:
        """(response, "") for a good answer; (response or None, trouble in words) for one worth another try."""
        self._deadline = deadline = _Deadline(self._pace.timeout)
        try:
            with deadline:
                response = super().send(request, stream=True, timeout=(min(10.0, self._pace.timeout), self._pace.timeout), **environment)
                response._content = self._read(response)
        except (requests.RequestException, OSError) as error:
            if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ArxivUnavailable(
                    f"the certificate of {urlsplit(str(request.url)).hostname} is not trusted here",
                    hint="behind a proxy with a certificate authority of its own, name that authority's file in REQUESTS_CA_BUNDLE or SSL_CERT_FILE",
                ) from None
            return None, f"no whole answer within {self._pace.timeout:g} s" if deadline.is_over else _reason(error)
        if response.status_code in _BUSY:
            return response, f"HTTP {response.status_code}"
        if response.status_code == requests.codes.ok:
            try:
                content = self._validate_body(response.content)
            except UnusableBody as error:
                if not error.retryable:
                    raise
                return response, str(error)
            self.raw_responses.append(RawResponse(str(request.url), self._now(), response.status_code, response.content, content))
        return response, ""

    def _read(self, response: requests.Response) -> bytes:
        """The whole body, within the size limit."""
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(65536):
            size += len(chunk)
            if size > MOST_BYTES:
                raise requests.exceptions.ContentDecodingError(f"more than {MOST_BYTES} bytes")
            chunks.append(chunk)
        announced = response.headers.get("Content-Length")
        if announced and "Content-Encoding" not in response.headers and int(announced) != size:
            raise requests.exceptions.ChunkedEncodingError(f"{size} of {announced} bytes arrived")
        return b"".join(chunks)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """The pool, with connections that the deadline of the request at hand can end."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        if not issubclass(pool.ConnectionCls, _Bounded):
            pool.ConnectionCls = type("_BoundedConnection", (_Bounded, pool.ConnectionCls), {"deadline": lambda: self._deadline})
        return pool

    def _wait_after(self, response: requests.Response | None, attempt: int) -> float:
        """Retry-After where arXiv gives one; else doubling from twice the interval, with jitter."""
        told = retry_after_seconds(response.headers.get("Retry-After")) if response is not None else None
        if told is not None:
            return told
        return min(120.0, self._pace.interval * float(2**attempt)) * random.uniform(1.0, 1.3)  # noqa: S311 - jitter, no secret


class _Deadline:
    """Ends the connections bound to it when the time is up, in whatever phase: handshake, headers or body.

    A time limit on each read does not do that: a server that sends a byte a second never exceeds it.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self.is_over = False

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            while self._connections:
                self._connections.pop().close()
        if kind is None and self.is_over:
            raise TimeoutError  # what had arrived by then may look whole

    def wait_for(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """What `connect` gives, or TimeoutError: looking up a host's name knows no limit, and cannot be ended from outside."""
        ends: queue.SimpleQueue[socket.socket | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                ends.put(connect())
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                ends.put(error)

        threading.Thread(target=run, name="connect-to-arxiv", daemon=True).start()
        try:
            end = ends.get(timeout=max(0.0, self._until - time.monotonic()))
        except queue.Empty:
            self.is_over = True
            raise TimeoutError from None
        if isinstance(end, Exception):
            raise end
        return end

    def bind(self, connection: socket.socket) -> None:
        """Keeps a second descriptor of the connection: TLS takes the first away."""
        with self._lock:
            self._connections.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster


class _Bounded:
    """Mixed into urllib3's connections: each is made within the deadline of the request at hand, and ended by it, new or used again."""

    deadline: Callable[[], _Deadline]
    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        deadline = type(self).deadline()
        connection = deadline.wait_for(super()._new_conn)  # type: ignore[misc]
        deadline.bind(connection)
        return connection

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is not None:
            type(self).deadline().bind(self.sock)
        super().request(*args, **options)  # type: ignore[misc]


class _Session(requests.Session):
    """Follows redirects on the host that was asked only, and honours SSL_CERT_FILE as `curl` and `openssl` do."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None and not _stays(str(resp.url), urljoin(str(resp.url), target)):
            there = urlsplit(urljoin(str(resp.url), target))
            raise SourceError(
                f"the answer to {resp.url} sends on to another address, {there.scheme}://{there.hostname or ''}, which is not followed",
                hint="see DIGEST_ARXIV_API_URL and DIGEST_ARXIV_RSS_URL, and whether a network's sign-in page stands in between",
            )
        return target

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if merged["verify"] is True and (bundle := os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
            merged["verify"] = bundle
        return merged


def _stays(asked: str, target: str) -> bool:
    """Whether a redirect leads to the same place, or to the same host by https."""
    before, after = urlsplit(asked), urlsplit(target)
    try:
        ports = before.port or _PORTS.get(before.scheme), after.port or _PORTS.get(after.scheme)
    except ValueError:
        return False
    if after.hostname != before.hostname or after.username or after.scheme not in _PORTS:
        return False
    return (after.scheme == before.scheme and ports[0] == ports[1]) or (before.scheme == "http" and after.scheme == "https")


def polite_session(adapter: RateLimitedAdapter) -> requests.Session:
    """A session all of whose requests go through `adapter`."""
    session = _Session()
    session.max_redirects = MOST_REDIRECTS
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def get(session: requests.Session, url: str, **options: Any) -> requests.Response:
    """GET, with what `requests` itself refuses in our words. Raises ArxivUnavailable."""
    try:
        return session.get(url, **options)
    except requests.RequestException as error:
        raise ArxivUnavailable(f"{url} cannot be asked: {_reason(error)}", hint="see the addresses of arXiv and the proxy in the settings") from None


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds to wait from a Retry-After header in either form; None without one or with nonsense in it."""
    try:
        return None if header is None else float(Retry().parse_retry_after(header))
    except (InvalidHeader, ValueError, OverflowError):
        return None


def user_agent(contact: str) -> str:
    """Who we are and how to reach the operator, as arXiv asks; letters that no header can carry in percent form."""
    shown = quote(" ".join(contact.split()), safe=punctuation + " ")
    return f"arxiv-digest-pipeline/{__version__}" + (f" ({shown})" if shown else "")


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return f"{type(error).__name__}: {getattr(cause, 'reason', cause)}"[:200]

"""One polite connection to arXiv, shared by every process of the deployment.

arXiv's terms of use ask for one request every three seconds and one connection over all machines, API and
RSS together. `Turnstile` gives that on one machine: a file lock held during the request (the kernel frees it
when a process dies) and a time stamp beside it. `RateLimitedAdapter` puts every request of a `requests.Session`
through it, with time limits, back-off honouring Retry-After for all processes, and a check of the body,
because arXiv also says "Rate exceeded." with status 200.

What does not live here: what is asked (`api.py`, `rss.py`) and what the answers mean.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock
from requests.adapters import HTTPAdapter

from digest_pipeline import __version__
from digest_pipeline.errors import ArxivUnavailable

logger = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024  # the largest honest page, 2,000 entries, is about 6 MB; beyond this it is no feed
LONGEST_WAIT_SECONDS = 900.0  # a longer Retry-After ends the run instead of holding it
_BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RawResponse:
    """One answer of arXiv as it came: the bytes with when and whence."""

    url: str
    fetched_at_utc: datetime
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are spaced and how long one may take, in seconds."""

    interval: float = 3.0
    timeout: float = 60.0
    attempts: int = 6


class CrossProcessRateLimiter:
    """Lets one request at a time through, `interval` seconds after the previous one ended.

    Measured from the end of one request to the start of the next, so that the gap arXiv sees is never
    shorter. The state file also carries a pause that any process was told to make.
    """

    def __init__(
        self, state_file: Path, interval: float, *, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        state_file.parent.mkdir(parents=True, exist_ok=True)
        self._state_file = state_file
        self._lock = FileLock(f"{state_file}.lock")
        self._interval = interval
        self._clock = clock
        self._sleep = sleep

    @contextlib.contextmanager
    def turn(self) -> Iterator[Callable[[float], None]]:
        """Waits for the turn; yields a function that makes every process pause for so many seconds."""
        pause_until = 0.0

        def pause(seconds: float) -> None:
            nonlocal pause_until
            pause_until = self._clock() + seconds

        with self._lock:
            self._wait()
            self._note(self._clock() + self._interval)  # holds even if this process dies during the request
            try:
                yield pause
            finally:
                self._note(max(self._clock() + self._interval, pause_until))

    def _wait(self) -> None:
        while (left := self._not_before() - self._clock()) > 0:
            self._sleep(min(left, LONGEST_WAIT_SECONDS))

    def _not_before(self) -> float:
        """The recorded instant; one further off than any pause we make is a clock set back, and is not believed."""
        try:
            recorded = float(json.loads(self._state_file.read_text())["not_before"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0.0
        return recorded if recorded - self._clock() <= LONGEST_WAIT_SECONDS + self._interval else 0.0

    def _note(self, not_before: float) -> None:
        self._state_file.write_text(json.dumps({"not_before": not_before}))


class RateLimitedAdapter(HTTPAdapter):
    """Sends each request in its turn, tries again with patience, and gives back only bodies that pass `is_usable`.

    `is_usable(body)` returns None, or in words why the body is not the answer asked for. Raises
    ArxivUnavailable when the attempts are used up. Every good answer is appended to `captures`.
    """

    def __init__(
        self,
        turnstile: CrossProcessRateLimiter,
        pace: Pace,
        user_agent: str,
        is_usable: Callable[[bytes], str | None],
        *,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self.captures: list[RawResponse] = []
        self.request_count = 0
        self._turnstile, self._pace, self._user_agent, self._is_usable, self._now = turnstile, pace, user_agent, is_usable, now

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        request.headers["User-Agent"] = self._user_agent
        trouble = ""
        for attempt in range(1, self._pace.attempts + 1):
            with self._turnstile.turn() as pause_everybody:
                self.request_count += 1
                response, trouble = self._try(request)
                if response is not None and not trouble:
                    if response.status_code == requests.codes.ok:
                        self.captures.append(RawResponse(str(request.url), self._now(), response.status_code, response.content))
                    return response
                wait = self._wait_after(response, attempt)
                if attempt < self._pace.attempts and wait <= LONGEST_WAIT_SECONDS:
                    logger.warning("arXiv: %s; attempt %d of %d, next in %.1f s (%s)", trouble, attempt, self._pace.attempts, wait, request.url)
                    pause_everybody(wait)
                else:
                    break
        raise ArxivUnavailable(
            f"arXiv did not give a usable answer to {request.url} ({trouble}; {attempt} attempts)",
            hint="nothing is lost; run the same partition again later, and see https://status.arxiv.org if it lasts",
        )

    def _try(self, request: requests.PreparedRequest) -> tuple[requests.Response | None, str]:
        """(response, "") for a good answer; (response or None, trouble in words) for one worth another try."""
        try:
            response = super().send(request, stream=True, timeout=(min(10.0, self._pace.timeout), self._pace.timeout))
            body = self._read(response)
        except (requests.RequestException, TimeoutError) as error:
            return None, f"{type(error).__name__}: no answer within {self._pace.timeout:g} s" if isinstance(error, TimeoutError) else _reason(error)
        response._content = body
        if response.status_code in _BUSY:
            return response, f"HTTP {response.status_code}"
        if response.status_code == requests.codes.ok and (why := self._is_usable(body)):
            return response, why
        return response, ""

    def _read(self, response: requests.Response) -> bytes:
        """The whole body, within the time limit from first to last byte and the size limit."""
        deadline = time.monotonic() + self._pace.timeout
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(65536):
            size += len(chunk)
            if size > MOST_BYTES:
                raise requests.exceptions.ContentDecodingError(f"more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
            chunks.append(chunk)
        announced = response.headers.get("Content-Length")
        if announced and "Content-Encoding" not in response.headers and int(announced) != size:
            raise requests.exceptions.ChunkedEncodingError(f"{size} of {announced} bytes arrived")
        return b"".join(chunks)

    def _wait_after(self, response: requests.Response | None, attempt: int) -> float:
        """Retry-After where arXiv gives one; else doubling from twice the interval, with jitter."""
        told = retry_after_seconds(response.headers.get("Retry-After"), self._now()) if response is not None else None
        if told is not None:
            return told
        return min(120.0, self._pace.interval * float(2**attempt)) * random.uniform(1.0, 1.3)  # noqa: S311 - jitter, no secret


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header in either form; None without one or with nonsense in it."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())


def user_agent(contact: str) -> str:
    """Who we are and how to reach the operator, as arXiv asks."""
    return f"arxiv-digest-pipeline/{__version__}" + (f" ({contact})" if contact else "")


def polite_session(adapter: RateLimitedAdapter) -> requests.Session:
    """A session all of whose requests go through `adapter`."""
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return f"{type(error).__name__}: {getattr(cause, 'reason', cause)}"[:200]

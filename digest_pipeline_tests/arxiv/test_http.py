"""One polite connection: spacing over processes, a killed holder, shared pauses, time and size limits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.arxiv import atom
from digest_pipeline.arxiv.http import Pace, RateLimitedAdapter, polite_session, retry_after_seconds, user_agent
from digest_pipeline.arxiv.rate_limit import CrossProcessRateLimiter
from digest_pipeline.errors import ArxivUnavailable
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, Refusal

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.fixture
def arxiv() -> Iterator[FakeArxiv]:
    with FakeArxiv([], now=NOW) as fake:
        yield fake


def adapter(folder: Path, interval: float = 0.0, attempts: int = 3, timeout: float = 2.0) -> RateLimitedAdapter:
    return RateLimitedAdapter(
        CrossProcessRateLimiter(folder / "turn.json", interval),
        Pace(interval, timeout, attempts),
        user_agent("t@example.org"),
        atom.read_page,
        now=lambda: datetime.now(UTC),
    )


def get(url: str, polite: RateLimitedAdapter) -> requests.Response:
    with polite_session(polite) as session:
        return session.get(url)


def ask_repeatedly(url: str, folder: str, interval: float, times: int) -> None:
    polite = adapter(Path(folder), interval)
    for _ in range(times):
        get(f"{url}?id_list=2606.00001", polite)


def test_four_processes_together_keep_the_interval_between_any_two_requests(arxiv: FakeArxiv, tmp_path: Path) -> None:
    interval = 0.1
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=ask_repeatedly, args=(arxiv.api_url, str(tmp_path), interval, 3)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len(arxiv.requests) == 12
    assert min(arxiv.gaps_seconds()) >= interval


def test_a_name_server_that_never_answers_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: over.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(ArxivUnavailable, match=r"no whole answer within 0\.3 s"):
        get("http://arxiv.invalid/rss", adapter(tmp_path, attempts=1, timeout=0.3))
    assert time.monotonic() - began < 5
    over.set()


def hold_the_turn(folder: str, ready: str) -> None:
    with CrossProcessRateLimiter(Path(folder) / "turn.json", 0.0).turn():
        Path(ready).touch()
        time.sleep(60)


def test_a_process_killed_while_it_holds_the_turn_does_not_block_the_next(arxiv: FakeArxiv, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    holder = multiprocessing.get_context("spawn").Process(target=hold_the_turn, args=(str(tmp_path), str(ready)))
    holder.start()
    while not ready.exists():
        time.sleep(0.02)
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    assert get(f"{arxiv.api_url}?id_list=2606.00001", adapter(tmp_path)).status_code == 200


def test_a_pause_that_one_run_was_told_to_make_is_made_by_all(arxiv: FakeArxiv, tmp_path: Path) -> None:
    arxiv.faults.api_statuses.append(Refusal(503, retry_after="1"))
    with pytest.raises(ArxivUnavailable):
        get(f"{arxiv.api_url}?id_list=2606.00001", adapter(tmp_path, attempts=1))
    arxiv.faults.api_statuses.append(Refusal(429, retry_after="1"))
    began = time.monotonic()
    first = threading.Thread(target=get, args=(f"{arxiv.api_url}?id_list=2606.00001", adapter(tmp_path)))
    first.start()
    time.sleep(0.2)
    get(f"{arxiv.api_url}?id_list=2606.00002", adapter(tmp_path))
    first.join(10)
    assert [r.time - arxiv.requests[1].time >= 1.0 for r in arxiv.requests[2:]] == [True, True]
    assert time.monotonic() - began < 10


def test_a_retry_after_of_hours_ends_the_run_instead_of_holding_it(arxiv: FakeArxiv, tmp_path: Path) -> None:
    arxiv.faults.api_statuses.append(Refusal(429, retry_after="7200"))
    began = time.monotonic()
    with pytest.raises(ArxivUnavailable, match="HTTP 429"):
        get(f"{arxiv.api_url}?id_list=2606.00001", adapter(tmp_path))
    assert time.monotonic() - began < 5


@given(st.integers(0, 21_600))
def test_retry_after_is_understood_in_both_its_forms(seconds: int) -> None:
    assert retry_after_seconds(str(seconds)) == seconds
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    assert retry_after_seconds(format_datetime(at, usegmt=True)) == pytest.approx(seconds, abs=5)


@given(st.text(max_size=40).filter(lambda t: not t.strip().replace(".", "").isdigit()))
def test_nonsense_in_retry_after_is_no_wait_and_no_error(text: str) -> None:
    waited = retry_after_seconds(text)
    assert waited is None or waited >= 0


def test_a_contact_in_any_script_can_be_sent() -> None:
    agent = user_agent("张三 <zhang@lab.example>\n(https://lab.example/~z)")
    assert agent.isascii()
    assert agent.isprintable()
    assert "<zhang@lab.example> (https://lab.example/~z)" in agent
    assert user_agent(" ") == user_agent("")

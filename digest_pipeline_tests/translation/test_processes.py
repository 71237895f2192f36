"""Processes that are killed, and processes that meet: counted by what the endpoint was asked."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest_pipeline_tests.support.fake_openai import FakeOpenAI, fake_openai

pytestmark = pytest.mark.slow
AT_ONCE = 4


@pytest.fixture
def endpoint() -> Iterator[FakeOpenAI]:
    with fake_openai() as fake:
        yield fake


def start(endpoint: FakeOpenAI, folder: Path, count: int, at_once: int = AT_ONCE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "digest_pipeline_tests.support.translate_day", endpoint.url, str(folder), str(count), str(at_once)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return dict(json.loads(out.splitlines()[-1]))


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def wait_for_answers(endpoint: FakeOpenAI, count: int) -> None:
    until = time.monotonic() + 60
    while sum(endpoint.answered.values()) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_run_killed_again_and_again_pays_only_for_what_was_under_way(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.05
    for answers in (15, 45, 70):
        process = start(endpoint, tmp_path, 80)
        wait_for_answers(endpoint, answers)
        kill(process)
    last = result(start(endpoint, tmp_path, 80))
    assert last["translated"] == 80
    assert endpoint.requests <= 80 + 3 * AT_ONCE
    assert result(start(endpoint, tmp_path, 80)) | {"peak_mb": 0} == {"translated": 80, "reused": 80, "requests": 0, "peak_mb": 0}


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_keeps_what_is_under_way(endpoint: FakeOpenAI, tmp_path: Path, stop: signal.Signals) -> None:
    endpoint.latency_seconds = 0.5
    process = start(endpoint, tmp_path, 40)
    wait_for_answers(endpoint, 10)
    process.send_signal(stop)
    process.communicate(timeout=30)
    assert process.returncode != 0
    asked = endpoint.requests
    assert asked < 40
    last = result(start(endpoint, tmp_path, 40))
    assert (last["translated"], last["reused"]) == (40, asked)
    assert endpoint.requests == 40


def test_two_runs_of_the_same_day_at_once_pay_once(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.1
    both = [start(endpoint, tmp_path, 60) for _ in range(2)]
    outcomes = [result(process) for process in both]
    assert [outcome["translated"] for outcome in outcomes] == [60, 60]
    assert endpoint.requests == 60
    assert sum(outcome["requests"] for outcome in outcomes) == 60


def test_a_run_takes_over_from_one_that_is_killed_beside_it(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    endpoint.latency_seconds = 0.1
    doomed, survivor = start(endpoint, tmp_path, 60), start(endpoint, tmp_path, 60)
    wait_for_answers(endpoint, 20)
    kill(doomed)
    began = time.monotonic()
    assert result(survivor)["translated"] == 60
    assert time.monotonic() - began < 20
    assert endpoint.requests <= 60 + AT_ONCE


def test_memory_stays_flat_on_the_largest_day(endpoint: FakeOpenAI, tmp_path: Path) -> None:
    small = result(start(endpoint, tmp_path / "small", 200, 32))
    large = result(start(endpoint, tmp_path / "large", 2855, 32))
    assert large["translated"] == 2855
    assert large["peak_mb"] < 600
    assert large["peak_mb"] < small["peak_mb"] + 60, "20 KB a paper: its rows, not its requests"

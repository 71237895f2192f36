"""Turns at arXiv are taken by all processes and users of a machine, through a file that nobody can make us regret opening."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest

from digest_pipeline.arxiv import rate_limit
from digest_pipeline.arxiv.rate_limit import LONGEST_WAIT_SECONDS, CrossProcessRateLimiter, rate_limit_file
from digest_pipeline.errors import ArxivUnavailable, SettingsError


class Clock:
    """Seconds since the machine's start; sleeping lets them pass."""

    def __init__(self) -> None:
        self.now, self.slept = 10_000.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def limiter(file: Path, clock: Clock, interval: float = 3.0) -> CrossProcessRateLimiter:
    return CrossProcessRateLimiter(file, interval, clock=clock, sleep=clock.sleep)


def take_turn(file: Path, clock: Clock) -> float:
    """Takes a turn; returns how long it was waited for."""
    before = clock.now
    with limiter(file, clock).turn():
        return clock.now - before


# -- where ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://export.arxiv.org/api/query", "arxiv.org"),
        ("https://arxiv.org/api/query", "arxiv.org"),
        ("http://user:secret@mirror.example.org:8080/api", "mirror.example.org-8080"),
        ("http://127.0.0.1:8801/api/query", "127.0.0.1-8801"),
        ("http://[::1]:8801/../../etc/passwd", "-1-8801"),
    ],
)
def test_all_of_arxivs_hosts_share_one_file_and_another_address_has_its_own(url: str, name: str, tmp_path: Path) -> None:
    assert rate_limit_file(url, tmp_path).name.removeprefix("arxiv-digest-pipeline-").removesuffix(".turn").strip("-") == name.strip("-")
    assert rate_limit_file(url, tmp_path).parent == tmp_path


def test_the_place_is_the_machines_and_does_not_depend_on_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    monkeypatch.setattr(rate_limit, "_FOLDERS", (locks, tmp_path))
    assert rate_limit_file("https://arxiv.org").parent == tmp_path  # the first is not there
    locks.mkdir()
    assert rate_limit_file("https://arxiv.org").parent == locks


# -- turns ---------------------------------------------------------------------------------------------


def test_the_interval_holds_from_the_end_of_one_turn_to_the_next_whoever_takes_it(tmp_path: Path) -> None:
    clock = Clock()
    assert take_turn(tmp_path / "turn", clock) == 0
    assert take_turn(tmp_path / "turn", clock) == pytest.approx(3.0, abs=0.01)
    clock.now += 1
    assert take_turn(tmp_path / "turn", clock) == pytest.approx(2.0, abs=0.01)


def test_a_process_that_dies_during_its_request_still_leaves_the_interval(tmp_path: Path) -> None:
    clock = Clock()
    turn = limiter(tmp_path / "turn", clock).turn()
    turn.__enter__()
    assert json.loads((tmp_path / "turn").read_text())["not_before"] == clock.now + 3


def test_a_pause_is_waited_for_by_all_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with limiter(tmp_path / "turn", clock).turn() as pause_everybody:
        pause_everybody(120)
    with caplog.at_level(logging.WARNING):
        assert take_turn(tmp_path / "turn", clock) == pytest.approx(120, abs=0.01)
    assert "waiting 120 s" in caplog.text


@pytest.mark.parametrize(
    "noted",
    [
        "",
        "{",
        "[]",
        "[" * 120,
        '{"not_before": "soon"}',
        '{"not_before": 1e300, "boot": "BOOT"}',
        '{"not_before": NaN, "boot": "BOOT"}',
        '{"not_before": 10099, "boot": "an earlier start"}',
        "\x00" * 200,
    ],
)
def test_what_nobody_can_have_noted_is_not_waited_for(noted: str, tmp_path: Path) -> None:
    (tmp_path / "turn").write_text(noted.replace("BOOT", rate_limit._boot()))
    assert take_turn(tmp_path / "turn", Clock()) == 0


def test_no_wait_is_longer_than_the_longest_pause(tmp_path: Path) -> None:
    (tmp_path / "turn").write_text(json.dumps({"not_before": 10_000 + LONGEST_WAIT_SECONDS + 3, "boot": rate_limit._boot()}))
    assert take_turn(tmp_path / "turn", Clock()) <= LONGEST_WAIT_SECONDS + 3


def test_a_turn_that_does_not_come_is_said_and_not_waited_for_without_end(tmp_path: Path) -> None:
    with (
        CrossProcessRateLimiter(tmp_path / "turn", 0.0).turn(),
        pytest.raises(ArxivUnavailable, match=r"another process has kept arXiv to itself.*turn"),
        CrossProcessRateLimiter(tmp_path / "turn", 0.0, longest_queue=0.2).turn(),
    ):
        pass


def test_a_file_that_was_deleted_under_a_waiting_process_is_not_held_beside_its_successor(tmp_path: Path) -> None:
    file = tmp_path / "turn"

    def sleep(_: float) -> None:
        file.unlink(missing_ok=True)
        first.__exit__(None, None, None)

    first = CrossProcessRateLimiter(file, 0.0).turn()
    first.__enter__()
    with CrossProcessRateLimiter(file, 0.0, sleep=sleep).turn():
        held = file.stat().st_ino
        assert held
        with pytest.raises(ArxivUnavailable), CrossProcessRateLimiter(file, 0.0, longest_queue=0.1).turn():
            pass


# -- other users ----------------------------------------------------------------------------------------


def test_the_file_is_for_every_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        take_turn(tmp_path / "turn", Clock())
    finally:
        os.umask(before)
    assert (tmp_path / "turn").stat().st_mode & 0o777 == 0o666


def link_to_somebodys_file(file: Path, victim: Path) -> None:
    file.symlink_to(victim)


def second_name_of_somebodys_file(file: Path, victim: Path) -> None:
    file.hardlink_to(victim)


def pipe(file: Path, _: Path) -> None:
    os.mkfifo(file)


def folder(file: Path, _: Path) -> None:
    file.mkdir()


def link_to_nothing(file: Path, _: Path) -> None:
    file.symlink_to(file.parent / "not there")


@pytest.mark.parametrize("trap", [link_to_somebodys_file, second_name_of_somebodys_file, pipe, folder, link_to_nothing])
def test_a_trap_in_its_place_is_refused_in_words_and_nothing_is_written(trap, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    victim = tmp_path / "victim"
    victim.write_text("mine")
    trap(tmp_path / "turn", victim)
    with pytest.raises(SettingsError, match=r"turn, by which all processes.*DIGEST_ARXIV_LOCK_DIR"):
        take_turn(tmp_path / "turn", Clock())
    assert victim.read_text() == "mine"
    assert not (tmp_path / "not there").exists()


def _as_user(uid: int, file: Path, ready: Path) -> None:
    os.setuid(uid)
    with CrossProcessRateLimiter(file, 0.5).turn():
        ready.touch()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become two other users")
def test_two_users_in_a_folder_like_tmp_take_turns_through_one_file() -> None:
    """Linux refuses to open another user's file there where the call could create it."""
    with tempfile.TemporaryDirectory() as name:
        shared = Path(name)
        shared.chmod(0o1777)
        context = multiprocessing.get_context("fork")
        began = time.monotonic()
        for uid in (65534, 65533):
            process = context.Process(target=_as_user, args=(uid, shared / "turn", shared / f"ready-{uid}"))
            process.start()
            process.join(20)
            assert process.exitcode == 0
        assert time.monotonic() - began >= 0.5
        assert (shared / "turn").stat().st_uid == 65534


def test_another_users_closed_file_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(rate_limit.os, "open", refuse)
    with pytest.raises(SettingsError, match=r"cannot be opened \(Permission denied\).*removed by its owner or root"):
        take_turn(tmp_path / "turn", Clock())

"""The store of paid answers, in both bodies: what was acknowledged stays, and nobody pays for what another pays for."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.cache.exchange import export_answers, import_answers
from digest_pipeline.translation.cache.lease_owner import LEASE_SECONDS, LeaseOwner
from digest_pipeline.translation.cache.object_store import ObjectStoreCache
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import BatchItem, BatchRecord, BatchState, CachedAnswer, Lease, answer_key, normalised
from digest_pipeline.translation.cache.sqlite import SqliteCache
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.prompts import build_request
from digest_pipeline_tests.support.answers import paper

NOON = datetime(2026, 6, 9, 12, tzinfo=UTC)
KEY = "ab" + "0" * 62
Opener = Callable[..., ResponseCache]


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "objects"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    """Opens the same store again and again, each time as another owner."""
    root = f"memory://answers-{uuid.uuid4().hex}"
    opened: list[ResponseCache] = []

    def open_as(owner: LeaseOwner | None = None) -> ResponseCache:
        store = SqliteCache(tmp_path / "answers.sqlite", clock, owner) if request.param == "sqlite" else ObjectStoreCache(UPath(root), clock, owner)
        opened.append(store)
        return store

    yield open_as
    for store in opened:
        store.close()


def answer(key: str = KEY, **changes: object) -> CachedAnswer:
    values = CachedAnswer(
        key=key,
        raw='{"tldr": "一句话"}',
        about="2606.00001v1",
        language="zh",
        model="fake-model",
        prompt_sha256="p" * 64,
        schema_version="1",
        response_id="chatcmpl-1",
        finish_reason="stop",
        input_tokens=600,
        cached_input_tokens=100,
        output_tokens=400,
        tokens_estimated=False,
        cost_usd=0.0014,
        asked_at_utc=NOON,
        answered_at_utc=NOON,
    )
    return dataclasses.replace(values, **changes)  # type: ignore[arg-type]


def keys(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def dead_owner() -> LeaseOwner:
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    alive = dataclasses.replace(LeaseOwner.this_process(), pid=child.pid)
    child.wait()
    return alive


def elsewhere() -> LeaseOwner:
    return dataclasses.replace(LeaseOwner.this_process(), host="another-machine")


# -- answers ------------------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_was_put(opener: Opener) -> None:
    opener().put(answer(cost_usd=None, tokens_estimated=True))
    assert opener().answers([KEY, "ff" * 32]) == {KEY: answer(cost_usd=None, tokens_estimated=True)}


def test_many_keys_are_looked_up_at_once(opener: Opener) -> None:
    store = opener()
    for key in keys(7):
        store.put(answer(key))
    assert set(store.answers(keys(1200))) == set(keys(7))
    assert store.answers([]) == {}


def test_a_rejected_answer_is_no_answer_but_its_money_counts(opener: Opener) -> None:
    store = opener()
    store.put_rejected(answer(), ["too-short: 3 for 900"])
    assert store.answers([KEY]) == {}
    assert store.rejected(KEY) == [(answer(), ("too-short: 3 for 900",))]
    assert store.spending("2026-06").usd == pytest.approx(0.0014)


def test_a_discarded_answer_moves_to_the_rejected_and_is_not_counted_twice(opener: Opener) -> None:
    store = opener()
    store.put(answer())
    store.discard(KEY, ["repetition: again"])
    assert store.answers([KEY]) == {}
    assert [reasons for _, reasons in store.rejected(KEY)] == [("repetition: again",)]
    assert store.spending("2026-06").answers == 1


def test_spending_is_by_calendar_month_and_knows_what_it_does_not_know(opener: Opener) -> None:
    store = opener()
    store.put(answer(keys(3)[0]))
    store.put(answer(keys(3)[1], cost_usd=None))
    store.put(answer(keys(3)[2], answered_at_utc=datetime(2026, 7, 1, tzinfo=UTC)))
    june = opener().spending("2026-06")
    assert (june.answers, june.unpriced_answers, june.input_tokens, june.output_tokens) == (2, 1, 1200, 800)
    assert june.usd == pytest.approx(0.0014)
    assert opener().spending("2025-01").answers == 0


def test_what_was_learned_of_an_endpoint_is_remembered_for_each_model(opener: Opener) -> None:
    opener().remember_endpoint("localhost:1/v1", "m", {"rung": 2})
    assert opener().endpoint_memory("localhost:1/v1", "m") == {"rung": 2}
    assert opener().endpoint_memory("localhost:1/v1", "other") == {}


# -- leases -------------------------------------------------------------------------------------------


def test_a_key_is_claimed_by_one_owner_at_a_time(opener: Opener) -> None:
    first, second = opener(), opener()
    assert first.claim(KEY) is Lease.GRANTED
    assert first.claim(KEY) is Lease.GRANTED, "one's own lease is no obstacle"
    assert second.claim(KEY) is Lease.HELD
    first.release([KEY])
    assert second.claim(KEY) is Lease.GRANTED


def test_of_many_claims_at_the_same_moment_one_is_granted(opener: Opener) -> None:
    stores = [opener() for _ in range(6)]
    start = threading.Barrier(len(stores))

    def race(store: ResponseCache) -> Lease:
        start.wait()
        return store.claim(KEY)

    with ThreadPoolExecutor(len(stores)) as pool:
        outcomes = list(pool.map(race, stores))
    assert outcomes.count(Lease.GRANTED) == 1


def test_an_answer_ends_the_lease_and_tells_who_claims_next(opener: Opener) -> None:
    first, second = opener(), opener()
    first.claim(KEY)
    first.put(answer())
    assert second.claim(KEY) is Lease.ANSWERED
    second.discard(KEY, [])
    assert second.claim(KEY) is Lease.GRANTED


def test_the_lease_of_a_killed_process_is_void_at_once(opener: Opener) -> None:
    killed = opener(dead_owner())
    killed.claim(KEY)
    assert opener().claim(KEY) is Lease.GRANTED


def test_the_lease_of_another_machine_lasts_as_long_as_its_signs_of_life(opener: Opener, clock: Clock) -> None:
    far, near = opener(elsewhere()), opener()
    far.claim(KEY)
    clock.now += timedelta(seconds=LEASE_SECONDS - 1)
    assert near.claim(KEY) is Lease.HELD
    far.heartbeat()
    clock.now += timedelta(seconds=LEASE_SECONDS - 1)
    assert near.claim(KEY) is Lease.HELD
    clock.now += timedelta(seconds=2)
    assert near.claim(KEY) is Lease.GRANTED


def test_a_lease_taken_over_can_be_taken_over_again(opener: Opener) -> None:
    opener(dead_owner()).claim(KEY)
    opener(dead_owner()).claim(KEY)
    third = opener()
    assert third.claim(KEY) is Lease.GRANTED
    third.release([KEY])
    assert opener().claim(KEY) is Lease.GRANTED


def test_closing_gives_every_lease_back(opener: Opener) -> None:
    first, second = opener(), opener()
    first.claim(KEY)
    first.close()
    assert second.claim(KEY) is Lease.GRANTED


def test_nobody_gives_back_the_lease_of_another(opener: Opener) -> None:
    first, second, third = opener(), opener(), opener()
    first.claim(KEY)
    second.release([KEY])
    assert third.claim(KEY) is Lease.HELD


# -- money --------------------------------------------------------------------------------------------


def test_money_is_set_aside_up_to_the_limit_and_freed_when_the_answer_is_kept(opener: Opener) -> None:
    store = opener()
    first, second = keys(2)
    store.claim(first)
    store.claim(second)
    assert store.reserve(first, 0.6, "2026-06", 1.0)
    assert not store.reserve(second, 0.6, "2026-06", 1.0)
    store.put(answer(first, cost_usd=0.1))
    assert store.reserve(second, 0.6, "2026-06", 1.0)
    assert store.reserve(second, 0.8, "2026-06", 1.0), "a new reservation replaces the old one"
    assert not store.reserve(second, 0.91, "2026-06", 1.0)


def test_reservations_of_running_processes_count_and_those_of_dead_ones_do_not(tmp_path: Path, clock: Clock) -> None:
    def opened(owner: LeaseOwner | None = None) -> SqliteCache:
        return SqliteCache(tmp_path / "answers.sqlite", clock, owner)

    first, second, third = keys(3)
    dead, running, mine = opened(dead_owner()), opened(), opened()
    for store, key in ((dead, first), (running, second), (mine, third)):
        store.claim(key)
    dead.reserve(first, 0.5, "2026-06", 1.0)
    running.reserve(second, 0.5, "2026-06", 1.0)
    assert not mine.reserve(third, 0.6, "2026-06", 1.0)
    assert mine.reserve(third, 0.5, "2026-06", 1.0)


# -- batches ------------------------------------------------------------------------------------------


def batch(token: str, *items: str) -> BatchRecord:
    return BatchRecord(
        token,
        BatchState.PREPARING,
        "localhost/v1",
        "fake-model",
        NOON,
        items=tuple(BatchItem(key, "2606.1v1", "zh", date(2026, 6, 9), "p", "s", 0.25) for key in items),
    )


def test_a_batch_holds_its_questions_until_it_is_closed(opener: Opener) -> None:
    store = opener()
    first, second = keys(2)
    store.put(answer(first))
    recorded = store.prepare_batch(batch("one", first, second))
    assert [item.key for item in recorded.items] == [second], "what has an answer is not sent"
    assert store.prepare_batch(batch("two", second)).items == ()
    store.update_batch("one", state=BatchState.SUBMITTED, batch_id="batch_1", file_id="file-1")
    (found,) = opener().open_batches()
    assert found == dataclasses.replace(recorded, state=BatchState.SUBMITTED, batch_id="batch_1", file_id="file-1")
    assert store.keys_in_open_batches([first, second]) == {second}
    store.update_batch("one", state=BatchState.CLOSED, outcome="expired")
    assert opener().open_batches() == []
    assert opener().batch_tries([first, second]) == {first: 0, second: 1}
    assert [item.key for item in store.prepare_batch(batch("three", second)).items] == [second]


def test_an_open_batch_counts_against_the_month(opener: Opener) -> None:
    store = opener()
    store.prepare_batch(batch("one", *keys(3)))
    other = "f" * 64
    store.claim(other)
    assert not opener().reserve(other, 0.3, "2026-06", 1.0)
    assert opener().reserve(other, 0.2, "2026-06", 1.0)


# -- carrying -----------------------------------------------------------------------------------------


def test_a_store_is_carried_whole_and_taken_in_once(opener: Opener, tmp_path: Path, clock: Clock) -> None:
    source = opener()
    for key in keys(3):
        source.put(answer(key))
    source.put_rejected(answer("e" * 64), ["too-long: 9 for 3"])
    file = io.StringIO()
    assert export_answers(source, file) == 4
    other = SqliteCache(tmp_path / "other" / "answers.sqlite", clock)
    lines = file.getvalue().splitlines()
    assert import_answers(other, lines) == (4, 0)
    assert import_answers(other, lines) == (0, 4)
    assert list(other.every_answer()) == list(source.every_answer())
    assert list(other.every_rejected()) == list(source.every_rejected())
    assert other.spending("2026-06") == source.spending("2026-06")


def test_an_export_with_a_byte_order_mark_is_taken_in(tmp_path: Path, clock: Clock) -> None:
    source, other = SqliteCache(tmp_path / "a.sqlite", clock), SqliteCache(tmp_path / "b.sqlite", clock)
    source.put(answer("a" * 64))
    file = io.StringIO()
    export_answers(source, file)
    assert import_answers(other, ("\ufeff" + file.getvalue()).splitlines()) == (1, 0)


def test_a_torn_export_names_its_line(opener: Opener) -> None:
    with pytest.raises(AnswerStoreError, match="line 2"):
        import_answers(opener(), ["", '{"key": '])


# -- SQLite alone -------------------------------------------------------------------------------------


def test_a_local_folder_holds_one_file_and_a_url_one_object_an_answer(tmp_path: Path, clock: Clock) -> None:
    local, remote = open_cache(str(tmp_path / "answers"), clock), open_cache("memory://somewhere", clock)
    assert isinstance(local, SqliteCache)
    assert isinstance(remote, ObjectStoreCache)
    assert local.path == tmp_path / "answers" / "answers.sqlite"
    assert not local.path.parent.exists(), "nothing is made before it is used"


@pytest.mark.slow
def test_four_processes_make_and_fill_a_fresh_store_at_once_without_losing_a_row(tmp_path: Path) -> None:
    script = (
        "import sys, dataclasses\n"
        "from pathlib import Path\n"
        "from digest_pipeline_tests.translation.cache.test_cache import SqliteCache, answer, NOON\n"
        "store = SqliteCache(Path(sys.argv[1]), lambda: NOON)\n"
        "for number in range(40):\n"
        "    store.put(answer(f'{sys.argv[2]}{number:063x}'))\n"
        "store.close()\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "answers.sqlite"), name]) for name in "abcd"]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0, 0]
    store = SqliteCache(tmp_path / "answers.sqlite", lambda: NOON)
    assert len(list(store.every_answer())) == 160
    assert store.spending("2026-06").answers == 160
    store.close()


def test_a_damaged_file_and_a_newer_one_say_what_to_do(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"no database at all, but long enough to be taken for one" * 30)
    with pytest.raises(AnswerStoreError, match="move it aside"):
        SqliteCache(tmp_path / "answers.sqlite", clock).answers([KEY])
    newer = SqliteCache(tmp_path / "newer.sqlite", clock)
    newer.put(answer())
    assert newer._connections is not None
    newer._connections[0].execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(AnswerStoreError, match="newer version"):
        SqliteCache(tmp_path / "newer.sqlite", clock).answers([KEY])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AnswerStoreError, match="DIGEST_ANSWERS_DIR"):
        SqliteCache(tmp_path / "file" / "answers.sqlite", clock).put(answer())


def test_owners_know_the_dead_from_the_living() -> None:
    me = LeaseOwner.this_process()
    assert not me.is_known_dead()
    assert dead_owner().is_known_dead()
    assert dataclasses.replace(me, started="1").is_known_dead(), "the number was reused by another process"
    assert not dataclasses.replace(dead_owner(), host="another-machine").is_known_dead(), "nobody can know that from here"
    assert me.pid == os.getpid()


# -- the key ------------------------------------------------------------------------------------------


def key_of(model: str = "m", sampling: str = "s", tag: str = "zh", **changes: object) -> str:
    return answer_key(build_request(paper(**changes), load_language(tag)), model, sampling)


def test_the_key_depends_on_what_was_asked_and_on_nothing_else() -> None:
    same = key_of()
    assert same == key_of(arxiv_id="2606.1", version=9, listing_date=date(2020, 1, 1), categories=("cs.AI",), comment="12 pages")
    different = {key_of(model="n"), key_of(sampling="t"), key_of(tag="ja"), key_of(title="Another"), key_of(abstract="Another.")}
    assert len(different | {same}) == 6


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_what_a_stores_own_client_raises_is_told_in_words(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure's and Google's clients raise errors that are no OSError."""
    client = ModuleType("azure.core.exceptions")
    client.AzureError = type("AzureError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, client.__name__, client)
    store = ObjectStoreCache(UPath(f"memory://answers-{uuid.uuid4().hex}"), clock)

    def out_of_reach(*_: object, **__: object) -> None:
        raise client.AzureError("Cannot connect to host")

    for method in ("ls", "pipe_file"):
        monkeypatch.setattr(store._fs, method, out_of_reach)
    with pytest.raises(AnswerStoreError, match="Cannot connect to host → see its address"):
        store.spending("2026-06")
    with pytest.raises(AnswerStoreError, match="Cannot connect to host → see its address"):
        store.claim(KEY)

"""Paid answers as small files: everything comes back, nothing is written twice, money is counted once."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest_pipeline.hosted.branch import RESTORED
from digest_pipeline.hosted.segments import SegmentWriter, join_segments, segment_files, take_in_segments
from digest_pipeline.storage import Storage
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.records import CachedAnswer

AT = datetime(2026, 6, 2, 5, 23, tzinfo=UTC)


def answer(number: int, raw: str = "译文") -> CachedAnswer:
    return CachedAnswer(
        f"{number:064x}", raw, "2606.00001v1", "zh", "m", "p", "1", f"r{number}", "stop", 600, 0, 400, False, 0.01, AT, AT.replace(microsecond=number)
    )


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "data")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseCache]:
    cache = open_cache(str(tmp_path / "answers"), lambda: AT)
    yield cache
    cache.close()


def fresh(tmp_path: Path, name: str) -> ResponseCache:
    return open_cache(str(tmp_path / name), lambda: AT)


def test_a_fresh_store_gets_every_answer_rejected_ones_too_and_counts_their_cost_once(storage: Storage, store: ResponseCache, tmp_path: Path) -> None:
    store.put(answer(1))
    store.put_rejected(answer(2), ["too short"])
    store.put(answer(3))
    SegmentWriter(storage).write(store, [])
    store.discard(answer(3).key, ["a later check"])
    SegmentWriter(storage).write(store, [])
    other = fresh(tmp_path, "other")
    assert take_in_segments(storage, other) == 3
    assert other.answers([answer(n).key for n in (1, 2, 3)]) == {answer(1).key: answer(1)}
    assert other.rejected(answer(3).key) == [(answer(3), ("a later check",))]
    assert other.spending("2026-06") == store.spending("2026-06")
    other.close()


def test_only_new_answers_are_written_and_the_same_ones_give_the_same_file(storage: Storage, store: ResponseCache, tmp_path: Path) -> None:
    store.put(answer(1))
    writer = SegmentWriter(storage)
    (first,) = writer.write(store, [])
    assert writer.write(store, []) == SegmentWriter(storage).write(store, []) == []
    store.put(answer(2))
    (second,) = writer.write(store, [])
    assert first != second
    elsewhere = Storage(tmp_path / "elsewhere")
    other = fresh(tmp_path, "other")
    other.put(answer(1))
    assert SegmentWriter(elsewhere).write(other, []) == [first]
    other.close()


def test_the_small_files_of_one_run_are_joined_and_those_of_earlier_runs_left_alone(storage: Storage, store: ResponseCache) -> None:
    store.put(answer(1))
    (earlier,) = SegmentWriter(storage).write(store, [])
    os.utime(storage.local_path(earlier), (RESTORED, RESTORED))
    small = []
    for number in (2, 3, 4):
        store.put(answer(number))
        small += SegmentWriter(storage).write(store, [])
    assert sorted(join_segments(storage)) == sorted(small)
    joined = [path.relative_to(storage.local_path(".")).as_posix() for path in segment_files(storage)]
    assert len(joined) == 2
    assert earlier in joined
    assert SegmentWriter(storage).write(store, []) == []
    assert join_segments(storage) == []


def test_a_secret_that_an_endpoint_repeats_is_blanked(storage: Storage, store: ResponseCache) -> None:
    store.put(answer(1, raw='{"tldr": "your key is sk-secret-123456"}'))
    (path,) = SegmentWriter(storage).write(store, ["sk-secret-123456"])
    text = gzip.decompress(storage.read_bytes(path)).decode()
    assert "sk-secret" not in text
    assert "***" in text
    assert SegmentWriter(storage).write(store, ["sk-secret-123456"]) == []

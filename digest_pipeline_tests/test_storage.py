"""The data home: atomic, durable files and tables that others can read."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline import tables
from digest_pipeline.errors import SettingsError, StorageError
from digest_pipeline.models import AnnounceType, Evidence, Paper, Summary, SummaryStatus
from digest_pipeline.storage import Storage

WRITER = """
import sys
from digest_pipeline.storage import Storage
home = Storage(sys.argv[1])
home.write_bytes("a/file.bin", b"0" * 3_000_000)
print("ready", flush=True)
number = 0
while True:
    number = (number + 1) % 10
    home.write_bytes("a/file.bin", str(number).encode() * 3_000_000)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    for attempt in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.05 + 0.013 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        content = (tmp_path / "a" / "file.bin").read_bytes()
        assert len(content) == 3_000_000
        assert len(set(content)) == 1


def test_a_leftover_of_a_killed_write_is_not_listed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_text("folder/kept.txt", "x")
    (tmp_path / "folder" / ".tmp-leftover").write_text("half")
    assert storage.names("folder") == ["kept.txt"]
    assert storage.names("nowhere") == []


def test_an_unchanged_file_is_left_alone(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    assert storage.write_if_changed("x.txt", b"same")
    os.utime(tmp_path / "x.txt", (1, 1))
    assert not storage.write_if_changed("x.txt", b"same")
    assert (tmp_path / "x.txt").stat().st_mtime == 1


@pytest.fixture
def umask_077() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): oct(path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}


@pytest.mark.usefixtures("umask_077")
def test_a_private_umask_hides_everything_but_the_site_which_a_web_server_can_read(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "data")
    for name in ("site/index.html", "site/zh/2026-06-02/index.html", "private/ada/ranking.html", "notify/outbox/x.json"):
        storage.write_text(name, "x")
    assert modes(tmp_path / "data" / "site") == {
        ".": "0o755",
        "index.html": "0o644",
        "zh": "0o755",
        "zh/2026-06-02": "0o755",
        "zh/2026-06-02/index.html": "0o644",
    }
    for folder in ("private", "notify"):
        assert all(mode in ("0o700", "0o600") for mode in modes(tmp_path / "data" / folder).values())


def test_with_the_usual_umask_every_file_can_be_read_but_what_somebody_reads(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Storage(tmp_path).write_text("digests/zh/all.md", "x")
        Storage(tmp_path).write_text("private/ada/votes.jsonl", "x")
    finally:
        os.umask(before)
    assert modes(tmp_path / "digests") == {".": "0o755", "zh": "0o755", "zh/all.md": "0o644"}
    assert modes(tmp_path / "private") == {".": "0o700", "ada": "0o700", "ada/votes.jsonl": "0o600"}


def test_a_read_only_folder_is_told_with_its_place_and_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(StorageError, match=r"site/zh/index.html cannot be written: Read-only file system → .*who owns the folder"):
        Storage(tmp_path).write_text("site/zh/index.html", "x")


def test_a_full_disk_is_told_with_its_place_and_advice_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.write_text("papers/a.txt", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"papers/a.txt cannot be written: No space left on device → free space there"):
        storage.write_text("papers/a.txt", "new")
    assert storage.read_text("papers/a.txt") == "old"
    assert [path.name for path in (tmp_path / "papers").iterdir()] == ["a.txt"]


def test_a_file_that_is_not_there_stays_a_plain_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Storage(tmp_path).read_bytes("nowhere")
    Storage(tmp_path).delete("nowhere")


def test_an_address_that_nothing_can_open_is_refused_as_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="ftpx://lab/data is no place for data"):
        Storage("ftpx://lab/data")
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # as if it were not installed
    with pytest.raises(SettingsError, match=r"gs://lab/data needs a package that is not installed.*deploying\.md"):
        Storage("gs://lab/data")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)
INSTANTS = st.none() | st.integers(1_175_385_600, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
PAPERS = st.builds(
    Paper,
    arxiv_id=st.from_regex(r"\d{4}\.\d{5}", fullmatch=True),
    version=st.integers(1, 99),
    announce_type=st.sampled_from(AnnounceType),
    primary_category=st.just("cs.CL"),
    categories=st.lists(TEXT, max_size=4).map(tuple),
    title=TEXT,
    abstract=TEXT,
    authors=st.lists(TEXT, max_size=5).map(tuple),
    affiliations=st.lists(TEXT, max_size=5).map(tuple),
    comment=st.none() | TEXT,
    doi=st.none() | TEXT,
    journal_ref=st.none() | TEXT,
    submitted_at_utc=INSTANTS,
    updated_at_utc=INSTANTS,
    listing_date=st.dates(date(2007, 4, 2), date(2030, 1, 1)),
    evidence=st.sampled_from(Evidence),
)
SUMMARIES = st.builds(
    Summary,
    arxiv_id=st.just("2601.00001"),
    version=st.integers(1, 9),
    language=st.just("zh"),
    translated_title=TEXT,
    translated_abstract=TEXT,
    tldr=TEXT,
    tldr_en=TEXT,
    status=st.sampled_from(SummaryStatus),
    flags=st.lists(TEXT, max_size=3).map(tuple),
    model=TEXT,
    prompt_sha256=TEXT,
    input_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 10**9),
    cost_usd=st.none() | st.floats(0, 100),
    from_cache=st.booleans(),
)


@given(st.lists(PAPERS, max_size=5))
def test_papers_come_back_from_parquet_as_they_went_in(papers: list[Paper]) -> None:
    content = tables.to_parquet(tables.papers_to_table(papers))
    assert tables.papers_from_table(tables.from_parquet(content, tables.PAPERS)) == papers


@given(st.lists(SUMMARIES, max_size=5))
def test_summaries_come_back_from_parquet_as_they_went_in(summaries: list[Summary]) -> None:
    content = tables.to_parquet(tables.summaries_to_table(summaries))
    assert tables.summaries_from_table(tables.from_parquet(content, tables.TRANSLATED_SUMMARIES)) == summaries


@pytest.mark.parametrize("schema", tables.TABLES.values(), ids=tables.TABLES)
def test_an_empty_day_is_a_file_with_the_whole_schema(schema: object, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_table("day.parquet", schema.empty_table())  # type: ignore[attr-defined]
    read = pq.read_schema(tmp_path / "day.parquet")
    assert read.names == schema.names  # type: ignore[attr-defined]
    assert read.metadata[b"schema_version"] == b"1"
    assert all(field.metadata[b"description"] for field in read)


def test_the_listing_days_of_a_table_are_found_oldest_first(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    for day in ("2026-06-10", "2026-06-09"):
        storage.write_text(f"papers/date={day}/papers.parquet", "x")
    storage.write_text("papers/notes.txt", "x")
    assert storage.days_of("papers") == [date(2026, 6, 9), date(2026, 6, 10)]

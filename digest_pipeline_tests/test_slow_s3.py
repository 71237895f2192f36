"""The data directory in an object store: the same files as on a disk, and the same promises, on an S3-compatible server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest_pipeline import doctor
from digest_pipeline.errors import StorageError
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline.settings import load_settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.s3 import KEEPS_THE_FIRST, SERVERS, s3_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BUCKET = "digest-bucket"


@dataclass(frozen=True)
class Store:
    kind: str
    url: str
    environ: dict[str, str]


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with s3_server(request.param) as environ:
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(BUCKET)
        yield Store(request.param, f"s3://{BUCKET}", environ)


def run_sample(data_dir: str, folder: Path, environ: dict[str, str]) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "OPENAI_", "DAGSTER_"))}
    given = clean | environ | {"DIGEST_DATA_DIR": data_dir, "DAGSTER_HOME": str(folder / "home"), "DIGEST_DEMO": "true", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-m", "digest_pipeline.cli", "run"], env=given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(storage: Storage, folder: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in storage.names(folder):
        path = f"{folder}/{name}" if folder else name
        if storage.path(path).is_dir():
            found |= files_below(storage, path)
        else:
            found[path] = storage.read_bytes(path)
    return found


def test_the_sample_day_makes_the_same_digest_in_a_bucket_as_on_a_disk(store: Store, tmp_path: Path) -> None:
    run_sample(f"{store.url}/digest", tmp_path / "a", store.environ)
    run_sample(str(tmp_path / "data"), tmp_path / "b", {})
    bucket, disk = Storage(f"{store.url}/digest/sample"), Storage(tmp_path / "data" / "sample")
    for folder in ("papers", "digests", "ledger"):
        assert files_below(bucket, folder) == files_below(disk, folder), folder
    day = SAMPLE_DAY.isoformat()
    assert bucket.exists(f"digests/zh/{day}/all.md")
    assert files_below(bucket, "site").keys() == files_below(disk, "site").keys()
    assert bucket.names("answers/owners") == bucket.names("answers/leases") == [], "a run that has ended holds nothing"


def test_the_doctor_says_whether_the_bucket_can_keep_two_runs_apart(store: Store, tmp_path: Path) -> None:
    settings = load_settings({"DIGEST_DATA_DIR": f"{store.url}/examined", "DIGEST_DEMO": "true"}, root=tmp_path)
    found = next(f for f in doctor.examine(settings, environ={}, root=tmp_path, offline=True) if f.subject == "answer store")
    if KEEPS_THE_FIRST[store.kind]:
        assert (found.level, found.hint) == (doctor.Level.OK, "")
    else:
        assert found.level is doctor.Level.WARNING
        assert "docs/deploying.md" in found.hint
    assert Storage(f"{store.url}/examined/sample/answers").names("probes") == []


def test_running_the_day_again_in_a_bucket_pays_nothing_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    url = f"{store.url}/again"
    run_sample(url, tmp_path / "a", store.environ)
    before = files_below(Storage(f"{url}/sample"), "digests")
    run_sample(url, tmp_path / "a", store.environ)
    assert files_below(Storage(f"{url}/sample"), "digests") == before


def test_a_writer_killed_at_any_moment_leaves_one_whole_object_or_the_other(store: Store) -> None:
    """A single put is seen whole or not at all, so a kill needs no clean-up."""
    storage = Storage(f"{store.url}/atomic")
    size = 4 * 1024 * 1024
    storage.write_bytes("part.parquet", b"A" * size)
    code = f"""if True:
        from digest_pipeline.storage import Storage
        home = Storage({str(storage.root)!r})
        print("ready", flush=True)
        while True:
            for letter in (b"B", b"A"):
                home.write_bytes("part.parquet", letter * {size})"""
    for moment in (0.0, 0.05, 0.11, 0.18):
        writer = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env={**os.environ, **store.environ}, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moment)
        writer.kill()
        writer.communicate()
        content = Storage(f"{store.url}/atomic").read_bytes("part.parquet")
        assert content in (b"A" * size, b"B" * size), f"{len(content)} bytes after a kill at {moment} s"


def test_deliveries_are_remembered_in_a_bucket(store: Store) -> None:
    def now() -> datetime:
        return datetime(2026, 6, 2, tzinfo=UTC)

    key = message_key("run", "1")
    deliveries = Deliveries(Storage(f"{store.url}/notes"), now)
    assert deliveries.claim(key, "slack") is Claim.SEND
    deliveries.confirm(key, "slack")
    assert Deliveries(Storage(f"{store.url}/notes"), now).claim(key, "slack") is Claim.DONE


def test_a_bucket_that_is_not_there_or_out_of_reach_is_told_in_words(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x/a\.txt cannot be written"):
        Storage("s3://no-such-bucket/x").write_text("a.txt", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    for attempt in (lambda storage: storage.write_text("a.txt", "x"), lambda storage: storage.read_text("a.txt")):
        with pytest.raises(StorageError, match="DIGEST_DATA_DIR"):
            attempt(Storage(f"{store.url}/unreachable"))
    s3fs.S3FileSystem.clear_instance_cache()


def test_of_two_runs_that_write_one_site_the_last_wins_and_none_fails(store: Store) -> None:
    """Each replaces what the other is about to read, as two builds of the site do."""
    one, other = Storage(f"{store.url}/two"), Storage(f"{store.url}/two")

    def build(storage: Storage, letter: bytes) -> None:
        for turn in range(15):
            storage.write_if_changed("site/index.html", letter * (1000 + turn))

    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(build, one, b"A"), pool.submit(build, other, b"B")]
    for finished in builds:
        finished.result()
    assert one.read_bytes("site/index.html") == other.read_bytes("site/index.html")
    assert set(one.read_bytes("site/index.html")) in ({ord("A")}, {ord("B")})


def test_a_process_that_runs_for_months_sees_what_another_has_written_meanwhile(store: Store) -> None:
    """Clients remember listings; the sensor of late listings would miss every digest since its start."""
    sensor, run = Storage(f"{store.url}/months"), Storage(f"{store.url}/months")
    run.write_text("ledger/date=2026-06-02/ledger.parquet", "x")
    assert sensor.names("ledger") == ["date=2026-06-02"]
    assert not sensor.exists("ledger/date=2026-06-03/ledger.parquet")
    code = f"from digest_pipeline.storage import Storage; Storage({str(run.root)!r}).write_text('ledger/date=2026-06-03/ledger.parquet', 'y')"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env={**os.environ, **store.environ}, check=True, timeout=60)
    assert sensor.names("ledger") == ["date=2026-06-02", "date=2026-06-03"]
    assert sensor.exists("ledger/date=2026-06-03/ledger.parquet")


def test_a_bucket_says_of_each_page_what_it_is_so_that_it_is_shown_and_not_stored(store: Store) -> None:
    import s3fs

    storage = Storage(f"{store.url}/public")
    kinds = {
        "site/index.html": "text/html; charset=utf-8",
        "site/zh/feeds/all.xml": "application/xml; charset=utf-8",
        "site/a.css": "text/css; charset=utf-8",
    }
    for path in kinds:
        storage.write_text(path, "x")
    client = s3fs.S3FileSystem(skip_instance_cache=True)
    if store.kind == "moto":  # rclone's server goes by the name's ending itself
        assert {path: client.info(f"{BUCKET}/public/{path}")["ContentType"] for path in kinds} == kinds

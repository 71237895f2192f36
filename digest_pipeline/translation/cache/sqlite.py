"""The store of paid answers in one SQLite file, shared by all processes of one machine.

What lives here: tables, transactions, and what SQLite's errors mean for a run. What does not: the protocol's meaning
(`protocol.py`). Write-ahead logging with `synchronous=FULL` lost none of 7,490 acknowledged rows over ten `kill -9`, at
362 rows a second from four processes. Leases and heartbeats go through a second connection that does not wait for the
disk. SQLite's locks need a local disk: for a share over the network, use an object store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.cache.lease_owner import LeaseOwner, is_expired
from digest_pipeline.translation.cache.protocol import CacheFull, ResponseCache
from digest_pipeline.translation.cache.records import BatchRecord, BatchState, CachedAnswer, Lease, Quarantine, Spending, month_of

_VERSION = 1
_BUSY_SECONDS = 60.0
_CHUNK = 500  # keys a query; SQLite's oldest limit of parameters is 999

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, raw TEXT NOT NULL, about TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL,
    prompt_sha256 TEXT NOT NULL, schema_version TEXT NOT NULL, response_id TEXT NOT NULL, finish_reason TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, tokens_estimated INTEGER NOT NULL,
    cost_usd REAL, asked_at_utc TEXT NOT NULL, answered_at_utc TEXT NOT NULL, via TEXT NOT NULL,
    earlier_input_tokens INTEGER NOT NULL, earlier_output_tokens INTEGER NOT NULL, earlier_cost_usd REAL);
CREATE TABLE IF NOT EXISTS rejected_answers (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, reasons TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rejected_by_key ON rejected_answers (key);
CREATE TABLE IF NOT EXISTS spending (
    month TEXT PRIMARY KEY, usd REAL NOT NULL, answers INTEGER NOT NULL, unpriced_answers INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS owners (
    name TEXT PRIMARY KEY, host TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL, last_beat_utc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (key TEXT PRIMARY KEY, owner TEXT NOT NULL, reserved_usd REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS leases_by_owner ON leases (owner);
CREATE TABLE IF NOT EXISTS endpoints (endpoint TEXT NOT NULL, model TEXT NOT NULL, memory TEXT NOT NULL, PRIMARY KEY (endpoint, model));
CREATE TABLE IF NOT EXISTS batches (
    token TEXT PRIMARY KEY, state TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, created_at_utc TEXT NOT NULL,
    batch_id TEXT NOT NULL, file_id TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batch_items (
    token TEXT NOT NULL, key TEXT NOT NULL, about TEXT NOT NULL, language TEXT NOT NULL, listing_date TEXT NOT NULL,
    prompt_sha256 TEXT NOT NULL, schema_version TEXT NOT NULL, reserved_usd REAL NOT NULL, PRIMARY KEY (token, key));
CREATE INDEX IF NOT EXISTS batch_items_by_key ON batch_items (key);
"""
_LATER_TABLES = """
CREATE TABLE IF NOT EXISTS quarantined (key TEXT PRIMARY KEY, day TEXT NOT NULL, settings TEXT NOT NULL, flags TEXT NOT NULL);
"""  # earlier versions read a file that has them, so the number above stays


class SqliteCache(ResponseCache):
    """ResponseCache in the file `path`, made with its folder at the first use; several processes may do so at once."""

    threads = 1

    def __init__(self, path: Path, now: Callable[[], datetime], owner: LeaseOwner | None = None) -> None:
        self.path = path
        self.owner = owner or LeaseOwner.this_process()
        self._now = now
        self._lock = threading.RLock()
        self._connections: tuple[sqlite3.Connection, sqlite3.Connection] | None = None
        self._has_heartbeat = False

    # -- answers ------------------------------------------------------------------------------------

    def answers(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        rows = self._rows_by_key("SELECT * FROM answers WHERE key IN ({})", keys)
        return {row["key"]: _answer(row) for row in rows}

    def put_all(self, answers: Sequence[tuple[CachedAnswer, tuple[str, ...] | None]]) -> None:
        with self._durable() as db:
            for answer, reasons in answers:
                lease = (answer.key, self.owner.name)
                if reasons is None:
                    row = answer.to_json()
                    db.execute(_insert("answers", row), row)
                    db.execute("DELETE FROM leases WHERE key = ? AND owner = ?", lease)
                else:
                    _keep_rejected(db, answer, reasons)
                    db.execute("UPDATE leases SET reserved_usd = 0 WHERE key = ? AND owner = ?", lease)
                _count(db, answer)

    def discard(self, key: str, reasons: Sequence[str]) -> None:
        with self._durable() as db:
            row = db.execute("SELECT * FROM answers WHERE key = ?", (key,)).fetchone()
            if row is not None:
                _keep_rejected(db, _answer(row), reasons)
                db.execute("DELETE FROM answers WHERE key = ?", (key,))

    def rejected(self, key: str) -> list[tuple[CachedAnswer, tuple[str, ...]]]:
        with self._reading() as db:
            rows = db.execute("SELECT answer, reasons FROM rejected_answers WHERE key = ? ORDER BY id", (key,)).fetchall()
        return [_rejected(row) for row in rows]

    def every_answer(self) -> Iterator[CachedAnswer]:
        last = ""
        while rows := self._page("SELECT * FROM answers WHERE key > ? ORDER BY key LIMIT ?", last):
            yield from map(_answer, rows)
            last = rows[-1]["key"]

    def every_rejected(self) -> Iterator[tuple[CachedAnswer, tuple[str, ...]]]:
        last = 0
        while rows := self._page("SELECT id, answer, reasons FROM rejected_answers WHERE id > ? ORDER BY id LIMIT ?", last):
            yield from map(_rejected, rows)
            last = rows[-1]["id"]

    # -- leases and money ---------------------------------------------------------------------------

    def claim(self, key: str) -> Lease:
        if not self._has_heartbeat:
            self.heartbeat()
        with self._light() as db:
            if db.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone():
                return Lease.ANSWERED
            lease = db.execute("SELECT owner FROM leases WHERE key = ?", (key,)).fetchone()
            if lease and lease["owner"] != self.owner.name and not self._is_void(db, lease["owner"]):
                return Lease.HELD
            db.execute("INSERT OR REPLACE INTO leases (key, owner, reserved_usd) VALUES (?, ?, 0)", (key, self.owner.name))
            return Lease.GRANTED

    def release(self, keys: Sequence[str]) -> None:
        with self._light() as db:
            db.executemany("DELETE FROM leases WHERE key = ? AND owner = ?", [(key, self.owner.name) for key in keys])

    def heartbeat(self) -> None:
        row = {**dataclasses.asdict(self.owner), "last_beat_utc": self._now().isoformat()}
        with self._light() as db:
            db.execute("INSERT OR REPLACE INTO owners VALUES (:name, :host, :boot, :pid, :started, :last_beat_utc)", row)
            if not self._has_heartbeat:
                for other in db.execute("SELECT name FROM owners").fetchall():
                    if self._is_void(db, other["name"]):
                        _forget_owner(db, other["name"])
        self._has_heartbeat = True

    def reserve(self, key: str, usd: float, month: str, limit_usd: float) -> bool:
        with self._light() as db:
            taken = _spending(db, month).usd + self._reserved_usd(db, key)
            if taken + usd > limit_usd:
                return False
            db.execute("UPDATE leases SET reserved_usd = ? WHERE key = ? AND owner = ?", (usd, key, self.owner.name))
            return True

    def leases_are_exclusive(self) -> bool:
        return True

    def spending(self, month: str) -> Spending:
        with self._reading() as db:
            return _spending(db, month)

    def _reserved_usd(self, db: sqlite3.Connection, apart_from: str) -> float:
        """Reservations of live owners and of open batches, without that of one key."""
        rows = db.execute("SELECT owner, SUM(reserved_usd) AS usd FROM leases WHERE key != ? AND reserved_usd > 0 GROUP BY owner", (apart_from,))
        leased = sum(row["usd"] for row in rows.fetchall() if not self._is_void(db, row["owner"]))
        batched = db.execute(
            "SELECT COALESCE(SUM(reserved_usd), 0) AS usd FROM batch_items JOIN batches USING (token) WHERE state != ?", (BatchState.CLOSED,)
        ).fetchone()
        return float(leased + batched["usd"])

    def _is_void(self, db: sqlite3.Connection, owner: str) -> bool:
        if owner == self.owner.name:
            return False
        row = db.execute("SELECT * FROM owners WHERE name = ?", (owner,)).fetchone()
        if row is None:
            return True
        values = dict(row)
        last_beat = datetime.fromisoformat(values.pop("last_beat_utc"))
        return is_expired(LeaseOwner(**values), last_beat, self._now())

    # -- what was learned of endpoints ----------------------------------------------------------------

    def endpoint_memory(self, endpoint: str, model: str) -> dict[str, Any]:
        with self._reading() as db:
            row = db.execute("SELECT memory FROM endpoints WHERE endpoint = ? AND model = ?", (endpoint, model)).fetchone()
        return dict(json.loads(row["memory"])) if row else {}

    def remember_endpoint(self, endpoint: str, model: str, memory: Mapping[str, Any]) -> None:
        with self._light() as db:
            db.execute("INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?)", (endpoint, model, json.dumps(dict(memory))))

    # -- papers that were given up ------------------------------------------------------------------

    def quarantine(self, papers: Sequence[Quarantine]) -> None:
        if papers:
            with self._light() as db:
                rows = [(paper.key, paper.day, paper.settings, json.dumps(paper.flags, ensure_ascii=False)) for paper in papers]
                db.executemany("INSERT OR REPLACE INTO quarantined VALUES (?, ?, ?, ?)", rows)

    def quarantined(self, day: str) -> dict[str, Quarantine]:
        with self._reading() as db:
            rows = db.execute("SELECT * FROM quarantined WHERE day = ?", (day,)).fetchall()
        return {row["key"]: Quarantine(row["key"], row["day"], row["settings"], tuple(json.loads(row["flags"]))) for row in rows}

    # -- batches ------------------------------------------------------------------------------------

    def prepare_batch(self, batch: BatchRecord) -> BatchRecord:
        with self._durable() as db:
            items = tuple(item for item in batch.items if self._is_free(db, item.key))
            if items:
                row = dataclasses.replace(batch, items=items).to_json()
                rows = [{**item, "token": batch.token} for item in row.pop("items")]
                db.execute(_insert("batches", row), row)
                db.executemany(_insert("batch_items", rows[0]), rows)
        return dataclasses.replace(batch, items=items)

    def _is_free(self, db: sqlite3.Connection, key: str) -> bool:
        if db.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone():
            return False
        if db.execute("SELECT 1 FROM batch_items JOIN batches USING (token) WHERE key = ? AND state != ?", (key, BatchState.CLOSED)).fetchone():
            return False
        lease = db.execute("SELECT owner FROM leases WHERE key = ?", (key,)).fetchone()
        return lease is None or self._is_void(db, lease["owner"])

    def update_batch(self, token: str, *, state: BatchState, batch_id: str = "", file_id: str = "", outcome: str = "") -> None:
        with self._durable() as db:
            db.execute(
                "UPDATE batches SET state = :state, batch_id = COALESCE(NULLIF(:batch_id, ''), batch_id),"
                " file_id = COALESCE(NULLIF(:file_id, ''), file_id), outcome = COALESCE(NULLIF(:outcome, ''), outcome) WHERE token = :token",
                {"state": state, "batch_id": batch_id, "file_id": file_id, "outcome": outcome, "token": token},
            )

    def open_batches(self) -> list[BatchRecord]:
        with self._reading() as db:
            batches = db.execute("SELECT * FROM batches WHERE state != ? ORDER BY created_at_utc, token", (BatchState.CLOSED,)).fetchall()
            items = "SELECT * FROM batch_items WHERE token = ? ORDER BY rowid"
            return [BatchRecord.from_json({**dict(row), "items": db.execute(items, (row["token"],)).fetchall()}) for row in batches]

    def keys_in_open_batches(self, keys: Sequence[str]) -> set[str]:
        query = "SELECT key FROM batch_items JOIN batches USING (token) WHERE state != 'closed' AND key IN ({})"
        return {row["key"] for row in self._rows_by_key(query, keys)}

    def batch_tries(self, keys: Sequence[str]) -> dict[str, int]:
        query = "SELECT key, COUNT(*) AS tries FROM batch_items JOIN batches USING (token) WHERE state = 'closed' AND key IN ({}) GROUP BY key"
        return {**dict.fromkeys(keys, 0), **{row["key"]: row["tries"] for row in self._rows_by_key(query, keys)}}

    # -- connections --------------------------------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            if self._connections is None:
                return
            with self._light() as db:
                _forget_owner(db, self.owner.name)
            for connection in self._connections:
                connection.close()
            self._connections, self._has_heartbeat = None, False

    def _durable(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A transaction that is on the disk when the block ends."""
        return self._transaction(0, "BEGIN IMMEDIATE")

    def _light(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A transaction that a power cut may undo, but no crash of a process."""
        return self._transaction(1, "BEGIN IMMEDIATE")

    def _reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A view of one moment, which waits for no writer."""
        return self._transaction(1, "BEGIN")

    @contextlib.contextmanager
    def _transaction(self, which: int, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            if self._connections is None:
                self._connections = self._connect()
            db = self._connections[which]
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            kind = CacheFull if "full" in str(error) or "No space" in str(error) else AnswerStoreError
            raise kind(f"the answer store {self.path} failed: {error}", hint=_advice(str(error))) from error

    def _connect(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock", timeout=_BUSY_SECONDS):  # the change to WAL does not wait for other connections by itself
            connections = self._open("FULL"), self._open("NORMAL")
            found = connections[0].execute("PRAGMA user_version").fetchone()[0]
            if found > _VERSION:
                raise AnswerStoreError(f"{self.path} was written by a newer version of this project", hint="update this installation")
            if found < _VERSION:
                connections[0].executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
            connections[0].executescript(_LATER_TABLES)
        return connections

    def _open(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)  # also where a run ends without `close`; then its leases die with the process
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        return connection

    def _rows_by_key(self, query: str, keys: Sequence[str]) -> list[sqlite3.Row]:
        rows: list[sqlite3.Row] = []
        for start in range(0, len(keys), _CHUNK):
            chunk = list(keys[start : start + _CHUNK])
            with self._reading() as db:
                rows += db.execute(query.format(", ".join("?" * len(chunk))), chunk).fetchall()
        return rows

    def _page(self, query: str, last: str | int) -> list[sqlite3.Row]:
        with self._reading() as db:
            return db.execute(query, (last, _CHUNK)).fetchall()


def _advice(problem: str) -> str:
    if "full" in problem or "No space" in problem:
        return "free disk space and run again: every answer acknowledged so far is kept"
    if "malformed" in problem or "not a database" in problem:
        return "the file is damaged: move it aside, import your last export, and run again"
    if "locked" in problem:
        return "another process holds the file for long; is it on a network disk? Use a local disk or an object store (DIGEST_ANSWERS_DIR)"
    return "see that the folder can be written (DIGEST_ANSWERS_DIR), then run again: every answer acknowledged so far is kept"


def _answer(row: sqlite3.Row) -> CachedAnswer:
    values = dict(row)
    return CachedAnswer.from_json({**values, "tokens_estimated": bool(values["tokens_estimated"])})


def _rejected(row: sqlite3.Row) -> tuple[CachedAnswer, tuple[str, ...]]:
    return CachedAnswer.from_json(json.loads(row["answer"])), tuple(json.loads(row["reasons"]))


def _forget_owner(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM leases WHERE owner = ?", (name,))
    db.execute("DELETE FROM owners WHERE name = ?", (name,))


def _keep_rejected(db: sqlite3.Connection, answer: CachedAnswer, reasons: Sequence[str]) -> None:
    row = (answer.key, json.dumps(list(reasons), ensure_ascii=False), json.dumps(answer.to_json(), ensure_ascii=False))
    db.execute("INSERT INTO rejected_answers (key, reasons, answer) VALUES (?, ?, ?)", row)


def _count(db: sqlite3.Connection, answer: CachedAnswer) -> None:
    """Adds a paid answer to its month, within the transaction that keeps it."""
    month = month_of(answer.answered_at_utc)
    db.execute("INSERT OR IGNORE INTO spending VALUES (?, 0, 0, 0, 0, 0)", (month,))
    db.execute(
        "UPDATE spending SET usd = usd + ?, answers = answers + 1, unpriced_answers = unpriced_answers + ?,"
        " input_tokens = input_tokens + ?, output_tokens = output_tokens + ? WHERE month = ?",
        (answer.cost_usd or 0.0, answer.cost_usd is None, answer.input_tokens, answer.output_tokens, month),
    )


def _spending(db: sqlite3.Connection, month: str) -> Spending:
    row = db.execute("SELECT * FROM spending WHERE month = ?", (month,)).fetchone()
    return Spending(**{f.name: row[f.name] for f in dataclasses.fields(Spending)}) if row else Spending()


def _insert(table: str, row: Mapping[str, Any]) -> str:
    """The statement that writes `row`, replacing one of the same key; table and columns are names of this module."""
    return f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"  # noqa: S608 - no value is part of it

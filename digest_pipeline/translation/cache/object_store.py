"""The store of paid answers in an object store (S3, GCS, Azure, or any other that fsspec knows), shared by machines.

What lives here: one object an answer, and leases made of exclusive creation. What does not: the protocol's meaning
(`protocol.py`). An object is whole or absent, so a put is durable when it returns. Below the root:

    good/<2 digits>/<key>.json            an answer
    rejected/<2 digits>/<key>/<id>.json   a rejected answer with `rejected_for`
    paid/<month>/<id>,<micro-dollars>,<tokens in>,<tokens out>   empty; a month's spending is its listing
    leases/<key>/<n>                      n counts takeovers from dead owners
    owners/<name>.json                    an owner's last sign of life
    probes/<id>                           empty, and gone again at once: does the store keep the first of two creations?
    quarantined/<date>/<key>.json         a paper that was given up on that day (UTC)
    endpoints/<hash>.json, batches/open/<token>.json, batches/closed/<date>-<token>.json

Some S3-compatible servers take the condition "only if it is not there" and ignore it. There a lease is the last
writer's, and everybody looks a moment later who that was: two processes that claim one key within that moment see
it, and only a writer who was held up for longer between looking and writing could make a paper be paid twice.

Unlike in SQLite, money reserved by *other* running processes is not seen by `reserve`, and their spending up to ten
seconds late; so two runs at once may pass a month's limit by what they have in flight.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from upath import UPath

from digest_pipeline.errors import AnswerStoreError, storage_errors
from digest_pipeline.translation.cache.lease_owner import LeaseOwner, is_expired
from digest_pipeline.translation.cache.protocol import CacheFull, ResponseCache
from digest_pipeline.translation.cache.records import BatchRecord, BatchState, CachedAnswer, Lease, Quarantine, Spending, month_of

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 10.0
_AGREEMENT_SECONDS = 0.2
_CHUNK = 500
_TRIES_ARE_REMEMBERED = timedelta(days=7)
_SUBMISSION = "batch-submission"
_SUBMISSION_WAIT_SECONDS = 120.0
_MICRO = 1_000_000


class ObjectStoreCache(ResponseCache):
    """ResponseCache below the URL `place`."""

    threads = 16

    def __init__(self, place: UPath, now: Callable[[], datetime], owner: LeaseOwner | None = None) -> None:
        self.owner = owner or LeaseOwner.this_process()
        self._fs = place.fs
        self._root = place.path.rstrip("/")
        self._now = now
        self._lock = threading.RLock()
        self._leases: dict[str, int] = {}
        self._reserved: dict[str, float] = {}
        self._paid: dict[str, set[str]] = {}
        self._listed_at: dict[str, float] = {}
        self._batched: tuple[float, float] = (float("-inf"), 0.0)
        self._has_heartbeat = False
        self._is_exclusive: bool | None = None

    # -- answers ------------------------------------------------------------------------------------

    def answers(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        found = self._read_many([self._good(key) for key in keys])
        answers = [CachedAnswer.from_json(row) for row in found.values()]
        return {answer.key: answer for answer in answers}

    def put_all(self, answers: Sequence[tuple[CachedAnswer, tuple[str, ...] | None]]) -> None:
        for answer, reasons in answers:
            self._count(answer)  # before the answer: a kill in between leaves money counted that was spent indeed
            if reasons is None:
                self._write(self._good(answer.key), answer.to_json())
                self.release([answer.key])
            else:
                self._keep_rejected(answer, reasons)
                with self._lock:
                    self._reserved.pop(answer.key, None)

    def discard(self, key: str, reasons: Sequence[str]) -> None:
        answer = self.answers([key]).get(key)
        if answer is not None:
            self._keep_rejected(answer, reasons)
            self._delete(self._good(key))

    def rejected(self, key: str) -> list[tuple[CachedAnswer, tuple[str, ...]]]:
        rows = self._read_many(self._names(f"rejected/{key[:2]}/{key}")).values()
        return sorted(map(_rejected, rows), key=lambda pair: pair[0].answered_at_utc)

    def every_answer(self) -> Iterator[CachedAnswer]:
        yield from map(CachedAnswer.from_json, self._rows_below("good"))

    def every_rejected(self) -> Iterator[tuple[CachedAnswer, tuple[str, ...]]]:
        yield from map(_rejected, self._rows_below("rejected"))

    def _good(self, key: str) -> str:
        return f"good/{key[:2]}/{key}.json"

    def _keep_rejected(self, answer: CachedAnswer, reasons: Sequence[str]) -> None:
        self._write(f"rejected/{answer.key[:2]}/{answer.key}/{uuid.uuid4().hex}.json", {**answer.to_json(), "rejected_for": list(reasons)})

    # -- leases and money ---------------------------------------------------------------------------

    def claim(self, key: str) -> Lease:
        if not self._has_heartbeat:
            self.heartbeat()
        if not self._take_lease(key):
            return Lease.HELD
        if self.answers([key]):  # looked up only now: the former holder may have put it just before its lease ended
            self.release([key])
            return Lease.ANSWERED
        return Lease.GRANTED

    def _take_lease(self, key: str) -> bool:
        takeovers = 0
        while True:
            name = f"leases/{key}/{takeovers}"
            if self._create(name, dataclasses.asdict(self.owner)):
                with self._lock:
                    self._leases[key] = takeovers
                return True
            holder = self._read(name)
            if holder is None:
                continue  # given back between our two calls
            if holder["name"] == self.owner.name:
                return True
            owner = self._read(f"owners/{holder['name']}.json")
            if owner is not None and not is_expired(LeaseOwner(**holder), datetime.fromisoformat(owner["last_beat_utc"]), self._now()):
                return False
            takeovers += 1

    def release(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._lock:
                takeovers = self._leases.pop(key, None)
                self._reserved.pop(key, None)
            if takeovers is not None:
                for number in range(takeovers + 1):
                    self._delete(f"leases/{key}/{number}")

    def heartbeat(self) -> None:
        self._write(f"owners/{self.owner.name}.json", {**dataclasses.asdict(self.owner), "last_beat_utc": self._now().isoformat()})
        self._has_heartbeat = True

    def reserve(self, key: str, usd: float, month: str, limit_usd: float) -> bool:
        with self._lock:
            others = sum(amount for other, amount in self._reserved.items() if other != key)
            if self.spending(month).usd + self._batched_usd() + others + usd > limit_usd:
                return False
            self._reserved[key] = usd
            return True

    def spending(self, month: str) -> Spending:
        with self._lock:
            if time.monotonic() - self._listed_at.get(month, float("-inf")) > _REFRESH_SECONDS:
                self._paid.setdefault(month, set()).update(self._names(f"paid/{month}"))
                self._listed_at[month] = time.monotonic()
            return Spending.of_names(name.rpartition("/")[2] for name in self._paid[month])

    def _count(self, answer: CachedAnswer) -> None:
        month = month_of(answer.answered_at_utc)
        dollars = "unknown" if answer.cost_usd is None else str(round(answer.cost_usd * _MICRO))
        name = f"paid/{month}/{uuid.uuid4().hex},{dollars},{answer.input_tokens},{answer.output_tokens}"
        self._write_bytes(name, b"")
        with self._lock:
            self._paid.setdefault(month, set()).add(name)

    def _batched_usd(self) -> float:
        seen, usd = self._batched
        if time.monotonic() - seen > _REFRESH_SECONDS:
            usd = sum(item.reserved_usd for batch in self.open_batches() for item in batch.items)
            self._batched = time.monotonic(), usd
        return usd

    # -- what was learned of endpoints ----------------------------------------------------------------

    def endpoint_memory(self, endpoint: str, model: str) -> dict[str, Any]:
        return self._read(_endpoint_name(endpoint, model)) or {}

    def remember_endpoint(self, endpoint: str, model: str, memory: Mapping[str, Any]) -> None:
        self._write(_endpoint_name(endpoint, model), dict(memory))

    # -- papers that were given up ------------------------------------------------------------------

    def quarantine(self, papers: Sequence[Quarantine]) -> None:
        for paper in papers:
            self._write(f"quarantined/{paper.day}/{paper.key}.json", dataclasses.asdict(paper))

    def quarantined(self, day: str) -> dict[str, Quarantine]:
        rows = self._read_many(self._names(f"quarantined/{day}")).values()
        return {row["key"]: Quarantine(**{**row, "flags": tuple(row["flags"])}) for row in rows}

    # -- batches ------------------------------------------------------------------------------------

    def prepare_batch(self, batch: BatchRecord) -> BatchRecord:
        """Batches are prepared one at a time over all processes; leases of single keys are not looked at."""
        self._wait_for_submission()
        try:
            keys = [item.key for item in batch.items]
            taken = self.keys_in_open_batches(keys) | set(self.answers(keys))
            recorded = dataclasses.replace(batch, items=tuple(item for item in batch.items if item.key not in taken))
            if recorded.items:
                self._write_batch(recorded)
            return recorded
        finally:
            self.release([_SUBMISSION])

    def _wait_for_submission(self) -> None:
        until = time.monotonic() + _SUBMISSION_WAIT_SECONDS
        while self.claim(_SUBMISSION) is not Lease.GRANTED:
            if time.monotonic() > until:
                raise AnswerStoreError("another process has been preparing a batch for two minutes", hint="run again when it has ended")
            time.sleep(0.5)

    def update_batch(self, token: str, *, state: BatchState, batch_id: str = "", file_id: str = "", outcome: str = "") -> None:
        row = self._read(f"batches/open/{token}.json")
        if row is None:
            return  # closed by another process meanwhile
        batch = BatchRecord.from_json(row)
        changed = dataclasses.replace(
            batch, state=state, batch_id=batch_id or batch.batch_id, file_id=file_id or batch.file_id, outcome=outcome or batch.outcome
        )
        self._write_batch(changed)
        if state is BatchState.CLOSED:
            self._delete(f"batches/open/{token}.json")

    def open_batches(self) -> list[BatchRecord]:
        rows = self._read_many(self._names("batches/open")).values()
        return sorted((BatchRecord.from_json(row) for row in rows), key=lambda batch: (batch.created_at_utc, batch.token))

    def keys_in_open_batches(self, keys: Sequence[str]) -> set[str]:
        return {item.key for batch in self.open_batches() for item in batch.items} & set(keys)

    def batch_tries(self, keys: Sequence[str]) -> dict[str, int]:
        """Counts batches of the last seven days."""
        tries = dict.fromkeys(keys, 0)
        oldest = f"{self._now() - _TRIES_ARE_REMEMBERED:%Y-%m-%d}"
        names = [name for name in self._names("batches/closed") if name.rpartition("/")[2] >= oldest]
        for row in self._read_many(names).values():
            for item in BatchRecord.from_json(row).items:
                if item.key in tries:
                    tries[item.key] += 1
        return tries

    def _write_batch(self, batch: BatchRecord) -> None:
        name = f"closed/{batch.created_at_utc:%Y-%m-%d}-{batch.token}" if batch.state is BatchState.CLOSED else f"open/{batch.token}"
        self._write(f"batches/{name}.json", batch.to_json())

    def close(self) -> None:
        self.release(list(self._leases))
        if self._has_heartbeat:
            self._delete(f"owners/{self.owner.name}.json")
            self._has_heartbeat = False

    # -- objects ------------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _read(self, name: str) -> dict[str, Any] | None:
        return next(iter(self._read_many([name]).values()), None)

    def _read_many(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of the objects that exist, by path."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(names), _CHUNK):
            paths = [self._path(name) for name in names[start : start + _CHUNK]]
            with self._explained():
                for path, content in self._fs.cat(paths, on_error="return").items():
                    if isinstance(content, FileNotFoundError):
                        continue
                    if isinstance(content, BaseException):
                        raise content
                    found[path] = _parsed(path, content)
        return found

    def _rows_below(self, folder: str) -> Iterator[dict[str, Any]]:
        with self._explained():
            self._fs.invalidate_cache()
            paths = sorted(self._fs.find(self._path(folder)))
        names = [path.removeprefix(self._root).lstrip("/") for path in paths]
        for start in range(0, len(names), _CHUNK):
            yield from self._read_many(names[start : start + _CHUNK]).values()

    def _names(self, folder: str) -> list[str]:
        """The objects directly below `folder`, as names relative to the root; empty where there is none."""
        with self._explained():
            self._fs.invalidate_cache()  # other processes write too
            try:
                paths = self._fs.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(f"{folder}/{path.rpartition('/')[2]}" for path in paths)

    def _write(self, name: str, row: Mapping[str, Any]) -> None:
        self._write_bytes(name, json.dumps(row, ensure_ascii=False).encode("utf-8"))

    def _write_bytes(self, name: str, content: bytes) -> None:
        with self._explained():
            self._fs.pipe_file(self._path(name), content)

    def _create(self, name: str, row: Mapping[str, Any]) -> bool:
        """Writes an object that must not exist yet; False where it does. The store decides, so it holds over machines."""
        if self.leases_are_exclusive():
            return self._put_new(name, json.dumps(row).encode("utf-8"))
        if self._read(name) is not None:
            return False
        self._write(name, row)
        time.sleep(_AGREEMENT_SECONDS)
        return self._read(name) == row

    def leases_are_exclusive(self) -> bool:
        """Tried once: does the place refuse to create an object that is there? Where it does not, the log says so."""
        with self._lock:
            if self._is_exclusive is None:
                probe = f"probes/{uuid.uuid4().hex}"
                self._put_new(probe, b"")
                self._is_exclusive = not self._put_new(probe, b"")
                self._delete(probe)
                if not self._is_exclusive:
                    log.warning("The answer store %s lets a second creation replace the first; see “Data in an object store”.", self._root)
            return self._is_exclusive

    def _put_new(self, name: str, content: bytes) -> bool:
        with self._explained():
            try:
                self._fs.pipe_file(self._path(name), content, mode="create")
            except Exception as error:
                if _says_that_it_exists(error):
                    return False
                raise
        return True

    def _delete(self, name: str) -> None:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except storage_errors() as error:
            kind = CacheFull if getattr(error, "errno", None) == errno.ENOSPC else AnswerStoreError
            raise kind(
                f"the answer store {self._root} failed: {error}",
                hint="see its address, credentials and quota, then run again: acknowledged answers are kept",
            ) from error


def _says_that_it_exists(error: Exception) -> bool:
    """Each object store names the failed condition in its own way: FileExistsError, HTTP 412, EINVAL."""
    if isinstance(error, FileExistsError):
        return True
    return getattr(error, "errno", None) == errno.EINVAL or str(getattr(error, "code", "")) == "412" or "PreconditionFailed" in str(error)


def _parsed(path: str, content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content))
    except ValueError as error:
        raise AnswerStoreError(f"the object {path} is damaged: {error}", hint="delete it, or put an earlier version back, and run again") from None


def _rejected(row: Mapping[str, Any]) -> tuple[CachedAnswer, tuple[str, ...]]:
    return CachedAnswer.from_json(row), tuple(row["rejected_for"])


def _endpoint_name(endpoint: str, model: str) -> str:
    digest = hashlib.sha256(f"{endpoint}\n{model}".encode()).hexdigest()
    return f"endpoints/{digest[:32]}.json"

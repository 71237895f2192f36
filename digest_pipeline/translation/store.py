"""The store of paid answers: what it keeps, under which key, and the protocol its two bodies fulfil.

What lives here: the values (answers, claims, spending, batches), the key, `open_store`, and the JSON Lines by
which a store is carried to another machine. What does not: SQLite (`sqlite_store.py`), objects in S3 and its
kind (`object_store.py`), what makes an answer good (`checks.py`, asked again on every read).

Every method is synchronous and may be called from several threads. A method that returns has made its change
durable, leases and heartbeats apart: losing one of those costs a wait, never money.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import socket
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TextIO

from upath import UPath

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.prompting import PromptRequest

LEASE_SECONDS = 30.0
"""A lease whose owner has not given a sign of life for so long is void; on the same host a dead process voids it at once."""

HEARTBEAT_SECONDS = 5.0
"""How often a running owner gives that sign."""


def answer_key(request: PromptRequest, model: str, sampling: str) -> str:
    """64 hexadecimal digits of what the answer depends on: prompt, schema, model, language, sampling, the text as sent.

    No arXiv id, date, category or template is part of it. Texts that differ in white space or Unicode composition only
    share a key. The masked text is part of it, so that an answer never meets placeholders it was not given for.
    """
    masked = {"masked_title": request.title.text, "masked_abstract": request.abstract.text}
    parts = {**request.key_fields, **masked, "model": model, "sampling": sampling}
    text = json.dumps({name: normalised(value) for name, value in parts.items()}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def normalised(text: str) -> str:
    """NFC, every run of white space one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One paid answer as it came. Tokens are the endpoint's own count unless `tokens_estimated`."""

    key: str
    raw: str
    """The model's text, whole, before any parsing."""
    about: str
    """The paper it was first asked for, e.g. `2404.01438v2`; for people, no part of the key."""
    language: str
    model: str
    prompt_sha256: str
    schema_version: str
    response_id: str
    finish_reason: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    tokens_estimated: bool
    cost_usd: float | None
    """US dollars at the prices of that day; None where the model's price was unknown."""
    asked_at_utc: datetime
    answered_at_utc: datetime
    via: str = "chat"
    """`chat` or `batch`."""
    earlier_input_tokens: int = 0
    """Tokens of rejected attempts that this answer replaces; likewise the next two."""
    earlier_output_tokens: int = 0
    earlier_cost_usd: float | None = 0.0

    def to_json(self) -> dict[str, Any]:
        row = dataclasses.asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> StoredAnswer:
        """Raises KeyError or ValueError where a field is missing or malformed; unknown fields are ignored."""
        values = {f.name: row[f.name] for f in dataclasses.fields(cls)}
        times = {name: datetime.fromisoformat(values[name]) for name in ("asked_at_utc", "answered_at_utc")}
        return cls(**{**values, **times})


class Claim(StrEnum):
    """The outcome of asking for the right to pay for a key."""

    GRANTED = "granted"
    HELD = "held"
    """Another live process is asking for it."""
    ANSWERED = "answered"
    """An answer has arrived meanwhile."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one calendar month (UTC) cost, rejected answers included."""

    usd: float = 0.0
    answers: int = 0
    unpriced_answers: int = 0
    """Answers whose cost is unknown; their money is not in `usd`."""
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One question inside a batch. `reserved_usd` counts as spent until the batch is closed."""

    key: str
    about: str
    language: str
    listing_date: date
    prompt_sha256: str
    schema_version: str
    reserved_usd: float


class BatchState(StrEnum):
    PREPARING = "preparing"
    """Recorded here, perhaps not yet known to the endpoint: a crash may lie between."""
    SUBMITTED = "submitted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch: `token` is ours and travels as metadata, so that a submission can be found again after a crash."""

    token: str
    state: BatchState
    endpoint: str
    model: str
    created_at_utc: datetime
    batch_id: str = ""
    file_id: str = ""
    outcome: str = ""
    items: tuple[BatchItem, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lease: enough to tell, from the same machine, whether that process still runs."""

    name: str
    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Owner:
        """A fresh name each time, so that two runs within one process are two owners."""
        return cls(uuid.uuid4().hex, socket.gethostname(), _boot_id(), os.getpid(), _process_start(os.getpid()))

    def is_known_dead(self) -> bool:
        """True only where it ran on this machine since its last boot, and the process is gone or its number reused."""
        if (self.host, self.boot) != (socket.gethostname(), _boot_id()):
            return False
        return not _is_running(self.pid) or _process_start(self.pid) != self.started


class AnswerStore(Protocol):
    """See the module's docstring for durability and threads; every method raises AnswerStoreError where the place fails."""

    owner: Owner
    threads: int
    """How many calls are worth making at once."""

    def answers(self, keys: Sequence[str]) -> dict[str, StoredAnswer]:
        """Those of `keys` that have an answer."""

    def put(self, answer: StoredAnswer) -> None:
        """Keeps a good answer, counts its cost, and gives up the lease on its key."""

    def put_rejected(self, answer: StoredAnswer, reasons: Sequence[str]) -> None:
        """Keeps a rejected answer for the record and counts its cost: it was paid."""

    def discard(self, key: str, reasons: Sequence[str]) -> None:
        """Moves a kept answer, which today's checks reject, to the rejected ones. Its cost was counted already."""

    def rejected(self, key: str) -> list[tuple[StoredAnswer, tuple[str, ...]]]:
        """The rejected answers of a key with the reasons, oldest first."""

    def claim(self, key: str) -> Claim:
        """Asks for the right to pay for `key`; to be given back by `put` or `release`."""

    def leases_are_exclusive(self) -> bool:
        """Whether a key is never granted to two owners, however close their claims are; false where the place cannot promise it."""

    def release(self, keys: Sequence[str]) -> None:
        """Gives leases back; those not held by this owner are left alone."""

    def beat(self) -> None:
        """The owner's sign of life; see HEARTBEAT_SECONDS."""

    def reserve(self, key: str, usd: float, month: str, limit_usd: float) -> bool:
        """Sets money aside for a claimed key; False where spent and reserved of `month` (`2026-06`) would pass the limit.

        Replaces an earlier reservation of the key. `put`, `put_rejected` and `release` end it.
        """

    def spending(self, month: str) -> Spending:
        """What the month (`2026-06`, UTC) cost so far, over all processes; zeros where nothing was paid."""

    def endpoint_memory(self, endpoint: str, model: str) -> dict[str, Any]:
        """What was learned of an endpoint and model; empty where nothing was."""

    def remember_endpoint(self, endpoint: str, model: str, memory: Mapping[str, Any]) -> None: ...

    def prepare_batch(self, batch: BatchRecord) -> BatchRecord:
        """Records a batch in state PREPARING, without the items that are answered, leased or in an open batch.

        Returns what was recorded; with no item left, nothing was.
        """

    def update_batch(self, token: str, *, state: BatchState, batch_id: str = "", file_id: str = "", outcome: str = "") -> None:
        """Empty strings leave what is there. Closing frees its items and their reservations."""

    def open_batches(self) -> list[BatchRecord]:
        """Those not closed, oldest first, with their items."""

    def keys_in_open_batches(self, keys: Sequence[str]) -> set[str]: ...

    def batch_tries(self, keys: Sequence[str]) -> dict[str, int]:
        """How many closed batches each key was in; 0 for a key that was in none."""

    def every_answer(self) -> Iterator[StoredAnswer]:
        """All good answers, by key."""

    def every_rejected(self) -> Iterator[tuple[StoredAnswer, tuple[str, ...]]]: ...

    def close(self) -> None:
        """Gives all leases of this owner back."""


def open_store(root: str, now: Callable[[], datetime]) -> AnswerStore:
    """The store at a folder (SQLite, `answers.sqlite`) or an object store's URL. Makes the folder, nothing else, until used."""
    place = UPath(root)
    if place.protocol in ("", "file", "local"):
        from digest_pipeline.translation.sqlite_store import SqliteStore

        return SqliteStore(Path(place.path) / "answers.sqlite", now)
    from digest_pipeline.translation.object_store import ObjectStore

    return ObjectStore(place, now)


def export_answers(store: AnswerStore, file: TextIO) -> int:
    """Writes all answers, rejected ones too, as JSON Lines (fields of StoredAnswer, and `rejected_for`); returns their number."""
    count = 0
    for answer in store.every_answer():
        file.write(json.dumps(answer.to_json(), ensure_ascii=False) + "\n")
        count += 1
    for answer, reasons in store.every_rejected():
        file.write(json.dumps({**answer.to_json(), "rejected_for": reasons}, ensure_ascii=False) + "\n")
        count += 1
    return count


def import_answers(store: AnswerStore, file: Iterable[str]) -> tuple[int, int]:
    """Takes in what `export_answers` wrote; what is already there stays. Returns (taken, already there)."""
    taken = known = 0
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        answer, reasons = _exported_line(line, number)
        if _is_known(store, answer, reasons):
            known += 1
            continue
        if reasons is None:
            store.put(answer)
        else:
            store.put_rejected(answer, reasons)
        taken += 1
    return taken, known


def _exported_line(line: str, number: int) -> tuple[StoredAnswer, tuple[str, ...] | None]:
    try:
        row = json.loads(line)
        reasons = row.get("rejected_for")
        return StoredAnswer.from_json(row), None if reasons is None else tuple(reasons)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswerStoreError(f"line {number} is no exported answer: {error!r}", hint="export again; lines before it were taken in") from None


def _is_known(store: AnswerStore, answer: StoredAnswer, reasons: tuple[str, ...] | None) -> bool:
    if reasons is None:
        return answer.key in store.answers([answer.key])
    return any(kept == answer for kept, _ in store.rejected(answer.key))


def month_of(moment: datetime) -> str:
    """`2026-06`; `moment` is in UTC."""
    return f"{moment:%Y-%m}"


def is_dead(owner: Owner, last_beat_utc: datetime, now_utc: datetime) -> bool:
    """Whether leases of this owner are void."""
    return owner.is_known_dead() or (now_utc - last_beat_utc).total_seconds() > LEASE_SECONDS


def _boot_id() -> str:
    """Changes with each boot where the system tells; a constant elsewhere."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _process_start(pid: int) -> str:
    """When the process started, in the kernel's ticks, so that a reused number is told apart; empty where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False

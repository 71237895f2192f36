"""The cache of paid answers: the protocol that its two bodies fulfil.

What lives here: what every cache must do. What does not: what it keeps (`records.py`), SQLite (`sqlite.py`), objects in S3 and its kind
(`object_store.py`), what makes an answer good (`validation/`, asked again on every read).

Every method is synchronous and may be called from several threads. A method that returns has made its change
durable, leases and heartbeats apart: losing one of those costs a wait, never money.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from digest_pipeline.errors import AnswerStoreError
from digest_pipeline.translation.cache.lease_owner import LeaseOwner
from digest_pipeline.translation.cache.records import BatchRecord, BatchState, CachedAnswer, Lease, Quarantine, Spending


class CacheFull(AnswerStoreError):
    """There is no room on the disk: what could not be kept may be kept later."""


class ResponseCache(Protocol):
    """See the module's docstring for durability and threads; every method raises AnswerStoreError where the place fails."""

    owner: LeaseOwner
    threads: int
    """How many calls are worth making at once."""

    def answers(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        """Those of `keys` that have an answer."""

    def put(self, answer: CachedAnswer) -> None:
        """Keeps a good answer, counts its cost, and gives up the lease on its key."""
        self.put_all([(answer, None)])

    def put_rejected(self, answer: CachedAnswer, reasons: Sequence[str]) -> None:
        """Keeps a rejected answer for the record and counts its cost: it was paid."""
        self.put_all([(answer, tuple(reasons))])

    def put_all(self, answers: Sequence[tuple[CachedAnswer, tuple[str, ...] | None]]) -> None:
        """Keeps many at once that were paid elsewhere, good ones and, with their reasons, rejected ones; their costs are counted."""

    def discard(self, key: str, reasons: Sequence[str]) -> None:
        """Moves a kept answer, which today's checks reject, to the rejected ones. Its cost was counted already."""

    def rejected(self, key: str) -> list[tuple[CachedAnswer, tuple[str, ...]]]:
        """The rejected answers of a key with the reasons, oldest first."""

    def claim(self, key: str) -> Lease:
        """Asks for the right to pay for `key`; to be given back by `put` or `release`."""

    def leases_are_exclusive(self) -> bool:
        """Whether a key is never granted to two owners, however close their claims are; false where the place cannot promise it."""

    def release(self, keys: Sequence[str]) -> None:
        """Gives leases back; those not held by this owner are left alone."""

    def heartbeat(self) -> None:
        """The owner's sign of life; see HEARTBEAT_SECONDS."""

    def reserve(self, key: str, usd: float, month: str, limit_usd: float) -> bool:
        """Sets money aside for a claimed key; False where spent and reserved of `month` (`2026-06`) would pass the limit.

        Replaces an earlier reservation of the key. `put`, `put_rejected` and `release` end it.
        """

    def spending(self, month: str) -> Spending:
        """What the month (`2026-06`, UTC) cost so far, over all processes; zeros where nothing was paid."""

    def quarantine(self, papers: Sequence[Quarantine]) -> None:
        """Remembers papers that were given up; a later one of the same key takes the place of an earlier one."""

    def quarantined(self, day: str) -> dict[str, Quarantine]:
        """Those of a UTC day (`2026-06-12`), by key."""

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

    def every_answer(self) -> Iterator[CachedAnswer]:
        """All good answers, by key."""

    def every_rejected(self) -> Iterator[tuple[CachedAnswer, tuple[str, ...]]]: ...

    def close(self) -> None:
        """Gives all leases of this owner back."""

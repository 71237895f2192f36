"""The durable record of what was sent to whom: one small file a message, `notify/sent/<key>.json` in the data directory.

What lives here: claiming, confirming and releasing one delivery. What does not: how it is sent (`alerts.py`, `mail.py`).

A message leaves this machine in two steps that no file can make one: the sending, and the writing-down. The
claim is therefore written before the sending and the confirmation after it:

    refused by the service        released, and tried again later, at growing distances up to an hour
    killed between the two        nobody knows whether it went out: after five minutes, in which the sender may merely be
                                  slow, it is sent once more, and never a third time
    confirmed                     never sent again, over all re-runs

Hence at most one duplicate, only after a crash at that very moment, and no message lost to a crash. The record
expects one sender at a time (Dagster evaluates each sensor alone); it is no lock between machines.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from digest_pipeline.storage import Storage

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,179}")
_LONGEST_WAIT_MINUTES = 60
_STILL_SENDING = timedelta(minutes=5)


class Claim(StrEnum):
    """What the record says about sending one message to one destination now."""

    SEND = "send"
    DONE = "done"
    """It was sent, or may have been sent twice already."""
    LATER = "later"
    """The last try failed, or began, a short while ago."""


class _State(StrEnum):
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


def message_key(*parts: str) -> str:
    """A file name for the message that `parts` name: what of them is readable, and a hash that keeps any two apart."""
    readable = "-".join(re.sub(r"[^A-Za-z0-9._]+", "-", part) for part in parts).strip("-.") or "message"
    return f"{readable[:100]}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The record in `storage`; `now` returns an aware time."""

    storage: Storage
    now: Callable[[], datetime]

    def claim(self, key: str, destination: str) -> Claim:
        """Writes down that `destination` is about to be sent message `key`, where the answer is SEND."""
        record = self._read(key)
        entry = record["destinations"].get(destination)
        answer = self._answer(record, entry)
        if answer is Claim.SEND:
            crashes = entry["crashes"] + 1 if entry and entry["state"] == _State.SENDING else 0
            attempts = entry["attempts"] + 1 if entry else 1
            self._write(record, destination, _State.SENDING, attempts, crashes)
        return answer

    def confirm(self, key: str, destination: str) -> None:
        """The service took the message."""
        self._settle(key, destination, _State.SENT)

    def release(self, key: str, destination: str) -> None:
        """The service certainly did not take the message; a later claim may try again."""
        self._settle(key, destination, _State.FAILED)

    def close(self, key: str) -> None:
        """The message is finished: later changes of the destinations do not send it again."""
        record = self._read(key)
        record["complete"] = True
        self._save(record)

    def is_closed(self, key: str) -> bool:
        return bool(self._read(key)["complete"])

    def forget_before(self, moment: datetime) -> int:
        """Deletes the records of finished messages last touched before `moment`; returns how many."""
        old = [record["key"] for record in map(self._read, self._keys()) if record["complete"] and _last_touch(record) < moment.isoformat()]
        for key in old:
            self.storage.delete(_file(key))
        return len(old)

    def _keys(self) -> list[str]:
        return [name.removesuffix(".json") for name in self.storage.names("notify/sent")]

    def _answer(self, record: dict[str, Any], entry: dict[str, Any] | None) -> Claim:
        if record["complete"] or (entry is not None and entry["state"] == _State.SENT):
            return Claim.DONE
        if entry is None:
            return Claim.SEND
        age = self.now() - datetime.fromisoformat(entry["at"])
        if entry["state"] == _State.SENDING:
            return Claim.LATER if age < _STILL_SENDING else Claim.SEND if entry["crashes"] == 0 else Claim.DONE
        return Claim.SEND if age >= timedelta(minutes=min(2 ** (entry["attempts"] - 1), _LONGEST_WAIT_MINUTES)) else Claim.LATER

    def _settle(self, key: str, destination: str, state: _State) -> None:
        record = self._read(key)
        entry = record["destinations"][destination]
        self._write(record, destination, state, entry["attempts"], entry["crashes"])

    def _write(self, record: dict[str, Any], destination: str, state: _State, attempts: int, crashes: int) -> None:
        record["destinations"][destination] = {"state": state, "attempts": attempts, "crashes": crashes, "at": self.now().isoformat()}
        self._save(record)

    def _save(self, record: dict[str, Any]) -> None:
        record["touched"] = self.now().isoformat()
        self.storage.write_text(_file(record["key"]), json.dumps(record, indent=1, sort_keys=True))

    def _read(self, key: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self.storage.read_text(_file(key)))
        except FileNotFoundError:
            return {"key": key, "complete": False, "destinations": {}}
        return record


def _file(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no message key; make it with message_key()")
    return f"notify/sent/{key}.json"


def _last_touch(record: dict[str, Any]) -> str:
    return str(record["touched"])

"""Short messages to chats and phones: what happened, what it means for readers, what to do, and where to look.

What lives here: the kinds of message, their rendering from `templates/<kind>.txt.jinja`, the outbox
`notify/outbox/<key>.json`, and emptying it. What does not: when a message is due (the sensors), the services
(`services.py`), how long a failure lasts (`ongoing.py`), the e-mail digest (`mail.py`).

`post` puts a message into the outbox, once for a key; `deliver_waiting` empties the outbox. A message that a
service refuses stays there and is tried again, for three days; then it is moved to `notify/undelivered/`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

import jinja2

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.notify import ongoing
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.notify.ongoing import Ongoing
from digest_pipeline.notify.redact import secret_values, without_secrets
from digest_pipeline.notify.services import Audience, Destination, Message, addresses, readable_destinations
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.text import one_line

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=3)
"""How long a message may wait for a service; older news is no news."""
LONGEST_BODY = 3500
"""Characters; Telegram takes 4,096 and others more. A longer body is cut, and says so."""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run ended in failure and will not be retried by itself.

    `occasion` is what makes it a new failure: the run where a person started it, the cause where runs start by themselves.
    """

    template: ClassVar[str] = "run_failed"
    run_id: str
    job: str
    days: tuple[str, ...]
    """Partition keys; empty for a run without partitions."""
    message: str
    hint: str
    link: str
    occasion: str

    @property
    def key(self) -> str:
        return message_key("run", self.occasion)


@dataclass(frozen=True, slots=True)
class BackfillFailed:
    """A run of a backfill failed; told once for the whole backfill, however many of its runs fail."""

    template: ClassVar[str] = "backfill_failed"
    backfill_id: str
    run_id: str
    days: tuple[str, ...]
    """The failed run's."""
    message: str
    hint: str
    link: str
    not_tried: tuple[str, ...] = ()
    """Days after the failed one that would meet the same, oldest first."""
    goes_on: bool = True
    """False: it ended with this failure."""

    @property
    def key(self) -> str:
        return message_key("backfill", self.backfill_id)


@dataclass(frozen=True, slots=True)
class ListingLate:
    """Long after its time there is no digest of a listing day, and no failure that was told explains it."""

    template: ClassVar[str] = "listing_late"
    day: str
    hours: int
    link: str

    @property
    def days(self) -> tuple[str, ...]:
        return (self.day,)

    @property
    def key(self) -> str:
        return message_key("late")


@dataclass(frozen=True, slots=True)
class ServiceFailed:
    """A unit of systemd failed. `result` is systemd's word for how, e.g. `exit-code`, or empty."""

    template: ClassVar[str] = "service_failed"
    unit: str
    machine: str
    result: str

    @property
    def days(self) -> tuple[str, ...]:
        return ()

    @property
    def key(self) -> str:
        return message_key("service", self.unit, self.machine)


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """An asset check did not pass. `occasion` is what makes it a new failure: a day, or a whole backfill."""

    template: ClassVar[str] = "check_failed"
    check: str
    asset: str
    day: str | None
    is_error: bool
    """False: a warning."""
    description: str
    occasion: str
    link: str

    @property
    def key(self) -> str:
        return message_key("check", self.asset, self.check, self.occasion)


@dataclass(frozen=True, slots=True)
class DigestReady:
    """The digest of a listing day is ready in one language; the words are the reader's."""

    template: ClassVar[str] = "digest_ready"
    day: str
    language: str
    title: str
    counts: Mapping[str, int]
    """Words of the announce type → papers."""
    notes: tuple[str, ...]
    highlights: tuple[tuple[str, str], ...]
    """(title, TL;DR), those that a watch list wants first."""
    more: str
    """The sentence that says how many are not shown and where they are; empty where all are shown."""
    link: str

    @property
    def key(self) -> str:
        return message_key("ready", self.day, self.language)


Recurring = RunFailed | ListingLate | ServiceFailed
"""May come again every night for one cause, its key: told when it begins, then once a week."""
Alert = Recurring | BackfillFailed | CheckFailed | DigestReady


# -- rendering ------------------------------------------------------------------------------------


def render(alert: Alert, settings: Settings, now: datetime) -> Message:
    """Its template's first line is the title, the rest the body; no secret is in it."""
    return _rendered(alert, settings, now, alert.key, days=getattr(alert, "days", ()), since="")


def _rendered(alert: Alert, settings: Settings, now: datetime, key: str, *, days: Sequence[str], since: str) -> Message:
    words = {f.name: getattr(alert, f.name) for f in fields(alert)} | {"days": days, "since": since}
    text = _templates().get_template(f"{alert.template}.txt.jinja").render(words)
    title, _, body = without_secrets(text.strip(), secret_values(settings)).partition("\n")
    return Message(key, _audience(alert), one_line(title)[:200], _cut(body.strip()), now.isoformat())


def _audience(alert: Alert) -> Audience:
    return Audience.READERS if isinstance(alert, DigestReady) else Audience.OPERATOR


def _in_words(days: Sequence[str]) -> str:
    return ", ".join(days) if len(days) <= 5 else f"{days[0]} … {days[-1]} ({len(days)} days)"


def _cut(body: str) -> str:
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY].rstrip()}\n… (cut here; the whole text is in the run)"


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("digest_pipeline.notify"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  plain text; the services escape it for themselves
    )
    environment.filters["in_words"] = _in_words
    return environment


# -- the outbox -----------------------------------------------------------------------------------


def post(storage: Storage, settings: Settings, alert: Alert, *, now: Callable[[], datetime]) -> bool:
    """Puts `alert` into the outbox; False where nobody is to be told, or it was told before (of a lasting failure: in the last week)."""
    moment = now()
    if not addresses(settings, _audience(alert)):
        return False
    if not isinstance(alert, Recurring):
        return _put(storage, render(alert, settings, moment))
    if isinstance(alert, ListingLate) and ongoing.is_explained(storage, alert.day, moment, but_by=alert.key):
        return False
    record = ongoing.meet(storage, alert.key, alert.days, moment)
    posted = False
    if record.is_due(moment):
        posted = _put(storage, _of_lasting_failure(alert, record, storage, settings, moment))
        record = record.was_told(moment)
    ongoing.save(storage, record)
    return posted


def _of_lasting_failure(alert: Recurring, record: Ongoing, storage: Storage, settings: Settings, now: datetime) -> Message:
    key = f"{alert.key}-{now:%Y%m%d}"
    if not record.told:
        return _rendered(alert, settings, now, key, days=alert.days, since="")
    return _rendered(alert, settings, now, key, days=record.missing(storage), since=record.since[:10])


def _put(storage: Storage, message: Message) -> bool:
    if storage.exists(_outbox_file(message.key)) or storage.exists(f"notify/sent/{message.key}.json"):
        return False
    storage.write_text(_outbox_file(message.key), json.dumps(asdict(message), ensure_ascii=False, indent=1))
    return True


def waiting(storage: Storage) -> list[Message]:
    """The messages in the outbox, oldest first."""
    messages = [_read_message(storage, name) for name in storage.names("notify/outbox") if name.endswith(".json")]
    return sorted(messages, key=lambda message: message.posted_at)


def deliver_waiting(storage: Storage, settings: Settings, *, now: Callable[[], datetime], most_seconds: float = 30.0) -> int:
    """Sends what waits in the outbox; returns how many messages went out.

    A service that does not take a message keeps no other from being tried; DeliveryError names them at the end. After
    `most_seconds` no further message is begun: the rest waits for the next call, as a dead service takes seconds each.
    """
    delivered, troubles = 0, []
    deadline = time.monotonic() + most_seconds
    for message in waiting(storage):
        if time.monotonic() > deadline:
            break
        try:
            delivered += _deliver(storage, message, *readable_destinations(settings, message.audience), now)
        except DeliveryError as error:
            troubles.append(str(error))
    if troubles:
        raise DeliveryError("; ".join(dict.fromkeys(troubles)), hint="it is tried again by itself; see docs/runbook.md, “An alert cannot be sent”")
    return delivered


def _deliver(storage: Storage, message: Message, to: Sequence[Destination], unreadable: Sequence[SettingsError], now: Callable[[], datetime]) -> int:
    """`unreadable` addresses keep the message waiting, as a dead service does, so that they get it once they are mended."""
    deliveries = Deliveries(storage, now)
    troubles, pending, sent = [str(error) for error in unreadable], False, 0
    for destination in to:
        claim = deliveries.claim(message.key, destination.fingerprint)
        pending = pending or claim is Claim.LATER
        if claim is not Claim.SEND:
            continue
        try:
            destination.send(message)
        except DeliveryError as error:
            deliveries.release(message.key, destination.fingerprint)
            troubles.append(str(error))
        else:
            deliveries.confirm(message.key, destination.fingerprint)
            sent += 1
    if not troubles and not pending:
        _finish(storage, message, deliveries)
    elif _too_old(message, now()):
        _give_up(storage, message, deliveries)
    if troubles:
        raise DeliveryError("; ".join(troubles))
    return sent


def _finish(storage: Storage, message: Message, deliveries: Deliveries) -> None:
    deliveries.close(message.key)
    storage.delete(_outbox_file(message.key))


def _give_up(storage: Storage, message: Message, deliveries: Deliveries) -> None:
    log.error("%s could not be delivered for %d days and is now in notify/undelivered/", message.title, LIFETIME.days)
    storage.write_text(f"notify/undelivered/{message.key}.json", json.dumps(asdict(message), ensure_ascii=False, indent=1))
    _finish(storage, message, deliveries)


def _too_old(message: Message, moment: datetime) -> bool:
    return moment - datetime.fromisoformat(message.posted_at) > LIFETIME


def _outbox_file(key: str) -> str:
    return f"notify/outbox/{key}.json"


def _read_message(storage: Storage, name: str) -> Message:
    data: dict[str, Any] = json.loads(storage.read_text(f"notify/outbox/{name}"))
    return Message(**{**data, "audience": Audience(data["audience"])})

"""Short messages through Apprise: what happened, what it means for readers, what to do, and where to look.

What lives here: the kinds of message, their rendering from `templates/<kind>.txt.jinja`, the outbox
`notify/outbox/<key>.json`, and the delivery. What does not: when a message is due (the sensors), the e-mail
digest (`mail.py`). Outside source: https://github.com/caronc/apprise, whose addresses name the services.

`post` puts a message into the outbox, once for a key; `deliver_waiting` empties the outbox. A message that a
service refuses stays there and is tried again, for three days; then it is moved to `notify/undelivered/`.
The addresses are secrets: they appear in no log line, exception, record or message.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Protocol, cast
from urllib.parse import quote, unquote, urlsplit

import jinja2
from pydantic import SecretStr

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=3)
"""How long a message may wait for a service; older news is no news."""
LONGEST_BODY = 3500
"""Characters; Telegram takes 4,096 and others more. A longer body is cut, and says so."""


class Audience(StrEnum):
    OPERATOR = "operator"
    """`DIGEST_ALERT_URLS`"""
    READERS = "readers"
    """`DIGEST_ANNOUNCE_URLS`"""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run ended in failure and will not be retried by itself. `occasion` is what makes it a new failure."""

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
    message: str
    hint: str
    link: str

    @property
    def key(self) -> str:
        return message_key("backfill", self.backfill_id)


@dataclass(frozen=True, slots=True)
class ListingLate:
    """Long after its time there is no digest of a listing day."""

    template: ClassVar[str] = "listing_late"
    day: str
    hours: int
    link: str

    @property
    def key(self) -> str:
        return message_key("late", self.day)


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


Alert = RunFailed | BackfillFailed | CheckFailed | ListingLate | DigestReady


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message on its way: what lies in the outbox."""

    key: str
    audience: Audience
    title: str
    body: str
    posted_at: str
    """ISO 8601 with offset."""


class Destination(Protocol):
    """One service to send to."""

    fingerprint: str
    """Stable, and without any secret."""
    shown: str
    """How messages for people name it, e.g. `Slack (entry 2 of DIGEST_ALERT_URLS)`."""

    def send(self, message: Message) -> None:
        """Raises DeliveryError where the service did not take it."""


# -- rendering ------------------------------------------------------------------------------------


def render(message: Alert, settings: Settings, now: datetime) -> Message:
    """The message of `message`: its template's first line is the title, the rest the body; no secret is in it."""
    text = _templates().get_template(f"{message.template}.txt.jinja").render({f.name: getattr(message, f.name) for f in fields(message)})
    title, _, body = _without_secrets(text.strip(), settings).partition("\n")
    audience = Audience.READERS if isinstance(message, DigestReady) else Audience.OPERATOR
    return Message(message.key, audience, _one_line(title), _cut(body.strip()), now.isoformat())


def secret_values(settings: Settings) -> tuple[str, ...]:
    """Every value that must not be seen: keys, addresses of services, passwords in them; longest first."""
    addresses = [
        url.get_secret_value() for url in (*settings.alert_urls, *settings.announce_urls, *([settings.smtp_url] if settings.smtp_url else []))
    ]
    passwords = [form for address in addresses if (found := _password(address)) for form in (found, unquote(found))]
    keys = [settings.openai_api_key.get_secret_value()] if settings.openai_api_key else []
    return tuple(sorted({value for value in (*addresses, *passwords, *keys) if len(value) >= 4}, key=len, reverse=True))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _without_secrets(text: str, settings: Settings) -> str:
    return without_secrets(text, secret_values(settings))


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:200]


def _cut(body: str) -> str:
    return body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY].rstrip()}\n… (cut here; the whole text is in the run)"


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("digest_pipeline.notify"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  plain text; the services escape it for themselves
    )


# -- the outbox -----------------------------------------------------------------------------------


def post(storage: Storage, settings: Settings, message: Alert, *, now: Callable[[], datetime]) -> bool:
    """Puts `message` into the outbox; False where nobody is to be told, or this was posted or sent before."""
    rendered = render(message, settings, now())
    if (
        not _addresses(settings, rendered.audience)
        or storage.exists(_outbox_file(rendered.key))
        or storage.exists(f"notify/sent/{rendered.key}.json")
    ):
        return False
    storage.write_text(_outbox_file(rendered.key), json.dumps(asdict(rendered), ensure_ascii=False, indent=1))
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
            delivered += _deliver(storage, message, *_readable_destinations(settings, message.audience), now)
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


# -- Apprise --------------------------------------------------------------------------------------


def _addresses(settings: Settings, audience: Audience) -> tuple[SecretStr, ...]:
    return settings.announce_urls if audience is Audience.READERS else settings.alert_urls


def destinations(settings: Settings, audience: Audience) -> list[Destination]:
    """The services of an audience; raises SettingsError naming the first entry that Apprise cannot read."""
    found, unreadable = _readable_destinations(settings, audience)
    if unreadable:
        raise unreadable[0]
    return found


def _readable_destinations(settings: Settings, audience: Audience) -> tuple[list[Destination], list[SettingsError]]:
    """The services of an audience, and what there is to say of the entries that Apprise cannot read: one typing error must not silence the rest."""
    setting = "DIGEST_ANNOUNCE_URLS" if audience is Audience.READERS else "DIGEST_ALERT_URLS"
    found: list[Destination] = []
    unreadable: list[SettingsError] = []
    for position, address in enumerate(_addresses(settings, audience), start=1):
        try:
            found.append(AppriseDestination(address.get_secret_value(), f"entry {position} of {setting}"))
        except SettingsError as error:
            unreadable.append(error)
    return found, unreadable


class AppriseDestination:
    """One Apprise address. Raises SettingsError, without the address, where Apprise does not understand it."""

    def __init__(self, address: str, place: str) -> None:
        import apprise  # 0.3 s; most runs send nothing

        asset = apprise.AppriseAsset(
            app_id="digest-pipeline",
            app_desc="arXiv digest",
            app_url="",
            storage_mode=apprise.PersistentStoreMode.MEMORY,  # Apprise would keep files of its own in the home folder
            secure_logging=True,
            async_mode=False,
        )
        with _quiet_apprise():
            service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if service is None:
            scheme = re.match(r"[a-z0-9+.-]{1,20}(?=://)", address)
            raise SettingsError(
                f"{place} is no address that Apprise understands ({f'it begins with {scheme[0]}://' if scheme else 'it has no scheme such as slack://'})",
                hint="see Apprise's list of services for its form; a comma inside an address is written %2C",
            )
        self._service = service
        self._parts = _secret_parts(address)
        self.shown = f"{service.service_name or 'service'} ({place})"
        # The masked form holds no secret; two addresses that look alike when masked differ by their place.
        masked = cast("str", service.url(privacy=True))  # type: ignore[no-untyped-call]
        self.fingerprint = hashlib.sha256(f"{masked} {place}".encode()).hexdigest()[:16]

    def send(self, message: Message) -> None:
        import apprise

        kind = apprise.NotifyType.INFO if message.audience is Audience.READERS else apprise.NotifyType.FAILURE
        with _quiet_apprise() as messages:
            taken = self._service.notify(title=message.title, body=message.body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        if not taken:
            reason = _one_line(without_secrets("; ".join(messages), self._parts)) or "no reason given"
            raise DeliveryError(f"{self.shown} did not take “{message.title}”: {reason}")


def _secret_parts(address: str) -> tuple[str, ...]:
    """What of an address could stand in an error text: its parts of four characters and more, as written and decoded."""
    pieces = {address, *re.split(r"[/:@?&=,]+", address.split("://", 1)[-1])}
    forms = {form for piece in pieces for form in (piece, unquote(piece), quote(piece))}
    return tuple(sorted((form for form in forms if len(form) >= 4), key=len, reverse=True))


@contextlib.contextmanager
def _quiet_apprise() -> Iterator[list[str]]:
    """Keeps Apprise's log lines (whose debug level shows addresses) out of ours; collects its warnings instead."""
    messages: list[str] = []
    logger, handler = logging.getLogger("apprise"), _Collector(messages)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())

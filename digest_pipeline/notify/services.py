"""The services that take short messages, through Apprise: who they are and how one message is handed over.

What lives here: addresses → destinations, and the sending of one message. What does not: which messages there are
(`alerts.py`), trying again (`deliveries.py`). Outside source: https://github.com/caronc/apprise, whose addresses name the
services. An address is a secret: it appears in no log line, exception, record or message.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast
from urllib.parse import quote, unquote

from pydantic import SecretStr

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.notify.redact import without_secrets
from digest_pipeline.settings import Settings
from digest_pipeline.text import one_line


class Audience(StrEnum):
    OPERATOR = "operator"
    """`DIGEST_ALERT_URLS`"""
    READERS = "readers"
    """`DIGEST_ANNOUNCE_URLS`"""


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


def addresses(settings: Settings, audience: Audience) -> tuple[SecretStr, ...]:
    return settings.announce_urls if audience is Audience.READERS else settings.alert_urls


def destinations(settings: Settings, audience: Audience) -> list[Destination]:
    """The services of an audience; raises SettingsError naming the first entry that Apprise cannot read."""
    found, unreadable = readable_destinations(settings, audience)
    if unreadable:
        raise unreadable[0]
    return found


def readable_destinations(settings: Settings, audience: Audience) -> tuple[list[Destination], list[SettingsError]]:
    """The services of an audience, and what there is to say of the entries that Apprise cannot read: one typing error must not silence the rest."""
    setting = "DIGEST_ANNOUNCE_URLS" if audience is Audience.READERS else "DIGEST_ALERT_URLS"
    found: list[Destination] = []
    unreadable: list[SettingsError] = []
    for position, address in enumerate(addresses(settings, audience), start=1):
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
            reason = one_line(without_secrets("; ".join(messages), self._parts))[:200] or "no reason given"
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

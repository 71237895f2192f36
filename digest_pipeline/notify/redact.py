"""Keeping what must not be seen out of texts that leave this machine: keys, addresses of services, passwords in them.

What lives here: which values of the settings are secret, and taking them out. What does not: who sends the texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from digest_pipeline.settings import Settings


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


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None

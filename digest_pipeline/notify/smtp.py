"""A session with an SMTP server: its address, encryption, log-in, and its refusals in words.

What lives here: what any mail needs. What does not: what is sent to whom (`mail.py`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.notify.redact import without_secrets
from digest_pipeline.settings import Settings
from digest_pipeline.text import one_line

TIMEOUT_SECONDS = 60.0
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[smtplib.SMTP]:
    """A logged-in SMTP session; raises SettingsError for a bad address and DeliveryError where the server cannot be used."""
    url = parse_smtp_url(settings)
    if not settings.mail_from:
        raise SettingsError("DIGEST_SMTP_URL is set but DIGEST_MAIL_FROM names no sender", hint="set DIGEST_MAIL_FROM=digest@your.domain")
    try:
        server = _open(url)
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail server {url.hostname} cannot be used: {reason_of(error, settings)}") from None
    try:
        yield server
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()


def parse_smtp_url(settings: Settings) -> SplitResult:
    """The parts of DIGEST_SMTP_URL; raises SettingsError, without the password, where it is malformed."""
    address = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    problem = ""
    try:
        url = urlsplit(address)
        port = url.port
        if url.scheme not in _PORTS or not url.hostname or port == 0:
            problem = f"its form is one of {', '.join(f'{scheme}://user:password@host:{port}' for scheme, port in _PORTS.items())}"
    except ValueError:
        problem = "its host or port cannot be read; write special characters of the password in percent form (@ is %40)"
    if problem:
        raise SettingsError(f"DIGEST_SMTP_URL (hidden) is refused: {problem}")
    return url


def _open(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    try:
        _secure_and_log_in(server, url, context)
    except BaseException:
        server.close()
        raise
    return server


def _secure_and_log_in(server: smtplib.SMTP, url: SplitResult, context: ssl.SSLContext) -> None:
    server.ehlo_or_helo_if_needed()
    is_encrypted = url.scheme == "smtps"
    if url.scheme == "smtp+starttls" or (url.scheme == "smtp" and server.has_extn("starttls") and not _is_loopback(url.hostname or "")):
        server.starttls(context=context)
        is_encrypted = True
    if url.username:
        if not is_encrypted and not _is_loopback(url.hostname or ""):
            raise smtplib.SMTPException("it offers no encryption, and the password is not sent in the clear")
        server.login(unquote(url.username), unquote(url.password or ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def reason_of(error: Exception, settings: Settings) -> str:
    url = parse_smtp_url(settings)
    secrets = [value for value in (url.password, unquote(url.password or "")) if value]
    text = (
        f"{error.smtp_code} {decoded(error.smtp_error)}" if isinstance(error, smtplib.SMTPResponseException) else f"{type(error).__name__}: {error}"
    )
    return without_secrets(one_line(text), secrets)


def decoded(reason: bytes | str) -> str:
    return one_line(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason)


def masked(recipient: str) -> str:
    user, _, domain = bare_address(recipient).rpartition("@")
    return f"{user[:1]}…@{domain}"


def bare_address(mailbox: str) -> str:
    """`reader@example.org` of `读者 <reader@example.org>`."""
    [address] = parse_addresses(mailbox)
    return address.addr_spec

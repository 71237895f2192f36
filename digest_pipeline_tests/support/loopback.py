"""Real servers on loopback for the tests of the notify package: a mailbox that speaks SMTP, and an endpoint that takes alerts."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from digest_pipeline_tests.support.serving import serving


@dataclass
class Mailbox:
    """What an SMTP server on loopback received. `refuses` lists recipients it answers with 550."""

    address: str = ""
    refuses: set[str] = field(default_factory=set)
    accepts_password: str | None = None
    received: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.accepts_password and not session.authenticated:
            return "530 5.7.0 authentication required"
        if address in self.refuses:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.received.append((envelope.mail_from or "", list(envelope.rcpt_tos), message_from_bytes(content, policy=default)))
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password.decode() == self.accepts_password
        return AuthResult(success=good, handled=good)  # not handled: the server itself answers 535


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def smtp_server(password: str | None = None) -> Iterator[Mailbox]:
    mailbox = Mailbox(accepts_password=password)
    options: dict[str, Any] = {"authenticator": mailbox.authenticate, "auth_require_tls": False} if password else {}
    port = free_port()  # the controller greets its own port once, so it must know it beforehand
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        mailbox.address = f"127.0.0.1:{port}"
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Endpoint:
    """An HTTP endpoint that keeps the JSON bodies posted to it. `status` is what it answers."""

    address: str = ""
    status: int = 200
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def http_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if endpoint.status < 400:
                endpoint.received.append(json.loads(body))
            self.send_response(endpoint.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as server:
        endpoint.address = f"127.0.0.1:{server.server_address[1]}"
        yield endpoint

"""A profile's day by mail, to the recipients that the profile names: once to each.

What lives here: the message and sending it. What does not: its text (`digest.py`), the session (`notify/smtp.py`), who was sent
what (`notify/deliveries.py`), when it is due (the mail's job).
"""

from __future__ import annotations

import hashlib
import re
import smtplib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape, unescape

from digest_pipeline.errors import DeliveryError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.notify.smtp import bare_address, connect, decoded, masked, reason_of
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.ranking.votes import private_folder
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.tex.plain import unicode_formula

_MATHEMATICS = re.compile(r"<math\b[^>]*>(?:(?!</math>).)*<annotation[^>]*>(.*?)</annotation>.*?</math>", re.DOTALL)
"""Mail programs take the tags away and leave every sign twice."""


def send_personal(storage: Storage, settings: Settings, day: date, profiles: Sequence[Profile], *, now: Callable[[], datetime]) -> int:
    """Sends each profile's page of the day to everybody who has not got it; how many messages went out. Nothing where no server is set.
    A process that is killed between sending and noting it leaves one message that may come twice, with one Message-ID (`notify/deliveries.py`).

    Raises DeliveryError, after trying everybody, where somebody could not be reached.
    """
    wanted = [(profile, file) for profile in profiles if profile.mail_to and storage.exists(file := _page(settings, day, profile))]
    deliveries, sent = Deliveries(storage, now), 0
    troubles: list[str] = []
    for profile, file in wanted if settings.smtp_url is not None else []:
        key = message_key("mail", day.isoformat(), f"profile-{profile.name}")
        if deliveries.is_closed(key):
            continue
        done, refused = _send(storage, settings, profile, file, key, deliveries, now)
        sent += done
        troubles += refused
        if not refused:
            deliveries.close(key)
    if troubles:
        raise DeliveryError("; ".join(troubles), hint="it is tried again by itself; see docs/runbook.md, “Mail cannot be sent”")
    return sent


def _page(settings: Settings, day: date, profile: Profile) -> str:
    return f"{private_folder(profile.name)}/{(profile.languages or settings.languages)[0]}/{day.isoformat()}.html"


def _send(
    storage: Storage, settings: Settings, profile: Profile, file: str, key: str, deliveries: Deliveries, now: Callable[[], datetime]
) -> tuple[int, list[str]]:
    html, text = storage.read_text(file), storage.read_text(f"{file.removesuffix('.html')}.md")
    sent, refused = 0, []
    with connect(settings) as server:
        for address in (one for listed in profile.mail_to for one in parse_addresses(listed)):
            recipient = str(address)
            fingerprint = hashlib.sha256(bare_address(recipient).lower().encode()).hexdigest()[:16]
            claim = deliveries.claim(key, fingerprint)
            if claim is Claim.LATER:
                refused.append(f"{masked(recipient)} failed a moment ago and waits for the next try")
            if claim is not Claim.SEND:
                continue
            message = compose(html, text, sender=settings.mail_from, recipient=recipient, message_id=f"{key}.{fingerprint}", sent_at=now())
            try:
                server.send_message(message, from_addr=bare_address(settings.mail_from), to_addrs=[bare_address(recipient)])
            except smtplib.SMTPRecipientsRefused as error:
                code, reason = next(iter(error.recipients.values()))
                deliveries.release(key, fingerprint)
                refused.append(f"{masked(recipient)} was refused: {code} {decoded(reason)}")
            except (smtplib.SMTPException, OSError) as error:
                deliveries.release(key, fingerprint)
                refused.append(f"the mail to {masked(recipient)} was not taken: {reason_of(error, settings)}")
            else:
                deliveries.confirm(key, fingerprint)
                sent += 1
    return sent, refused


def compose(html: str, text: str, *, sender: str, recipient: str, message_id: str, sent_at: datetime) -> EmailMessage:
    """The profile's page as a message, its Markdown as the plain text; `sent_at` is aware."""
    [from_address] = parse_addresses(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = from_address
    message["To"] = parse_addresses(recipient)
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = f"<{message_id}@{from_address.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Subject"] = html.partition("<title>")[2].partition("</title>")[0]
    message.set_content(text, cte="base64")
    message.add_alternative(_MATHEMATICS.sub(_as_text, html), subtype="html", cte="base64")
    return message


def _as_text(formula: re.Match[str]) -> str:
    tex = unescape(formula[1])
    return escape(unicode_formula(f"${tex}$", tex))

"""The digest of a day as an e-mail: HTML with its style inlined, a plain text beside it, watch lists first.

What lives here: composing the message and sending it to everybody. What does not: how much of each paper is shown
(`mail_sections.py`), the SMTP session (`smtp.py`), when the mail is due (the sensor), who was sent what (`deliveries.py`).

One message a listing day and list: the whole day to `DIGEST_MAIL_TO`, and to a watch list's recipients the same
day with that list alone first. Each recipient gets a message of their own and sees no other address. The
language is the first of `DIGEST_LANGUAGES`.
"""

from __future__ import annotations

import hashlib
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment

from digest_pipeline.errors import DeliveryError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.notify.mail_sections import MailDay, WatchedPapers, sections_of
from digest_pipeline.notify.smtp import bare_address, connect, decoded, masked, reason_of
from digest_pipeline.render.day import Day, counts_in_words, read_day
from digest_pipeline.render.templates import html_environment
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.settings import Settings
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language, load_language

LARGEST_HTML = 98_000
"""Bytes: Gmail cuts a message off at 102 kB, and what then follows is not seen."""


# -- composing ------------------------------------------------------------------------------------


def compose(day: MailDay, *, list_name: str, sender: str, recipient: str, page: str, sent_at: datetime) -> EmailMessage:
    """The message of `day` for one recipient. `page` is the day's public address, or empty; `sent_at` is aware."""
    words, html = _bounded(day, page)
    message = EmailMessage(policy=SMTP)
    _set_headers(message, day, list_name, sender, recipient, sent_at)
    message["Subject"] = words["subject"]
    message.set_content(_templates().get_template("mail.txt.jinja").render(words), cte="base64")
    message.add_alternative(html, subtype="html", cte="base64")
    message["Content-Language"] = day.language.html_lang  # after the content, which clears the Content- headers
    return message


def _bounded(day: MailDay, page: str) -> tuple[dict[str, object], str]:
    """The values and the HTML, which is below LARGEST_HTML: sizes are estimated, so a message that came out larger gets less room."""
    room = LARGEST_HTML
    while True:
        words = _words(day, page, room)
        html = _inlined(_templates().get_template("mail.html.jinja").render(words))
        if (size := len(html.encode())) <= LARGEST_HTML or room <= 0:
            return words, html
        room -= max(size - LARGEST_HTML, 1_000)


def _set_headers(message: EmailMessage, day: MailDay, list_name: str, sender: str, recipient: str, sent_at: datetime) -> None:
    [from_address] = parse_addresses(sender)
    address, domain = from_address.addr_spec, from_address.domain
    key = _message_key(day.facts.listing_date, list_name)
    message["From"] = from_address
    message["To"] = parse_addresses(recipient)
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = f"<{key}.{_fingerprint(recipient)}@{domain}>"
    message["List-Id"] = f"arXiv digest <{message_key(list_name).lower()}.digest.{domain}>"
    message["List-Unsubscribe"] = f"<mailto:{address}?subject=unsubscribe>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"


def _words(day: MailDay, page: str, room: int) -> dict[str, object]:
    language, facts = day.language, day.facts
    shown_date = facts.listing_date.isoformat()
    subject = "subject" if facts.announced else "subject_none"
    digest = {key: language.label("digest", key) for key in ("title", "sample", "no_announcement", "reconstructed")}
    notes = [digest["sample"]] if facts.is_sample else []
    notes += [] if facts.announced else [digest["no_announcement"]]
    return {
        "lang": language.html_lang,
        "subject": language.label("mail", subject).format(date=shown_date, count=len(day.entries)),
        "title": digest["title"],
        "date": shown_date,
        "notes": [*notes, *map(one_line, facts.notes)],
        "counts": counts_in_words(day.entries, language),
        "sections": sections_of(day, page, room),
        "page": page,
        "read_all": language.label("mail", "read_all"),
        "footer": language.label("mail", "footer"),
    }


def _inlined(html: str) -> str:
    import css_inline

    style = files("digest_pipeline.notify").joinpath("templates/mail.css").read_text(encoding="utf-8")
    return css_inline.CSSInliner(load_remote_stylesheets=False, extra_css=style, minify_css=True).inline(html)


@cache
def _templates() -> Environment:
    return html_environment("digest_pipeline.notify")


# -- sending --------------------------------------------------------------------------------------


def send_day(
    storage: Storage,
    settings: Settings,
    day: date,
    watch_lists: Sequence[WatchList],
    *,
    now: Callable[[], datetime],
) -> int:
    """Sends the mail of one finished day to everybody who has not got it; returns how many messages went out.

    Raises DeliveryError, after trying everybody, where somebody could not be reached, and SettingsError where the mail settings contradict each other.
    """
    if settings.smtp_url is None:
        return 0
    everybody = read_mail_day(storage, day, settings.languages, watch_lists)
    envelopes = [_Envelope("all", settings.mail_to, everybody)]
    envelopes += [_Envelope(f"watch-{watch.name}", watch.recipients, replace(everybody, watches=(watch,))) for watch in everybody.watches]
    page = public_page(settings, day)
    return _Post(storage, settings, page, now).send([envelope for envelope in envelopes if envelope.recipients])


def public_page(settings: Settings, day: date) -> str:
    """The day's address on the public site, in the mail's language; empty where the site has none."""
    return f"{settings.site_url.rstrip('/')}/{paths.day_page(settings.languages[0], day)}" if settings.site_url else ""


def read_mail_day(storage: Storage, day: date, languages: Sequence[str], watch_lists: Sequence[WatchList]) -> MailDay:
    """The finished day in the first language, with what each watch list found in any of them."""
    found = read_day(storage, day, languages, watch_lists)
    language = load_language(languages[0])
    watches = tuple(WatchedPapers(one.name, one.title, _reasons(found, one.name, language), one.mail_to) for one in watch_lists)
    return MailDay(found.facts, found.entries(language.tag), language, watches)


def _reasons(day: Day, list_name: str, language: Language) -> dict[str, tuple[str, ...]]:
    return {arxiv_id: tuple(reason.in_words(language) for reason in match.reasons) for arxiv_id, match in day.watched(list_name).items()}


@dataclass(frozen=True, slots=True)
class _Envelope:
    list_name: str
    recipients: tuple[str, ...]
    day: MailDay

    @property
    def key(self) -> str:
        return _message_key(self.day.facts.listing_date, self.list_name)


@dataclass(frozen=True, slots=True)
class _Post:
    """One session's worth of messages over one SMTP connection."""

    storage: Storage
    settings: Settings
    page: str
    now: Callable[[], datetime]

    def send(self, envelopes: Sequence[_Envelope]) -> int:
        deliveries = Deliveries(self.storage, self.now)
        open_ones = [envelope for envelope in envelopes if not deliveries.is_closed(envelope.key)]
        if not open_ones:
            return 0
        sent = 0
        troubles: list[str] = []
        with connect(self.settings) as server:
            for envelope in open_ones:
                done, refused = self._send_envelope(server, envelope, deliveries)
                sent, troubles = sent + done, troubles + refused
        if troubles:
            raise DeliveryError("; ".join(troubles), hint="it is tried again by itself; see docs/runbook.md, “Mail cannot be sent”")
        return sent

    def _send_envelope(self, server: smtplib.SMTP, envelope: _Envelope, deliveries: Deliveries) -> tuple[int, list[str]]:
        sent = 0
        refused: list[str] = []
        for recipient in dict.fromkeys(envelope.recipients):
            claim = deliveries.claim(envelope.key, _fingerprint(recipient))
            if claim is Claim.LATER:
                refused.append(f"{masked(recipient)} failed a moment ago and waits for the next try")
            if claim is not Claim.SEND:
                continue
            try:
                self._send_one(server, envelope, recipient)
            except DeliveryError as error:
                deliveries.release(envelope.key, _fingerprint(recipient))
                refused.append(str(error))
            else:
                deliveries.confirm(envelope.key, _fingerprint(recipient))
                sent += 1
        if not refused:
            deliveries.close(envelope.key)
        return sent, refused

    def _send_one(self, server: smtplib.SMTP, envelope: _Envelope, recipient: str) -> None:
        sender = self.settings.mail_from
        message = compose(envelope.day, list_name=envelope.list_name, sender=sender, recipient=recipient, page=self.page, sent_at=self.now())
        try:
            server.send_message(message, from_addr=bare_address(sender), to_addrs=[bare_address(recipient)])
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            raise DeliveryError(f"{masked(recipient)} was refused: {code} {decoded(reason)}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail to {masked(recipient)} was not taken: {reason_of(error, self.settings)}") from None


def _message_key(day: date, list_name: str) -> str:
    return message_key("mail", day.isoformat(), list_name)


def _fingerprint(recipient: str) -> str:
    return hashlib.sha256(bare_address(recipient).lower().encode()).hexdigest()[:16]

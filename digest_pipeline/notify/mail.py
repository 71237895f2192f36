"""The digest of a day as an e-mail: HTML with its style inlined, a plain text beside it, watch lists first.

What lives here: composing the message and handing it to an SMTP server. What does not: which papers a watch list
wants (`render/matching.py`), when the mail is due (the sensor), who was sent what (`deliveries.py`).

One message a listing day and list: the whole day to `DIGEST_MAIL_TO`, and to a watch list's recipients the same
day with that list alone first. Each recipient gets a message of their own and sees no other address. The
language is the first of `DIGEST_LANGUAGES`.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from urllib.parse import SplitResult, unquote, urlsplit

from jinja2 import Environment

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.models import DigestEntry, ListingInfo
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.notify.redact import without_secrets
from digest_pipeline.render.day import Day, counts_in_words, in_reading_order, read_day
from digest_pipeline.render.paper import paper_view
from digest_pipeline.render.templates import html_environment
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.settings import Settings
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage
from digest_pipeline.tex.plain import plain_text
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language, load_language

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 60.0
MOST_PAPERS = 130
"""Beyond the watch lists' papers, a message lists this many and says how many more there are and where: about 90 KB, for
Gmail is said to cut a message off at 102 KB."""
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class WatchedPapers:
    """What one watch list found on one day."""

    name: str
    title: str
    reasons: Mapping[str, tuple[str, ...]]
    """arXiv id → why it is shown, in the reader's words; only papers that the list wants."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailDay:
    """One listing day as the mail shows it."""

    facts: ListingInfo
    entries: tuple[DigestEntry, ...]
    language: Language
    watches: tuple[WatchedPapers, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """One paper, every text plain and ready to be escaped."""

    title: str
    original_title: str
    tldr: str
    abstract: str
    why: str
    marks: tuple[str, ...]
    abs_url: str
    pdf_url: str


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    items: tuple[_Item, ...]
    note: str = ""


# -- composing ------------------------------------------------------------------------------------


def compose(day: MailDay, *, list_name: str, sender: str, recipient: str, page: str, sent_at: datetime) -> EmailMessage:
    """The message of `day` for one recipient. `page` is the day's public address, or empty; `sent_at` is aware."""
    words = _words(day, page)
    message = EmailMessage(policy=SMTP)
    _set_headers(message, day, list_name, sender, recipient, sent_at)
    message["Subject"] = words["subject"]
    message.set_content(_templates().get_template("mail.txt.jinja").render(words), cte="base64")
    message.add_alternative(_inlined(_templates().get_template("mail.html.jinja").render(words)), subtype="html", cte="base64")
    message["Content-Language"] = day.language.html_lang  # after the content, which clears the Content- headers
    return message


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


def _words(day: MailDay, page: str) -> dict[str, object]:
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
        "sections": _sections(day, page),
        "page": page,
        "read_all": language.label("mail", "read_all"),
        "footer": language.label("mail", "footer"),
    }


def _sections(day: MailDay, page: str) -> list[_Section]:
    if not day.entries:
        return []
    sections = [_watch_section(day, watch) for watch in day.watches]
    watched = {arxiv_id for watch in day.watches for arxiv_id in watch.reasons}
    rest = [entry for entry in in_reading_order(day.entries) if entry.paper.arxiv_id not in watched]
    label = day.language.label
    left_out = len(rest) - MOST_PAPERS
    note = label("mail", "more").format(count=left_out, where=page or "data/digests/") if left_out > 0 else ""
    for replaced, heading in ((False, label("mail", "rest") if watched else label("digest", "summary")), (True, label("digest", "replacements"))):
        items = tuple(_item(e, day.language) for e in rest[:MOST_PAPERS] if e.paper.announce_type.is_replacement is replaced)
        sections += [_Section(heading, items)] if items else []
    return [*sections, _Section("", (), note)] if note else sections


def _watch_section(day: MailDay, watch: WatchedPapers) -> _Section:
    label = day.language.label
    entries = [entry for entry in in_reading_order(day.entries) if entry.paper.arxiv_id in watch.reasons]
    items = tuple(_item(entry, day.language, watch.reasons[entry.paper.arxiv_id]) for entry in entries)
    return _Section(label("mail", "watch_heading").format(name=one_line(watch.title)), items, "" if items else label("mail", "watch_none"))


def _item(entry: DigestEntry, language: Language, reasons: tuple[str, ...] = ()) -> _Item:
    view = paper_view(entry, language)
    return _Item(
        title=plain_text(view.title),
        original_title=plain_text(view.original_title),
        tldr=plain_text(view.tldr),
        abstract=plain_text(view.abstract or view.paper.abstract) if reasons else "",
        why=language.label("mail", "why").format(reasons="; ".join(map(one_line, reasons))) if reasons else "",
        marks=(*view.marks, *([view.missing] if view.missing else [])),
        abs_url=view.paper.abs_url,
        pdf_url=view.paper.pdf_url,
    )


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

    Raises DeliveryError, after trying everybody, where
    somebody could not be reached, and SettingsError where the mail settings contradict each other.
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
                refused.append(f"{_masked(recipient)} failed a moment ago and waits for the next try")
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
            server.send_message(message, from_addr=_bare(sender), to_addrs=[_bare(recipient)])
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            raise DeliveryError(f"{_masked(recipient)} was refused: {code} {_decoded(reason)}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail to {_masked(recipient)} was not taken: {_reason(error, self.settings)}") from None


@contextlib.contextmanager
def connect(settings: Settings) -> Iterator[smtplib.SMTP]:
    """A logged-in SMTP session; raises SettingsError for a bad address and DeliveryError where the server cannot be used."""
    url = parse_smtp_url(settings)
    if not settings.mail_from:
        raise SettingsError("DIGEST_SMTP_URL is set but DIGEST_MAIL_FROM names no sender", hint="set DIGEST_MAIL_FROM=digest@your.domain")
    try:
        server = _open(url)
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail server {url.hostname} cannot be used: {_reason(error, settings)}") from None
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


def _reason(error: Exception, settings: Settings) -> str:
    url = parse_smtp_url(settings)
    secrets = [value for value in (url.password, unquote(url.password or "")) if value]
    text = (
        f"{error.smtp_code} {_decoded(error.smtp_error)}" if isinstance(error, smtplib.SMTPResponseException) else f"{type(error).__name__}: {error}"
    )
    return without_secrets(one_line(text), secrets)


def _decoded(reason: bytes | str) -> str:
    return one_line(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason)


def _message_key(day: date, list_name: str) -> str:
    return message_key("mail", day.isoformat(), list_name)


def _fingerprint(recipient: str) -> str:
    return hashlib.sha256(_bare(recipient).lower().encode()).hexdigest()[:16]


def _bare(mailbox: str) -> str:
    """`reader@example.org` of `读者 <reader@example.org>`."""
    [address] = parse_addresses(mailbox)
    return address.addr_spec


def _masked(recipient: str) -> str:
    user, _, domain = _bare(recipient).rpartition("@")
    return f"{user[:1]}…@{domain}"

"""A profile's day by mail: only where it is asked for, to its own readers, once, whatever happens in between; and readable on a phone."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pyarrow as pa
import pytest

from digest_pipeline import tables
from digest_pipeline.errors import DeliveryError
from digest_pipeline.personal.digest import write_day
from digest_pipeline.personal.mail import send_personal
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.reading.view import notes_file
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.personal.test_digest import listed
from digest_pipeline_tests.support.loopback import Mailbox
from digest_pipeline_tests.support.site_days import generated_papers

DAY = date(2026, 6, 2)
NOW = datetime(2026, 6, 2, 5, tzinfo=UTC)
ADA = Profile(name="ada", top=3, mail_to=("Ada <ada@example.org>", "a.l@example.org"))


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A day of which one paper was read whole; its title and reasons are as long as they come."""
    storage = Storage(tmp_path / "data")
    papers = generated_papers(DAY, 5)
    papers[0] = replace(papers[0], title=f"{papers[0].title} with $\\mathcal{{O}}(n^{{{'x' * 60}}})$ and https://example.org/{'a' * 80}")
    ids = listed(storage, DAY, papers, [0.9, 0.8, 0.7, 0.6, 0.5])
    note = {"arxiv_id": ids[0], "version": 1, "language": "zh", "model": "m", "cost_usd": 0.0, "status": "shown", "dropped": 0, "detail": ""}
    note |= {
        "kind": "result",
        "claim": "省去 61.4% 的调用。",
        "quote": "It saves 61.4% of the calls that full reading needs",
        "section": "4 Experiments",
    }
    note |= {"anchor_url": f"https://arxiv.org/html/{ids[0]}v1#S4.p1"}
    storage.write_table(notes_file(DAY, "zh"), pa.Table.from_pylist([note], schema=tables.READING_NOTES))
    for name in ("ada", "bo"):
        write_day(storage, PapersAtHand(storage), DAY, Profile(name=name, top=3), tmp_path, ["zh"])
    return storage


def settings(tmp_path: Path, mailbox: Mailbox | None) -> Settings:
    address = {"DIGEST_SMTP_URL": f"smtp://{mailbox.address}"} if mailbox else {}
    return load_settings({"DIGEST_MAIL_FROM": "digest@lab.example", "DIGEST_DEMO": "false", **address}, root=tmp_path)


def send(storage: Storage, tmp_path: Path, mailbox: Mailbox | None, *profiles: Profile, at: datetime = NOW) -> int:
    return send_personal(storage, settings(tmp_path, mailbox), DAY, profiles or (ADA, Profile(name="bo")), now=lambda: at)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_only_a_profile_that_asks_for_it_gets_its_page_and_each_of_its_readers_once(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    assert send(storage, tmp_path, mailbox) == 2
    assert send(storage, tmp_path, mailbox, at=NOW + timedelta(days=1)) == 0
    assert sorted(recipients[0] for _, recipients, _ in mailbox.received) == ["a.l@example.org", "ada@example.org"]
    message = mailbox.received[0][2]
    assert message["Subject"] == "2026-06-02 · 5 篇中有 3 篇适合您"
    for text in (body(message, "plain"), body(message, "html")):
        assert "its terms" in text
        assert "省去 61.4% 的调用。" in text
        assert "It saves 61.4% of the calls" in text
    assert "<math" not in body(message, "html")
    assert "𝒪(n" in body(message, "html"), "a formula reads as text"


def test_without_a_server_or_without_the_days_page_nobody_is_written_to(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    assert send(storage, tmp_path, None) == 0
    assert send(storage, tmp_path, mailbox, Profile(name="new", mail_to=("new@example.org",))) == 0


def test_killed_before_it_was_sent_it_is_sent_later_and_once(
    storage: Storage, tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(smtplib.SMTP, "send_message", _ends)
        with pytest.raises(Killed):
            send(storage, tmp_path, mailbox)
    with pytest.raises(DeliveryError, match="waits for the next try"):
        send(storage, tmp_path, mailbox, at=NOW + timedelta(minutes=1))
    assert send(storage, tmp_path, mailbox, at=NOW + timedelta(minutes=6)) == 1
    assert send(storage, tmp_path, mailbox, at=NOW + timedelta(days=1)) == 0
    assert len(mailbox.received) == 2


def test_killed_after_it_was_sent_one_reader_gets_it_twice_under_one_message_id_and_never_a_third_time(
    storage: Storage, tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes in (0, 10):
        with monkeypatch.context() as patch:
            patch.setattr("digest_pipeline.notify.deliveries.Deliveries.confirm", _ends)
            with pytest.raises(Killed):
                send(storage, tmp_path, mailbox, replace_readers(ADA, "ada@example.org"), at=NOW + timedelta(minutes=minutes))
    for minutes in (20, 60, 6000):
        assert send(storage, tmp_path, mailbox, replace_readers(ADA, "ada@example.org"), at=NOW + timedelta(minutes=minutes)) == 0
    assert len(mailbox.received) == 2
    assert len({message["Message-ID"] for _, _, message in mailbox.received}) == 1


def _ends(*_: object, **__: object) -> None:
    raise Killed


def replace_readers(profile: Profile, *readers: str) -> Profile:
    return profile.model_copy(update={"mail_to": readers})


def test_a_reader_who_is_refused_is_tried_again_and_the_others_have_theirs(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.refuses.add("a.l@example.org")
    with pytest.raises(DeliveryError, match=r"a…@example\.org was refused: 550") as caught:
        send(storage, tmp_path, mailbox)
    assert "a.l@" not in str(caught.value)
    mailbox.refuses.clear()
    assert send(storage, tmp_path, mailbox, at=NOW + timedelta(hours=1)) == 1
    assert len(mailbox.received) == 2


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_mail_needs_no_scrolling_sideways_and_shows_its_reasons(
    storage: Storage, tmp_path: Path, mailbox: Mailbox, scheme: str
) -> None:
    from digest_pipeline_tests.support.browser import chromium, watched_page

    send(storage, tmp_path, mailbox)
    (tmp_path / "mail.html").write_text(body(mailbox.received[0][2], "html"), encoding="utf-8")
    with chromium() as browser, watched_page(browser, width=360, height=800, scheme=scheme, scripts=False) as seen:
        seen.page.goto((tmp_path / "mail.html").as_uri())
        reasons = seen.page.locator(".said")
        assert reasons.count() == 3
        for number in range(3):
            box = reasons.nth(number).bounding_box()
            assert box is not None
            assert (box["x"] >= 0, box["x"] + box["width"] <= 360, box["height"] > 10) == (True, True, True)
        assert "its terms" in reasons.first.inner_text()
        summary = seen.page.locator("summary").first
        assert (summary.bounding_box() or {"height": 0})["height"] >= 44, "a finger's size"
        quote = seen.page.locator("blockquote").first
        assert not quote.is_visible()
        summary.click()
        assert quote.is_visible()
        assert seen.complaints == []
    (tmp_path / "page.html").write_text(storage.read_text(f"private/ada/zh/{DAY}.html"), encoding="utf-8")
    with chromium() as browser, watched_page(browser, width=360, height=800, scheme=scheme) as seen:
        for name in ("mail.html", "page.html"):
            seen.page.goto((tmp_path / name).as_uri())
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360

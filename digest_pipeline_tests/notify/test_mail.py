"""The e-mail digest: readable with and without HTML, watch lists first, to everybody once, and safe against hostile titles."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest_pipeline import tables
from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.models import AnnounceType, DigestEntry, Evidence, ListingInfo, Paper, Summary, SummaryStatus
from digest_pipeline.notify import mail
from digest_pipeline.papers.ledger import write_facts, write_ledger
from digest_pipeline.render.watch_lists import WatchList
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import known_language_tags, load_language
from digest_pipeline_tests.support.loopback import Mailbox, smtp_server

DAY = date(2026, 6, 2)
FACTS = ListingInfo(DAY, True, Evidence.RSS, False)
NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
EVERYBODY = "reader@example.org"
ATTENTION = WatchList("attention", "注意力", keywords=("sparse attention",), mail_to=("fan@example.org",))


def paper(number: int, title: str, kind: AnnounceType = AnnounceType.NEW, version: int = 1) -> Paper:
    return Paper(
        f"2606.{number:05}",
        version,
        kind,
        "cs.CL",
        ("cs.CL",),
        title,
        f"We study {title}.",
        ("Ana Ruíz",),
        ("",),
        None,
        None,
        None,
        NOW,
        NOW,
        DAY,
        Evidence.RSS,
    )


def entry(number: int, title: str, translated: str, kind: AnnounceType = AnnounceType.NEW, version: int = 1) -> DigestEntry:
    status = SummaryStatus.TRANSLATED if translated else SummaryStatus.QUARANTINED
    texts = (translated, f"{translated}的摘要。", f"{translated}，一句话。", "One sentence.") if translated else ("", "", "", "")
    summary = Summary(f"2606.{number:05}", version, "zh", *texts, status, (), "m", "0" * 64, 1, 1, None, False)
    return DigestEntry(paper(number, title, kind, version), summary)


ENTRIES = (
    entry(1, "Bounds $\\alpha_i \\le 1$ for parsing", "解析的界 $\\alpha_i \\le 1$"),
    entry(2, "Faster sparse attention", "更快的稀疏注意力"),
    entry(3, "A paper <script>alert(1)</script> & | ` nobody could translate", ""),
    entry(4, "An older paper", "一篇旧论文", AnnounceType.REPLACE, 3),
)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "data")
    write(storage, ENTRIES)
    return storage


def write(storage: Storage, entries: tuple[DigestEntry, ...]) -> None:
    storage.write_table(storage.papers_file(DAY), tables.papers_to_table(e.paper for e in entries))
    storage.write_table(storage.summaries_file(DAY, "zh"), tables.summaries_to_table(e.summary for e in entries))
    write_ledger(storage, DAY, [])


def mail_settings(tmp_path: Path, address: str, **more: str) -> Settings:
    environ = {"DIGEST_SMTP_URL": f"smtp://{address}", "DIGEST_MAIL_FROM": "Digest <digest@lab.example>", "DIGEST_MAIL_TO": EVERYBODY}
    return load_settings(environ | more, root=tmp_path)


def send(storage: Storage, settings: Settings, *, facts: ListingInfo = FACTS, lists: tuple[WatchList, ...] = (), at: datetime = NOW) -> int:
    write_facts(storage, facts)
    return mail.send_day(storage, settings, facts.listing_date, lists, now=lambda: at)


def parts(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_a_day_arrives_as_html_and_text_with_every_paper_in_the_readers_language(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    assert send(storage, mail_settings(tmp_path, mailbox.address, DIGEST_SITE_URL="https://digest.example")) == 1
    [(sender, recipients, message)] = mailbox.received
    assert (sender, recipients) == ("digest@lab.example", [EVERYBODY])
    assert message["Subject"] == "arXiv 摘要 2026-06-02：4 篇"
    for body in parts(message):
        for e in ENTRIES:
            assert e.paper.abs_url in body
        assert "更快的稀疏注意力" in body
        assert "Faster sparse attention" in body
        assert "https://digest.example/zh/2026-06-02/index.html" in body


def test_mathematics_reads_as_text(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address))
    for body in parts(mailbox.received[0][2]):
        assert "α_i ≤ 1" in body
        assert "$" not in body


def test_the_headers_tell_programs_what_this_is(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address))
    message = mailbox.received[0][2]
    assert message["From"] == "Digest <digest@lab.example>"
    assert message["To"] == EVERYBODY
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "zh-Hans"
    assert message["List-Id"].endswith(".digest.lab.example>")
    assert message["Date"].datetime == NOW
    assert message["Message-ID"].endswith("@lab.example>")


def test_the_message_id_is_the_same_for_the_same_day_and_reader_and_differs_otherwise() -> None:
    def message_id(recipient: str, name: str = "all", day: date = DAY) -> str:
        facts = ListingInfo(day, True, Evidence.RSS, False)
        whole = mail.MailDay(facts, ENTRIES, load_language("zh"))
        return str(mail.compose(whole, list_name=name, sender="d@lab.example", recipient=recipient, page="", sent_at=NOW)["Message-ID"])

    assert message_id("a@x.org") == message_id("a@x.org")
    assert len({message_id("a@x.org"), message_id("b@x.org"), message_id("a@x.org", "watch-1"), message_id("a@x.org", day=date(2026, 6, 3))}) == 4


def test_a_watch_lists_readers_see_its_papers_first_with_the_reason_and_the_abstract(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    assert send(storage, mail_settings(tmp_path, mailbox.address), lists=(ATTENTION,)) == 2
    by_reader = {recipients[0]: message for _, recipients, message in mailbox.received}
    assert set(by_reader) == {EVERYBODY, "fan@example.org"}
    plain, html = parts(by_reader["fan@example.org"])
    assert "关注：注意力" in plain
    assert plain.index("2606.00002") < plain.index("2606.00003") < plain.index("2606.00001")
    assert "更快的稀疏注意力的摘要。" in plain
    assert "sparse attention" in lxml_html.fromstring(html).findtext(".//p[@class='why']", "").lower()


def test_nobody_sees_another_readers_address(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address, DIGEST_MAIL_TO="one@example.org,two@example.org"))
    for _, [recipient], message in mailbox.received:
        other = {"one@example.org": "two@example.org", "two@example.org": "one@example.org"}[recipient]
        assert other not in message.as_string()


def test_readers_whose_address_was_written_as_mail_programs_do_get_theirs_under_their_name(
    storage: Storage, tmp_path: Path, mailbox: Mailbox
) -> None:
    typed = '"Last, First" <first@example.org>; 读者 <reader@example.org>, a@例子.测试'
    assert send(storage, mail_settings(tmp_path, mailbox.address, DIGEST_MAIL_TO=typed, DIGEST_MAIL_FROM="每日摘要 <digest@lab.example>")) == 3
    got = {recipients[0]: message for _, recipients, message in mailbox.received}
    assert set(got) == {"first@example.org", "reader@example.org", "a@xn--fsqu00a.xn--0zwm56d"}
    assert got["first@example.org"]["To"] == '"Last, First" <first@example.org>'
    assert got["reader@example.org"]["To"] == "读者 <reader@example.org>"
    assert got["reader@example.org"]["From"] == "每日摘要 <digest@lab.example>"
    assert b"=?utf-8?" in got["reader@example.org"].as_bytes().split(b"\n\n")[0], "a server without SMTPUTF8 can take it"


def test_rerunning_the_day_sends_nothing_again_even_when_its_content_changed(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    settings = mail_settings(tmp_path, mailbox.address)
    send(storage, settings, lists=(ATTENTION,))
    write(storage, ENTRIES[:2])
    assert send(storage, settings, lists=(ATTENTION,), at=NOW + timedelta(days=1)) == 0
    assert len(mailbox.received) == 2


def test_one_refused_reader_is_named_without_the_address_and_the_others_are_served_once(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.refuses.add("gone@example.org")
    settings = mail_settings(tmp_path, mailbox.address, DIGEST_MAIL_TO="gone@example.org,here@example.org")
    with pytest.raises(DeliveryError, match=r"g…@example\.org was refused: 550") as caught:
        send(storage, settings)
    assert "gone@example.org" not in str(caught.value)
    mailbox.refuses.clear()
    assert send(storage, settings, at=NOW + timedelta(hours=1)) == 1
    assert sorted(recipients[0] for _, recipients, _ in mailbox.received) == ["gone@example.org", "here@example.org"]


def test_a_server_that_is_down_is_a_delivery_error_and_loses_nothing(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    with pytest.raises(DeliveryError, match="cannot be used"):
        send(storage, mail_settings(tmp_path, "127.0.0.1:9"))
    assert send(storage, mail_settings(tmp_path, mailbox.address)) == 1


def test_a_wrong_password_is_reported_without_the_password(storage: Storage, tmp_path: Path) -> None:
    with smtp_server(password="right one") as mailbox:
        with pytest.raises(DeliveryError, match="535") as caught:
            send(storage, mail_settings(tmp_path, f"user:wr%40ng-secret@{mailbox.address}"))
        assert "ng-secret" not in str(caught.value)
        assert send(storage, mail_settings(tmp_path, f"user:right%20one@{mailbox.address}")) == 1


def test_a_password_is_not_sent_in_the_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, tmp_path: Path, mailbox: Mailbox
) -> None:
    monkeypatch.setattr("digest_pipeline.notify.smtp._is_loopback", lambda host: False)
    with pytest.raises(DeliveryError, match="not sent in the clear"):
        send(storage, mail_settings(tmp_path, f"user:secret@{mailbox.address}"))


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://@:25", "smtp://user:p@ss:word@host:abc", "mail.example:25"])
def test_a_malformed_mail_address_is_refused_and_not_shown(storage: Storage, tmp_path: Path, url: str) -> None:
    settings = load_settings({"DIGEST_SMTP_URL": url, "DIGEST_MAIL_TO": EVERYBODY, "DIGEST_MAIL_FROM": "d@x.org"}, root=tmp_path)
    with pytest.raises(SettingsError, match="DIGEST_SMTP_URL") as caught:
        send(storage, settings)
    assert url not in str(caught.value)


def test_a_missing_sender_is_refused_by_the_settings_name(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    with pytest.raises(SettingsError, match="DIGEST_MAIL_FROM"):
        send(storage, mail_settings(tmp_path, mailbox.address, DIGEST_MAIL_FROM=""))


def test_a_day_without_announcement_is_said_not_left_out(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    write(storage, ())
    send(storage, mail_settings(tmp_path, mailbox.address), facts=ListingInfo(DAY, False, None, False), lists=(ATTENTION,))
    message = mailbox.received[0][2]
    assert message["Subject"] == "arXiv 摘要 2026-06-02：当天没有公告"
    assert load_language("zh").label("digest", "no_announcement") in parts(message)[0]


def test_the_sample_day_says_that_it_is_the_sample(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address), facts=ListingInfo(DAY, True, Evidence.RSS, True))
    for body in parts(mailbox.received[0][2]):
        assert load_language("zh").label("digest", "sample") in body


def test_markup_in_a_title_stays_text_and_an_untranslated_paper_is_marked(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address))
    plain, html = parts(mailbox.received[0][2])
    page = lxml_html.fromstring(html)
    assert page.findall(".//script") == []
    assert "<script>alert(1)</script>" in page.text_content()
    assert f"[{load_language('zh').label('digest', 'untranslated')}]" in plain


def test_the_style_travels_inside_the_elements_and_nothing_is_fetched(storage: Storage, tmp_path: Path, mailbox: Mailbox) -> None:
    send(storage, mail_settings(tmp_path, mailbox.address))
    page = lxml_html.fromstring(parts(mailbox.received[0][2])[1])
    assert "border-left" in page.find(".//p[@class='tldr']").get("style")
    assert page.xpath("//link | //img | //style | //script") == []


@pytest.mark.slow
def test_on_a_narrow_phone_no_formula_or_address_pushes_the_message_sideways(tmp_path: Path) -> None:
    from digest_pipeline_tests.support.browser import chromium, watched_page

    wide = entry(1, f"A title with $c_{{\\unknown{{{'x' * 60}}}}}$", f"见 https://example.org/{'a' * 90}")
    message = mail.compose(
        mail.MailDay(FACTS, (wide,), load_language("zh")), list_name="all", sender="d@x.org", recipient="a@x.org", page="", sent_at=NOW
    )
    (tmp_path / "mail.html").write_text(parts(message)[1], encoding="utf-8")
    with chromium() as browser, watched_page(browser, width=360, height=800) as seen:
        seen.page.goto((tmp_path / "mail.html").as_uri())
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


def a_usual_paper(number: int) -> DigestEntry:
    usual_title = "A title of the usual length, which for arXiv is about eighty characters long"
    made = entry(number, f"{usual_title} {number}", f"一个平常长度的译文标题，也就是二十多个字，编号{number}")
    abstract = "一段平常长度的摘要，一共有四百来个字。" * 22
    return replace(made, summary=replace(made.summary, tldr="一句话的摘要通常有七十来个字" * 5, translated_abstract=abstract))


def composed(count: int, watched: int, lists: int = 1) -> EmailMessage:
    """The mail of a day with so many papers, of which each list watches so many."""
    papers = tuple(a_usual_paper(n) for n in range(1, count + 1))
    ids = [e.paper.arxiv_id for e in papers]
    per_list = max(watched // lists, 1)
    watches = tuple(
        mail.WatchedPapers(f"l{n}", f"List {n}", dict.fromkeys(ids[n * per_list : (n + 1) * per_list], ("why",)))
        for n in range(lists if watched else 0)
    )
    day = mail.MailDay(FACTS, papers, load_language("zh"), watches)
    return mail.compose(day, list_name="all", sender="d@x.org", recipient="a@x.org", page="https://x/zh/", sent_at=NOW)


def test_a_huge_day_says_how_many_papers_it_leaves_to_the_page() -> None:
    for body in parts(composed(200, watched=0)):
        [left] = re.findall(r"另有 (\d+) 篇没有列在这里，请看 https://x/zh/", body)
        assert body.count("arxiv.org/abs/") == 200 - int(left) > 60


@pytest.mark.parametrize(("count", "watched", "lists"), [(600, 0, 1), (600, 4, 1), (600, 60, 3), (600, 154, 3), (600, 600, 2), (3, 3, 1)])
def test_no_mail_is_larger_than_what_mail_programs_show_whole(count: int, watched: int, lists: int) -> None:
    html = parts(composed(count, watched, lists))[1]
    assert len(html.encode()) < 100_000
    assert count < 100 or len(html.encode()) > 80_000, "the room is used"


def test_the_first_watched_papers_are_whole_the_others_have_title_and_tldr_and_none_is_lost_silently() -> None:
    html = parts(composed(600, watched=60))[1]
    assert 5 < html.count("一段平常长度的摘要，一共有四百来个字。" * 22) < 60
    assert html.count("why") >= 60
    html = parts(composed(600, watched=600, lists=2))[1]
    left = sum(int(one) for one in re.findall(r"另有 (\d+) 篇", html))
    assert html.count("https://arxiv.org/abs/") == 600 - left


def test_a_paper_whose_formula_nobody_can_read_does_not_end_the_mail() -> None:
    odd = entry(1, r"On $\href{u}{t}$ and $\begin{x$", r"论 $\href{u}{t}$")
    watch = mail.WatchedPapers("l", "L", {odd.paper.arxiv_id: ("why",)})
    day = mail.MailDay(FACTS, (odd, entry(2, "A plain one", "平常的一篇")), load_language("zh"), (watch,))
    message = mail.compose(day, list_name="l", sender="d@x.org", recipient="a@x.org", page="", sent_at=NOW)
    for body in parts(message):
        assert r"$\href{u}{t}$" in body
        assert "平常的一篇" in body


@pytest.mark.parametrize("tag", sorted(known_language_tags()))
def test_every_language_has_all_the_words_of_a_mail(tag: str) -> None:
    watch = mail.WatchedPapers("l", "L", {"2606.00002": ("keyword",)})
    for facts, entries in ((FACTS, ENTRIES), (ListingInfo(DAY, False, None, False), ())):
        message = mail.compose(
            mail.MailDay(facts, entries, load_language(tag), (watch,)),
            list_name="l",
            sender="d@x.org",
            recipient="a@x.org",
            page="https://x",
            sent_at=NOW,
        )
        assert "2026-06-02" in message["Subject"]
        assert "{" not in message["Subject"] + parts(message)[0]


@given(st.text(max_size=300))
def test_any_title_gives_a_message_that_can_be_written_and_read(title: str) -> None:
    day = mail.MailDay(FACTS, (entry(1, title or "t", title),), load_language("zh"))
    message = mail.compose(day, list_name="all", sender="d@x.org", recipient="a@x.org", page="", sent_at=NOW)
    assert message.as_bytes()

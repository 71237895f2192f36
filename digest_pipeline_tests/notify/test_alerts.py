"""An alert says what happened, what it means and what to do; it arrives once; and it never carries a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import DeliveryError, SettingsError
from digest_pipeline.notify import alerts, service_failed, services
from digest_pipeline.notify.alerts import Alert, BackfillFailed, CheckFailed, DigestReady, ListingLate, RunFailed, ServiceFailed
from digest_pipeline.notify.deliveries import Claim, Deliveries, message_key
from digest_pipeline.notify.services import Audience
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.loopback import Endpoint, http_endpoint

# Apprise looks for a module that Python 3.11 is about to drop, and does without it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

RUN_FAILED = RunFailed(
    run_id="8d1f",
    job="daily_digest",
    days=("2026-06-02",),
    message="the endpoint refuses the key (401)",
    hint="set OPENAI_API_KEY",
    link="http://127.0.0.1:3000/runs/8d1f",
    occasion="8d1f",
)
CHECK_FAILED = CheckFailed(
    "every_paper_is_translated", "translated_summaries", "2026-06-02", False, "3 of 15 papers are untranslated", "8d1f", "http://x/runs/8d1f"
)


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 6, 2, 4, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def later(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with http_endpoint() as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settings_with(tmp_path: Path, **environ: str) -> Settings:
    return load_settings(environ, root=tmp_path)


def alerting(tmp_path: Path, endpoint: Endpoint, path: str = "s3cr3t-token") -> Settings:
    return settings_with(tmp_path, DIGEST_ALERT_URLS=f"json://{endpoint.address}/{path}", OPENAI_API_KEY="sk-verysecret")


def test_an_alert_says_what_happened_what_it_means_what_to_do_and_where(storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock) -> None:
    settings = alerting(tmp_path, endpoint)
    assert alerts.post(storage, settings, RUN_FAILED, now=clock)
    assert alerts.deliver_waiting(storage, settings, now=clock) == 1
    [received] = endpoint.received
    assert received["title"] == "Digest: daily_digest failed for 2026-06-02"
    for part in ("the endpoint refuses the key (401)", "For readers:", "What to do: set OPENAI_API_KEY", "http://127.0.0.1:3000/runs/8d1f"):
        assert part in received["message"]


def test_one_failure_is_told_once_however_often_it_is_posted(storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock) -> None:
    settings = alerting(tmp_path, endpoint)
    for _ in range(3):
        alerts.post(storage, settings, RUN_FAILED, now=clock)
        alerts.deliver_waiting(storage, settings, now=clock)
        clock.later(hours=2)
    assert len(endpoint.received) == 1
    assert alerts.waiting(storage) == []


def test_an_alert_that_is_refused_waits_and_is_sent_when_the_service_is_back(
    storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock
) -> None:
    settings = alerting(tmp_path, endpoint)
    alerts.post(storage, settings, RUN_FAILED, now=clock)
    endpoint.status = 500
    with pytest.raises(DeliveryError):
        alerts.deliver_waiting(storage, settings, now=clock)
    endpoint.status = 200
    assert alerts.deliver_waiting(storage, settings, now=clock) == 0, "the next try waits a minute"
    clock.later(minutes=2)
    assert alerts.deliver_waiting(storage, settings, now=clock) == 1


def test_a_dead_service_does_not_keep_the_others_from_being_told_nor_tell_them_twice(
    storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock
) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS=f"json://127.0.0.1:9/dead,json://{endpoint.address}/well")
    alerts.post(storage, settings, RUN_FAILED, now=clock)
    for _ in range(3):
        with pytest.raises(DeliveryError, match="entry 1 of DIGEST_ALERT_URLS"):
            alerts.deliver_waiting(storage, settings, now=clock)
        clock.later(hours=2)
    assert len(endpoint.received) == 1


def test_an_address_with_a_typing_error_silences_no_other_and_is_told_until_it_is_mended(
    storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock
) -> None:
    misspelt = settings_with(tmp_path, DIGEST_ALERT_URLS=f"jsn://{endpoint.address}/one,json://{endpoint.address}/other")
    alerts.post(storage, misspelt, RUN_FAILED, now=clock)
    for _ in range(2):
        with pytest.raises(DeliveryError, match=r"entry 1 of DIGEST_ALERT_URLS is no address.*jsn://"):
            alerts.deliver_waiting(storage, misspelt, now=clock)
        clock.later(hours=2)
    assert len(endpoint.received) == 1
    mended = settings_with(tmp_path, DIGEST_ALERT_URLS=f"json://{endpoint.address}/one,json://{endpoint.address}/other")
    assert alerts.deliver_waiting(storage, mended, now=clock) == 1
    assert alerts.waiting(storage) == []


def test_an_alert_nobody_takes_for_three_days_is_kept_aside_and_no_longer_tried(
    storage: Storage, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/dead")
    alerts.post(storage, settings, RUN_FAILED, now=clock)
    clock.later(days=4)
    with pytest.raises(DeliveryError):
        alerts.deliver_waiting(storage, settings, now=clock)
    assert storage.names("notify/undelivered") == [f"{RUN_FAILED.key}-20260602.json"]
    assert alerts.waiting(storage) == []
    assert "notify/undelivered" in caplog.text


def test_a_crash_between_sending_and_writing_it_down_sends_at_most_once_more(storage: Storage, clock: Clock) -> None:
    deliveries = Deliveries(storage, clock)
    assert deliveries.claim("run-1", "slack") is Claim.SEND  # killed here
    assert deliveries.claim("run-1", "slack") is Claim.LATER, "the sender may merely be slow"
    clock.later(minutes=6)
    assert deliveries.claim("run-1", "slack") is Claim.SEND  # killed again
    clock.later(minutes=6)
    assert deliveries.claim("run-1", "slack") is Claim.DONE


def test_no_secret_is_in_the_error_the_log_the_records_or_the_message(
    storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t-token"
    settings = settings_with(
        tmp_path, DIGEST_ALERT_URLS=f"json://{endpoint.address}/{secret},json://user:p%40ssw0rd@127.0.0.1:9/{secret}", OPENAI_API_KEY="sk-verysecret"
    )
    leaky = RunFailed("9", "daily_digest", (), f"Incorrect API key sk-verysecret, json://{endpoint.address}/{secret}, p@ssw0rd", "", "http://x", "9")
    alerts.post(storage, settings, leaky, now=clock)
    with pytest.raises(DeliveryError) as caught:
        alerts.deliver_waiting(storage, settings, now=clock)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("digest_pipeline", "apprise")))
    for hidden in (secret, "sk-verysecret", "p@ssw0rd", "p%40ssw0rd"):
        assert hidden not in str(caught.value) + kept + json.dumps(endpoint.received) + ours


def test_an_address_apprise_cannot_read_is_refused_by_its_place_without_showing_it(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/x,slack://tooshort-but-secret")
    with pytest.raises(SettingsError, match=r"entry 2 of DIGEST_ALERT_URLS.*slack://") as caught:
        services.destinations(settings, Audience.OPERATOR)
    assert "tooshort-but-secret" not in str(caught.value)


def test_without_an_address_nothing_is_kept_waiting(storage: Storage, tmp_path: Path, clock: Clock) -> None:
    assert not alerts.post(storage, settings_with(tmp_path), RUN_FAILED, now=clock)
    assert storage.names("notify") == []


def test_a_backfill_is_told_once_however_many_of_its_runs_fail(storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock) -> None:
    settings = alerting(tmp_path, endpoint)
    posted = [
        alerts.post(storage, settings, BackfillFailed("abc", f"run{n}", (f"2026-06-0{n}",), "boom", "", "http://x"), now=clock) for n in range(1, 4)
    ]
    assert posted == [True, False, False]


# -- failures that go on ------------------------------------------------------------------------------


def night_after_night(storage: Storage, settings: Settings, clock: Clock, nights: int, occasion: str = "the endpoint refuses the key") -> list[str]:
    """The schedule's failed run of each listing day and, in the morning, the look for a late listing; the titles of what was told."""
    for _ in range(nights):
        day = clock.moment.date().isoformat()
        alerts.post(storage, settings, replace(RUN_FAILED, days=(day,), run_id=day, occasion=occasion), now=clock)
        clock.later(hours=7)
        alerts.post(storage, settings, ListingLate(day, 6, "http://x"), now=clock)
        clock.later(hours=17)
        if clock.moment.weekday() == 5:  # no listings over the weekend
            clock.later(days=2)
    return [message.title for message in alerts.waiting(storage)]


def make_digest(storage: Storage, day: str) -> None:
    storage.write_text(f"ledger/date={day}/ledger.parquet", "x")


def test_a_key_that_is_dead_for_thirty_nights_is_one_alert_and_a_reminder_a_week_with_all_days(
    storage: Storage, tmp_path: Path, clock: Clock
) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/x")
    titles = night_after_night(storage, settings, clock, 30)
    assert titles[0] == "Digest: daily_digest failed for 2026-06-02"
    assert len(titles) == 6, "six weeks of working days"
    last = alerts.waiting(storage)[-1]
    assert last.title.startswith("Digest: daily_digest still fails for 2026-06-02 … 2026-07-")
    assert "This goes on since 2026-06-02" in last.body
    assert "What to do: set OPENAI_API_KEY\n" in last.body


def test_a_failure_that_comes_back_after_the_cause_was_mended_is_told_anew(storage: Storage, tmp_path: Path, clock: Clock) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/x")
    night_after_night(storage, settings, clock, 2)
    for day in ("2026-06-02", "2026-06-03", "2026-06-04"):
        make_digest(storage, day)
    clock.later(days=1)
    assert night_after_night(storage, settings, clock, 2) == [
        "Digest: daily_digest failed for 2026-06-02",
        "Digest: daily_digest failed for 2026-06-05",
    ]


def test_another_cause_in_the_same_nights_is_told(storage: Storage, tmp_path: Path, clock: Clock) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/x")
    night_after_night(storage, settings, clock, 1)
    assert len(night_after_night(storage, settings, clock, 1, occasion="No space left on device")) == 2


def test_a_listing_that_is_late_without_a_failure_is_told_once_and_then_weekly(storage: Storage, tmp_path: Path, clock: Clock) -> None:
    settings = settings_with(tmp_path, DIGEST_ALERT_URLS="json://127.0.0.1:9/x")
    for _ in range(10):
        for _look in range(3):
            alerts.post(storage, settings, ListingLate(clock.moment.date().isoformat(), 6, "http://x"), now=clock)
            clock.later(minutes=30)
        clock.later(hours=22, minutes=30)
    told = alerts.waiting(storage)
    assert [message.title for message in told] == [
        "Digest: the listing of 2026-06-02 is not there",
        "Digest: the listing of 2026-06-02 … 2026-06-09 (8 days) is not there",
    ]
    assert "No digest was made since 2026-06-02" in told[1].body


def test_a_stopped_backfill_says_which_days_were_not_tried_and_what_to_do_each_in_its_place(tmp_path: Path, clock: Clock) -> None:
    stopped = BackfillFailed(
        "2026-06-01...2026-06-30", "r", ("2026-06-03",), "the key is refused", "set OPENAI_API_KEY", "http://x", ("2026-06-04", "2026-06-05"), False
    )
    body = alerts.render(stopped, settings_with(tmp_path), clock()).body
    assert "Not tried: 2026-06-04, 2026-06-05\n" in body
    assert "What to do: set OPENAI_API_KEY\n" in body
    assert "goes on" not in body
    assert "goes on with its other days" in alerts.render(replace(stopped, not_tried=(), goes_on=True), settings_with(tmp_path), clock()).body


def test_a_failed_back_up_is_told_at_once_without_dagster(
    storage: Storage, tmp_path: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"DIGEST_DATA_DIR": str(tmp_path), "DIGEST_DEMO": "false", "DIGEST_ALERT_URLS": f"json://{endpoint.address}/x"}
    for _ in range(2):
        assert service_failed.main(["digest-backup.service"], environ | {"MONITOR_SERVICE_RESULT": "exit-code"}) == 0
    [received] = endpoint.received
    assert received["title"].startswith("Digest: digest-backup.service failed on ")
    assert "journalctl -u digest-backup.service" in received["message"]
    assert "told less than a week ago" in capsys.readouterr().out


@pytest.mark.parametrize("is_error", [True, False])
def test_an_alert_of_a_check_does_not_say_that_the_digest_was_held_back(is_error: bool, tmp_path: Path, clock: Clock) -> None:
    """No check of ours blocks: the digest goes out, marked where it is incomplete."""
    body = alerts.render(replace(CHECK_FAILED, is_error=is_error), settings_with(tmp_path), clock()).body
    assert "the digest was published" in body
    assert "not made" not in body


def test_the_same_check_on_two_days_is_two_failures() -> None:
    assert CHECK_FAILED.key != replace(CHECK_FAILED, occasion="2026-06-03").key
    assert CHECK_FAILED.key == replace(CHECK_FAILED, link="http://x/runs/another").key


@given(st.lists(st.text(max_size=9), min_size=1, max_size=3), st.lists(st.text(max_size=9), min_size=1, max_size=3))
def test_different_messages_never_share_a_key(one: list[str], other: list[str]) -> None:
    assert (message_key(*one) == message_key(*other)) is (one == other)


def test_the_announcement_goes_to_the_readers_addresses_in_their_words(storage: Storage, tmp_path: Path, endpoint: Endpoint, clock: Clock) -> None:
    settings = settings_with(tmp_path, DIGEST_ANNOUNCE_URLS=f"json://{endpoint.address}/readers", DIGEST_ALERT_URLS="json://127.0.0.1:9/operator")
    ready = DigestReady(
        "2026-06-02", "zh", "2026-06-02 的 arXiv 摘要已备好：2 篇", {"新论文": 2}, (), (("稀疏注意力", "更快。"),), "", "https://digest.example/zh/"
    )
    alerts.post(storage, settings, ready, now=clock)
    alerts.deliver_waiting(storage, settings, now=clock)
    [received] = endpoint.received
    assert received["title"] == "2026-06-02 的 arXiv 摘要已备好：2 篇"
    assert "新论文: 2" in received["message"]
    assert "• 稀疏注意力\n  更快。" in received["message"]


@pytest.mark.parametrize(
    "message",
    [
        RUN_FAILED,
        CHECK_FAILED,
        ListingLate("2026-06-02", 6, "http://x"),
        BackfillFailed("b", "r", tuple(f"2026-06-{n:02}" for n in range(1, 9)), "boom", "", "http://x"),
        ServiceFailed("digest-backup.service", "host", "exit-code"),
    ],
)
def test_every_alert_names_where_to_look_and_fits_the_services(message: Alert, tmp_path: Path, clock: Clock) -> None:
    letter = alerts.render(message, settings_with(tmp_path), clock())
    assert getattr(message, "link", "journalctl -u") in letter.body
    assert len(letter.title) <= 200
    assert "\n\n\n" not in letter.body


def test_an_endless_error_text_is_cut_and_says_so(tmp_path: Path, clock: Clock) -> None:
    letter = alerts.render(RunFailed("1", "j", (), "x" * 100_000, "", "http://x", "1"), settings_with(tmp_path), clock())
    assert len(letter.body) < 4096
    assert "cut here" in letter.body


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_every_key_is_a_safe_file_name(parts: list[str]) -> None:
    key = message_key(*parts)
    assert "/" not in key
    assert not key.startswith(".")
    assert 0 < len(key) <= 180

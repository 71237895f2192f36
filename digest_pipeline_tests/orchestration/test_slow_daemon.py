"""The real webserver and daemon, on a scratch DAGSTER_HOME: what the operator clicks, what runs by itself, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import requests

from digest_pipeline.orchestration.checks import CHECKS
from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import FakeModel, Ui, digest_dev, fake_model, wait_for
from digest_pipeline_tests.support.fake_arxiv import FakeArxiv, generate_days
from digest_pipeline_tests.support.loopback import Endpoint, Mailbox, http_endpoint, smtp_server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")]

CHAIN = ["raw_arxiv_metadata", "papers", "translated_summaries", "digest_files", "site"]
THREE_DAYS = ["2026-01-07", "2026-01-08", "2026-01-09"]
ANSWER = {
    "translated_title": "",
    "translated_abstract": "",
    "tldr": "The paper measures what it says and reports it.",
    "tldr_en": "The paper measures what it says and reports it.",
}


# -- the sample -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ui, Path]]:
    folder = tmp_path_factory.mktemp("sample")
    with digest_dev(folder, {"DIGEST_DEMO": "true"}) as ui:
        yield ui, folder / "data" / "sample"


def test_the_sample_day_is_materialized_by_the_button_of_the_ui(sample: tuple[Ui, Path]) -> None:
    ui, data = sample
    day = SAMPLE_DAY.isoformat()
    assert ui.finished(ui.materialize(day, CHAIN)) == "SUCCESS"
    for asset in CHAIN[:-1]:
        assert ui.materialized(asset) == {day}
    assert ui.times_made("site") == 1
    assert (data / "digests" / "zh" / day / "all.md").is_file()


def test_one_asset_alone_can_be_materialized_again(sample: tuple[Ui, Path]) -> None:
    ui, _ = sample
    # what was made before the sensor's very first look is where it begins, so that nothing is due from then
    wait_for(lambda: "Finished auto-materialization tick for site_sensor" in ui.log.read_text(encoding="utf-8"), 120, "the site's sensor to look")
    assert ui.finished(ui.materialize(SAMPLE_DAY.isoformat(), ["digest_files"])) == "SUCCESS"
    wait_for(lambda: ui.times_made("site") == 2, 180, "the site to follow by itself")


def test_each_check_that_the_ui_offers_to_execute_can_be_executed(sample: tuple[Ui, Path]) -> None:
    ui, _ = sample
    offered = {name for name, how in ui.executable_checks().items() if how == "CAN_EXECUTE"}
    assert offered == {check.name for check in CHECKS if not check.is_of_a_step}
    for check in CHECKS:
        if check.name in offered and check.asset == "digest_files":
            assert ui.finished(ui.execute_check(check.asset, check.name)) == "SUCCESS"


def test_in_the_sample_no_schedule_runs_and_nobody_is_mailed(sample: tuple[Ui, Path]) -> None:
    states = sample[0].instigators()
    assert states["daily_listing"] == "STOPPED"
    assert states["readers_sensor"] == "STOPPED"


# -- a web page in the operator's browser -----------------------------------------------------------

_BACKFILL = '{assetSelection: [{path: ["site"]}], partitionNames: ["' + SAMPLE_DAY.isoformat() + '"]}'
_MUTATION = f"mutation {{ launchPartitionBackfill(backfillParams: {_BACKFILL}) {{ __typename }} }}"


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("GET", {"params": {"query": _MUTATION}}),
        ("GET", {"params": {"query": _MUTATION}, "headers": {"Origin": "https://evil.example"}}),
        ("POST", {"params": {"query": _MUTATION}}),
        ("POST", {"json": {"query": _MUTATION}, "headers": {"Origin": "https://evil.example"}}),
        ("POST", {"json": {"query": _MUTATION}, "headers": {"Host": "evil.example"}}),
        ("POST", {"data": '{"query": "mutation { x }"}', "headers": {"Content-Type": "text/plain; application/json"}}),
    ],
)
def test_the_real_webserver_refuses_what_a_foreign_page_could_send(sample: tuple[Ui, Path], method: str, more: dict[str, dict[str, str]]) -> None:
    ui, _ = sample
    before = ui.launched()
    assert requests.request(method, f"{ui.url}/graphql", timeout=30, **more).status_code in (403, 405, 415, 421)  # type: ignore[arg-type]
    assert ui.launched() == before


def test_a_page_of_another_site_in_a_real_browser_starts_nothing_while_the_ui_itself_works(sample: tuple[Ui, Path], tmp_path: Path) -> None:
    from urllib.parse import quote

    from digest_pipeline_tests.support.browser import chromium

    ui, _ = sample
    target = f"{ui.url}/graphql?query={quote(_MUTATION)}"
    page_of_evil = f"""<!doctype html><img src="{target}"><iframe src="{target}"></iframe><script src="{target}"></script>
        <form id=f method=post action="{target}" target=there enctype="text/plain"><input name='{{"query":"x' value='"}}'></form><iframe name=there></iframe>
        <script>
          document.getElementById('f').submit();
          fetch("{ui.url}/graphql", {{method: "POST", mode: "no-cors", body: JSON.stringify({{query: {_MUTATION!r}}})}}).catch(() => 0);
          fetch("{target}", {{mode: "no-cors"}}).catch(() => 0);
          window.socket = new WebSocket("{ui.url.replace("http", "ws")}/graphql", "graphql-ws");
          window.socket.onopen = () => document.title = "let in"; window.socket.onerror = () => document.title = "refused";
        </script>"""
    before = ui.launched()
    with chromium() as browser:
        page = browser.new_page()
        page.route("http://evil.test/", lambda route: route.fulfill(body=page_of_evil, content_type="text/html"))
        page.goto("http://evil.test/")
        page.wait_for_function("document.title != ''")
        page.wait_for_timeout(2000)
        assert page.title() == "refused"
        ours = browser.new_page()
        ours.goto(f"{ui.url}/assets", wait_until="networkidle")
        ours.get_by_text("digest_files").first.wait_for()
    assert ui.launched() == before


# -- live, against a loopback arXiv and model -------------------------------------------------------


@dataclass
class Live:
    ui: Ui
    data: Path
    arxiv: FakeArxiv
    model: FakeModel
    alerts: Endpoint
    mailbox: Mailbox


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    days = generate_days(date(2025, 12, 29), date(2026, 1, 23), papers_per_day=40)
    with ExitStack() as stack:
        arxiv = stack.enter_context(FakeArxiv(days, now=datetime(2026, 3, 1, tzinfo=UTC)))
        model = stack.enter_context(fake_model(ANSWER))
        alerts = stack.enter_context(http_endpoint())
        mailbox = stack.enter_context(smtp_server())
        environ = {
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_BASE_URL": model.url,
            "DIGEST_LANGUAGES": "en",
            "DIGEST_ARXIV_API_URL": arxiv.api_url,
            "DIGEST_ARXIV_RSS_URL": arxiv.rss_url,
            "DIGEST_ARXIV_INTERVAL_SECONDS": "0",
            "DIGEST_FIRST_LISTING": "2026-01-02",
            "DIGEST_SCHEDULE_CATCHUP_LISTINGS": "0",
            "DIGEST_ALERT_URLS": f"json://{alerts.address}/alerts",
            "DIGEST_SMTP_URL": f"smtp://{mailbox.address}",
            "DIGEST_MAIL_FROM": "digest@lab.example",
            "DIGEST_MAIL_TO": "reader@lab.example",
        }
        ui = stack.enter_context(digest_dev(folder, environ))
        yield Live(ui, folder / "data", arxiv, model, alerts, mailbox)


def test_a_backfill_of_three_days_makes_three_digests_and_mails_nobody(live: Live) -> None:
    backfill = live.ui.backfill(THREE_DAYS, CHAIN[:-1])
    wait_for(lambda: live.ui.backfill_status(backfill).startswith("COMPLETED"), 300, "the backfill")
    assert live.ui.backfill_status(backfill) == "COMPLETED_SUCCESS"
    assert live.ui.materialized("digest_files") >= set(THREE_DAYS)
    for day in THREE_DAYS:
        assert (live.data / "digests" / "en" / day / "all.md").is_file()
    assert live.mailbox.received == []
    wait_for(lambda: live.ui.times_made("site") >= 1, 180, "the site to follow by itself")
    assert live.ui.times_made("site") == 1, "once for the whole backfill"


@pytest.mark.parametrize(
    ("instant", "days"),
    [
        (datetime(2026, 1, 12, 5, 20, tzinfo=UTC), ["2026-01-12"]),
        (datetime(2026, 3, 9, 4, 20, tzinfo=UTC), ["2026-03-09"]),  # the first listing of summer time: 00:20 is an hour earlier in UTC
        (datetime(2026, 11, 2, 5, 20, tzinfo=UTC), ["2026-11-02"]),  # and of winter time again
        (datetime(2026, 5, 25, 4, 20, tzinfo=UTC), ["2026-05-25"]),  # a holiday is asked for, too, and materialized as the empty listing it is
        (datetime(2026, 1, 9, 5, 20, tzinfo=UTC), []),  # it is there
    ],
    ids=["ordinary", "spring clock change", "autumn clock change", "holiday", "done already"],
)
def test_the_schedule_asks_for_the_right_listing_at_chosen_instants(live: Live, instant: datetime, days: list[str]) -> None:
    assert live.ui.schedule_asks_for("daily_listing", instant.timestamp()) == days


def test_a_refused_key_fails_the_run_and_the_alert_arrives_once_with_its_link(live: Live) -> None:
    live.model.status = 401
    run_id = live.ui.materialize("2026-01-13", CHAIN)
    assert live.ui.finished(run_id) == "FAILURE"
    live.model.status = 200
    wait_for(lambda: any("2026-01-13" in alert["title"] for alert in live.alerts.received), 180, "the alert")
    [alert] = [alert for alert in live.alerts.received if "2026-01-13" in alert["title"]]
    assert f"{live.ui.url}/runs/{run_id}" in alert["message"]
    assert "sk-loopback" not in str(live.alerts.received)


def test_after_the_key_is_mended_the_same_partition_succeeds_and_arxiv_is_not_asked_again_for_it(live: Live) -> None:
    asked = len(live.arxiv.requests)
    assert live.ui.finished(live.ui.materialize("2026-01-13", CHAIN)) == "SUCCESS"
    assert len(live.arxiv.requests) == asked


def test_no_secret_is_in_the_log_of_the_processes_nor_in_dagsters_database(live: Live) -> None:
    assert "sk-loopback" not in live.ui.log.read_text()
    storage = live.ui.log.parent / "dagster_home"
    assert not [path for path in storage.rglob("*") if path.is_file() and b"sk-loopback" in path.read_bytes()]

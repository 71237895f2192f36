"""What somebody reads stays theirs: nothing of a library or a vote in anything that a run writes, says or sends, but to its owner."""

from __future__ import annotations

import logging
import sqlite3
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from digest_pipeline.hosted.environment import Runner
from digest_pipeline.hosted.report import summary
from digest_pipeline.hosted.run import DayResult, DayState, RunReport
from digest_pipeline.notify import alerts
from digest_pipeline.orchestration.assets import PERSONAL, RANKINGS, WEEKLY
from digest_pipeline.orchestration.jobs import DAY_AND_SITE, mail_digest, mail_run_request
from digest_pipeline.ranking.rankings import read_rankings
from digest_pipeline.ranking.votes import Vote, add_vote
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline_tests.orchestration.test_listing_day import WEDNESDAY, eastern, live
from digest_pipeline_tests.orchestration.test_sensors import notice_failure
from digest_pipeline_tests.support.fake_openai import FakeOpenAI
from digest_pipeline_tests.support.loopback import Mailbox, http_endpoint, smtp_server
from digest_pipeline_tests.support.runs import definitions_of

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

WORDS = {
    "ada": ("zorblatt", "quuxiferous", "wobbleton", "brokenkey-ada", "2301.07123", "2302.07124", "2303.07125", "1804.07777"),
    "bo": ("vexillary", "mumpsimus", "2304.07126", "2305.07127"),
}
"""Of titles, an abstract, an author, an entry's key, ids of the library, a like and votes. None of them is a listed paper's."""
_LISTED = "lantern retrieval sparse orchard decoding corpus gradient tidal summary quartz"


def write_profiles(folder: Path) -> None:
    entries = "\n".join(
        f"@misc{{a{number}, title = {{Zorblatt {_LISTED.split()[number]} kestrel}}, author = {{Wobbleton, Ann}}, abstract = {{Quuxiferous {_LISTED}.}}}}"
        for number in range(6)
    )
    (folder / "ada.bib").write_text(f"{entries}\n@misc{{by-id, eprint = {{2301.07123}}}}\n@misc{{brokenkey-ada, year = 2020}}\n", encoding="utf-8")
    (folder / "bo.bib").write_text(
        f"@misc{{b, title = {{Vexillary {_LISTED}}}, abstract = {{Mumpsimus bamboo entropy lattice.}}}}\n", encoding="utf-8"
    )
    (folder / "profiles.toml").write_text(
        '[[profile]]\nname = "ada"\nlibrary = ["ada.bib"]\nlikes = ["2302.07124"]\nmail_to = ["ada@example.org"]\n'
        '[[profile]]\nname = "bo"\nlibrary = ["bo.bib"]\nlikes = ["2304.07126"]\n',
        encoding="utf-8",
    )


@dataclass(frozen=True)
class Outcome:
    """One day with everything on, and a run that failed."""

    settings: Settings
    dagster: Path
    said: str
    """Whatever was written to the terminal."""
    openai: FakeOpenAI
    mailbox: Mailbox
    alert_bodies: list[dict[str, object]]
    arxiv_queries: list[str]

    @property
    def storage(self) -> Storage:
        return Storage(self.settings.data_root)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Library ids that arXiv is asked for, and that it first refuses to give: what is said of a failed request is tried too."""
    folder = tmp_path_factory.mktemp("privacy")
    (folder / "dagster").mkdir()
    write_profiles(folder)
    capture = pytest.MonkeyPatch()
    said = (folder / "said.txt").open("w+")
    capture.setattr("sys.stdout", said)
    capture.setattr("sys.stderr", said)
    handler = logging.StreamHandler(said)  # as an operator has it who wants to know more than usual
    logging.getLogger("digest_pipeline").addHandler(handler)
    logging.getLogger("arxiv").addHandler(handler)
    capture.setattr(logging.getLogger("digest_pipeline"), "level", logging.DEBUG)
    capture.setattr(logging.getLogger("arxiv"), "level", logging.DEBUG)
    instance = dg.DagsterInstance.local_temp(str(folder / "dagster"), overrides={"telemetry": {"enabled": False}})
    environ = {"DIGEST_PROFILES_FILE": str(folder / "profiles.toml"), "DIGEST_FIRST_LISTING": "2026-06-01", "DIGEST_MAIL_FROM": "digest@lab.example"}
    with smtp_server() as mailbox, http_endpoint() as alerted, instance:
        environ |= {
            "DIGEST_SMTP_URL": f"smtp://{mailbox.address}",
            "DIGEST_ALERT_URLS": f"json://{alerted.address}",
            "DIGEST_ARXIV_LOCK_DIR": str(folder),
        }
        with live(folder, eastern(WEDNESDAY, 12), **environ) as (clients, arxiv, openai):
            storage, settings = clients.storage, clients.settings
            add_vote(storage, "ada", "2303.07125", Vote.LIKE, datetime(2026, 6, 9, tzinfo=UTC))
            add_vote(storage, "ada", "1804.07777", Vote.DISLIKE, datetime(2026, 6, 9, tzinfo=UTC))
            add_vote(storage, "bo", "2305.07127", Vote.LIKE, datetime(2026, 6, 9, tzinfo=UTC))
            definitions, key = definitions_of(clients), WEDNESDAY.isoformat()

            def run(job: str, partition: str, **options: object) -> dg.ExecuteInProcessResult:
                return definitions.resolve_job_def(job).execute_in_process(
                    instance=instance, partition_key=partition, raise_on_error=False, **options
                )  # type: ignore[arg-type]

            assert run(DAY_AND_SITE, key).success
            arxiv.faults.api_statuses = deque([500, 500])
            assert run(DAY_AND_SITE, key, asset_selection=[dg.AssetKey(RANKINGS), dg.AssetKey(PERSONAL)]).success
            assert run(WEEKLY, "2026-06-08").success
            request = mail_run_request(key)
            resources = {**clients.resources, "settings": settings, "clock": clients.now}
            assert mail_digest.execute_in_process(instance=instance, run_config=dict(request.run_config), resources=resources).success
            (folder / "profiles.toml").write_text(
                '[[profile]]\nname = "ada"\nlikes = ["2302.07124", 2303.07125]\nlibrary = "Zorblatt"\n', encoding="utf-8"
            )
            failed = run(DAY_AND_SITE, key, asset_selection=[dg.AssetKey(RANKINGS)])
            assert not failed.success
            notice_failure(instance, failed, settings, now=clients.now())
            alerts.deliver_waiting(storage, settings, now=clients.now)
            write_profiles(folder)
        said.flush()
        capture.undo()
        logging.getLogger("digest_pipeline").removeHandler(handler)
        logging.getLogger("arxiv").removeHandler(handler)
        queries = [request.query for request in arxiv.requests]
        yield Outcome(settings, folder / "dagster", (folder / "said.txt").read_text(), openai, mailbox, alerted.received, queries)
    said.close()


def leaks(text: str, *profiles: str) -> set[str]:
    return {word for profile in profiles or WORDS for word in WORDS[profile] if word in text.lower()}


def text_of(file: Path) -> str:
    """Tables row by row, databases as their statements, whatever else as it is."""
    if file.suffix == ".parquet":
        return str(pq.read_table(file).to_pylist())
    content = file.read_bytes()
    if content.startswith(b"SQLite format 3"):
        with sqlite3.connect(file) as database:
            return "\n".join(database.iterdump())
    return content.decode("utf-8", "replace")


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_run_did_use_the_libraries_and_votes(outcome: Outcome) -> None:
    assert any("2301.07123" in query and "2303.07125" in query for query in outcome.arxiv_queries)
    best = read_rankings(outcome.storage, WEDNESDAY, "ada")[0]
    assert "Zorblatt" in best.why[0].title
    assert leaks(outcome.storage.read_text(f"private/ada/zh/{WEDNESDAY}.md"), "ada") == {"zorblatt"}
    assert outcome.storage.exists("private/ada/zh/week-2026-W24.md")
    assert outcome.storage.exists("digests/zh/week-2026-W24.md")
    assert outcome.alert_bodies
    assert "arXiv: HTTP 500" in outcome.said


def test_nothing_of_them_is_in_any_file_but_the_profiles_own(outcome: Outcome) -> None:
    root = outcome.storage.local_path("")
    found: dict[str, set[str]] = {}
    for file in files_below(root):
        owners = {name for name in WORDS if f"private/{name}/" in str(file) or f"profile={name}/" in str(file)}
        if words := leaks(text_of(file) + str(file), *(set(WORDS) - owners)):
            found[str(file.relative_to(root))] = words
    assert found == {}


def test_nothing_of_them_is_in_dagsters_records_or_in_what_is_said(outcome: Outcome) -> None:
    files = files_below(outcome.dagster)
    assert any(file.suffix == ".db" for file in files)
    assert any(file.suffix == ".err" for file in files)
    assert {str(file): leaks(text_of(file)) for file in files if leaks(text_of(file))} == {}
    assert leaks(outcome.said) == set()


def test_the_interests_words_stand_in_the_owners_files_only(outcome: Outcome) -> None:
    interests = {row.interest for name in WORDS for row in read_rankings(outcome.storage, WEDNESDAY, name)}
    assert all(interests)
    files = [*files_below(outcome.dagster), *files_below(outcome.storage.local_path("site")), *files_below(outcome.storage.local_path("digests"))]
    assert [str(file) for file in files if any(interest in text_of(file) for interest in interests)] == []


def test_the_model_alerts_and_the_hosted_summary_are_told_nothing_of_them(outcome: Outcome) -> None:
    assert outcome.openai.requests > 0
    assert leaks(str([asked.body for asked in outcome.openai.asked])) == set()
    assert leaks(str(outcome.alert_bodies)) == set()
    report = RunReport(days=[DayResult(WEDNESDAY, DayState.MADE)], is_finished=True)
    assert leaks(summary(report, outcome.storage, outcome.settings, Runner("github", "a/b", "https://github.com", "", "", "schedule", ""))) == set()


def test_a_profiles_mail_goes_to_its_own_reader_alone(outcome: Outcome) -> None:
    assert {
        recipient for _, recipients, message in outcome.mailbox.received for recipient in recipients if leaks(str(message.get_body()), "ada")
    } <= {"ada@example.org"}
    assert "ada@example.org" not in outcome.said


def test_only_the_owner_of_the_data_may_read_what_says_what_somebody_reads(outcome: Outcome) -> None:
    for folder in ("private", "rankings"):
        for file in files_below(outcome.storage.local_path(folder)):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
            assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700, file.parent

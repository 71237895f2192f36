"""`digest doctor`: is everything set up so that tonight's run can work? One line a question, secrets masked.

What lives here: the questions and their answers. What does not: mending anything. It speaks to arXiv (one
record, in its turn behind any run), to the model's endpoint (one word) and to the mail server (a log-in, no mail).

Exit status for machines: 0 all is well, 1 there are warnings, 2 something will not work.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import IntEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from packaging.requirements import Requirement

from digest_pipeline.arxiv import atom
from digest_pipeline.arxiv.http import Pace, RateLimitedAdapter, get, polite_session, user_agent
from digest_pipeline.arxiv.rate_limit import CrossProcessRateLimiter
from digest_pipeline.calendar import ANNOUNCEMENT_TIME, EASTERN, newest_listing_day
from digest_pipeline.errors import DigestError, SettingsError
from digest_pipeline.notify.redact import secret_values, without_secrets
from digest_pipeline.notify.services import Audience, destinations
from digest_pipeline.settings import Settings, load_settings, project_root
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.records import month_of
from digest_pipeline.workshop import Workshop, utc_now

if TYPE_CHECKING:
    import openai

_A_KNOWN_PAPER = "hep-th/9711200"
_TIMEOUT_SECONDS = 30.0
_GIB = 1024**3
_FREE_ERROR, _FREE_WARNING = 1 * _GIB, 5 * _GIB
_CLOCK_WARNING, _CLOCK_ERROR = timedelta(seconds=60), timedelta(seconds=600)
_CALENDAR_NOTICE = timedelta(days=45)


class Level(IntEnum):
    """The exit status is the highest level found."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `what_to_do` is empty where nothing need be done."""

    subject: str
    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: the settings with their tools, the environment and the folder of the project."""

    settings: Settings
    shop: Workshop
    environ: Mapping[str, str]
    root: Path
    now: Callable[[], datetime]


Question = Callable[[Patient], Iterable[Finding]]


def examine(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    now: Callable[[], datetime] = utc_now,
    offline: bool = False,
) -> list[Finding]:
    """All findings, in the order of the questions. `offline` leaves out those that ask another machine. No secret is in them."""
    environ = os.environ if environ is None else environ
    patient = Patient(settings, Workshop(settings, now), environ, root or project_root(), now)
    secrets = secret_values(settings)
    return [_without(secrets, finding) for question in (HERE if offline else HERE + ELSEWHERE) for finding in _asked(question, patient)]


def _asked(question: Question, patient: Patient) -> Iterator[Finding]:
    try:
        yield from question(patient)
    except DigestError as error:
        yield Finding((question.__doc__ or question.__name__).rstrip("."), Level.ERROR, error.message, error.hint)


def _without(secrets: Iterable[str], finding: Finding) -> Finding:
    secrets = tuple(secrets)
    return Finding(finding.subject, finding.level, without_secrets(finding.message, secrets), without_secrets(finding.hint, secrets))


# -- on this machine --------------------------------------------------------------------------------


def _mode(patient: Patient) -> Iterator[Finding]:
    """mode."""
    s = patient.settings
    if s.is_sample:
        yield Finding(
            "mode", Level.WARNING, "the bundled sample day; nothing is asked of arXiv or a model", "set OPENAI_API_KEY or OPENAI_BASE_URL to go live"
        )
    else:
        yield Finding("mode", Level.OK, f"live: {', '.join(s.categories)} into {', '.join(s.languages)} with {s.model}")
    if not s.is_sample and not s.contact:
        yield Finding("contact", Level.WARNING, "DIGEST_CONTACT is empty", "set it to your e-mail or page; arXiv asks programs to say whose they are")
    tools = patient.shop
    yield Finding("languages", Level.OK, ", ".join(f"{language.tag} {language.name}" for language in tools.languages))


def _calendar(patient: Patient) -> Iterator[Finding]:
    """calendar."""
    calendar, today = patient.shop.calendar, patient.now().astimezone(EASTERN).date()
    newest = newest_listing_day(patient.now())
    skipped = calendar.skip_reason(newest)
    yield Finding("calendar", Level.OK, f"the newest listing day is {newest}" + (f", a skipped one ({skipped})" if skipped else ""))
    for year, level in ((today.year, Level.ERROR), ((today + _CALENDAR_NOTICE).year, Level.WARNING)):
        if not calendar.covers_year(year):
            yield Finding(
                "calendar",
                level,
                f"arXiv's skipped evenings of {year} are not in the data; a holiday would look like a late listing",
                "take them from arXiv's availability page into a CSV file and name it in DIGEST_SKIPPED_EVENINGS_FILE",
            )
            return


def _data_directory(patient: Patient) -> Iterator[Finding]:
    """data directory."""
    storage = patient.shop.storage
    storage.write_text("state/doctor.txt", "The doctor tries whether it can write here.\n")
    storage.delete("state/doctor.txt")
    yield Finding("data directory", Level.OK, f"{storage.root} can be written" + ("" if storage.is_local else " (object store)"))
    if storage.is_local:
        yield _space("data directory", storage.local_path("."))


def _answer_store(patient: Patient) -> Iterator[Finding]:
    """answer store."""
    root = patient.settings.answers_root
    with contextlib.closing(open_cache(root, patient.now)) as store:
        spent = store.spending(month_of(patient.now()))
        if store.leases_are_exclusive():
            yield Finding("answer store", Level.OK, f"{root} opens; ${spent.usd:.2f} paid this month for {spent.answers} answers")
        else:
            yield Finding(
                "answer store",
                Level.WARNING,
                f"{root} lets a second creation of an object replace the first",
                "in a rare moment two runs of one day at once may pay for a paper twice; see “Data in an object store” in docs/deploying.md",
            )


def _space(subject: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    level = Level.ERROR if free < _FREE_ERROR else Level.WARNING if free < _FREE_WARNING else Level.OK
    return Finding(
        subject,
        level,
        f"{free / _GIB:.1f} GiB free in {folder}",
        "" if level is Level.OK else "free space there; a run that cannot write fails, and loses nothing",
    )


def _dagster_home(patient: Patient) -> Iterator[Finding]:
    """DAGSTER_HOME."""
    given = patient.environ.get("DAGSTER_HOME", "")
    default = patient.root / ".dagster_home"
    if not given:
        yield Finding("DAGSTER_HOME", Level.OK, f"not set: make dev uses {default}; other Dagster commands keep nothing")
        folder = default
    elif not Path(given).is_absolute():
        yield Finding("DAGSTER_HOME", Level.ERROR, f"{given!r} is no absolute path", "Dagster refuses it; give the whole path")
        return
    elif Path(given) == default and not default.exists():  # as make gives it, before anything was run
        yield Finding("DAGSTER_HOME", Level.OK, f"{default} does not exist yet; the first run makes it")
        return
    else:
        folder = Path(given)
        if not (folder / "dagster.yaml").is_file():
            what = "has no dagster.yaml: pools, retries and retention are Dagster's defaults" if folder.is_dir() else "does not exist"
            yield Finding(
                "DAGSTER_HOME",
                Level.ERROR,
                f"{folder} {what}",
                "digest dev makes it; or copy digest_pipeline/orchestration/dagster.yaml or deploy/dagster.postgres.yaml there as dagster.yaml",
            )
            return
        yield Finding("DAGSTER_HOME", Level.OK, str(folder))
    if folder.is_dir():
        yield _space("DAGSTER_HOME", folder)


def _versions(patient: Patient) -> Iterator[Finding]:
    """versions."""
    yield Finding(
        "versions",
        Level.OK,
        f"Python {platform.python_version()}, " + ", ".join(f"{n} {_version(n)}" for n in ("dagster", "openai", "arxiv", "pyarrow")),
    )
    for text in _requirements(patient.root):
        requirement = Requirement(text)
        installed = _version(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            yield Finding(
                "versions",
                Level.ERROR,
                f"{requirement.name} {installed or 'is not installed'}; needed: {text}",
                "make clean, then make run: it installs the locked set",
            )
    if _version("dagster") != _version("dagster-webserver"):
        yield Finding("versions", Level.ERROR, "dagster and dagster-webserver differ in version", "install both in the version of requirements.lock")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _requirements(root: Path) -> list[str]:
    """What we need, from the checkout, or from the installed wheel."""
    if (root / "pyproject.toml").is_file():
        declared: list[str] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
        return declared
    try:
        return [text for text in metadata.requires("digest-pipeline") or [] if "extra ==" not in text]
    except metadata.PackageNotFoundError:
        return []


def _alerts(patient: Patient) -> Iterator[Finding]:
    """alerts."""
    told = destinations(patient.settings, Audience.OPERATOR)
    destinations(patient.settings, Audience.READERS)
    if told:
        yield Finding("alerts", Level.OK, "go to " + ", ".join(destination.shown for destination in told))
    elif not patient.settings.is_sample:
        yield Finding("alerts", Level.WARNING, "nobody is told when a run fails", "set DIGEST_ALERT_URLS (docs/operating.md)")


def _watch_lists(patient: Patient) -> Iterator[Finding]:
    """watch lists."""
    from digest_pipeline.render.watch_lists import load_watch_lists

    lists = load_watch_lists(patient.settings.watch_file)
    yield Finding("watch lists", Level.OK, ", ".join(one.name for one in lists) or "none")


# -- elsewhere ------------------------------------------------------------------------------------


def _arxiv(patient: Patient) -> Iterator[Finding]:
    """arXiv."""
    s = patient.settings
    if s.is_sample:
        yield Finding("arXiv", Level.OK, "not asked: the sample needs no arXiv")
        return
    adapter = RateLimitedAdapter(
        CrossProcessRateLimiter(patient.shop.rate_limit_file, s.arxiv_interval_seconds),
        Pace(s.arxiv_interval_seconds, _TIMEOUT_SECONDS, attempts=1),
        user_agent(s.contact),
        atom.read_page,
        now=patient.now,
    )
    with polite_session(adapter) as session:
        response = get(session, s.arxiv_api_url, params={"id_list": _A_KNOWN_PAPER, "max_results": "1"})
    if response.status_code != requests.codes.ok:
        yield Finding("arXiv", Level.ERROR, f"{s.arxiv_api_url} answers HTTP {response.status_code}", "see DIGEST_ARXIV_API_URL")
        return
    yield Finding("arXiv", Level.OK, f"{s.arxiv_api_url} answers")
    yield from _clock(response.headers.get("Date"), patient.now())


def _clock(date_header: str | None, now: datetime) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date_header or "")
    except ValueError:
        yield Finding("clock", Level.WARNING, "arXiv's answer carries no time to compare this machine's clock with")
        return
    off = abs(now - theirs)
    level = Level.ERROR if off > _CLOCK_ERROR else Level.WARNING if off > _CLOCK_WARNING else Level.OK
    todo = "" if level is Level.OK else f"set the clock (NTP): the schedule goes by it, and arXiv announces at {ANNOUNCEMENT_TIME:%H:%M} US Eastern"
    yield Finding("clock", level, f"within {off.total_seconds():.0f} s of arXiv's", todo)


def _endpoint(patient: Patient) -> Iterator[Finding]:
    """model."""
    import openai

    s = patient.settings
    if s.is_sample:
        yield Finding("model", Level.OK, "not asked: the sample has recorded answers")
        return
    key = s.openai_api_key.get_secret_value() if s.openai_api_key else "none"  # a local endpoint needs none, the package does
    where = s.openai_base_url or "https://api.openai.com/v1"
    for model in dict.fromkeys(name for name in (s.model, s.fallback_model) if name):
        with openai.OpenAI(api_key=key, base_url=s.openai_base_url or None, timeout=_TIMEOUT_SECONDS, max_retries=0) as client:
            try:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Answer with the one word OK."}])
            except openai.OpenAIError as error:
                yield Finding("model", Level.ERROR, f"{model} at {where}: {_first_line(error)}", _advice(error))
            else:
                yield Finding("model", Level.OK, f"{where} takes the key and knows {model}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _advice(error: openai.OpenAIError) -> str:
    import openai

    if isinstance(error, openai.RateLimitError):
        return "no credit left, or too many requests: see the account's page" if "quota" in str(error) else "too many requests; try again in a minute"
    advice: tuple[tuple[type[openai.OpenAIError], str], ...] = (
        (openai.AuthenticationError, "the key is refused: see OPENAI_API_KEY"),
        (openai.PermissionDeniedError, "the key may not use this model: see the account's page"),
        (openai.NotFoundError, "the endpoint does not know the model or the address: see DIGEST_MODEL and OPENAI_BASE_URL"),
        (openai.APITimeoutError, f"no answer within {_TIMEOUT_SECONDS:.0f} s; a local model may still be loading"),
        (openai.APIConnectionError, "cannot be reached: see OPENAI_BASE_URL, the network and a proxy"),
    )
    return next((words for kind, words in advice if isinstance(error, kind)), "see DIGEST_MODEL and the endpoint's documentation")


def _mail(patient: Patient) -> Iterator[Finding]:
    """mail."""
    from digest_pipeline.notify.mail import connect, parse_smtp_url

    s = patient.settings
    if s.smtp_url is None:
        if s.mail_to:
            raise SettingsError("DIGEST_MAIL_TO names recipients, but DIGEST_SMTP_URL is not set", hint="set it, or no mail is sent")
        return
    with connect(s):
        yield Finding("mail", Level.OK, f"{parse_smtp_url(s).hostname} accepts us; {len(s.mail_to)} recipients of the whole digest")


HERE: tuple[Question, ...] = (_mode, _calendar, _data_directory, _answer_store, _dagster_home, _versions, _alerts, _watch_lists)
ELSEWHERE: tuple[Question, ...] = (_arxiv, _endpoint, _mail)


# -- the command ----------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the findings and returns the exit status."""
    parser = argparse.ArgumentParser(prog="digest doctor", description="Is everything set up? Exit status: 0 well, 1 warnings, 2 errors.")
    parser.add_argument("--offline", action="store_true", help="ask no other machine")
    parser.add_argument("--json", action="store_true", help="findings as JSON, for programs")
    options = parser.parse_args(argv)
    try:
        findings = examine(load_settings(), offline=options.offline)
    except SettingsError as error:
        findings = [Finding("settings", Level.ERROR, error.message, error.hint)]
    if options.json:
        print(json.dumps([asdict(finding) | {"level": finding.level.name.lower()} for finding in findings], ensure_ascii=False, indent=1))
    else:
        print("\n".join(map(_line, findings)))
    return int(max((finding.level for finding in findings), default=Level.OK))


def _line(finding: Finding) -> str:
    mark = {Level.OK: "ok     ", Level.WARNING: "WARNING", Level.ERROR: "ERROR  "}[finding.level]
    return f"{mark}  {finding.subject:<15} {finding.message}" + (f"\n{'':26}→ {finding.hint}" if finding.hint else "")


if __name__ == "__main__":
    sys.exit(main())

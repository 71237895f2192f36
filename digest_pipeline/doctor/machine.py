"""Questions to this machine: settings, calendar, folders, versions, who is told.

What lives here: each question as a function from the installation to its findings. What does not: other machines (`services.py`).
"""

from __future__ import annotations

import contextlib
import platform
import shutil
import stat
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from digest_pipeline.calendar import EASTERN, load_calendar, newest_listing_day
from digest_pipeline.clients import digest_options
from digest_pipeline.doctor.findings import Finding, Installation, Level, Question, Subject, error, ok, warning
from digest_pipeline.notify.services import Audience, destinations
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.records import month_of

_GIB = 1024**3
_FREE_ERROR, _FREE_WARNING = 1 * _GIB, 5 * _GIB
_CALENDAR_NOTICE = timedelta(days=45)
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def _mode(this: Installation) -> Iterator[Finding]:
    s = this.settings
    if s.is_sample:
        yield warning(
            Subject.MODE, "the bundled sample day; nothing is asked of arXiv or a model", "set OPENAI_API_KEY or OPENAI_BASE_URL to go live"
        )
    else:
        yield ok(Subject.MODE, f"live: {', '.join(s.categories)} into {', '.join(s.languages)} with {s.model}")
    if not s.is_sample and not s.contact:
        yield warning(Subject.CONTACT, "DIGEST_CONTACT is empty", "set it to your e-mail or page; arXiv asks programs to say whose they are")
    yield ok(Subject.LANGUAGES, ", ".join(f"{language.tag} {language.name}" for language in digest_options(s).languages))


def _calendar(this: Installation) -> Iterator[Finding]:
    calendar, today = load_calendar(this.settings.skipped_evenings_file), this.now().astimezone(EASTERN).date()
    newest = newest_listing_day(this.now())
    skipped = calendar.skip_reason(newest)
    yield ok(Subject.CALENDAR, f"the newest listing day is {newest}" + (f", a skipped one ({skipped})" if skipped else ""))
    for year, level in ((today.year, Level.ERROR), ((today + _CALENDAR_NOTICE).year, Level.WARNING)):
        if not calendar.covers_year(year):
            yield Finding(
                Subject.CALENDAR,
                level,
                f"arXiv's skipped evenings of {year} are not in the data; a holiday would look like a late listing",
                "take them from arXiv's availability page into a CSV file and name it in DIGEST_SKIPPED_EVENINGS_FILE",
            )
            return


def _data_directory(this: Installation) -> Iterator[Finding]:
    storage = this.storage
    storage.write_text("state/doctor.txt", "The doctor tries whether it can write here.\n")
    storage.delete("state/doctor.txt")
    yield ok(Subject.DATA_DIRECTORY, f"{storage.root} can be written" + ("" if storage.is_local else " (object store)"))
    if storage.is_local:
        yield _space(Subject.DATA_DIRECTORY, storage.local_path("."))


def _answer_store(this: Installation) -> Iterator[Finding]:
    root = this.settings.answers_root
    with contextlib.closing(open_cache(root, this.now)) as store:
        spent = store.spending(month_of(this.now()))
        if store.leases_are_exclusive():
            yield ok(Subject.ANSWER_STORE, f"{root} opens; ${spent.usd:.2f} paid this month for {spent.answers} answers")
        else:
            yield warning(
                Subject.ANSWER_STORE,
                f"{root} lets a second creation of an object replace the first",
                "in a rare moment two runs of one day at once may pay for a paper twice; see “Data in an object store” in docs/deploying.md",
            )


def _space(subject: Subject, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    level = Level.ERROR if free < _FREE_ERROR else Level.WARNING if free < _FREE_WARNING else Level.OK
    return Finding(
        subject,
        level,
        f"{free / _GIB:.1f} GiB free in {folder}",
        "" if level is Level.OK else "free space there; a run that cannot write fails, and loses nothing",
    )


def _pages(this: Installation) -> Iterator[Finding]:
    """Only where the site is public: a web server of another user must get through to it."""
    if not this.settings.site_url or not this.storage.is_local or not this.storage.exists("site/index.html"):
        return
    page = this.storage.local_path("site/index.html").absolute()
    closed = [folder for folder in reversed(page.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if closed or not page.stat().st_mode & stat.S_IROTH:
        where = closed[0] if closed else page
        yield warning(Subject.PAGES, f"a web server of another user cannot get through {where} to the pages", f"chmod o+x {where}")
    else:
        yield ok(Subject.PAGES, f"{page.parent} can be read by a web server of another user")


def _network(this: Installation) -> Iterator[Finding]:
    """What of the environment stands between us and the others; addresses without their passwords."""
    for name in _PROXIES:
        if proxy := this.environ.get(name) or this.environ.get(name.lower()):
            url = urlsplit(proxy if "://" in proxy else f"//{proxy}")
            yield ok(Subject.NETWORK, f"{name}: requests go through {url.hostname}, save to NO_PROXY={this.environ.get('NO_PROXY', '')}")
    for name in _CERTIFICATES:
        if (given := this.environ.get(name)) and not Path(given).exists():
            yield error(Subject.NETWORK, f"{name}={given} does not exist", "name the file of certificates, or unset it")


def _dagster_home(this: Installation) -> Iterator[Finding]:
    given = this.environ.get("DAGSTER_HOME", "")
    default = this.root / ".dagster_home"
    if not given:
        yield ok(Subject.DAGSTER_HOME, f"not set: make dev uses {default}; other Dagster commands keep nothing")
        folder = default
    elif not Path(given).is_absolute():
        yield error(Subject.DAGSTER_HOME, f"{given!r} is no absolute path", "Dagster refuses it; give the whole path")
        return
    elif Path(given) == default and not default.exists():  # as make gives it, before anything was run
        yield ok(Subject.DAGSTER_HOME, f"{default} does not exist yet; the first run makes it")
        return
    else:
        folder = Path(given)
        if not (folder / "dagster.yaml").is_file():
            what = "has no dagster.yaml: pools, retries and retention are Dagster's defaults" if folder.is_dir() else "does not exist"
            yield error(
                Subject.DAGSTER_HOME,
                f"{folder} {what}",
                "digest dev makes it; or copy digest_pipeline/orchestration/dagster.yaml or deploy/dagster.postgres.yaml there as dagster.yaml",
            )
            return
        yield ok(Subject.DAGSTER_HOME, str(folder))
    if folder.is_dir():
        yield _space(Subject.DAGSTER_HOME, folder)


def _versions(this: Installation) -> Iterator[Finding]:
    yield ok(
        Subject.VERSIONS, f"Python {platform.python_version()}, " + ", ".join(f"{n} {_version(n)}" for n in ("dagster", "openai", "arxiv", "pyarrow"))
    )
    for text in _requirements(this.root):
        requirement = Requirement(text)
        installed = _version(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            yield error(
                Subject.VERSIONS,
                f"{requirement.name} {installed or 'is not installed'}; needed: {text}",
                "make clean, then make run: it installs the locked set",
            )
    if _version("dagster") != _version("dagster-webserver"):
        yield error(Subject.VERSIONS, "dagster and dagster-webserver differ in version", "install both in the version of requirements.lock")


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


def _alerts(this: Installation) -> Iterator[Finding]:
    told = destinations(this.settings, Audience.OPERATOR)
    destinations(this.settings, Audience.READERS)
    if told:
        yield ok(Subject.ALERTS, "go to " + ", ".join(destination.shown for destination in told))
    elif not this.settings.is_sample:
        yield warning(Subject.ALERTS, "nobody is told when a run fails", "set DIGEST_ALERT_URLS (docs/operating.md)")


def _watch_lists(this: Installation) -> Iterator[Finding]:
    from digest_pipeline.render.watch_lists import load_watch_lists

    lists = load_watch_lists(this.settings.watch_file)
    yield ok(Subject.WATCH_LISTS, ", ".join(one.name for one in lists) or "none")


QUESTIONS: tuple[Question, ...] = (
    (Subject.MODE, _mode),
    (Subject.CALENDAR, _calendar),
    (Subject.DATA_DIRECTORY, _data_directory),
    (Subject.ANSWER_STORE, _answer_store),
    (Subject.PAGES, _pages),
    (Subject.DAGSTER_HOME, _dagster_home),
    (Subject.VERSIONS, _versions),
    (Subject.ALERTS, _alerts),
    (Subject.WATCH_LISTS, _watch_lists),
    (Subject.NETWORK, _network),
)

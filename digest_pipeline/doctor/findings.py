"""What the doctor says: a subject, how bad it is, what was found and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path

from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage


class Level(IntEnum):
    """The exit status is the highest level found."""

    OK = 0
    WARNING = 1
    ERROR = 2


class Subject(StrEnum):
    """What is asked about; programs that read `--json` go by these words."""

    SETTINGS = "settings"
    MODE = "mode"
    CONTACT = "contact"
    LANGUAGES = "languages"
    CALENDAR = "calendar"
    DATA_DIRECTORY = "data directory"
    ANSWER_STORE = "answer store"
    PAGES = "pages"
    DAGSTER_HOME = "DAGSTER_HOME"
    VERSIONS = "versions"
    ALERTS = "alerts"
    WATCH_LISTS = "watch lists"
    NETWORK = "network"
    ARXIV = "arXiv"
    CLOCK = "clock"
    MODEL = "model"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `hint` is empty where nothing need be done."""

    subject: Subject
    level: Level
    message: str
    hint: str = ""


def ok(subject: Subject, message: str) -> Finding:
    return Finding(subject, Level.OK, message)


def warning(subject: Subject, message: str, hint: str = "") -> Finding:
    return Finding(subject, Level.WARNING, message, hint)


def error(subject: Subject, message: str, hint: str) -> Finding:
    return Finding(subject, Level.ERROR, message, hint)


@dataclass(frozen=True, slots=True)
class Installation:
    """What is examined."""

    settings: Settings
    storage: Storage
    environ: Mapping[str, str]
    root: Path
    """The project's folder."""
    now: Callable[[], datetime]


Question = tuple[Subject, Callable[[Installation], Iterator[Finding]]]
"""A question's subject stands in the finding where asking itself fails."""

"""Every setting, typed, with its default and meaning: the one place; `docs/settings.md` is made from here.

Sources in order: environment > `.env` > `digest.toml` > default. Nothing is read at import: `load_settings`
does it, and refuses an unknown name or a bad value by naming the setting, the value and what is allowed.
What does not live here: what a category or a language is (`taxonomy.py`, `translation/languages/`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from digest_pipeline import taxonomy
from digest_pipeline.calendar import FIRST_LISTING_WITH_PRESENT_IDS
from digest_pipeline.errors import SettingsError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.translation.languages import known_language_tags


def project_root() -> Path:
    """The checkout's root (where workspace.yaml lies), or the current folder for an installed wheel."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "workspace.yaml").is_file() else Path.cwd()


class BatchMode(StrEnum):
    NEVER = "never"
    BACKFILL = "backfill"
    ALWAYS = "always"


def _placed(value: Path, root: Path) -> Path:
    """`~` is the user's home, and a relative path begins at the project's root, wherever one stands."""
    try:
        return root / value.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{error}") from None


def _comma_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or not all(values):
        raise ValueError("needs at least one entry and no empty one, e.g. cs.CL,cs.IR")
    return tuple(dict.fromkeys(values))


def _known_categories(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        taxonomy.require_known(value)
    return values


def _known_languages(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in known_language_tags():
            raise ValueError(f"{value!r} is no language of ours; allowed: {', '.join(sorted(known_language_tags()))}")
    return values


def _http_url(value: str) -> str:
    value = value.strip()
    if not re.match(r"https?://[^\s/]+", value):
        raise ValueError("must be an http:// or https:// address")
    return value.rstrip("/")


def _all_or_ranked(value: str) -> str:
    if not re.fullmatch(r"all|ranked:[1-9]\d{0,5}", value.strip()):
        raise ValueError("allowed: all, or ranked:N with a number of papers from 1, e.g. ranked:20")
    return value.strip()


def _secret_for_a_header(value: SecretStr) -> SecretStr:
    """Without the blanks and line ends that come along when a key is pasted."""
    key = value.get_secret_value().strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ValueError("a key has neither blanks nor characters beyond ASCII; copy it again, whole and without what stands around it")
    return SecretStr(key)


def _mail_addresses(value: Any) -> Any:
    """One text, or a list of texts; each as a mail program writes it."""
    texts = [value] if isinstance(value, str) else value
    return tuple(str(address) for text in texts for address in parse_addresses(text))


def _one_mail_address(value: str) -> str:
    addresses = parse_addresses(value)
    if len(addresses) > 1:
        raise ValueError("a sender is one address")
    return "".join(map(str, addresses))


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list), AfterValidator(_not_empty)]
Categories = Annotated[CommaList, AfterValidator(_known_categories)]
Languages = Annotated[CommaList, AfterValidator(_known_languages)]
SecretList = Annotated[tuple[SecretStr, ...], BeforeValidator(_comma_list)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
EndpointUrl = Annotated[HttpUrl, AfterValidator(lambda value: re.sub(r"/chat/completions(?=\?|\Z)", "", value))]  # vendors' pages show the whole one
OptionalHttpUrl = Annotated[str, AfterValidator(lambda value: _http_url(value) if value.strip() else "")]
HeaderSecret = Annotated[SecretStr, AfterValidator(_secret_for_a_header)]
MailAddresses = Annotated[tuple[str, ...], BeforeValidator(_mail_addresses)]


class Settings(BaseModel):
    """All settings. An environment name is `DIGEST_` + the field's name in capitals, unless said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    # what to read and how to say it
    categories: Categories = Field(("cs.CL", "cs.IR"), description="Comma list of arXiv categories (`cs.CL`) and whole archives (`econ`).")
    languages: Languages = Field(("zh",), description="Comma list of language tags to translate into; `en` gives an English TL;DR only.")
    first_listing: date = Field(date(2024, 1, 2), description="First listing date that has a partition; as far back as 2007-04-02.")
    watch_file: Path = Field(Path("watch.toml"), description="Named lists of keywords, authors and categories; no such file means no lists.")
    profiles_file: Path = Field(
        Path("profiles.toml"), description="Who reads, with their libraries: each day ranked for them. Private; no such file means no profiles."
    )

    # where things lie
    data_dir: str = Field("", description="Folder or URL (`s3://…`, `gs://…`, `az://…`) of all data. Default: `data/` beside `workspace.yaml`.")
    answers_dir: str = Field(
        "", description="Folder or URL of the store of paid answers, to be shared by a lab. Default: `answers/` in the data directory."
    )
    demo: bool | None = Field(
        None,
        description="true: the bundled sample day under `data/sample/`. Default: true exactly when neither OPENAI_API_KEY nor OPENAI_BASE_URL is set.",
    )

    # arXiv
    arxiv_api_url: HttpUrl = Field("https://export.arxiv.org/api/query", description="arXiv's query API.")
    arxiv_rss_url: HttpUrl = Field("https://rss.arxiv.org/rss", description="arXiv's announcement feeds; `/cs.CL+cs.IR` is appended.")
    arxiv_html_url: HttpUrl = Field("https://arxiv.org/html", description="arXiv's HTML of papers; `/<id>v<n>` is appended.")
    arxiv_interval_seconds: float = Field(
        3.0, ge=0, description="Least time between two requests to arXiv, over all processes. arXiv's terms ask for 3."
    )
    arxiv_timeout_seconds: float = Field(60.0, gt=0, description="Time limit of one request to arXiv, from start to last byte.")
    arxiv_attempts: int = Field(6, ge=1, description="How often one request to arXiv is tried before the run fails.")
    arxiv_lock_dir: Path | None = Field(
        None,
        description="Folder in which all that ask arXiv on this machine take turns, whatever their user and data. Default: the machine's own, `/run/lock` or `/tmp`; containers share one by mounting it.",
    )
    contact: str = Field("", description="Your e-mail or page; goes into the User-Agent, as arXiv asks.")
    skipped_evenings_file: Path | None = Field(
        None, description="CSV of further evenings without announcement (`freeze_skip_date,description`), added to the built-in list."
    )
    publication_wait_seconds: float = Field(
        600.0, ge=0, description="How long one run waits for a listing that is not published yet; the schedule then asks again by itself."
    )
    publication_poll_seconds: float = Field(60.0, gt=0, description="How often a waiting run looks again.")

    # the model
    model: str = Field("gpt-5-mini", min_length=1, description="Model name, as the endpoint knows it.")
    fallback_model: str | None = Field(None, description="Asked once when every answer of the model was rejected.")
    max_concurrency: int = Field(16, ge=1, le=1024, description="Most requests to the model at once, per run.")
    paper_timeout_seconds: float = Field(300.0, gt=0, description="Time limit of one paper, over all attempts; a paper that hits it is quarantined.")
    structured_summary: bool = Field(False, description="Also ask for motivation, method, result, conclusion (about a third more output tokens).")
    batch: BatchMode = Field(BatchMode.NEVER, description="`backfill` or `always`: send through the endpoint's Batch API at half price, slower.")
    translate: Annotated[str, AfterValidator(_all_or_ranked)] = Field(
        "all",
        description="`all`, or `ranked:20`: only the 20 best papers of each profile's ranking. The rest is listed in the original, and can be translated later.",
    )
    embedding_model: str = Field(
        "",
        description="An embedding model of the endpoint: rankings of profiles go by its vectors too. It is sent the titles and abstracts of listed papers and of libraries. Empty: by words, nothing is sent.",
    )
    read_top: int = Field(0, ge=0, description="So many of each profile's best papers of a day are read whole, with notes and quotes; 0: none.")
    read_budget_per_run_usd: float | None = Field(None, gt=0, description="Hard limit of what one run spends on reading papers whole.")
    read_on_site: bool = Field(False, description="true: the notes of papers that were read whole also stand on the public pages.")
    budget_per_run_usd: float | None = Field(
        None, gt=0, description="Hard limit of one run's spending; what is not asked is marked and can be run again."
    )
    budget_per_month_usd: float | None = Field(None, gt=0, description="Hard limit of a calendar month's (UTC) spending over all runs.")
    prices_file: Path | None = Field(None, description="TOML of model prices that overrides the built-in table.")
    openai_api_key: HeaderSecret | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="The endpoint's key, as the `openai` package reads it."
    )
    openai_base_url: EndpointUrl | None = Field(
        None, validation_alias="OPENAI_BASE_URL", description="The endpoint's address, as the `openai` package reads it."
    )

    # schedule, alerts, mail
    schedule_time: time = Field(time(0, 20), description="Time of day, US Eastern, of the daily run; the feed flips at 00:00.")
    schedule_catchup_listings: int = Field(5, ge=0, le=60, description="How many missed listings the schedule makes up for by itself.")
    schedule_enabled: bool = Field(True, description="false: the schedule and sensors start switched off.")
    alert_urls: SecretList = Field((), description="Comma list of Apprise addresses (Slack, Feishu, Telegram, mailto …) for alerts.")
    announce_urls: SecretList = Field((), description="Comma list of Apprise addresses told when a day's digest is ready.")
    smtp_url: SecretStr | None = Field(None, description="`smtp://user:password@host:port` or `smtps://…` for the e-mail digest.")
    mail_from: Annotated[str, AfterValidator(_one_mail_address)] = Field("", description="Sender of the e-mail digest.")
    mail_to: MailAddresses = Field(
        (),
        description='Recipients of the whole digest, as mail programs write them: `"Last, First" <first@example.org>; reader@example.org`. Those of a watch list stand in watch.toml.',
    )
    dagster_url: HttpUrl = Field("http://127.0.0.1:3000", description="Where people open the Dagster UI; used for links in alerts.")

    # pages and feeds
    site_url: OptionalHttpUrl = Field("", description="Public address of data/site/, for the links in feeds and mail. Empty: they lead to arXiv.")
    site_paper_pages: bool = Field(
        False, description="A page of its own for every paper, for search engines and previews of links. Off: its row on the day's page is its place."
    )
    site_days: int = Field(
        0,
        ge=0,
        description="How many of the newest listing days have pages; 0: all. Tables and Markdown keep every day (a host of pages has a limit).",
    )
    feed_days: int = Field(7, ge=1, le=60, description="How many listing days a feed holds.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Level of the project's own log lines.")

    @field_validator("*", mode="after")
    @classmethod
    def _from_the_project(cls, value: Any, info: ValidationInfo) -> Any:
        """Every path, and the folders that may be addresses of an object store instead."""
        root = (info.context or {}).get("root") or project_root()
        if isinstance(value, Path):
            return _placed(value, root)
        if info.field_name in ("data_dir", "answers_dir") and value and "://" not in value:
            return str(_placed(Path(value), root))
        return str(root / "data") if info.field_name == "data_dir" and not value else value

    @property
    def is_sample(self) -> bool:
        if self.demo is not None:
            return self.demo
        return self.openai_api_key is None and not self.openai_base_url

    @property
    def translated_best(self) -> int | None:
        """How many of each profile's best papers are translated; None: all papers are."""
        return None if self.translate == "all" else int(self.translate.partition(":")[2])

    @property
    def data_root(self) -> str:
        """The data directory of this mode: everything of the sample lies apart, under `sample/`."""
        return f"{self.data_dir.rstrip('/')}/sample" if self.is_sample else self.data_dir

    @property
    def answers_root(self) -> str:
        return self.answers_dir or f"{self.data_root.rstrip('/')}/answers"


def setting_name(field: str) -> str:
    """The environment name of a field: `categories` → `DIGEST_CATEGORIES`."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else f"DIGEST_{field.upper()}"


def secret_settings() -> frozenset[str]:
    """The environment names of the settings whose values nobody may see."""
    return frozenset(setting_name(name) for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation))


def load_settings(environ: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
    """Reads environment, `.env` and `digest.toml` (both in `root`); raises SettingsError, naming the setting."""
    environ = os.environ if environ is None else environ
    root = project_root() if root is None else root
    by_name = {setting_name(field): field for field in Settings.model_fields}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, given in (
        ("digest.toml", _toml_settings(root / "digest.toml")),
        (".env", _dotenv_settings(root / ".env")),
        ("the environment", dict(environ)),
    ):
        for name, value in given.items():
            if name not in by_name:
                if name.startswith("DIGEST_"):
                    raise SettingsError(f"{name} (in {source}) is no setting", hint=f"did you mean one of {_close_names(name, by_name)}?")
                continue
            if value != "":
                values[by_name[name]], sources[by_name[name]] = value, source
    try:
        return _checked(Settings.model_validate(_by_alias(values), context={"root": root.absolute()}))
    except ValidationError as error:
        raise SettingsError(*_explain(error, sources)) from None


def _by_alias(values: dict[str, Any]) -> dict[str, Any]:
    return {str(Settings.model_fields[field].validation_alias or field): value for field, value in values.items()}


def _toml_settings(path: Path) -> dict[str, Any]:
    try:
        return {f"DIGEST_{key.upper()}": value for key, value in tomllib.loads(_text(path)).items()}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is not valid TOML: {error}", hint="mend the line it names") from None


def _dotenv_settings(path: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(stream=StringIO(_text(path))).items() if value is not None}


def _text(path: Path) -> str:
    """The file's text without the mark that some editors put before UTF-8; empty where there is no file."""
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}", hint="save it as UTF-8, readable for whoever runs this") from None


def _checked(settings: Settings) -> Settings:
    if settings.first_listing < FIRST_LISTING_WITH_PRESENT_IDS:
        raise SettingsError(
            f"DIGEST_FIRST_LISTING={settings.first_listing} lies before arXiv's present ids",
            hint=f"use {FIRST_LISTING_WITH_PRESENT_IDS} or later",
        )
    if settings.translated_best and not settings.profiles_file.is_file():
        raise SettingsError(
            f"DIGEST_TRANSLATE={settings.translate} needs a profile to rank for, and there is no {settings.profiles_file}",
            hint="copy profiles.example.toml to profiles.toml and name your library there (docs/ranking.md), or set DIGEST_TRANSLATE=all",
        )
    return settings


def _explain(error: ValidationError, sources: dict[str, str]) -> tuple[str]:
    problem = error.errors(include_url=False)[0]
    field = str(problem["loc"][0])
    field = {str(f.validation_alias): name for name, f in Settings.model_fields.items() if f.validation_alias}.get(field, field)
    is_secret = "Secret" in str(Settings.model_fields[field].annotation)
    shown = "(hidden)" if is_secret else repr(problem["input"])
    allowed = problem["msg"].removeprefix("Value error, ")
    return (f"{setting_name(field)}={shown} (from {sources.get(field, 'its default')}) is refused: {allowed}",)


def _close_names(name: str, known: Mapping[str, str]) -> str:
    import difflib

    return ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)[:8])

"""Who reads: the profiles of `profiles.toml` (`profiles.example.toml` explains each line).

What lives here: the file and its refusal, and a profile's library read together. What does not: votes (`votes.py`), formats of
libraries (`library/`), the order of a day (`rank.py`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, ValidationError

from digest_pipeline import taxonomy
from digest_pipeline.errors import SettingsError, SourceError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.ranking.library import Library, Problem, read_library, zotero_api
from digest_pipeline.ranking.library.entry import LibraryEntry, parse_arxiv_id
from digest_pipeline.storage import Storage

DEFAULT_TOP = 20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} needs 1 to 64 of a-z, 0-9 and -, because it becomes a folder")
    return name


def _checked_category(category: str) -> str:
    taxonomy.require_known(category)
    return category


def _checked_address(address: str) -> str:
    parse_addresses(address)
    return address


class ZoteroLogin(BaseModel):
    """`zotero = { user = "1234567", key = "…" }`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    user: StrictStr
    key: StrictStr = Field(repr=False)


class Profile(BaseModel):
    """One `[[profile]]`, checked; texts as the user wrote them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[StrictStr, AfterValidator(_checked_name)]
    library: tuple[StrictStr, ...] = ()
    """Files and folders, from the folder of profiles.toml."""
    zotero: ZoteroLogin | None = None
    likes: tuple[StrictStr, ...] = Field((), repr=False)
    dislikes: tuple[StrictStr, ...] = Field((), repr=False)
    watch_lists: tuple[StrictStr, ...] = ()
    categories: tuple[Annotated[StrictStr, AfterValidator(_checked_category)], ...] = ()
    languages: tuple[StrictStr, ...] = ()
    top: int = Field(DEFAULT_TOP, ge=1, le=1000, strict=True)
    mail_to: tuple[Annotated[StrictStr, AfterValidator(_checked_address)], ...] = Field((), repr=False)


def load_profiles(path: Path) -> tuple[Profile, ...]:
    """The profiles of `profiles.toml` in its order; no file, none. Raises SettingsError naming profile and reason."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}", hint="see profiles.example.toml") from None
    tables = data.get("profile", [])
    if set(data) - {"profile"} or not isinstance(tables, list):
        raise SettingsError(f"{path.name}: a profile begins with [[profile]], and nothing else stands at the top", hint="see profiles.example.toml")
    profiles = tuple(_profile(path.name, number, table) for number, table in enumerate(tables, 1))
    names = [profile.name for profile in profiles]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError(f"{path.name}: the name {min(twice)!r} is used twice", hint="each profile has its own folder")
    return profiles


def _profile(file: str, number: int, table: Any) -> Profile:
    try:
        return Profile.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = table.get("name", number) if isinstance(table, dict) else number
        where = ".".join(str(part) for part in first["loc"][:1])
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        raise SettingsError(f"{file}: profile {name}: {where}: {reason}", hint="see profiles.example.toml") from None


def find_profile(profiles: Sequence[Profile], name: str | None) -> Profile:
    """The named profile; without a name the only one. Raises SettingsError with the names there are."""
    if name is None and len(profiles) == 1:
        return profiles[0]
    found = [profile for profile in profiles if profile.name == name]
    if not found:
        known = ", ".join(profile.name for profile in profiles) or "none"
        asked = f"there is no profile {name!r}" if name else "no profile is named"
        raise SettingsError(f"{asked}; profiles.toml has: {known}", hint="name one with --profile, or add it; see profiles.example.toml")
    return found[0]


def read_profile_library(profile: Profile, folder: Path, storage: Storage) -> Library:
    """All files of the profile and its Zotero library as one, each paper once. Raises SettingsError or SourceError for Zotero only."""
    parts = [read_library(folder / Path(name).expanduser()) for name in profile.library]
    if profile.zotero:
        parts.append(_zotero_library(profile.zotero, storage, f"private/{profile.name}/zotero.jsonl"))
    return Library.joined(parts)


def _zotero_library(login: ZoteroLogin, storage: Storage, file: str) -> Library:
    """As it is now; where Zotero does not answer, as it last was, which is said."""
    try:
        library = zotero_api.read(login.user, login.key)
    except SourceError as error:
        if not storage.exists(file):
            raise
        rows = [json.loads(line) for line in storage.read_text(file).splitlines()]
        entries = tuple(LibraryEntry(**row | {"authors": tuple(row["authors"])}) for row in rows)
        return Library(entries, (Problem("Zotero", "", f"the library as it last was is used: {error.message}"),))
    storage.write_text(file, "".join(f"{json.dumps(asdict(entry), ensure_ascii=False)}\n" for entry in library.entries))
    return library


def liked_and_disliked(profile: Profile) -> tuple[list[str], list[str], list[str]]:
    """The ids of `likes` and `dislikes`, and what among them is no id."""
    problems: list[str] = []

    def ids(name: str, texts: Iterable[str]) -> list[str]:
        found = []
        for text in texts:
            try:
                found.append(parse_arxiv_id(text))
            except ValueError:
                problems.append(f"{name}: {text!r} is no arXiv id or link")
        return found

    return ids("likes", profile.likes), ids("dislikes", profile.dislikes), problems


def entries_of_ids(ids: Iterable[str]) -> list[LibraryEntry]:
    """Entries without texts."""
    return [LibraryEntry(arxiv_id, "", "", (), arxiv_id) for arxiv_id in ids]

"""Watch lists: anybody's personal view of the one paid corpus. `watch.toml` (`watch.example.toml` explains each line).

What lives here: the lists, reading their file, and refusing it with the line and the reason. What does not: which
papers a list shows (`matching.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import regex
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, ValidationError, model_validator

from digest_pipeline import taxonomy
from digest_pipeline.errors import SettingsError
from digest_pipeline.mail_address import parse_addresses
from digest_pipeline.text import one_line

PATTERN_SECONDS = 0.5
"""A regular expression may take this long on one text; `(a+)+$` would take years."""
_LONGEST_KEYWORD = 500
_NAME = regex.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PROBES = ("a" * 3000 + "!", "ab " * 1000 + "!", "1" * 3000 + "!")


@dataclass(frozen=True, slots=True)
class WatchList:
    """One list of `watch.toml`, checked; texts as the user wrote them, negative keywords apart and without their `-`."""

    name: str
    """Part of the addresses of its page and feed."""
    title: str
    keywords: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    mail_to: tuple[str, ...] = field(default=(), repr=False)


# -- regular expressions among the keywords ---------------------------------------------------------


def as_expression(term: str) -> tuple[str, bool] | None:
    """(expression, whether case is ignored) of a keyword written /…/ or /…/i."""
    if len(term) > 2 and term.startswith("/") and term.endswith(("/", "/i")):
        return term[1:].rpartition("/")[0], term.endswith("i")
    return None


@cache
def compiled_expression(term: str) -> regex.Pattern[str]:
    """Of a keyword written as an expression. Raises regex.error, or ValueError where it matches the empty text and so everything."""
    expression = as_expression(term)
    if expression is None:
        raise ValueError(f"{term!r} is no regular expression")
    source, ignore_case = expression
    pattern = regex.compile(source, flags=regex.VERSION1 | (regex.IGNORECASE if ignore_case else 0))
    if pattern.search("", timeout=PATTERN_SECONDS):
        raise ValueError("it matches the empty text, so it would show every paper")
    return pattern


# -- what a line must be ----------------------------------------------------------------------------


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}: it needs 1 to 64 of a-z, 0-9 and -, because it becomes an address")
    return name


def _checked_keyword(keyword: str) -> str:
    term = keyword.removeprefix("-").strip()
    if not term or len(term) > _LONGEST_KEYWORD:
        raise ValueError(f"the keyword {keyword[:60]!r} must have 1 to {_LONGEST_KEYWORD} characters")
    if as_expression(term) is not None:
        _check_expression(term)
    elif not any(character.isalnum() for character in term):
        raise ValueError(f"the keyword {keyword!r} has no letter or digit")
    return keyword


def _check_expression(term: str) -> None:
    try:
        for probe in _PROBES:
            compiled_expression(term).search(probe, timeout=PATTERN_SECONDS)
    except TimeoutError:
        raise ValueError(f"the regular expression {term} can run for ever; write it without nested repetitions such as (a+)+") from None
    except (regex.error, ValueError) as error:
        raise ValueError(f"the regular expression {term} is refused: {error}") from None


def _checked_author(author: str) -> str:
    if not regex.search(r"\p{L}", author):
        raise ValueError(f"{author!r} is no author's name")
    return author


def _checked_category(category: str) -> str:
    taxonomy.require_known(category)
    return category


def _checked_address(address: str) -> str:
    parse_addresses(address)
    return address


def _checked_text(text: str) -> str:
    if not text.strip():
        raise ValueError(f"{text!r} is no text")
    return text.strip()


_Text = Annotated[StrictStr, AfterValidator(_checked_text)]


class _Table(BaseModel):
    """One `[[list]]` as the file has it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[StrictStr, AfterValidator(_checked_name)]
    title: StrictStr = ""
    keywords: list[Annotated[_Text, AfterValidator(_checked_keyword)]] = Field(default_factory=list)
    authors: list[Annotated[_Text, AfterValidator(_checked_author)]] = Field(default_factory=list)
    categories: list[Annotated[_Text, AfterValidator(_checked_category)]] = Field(default_factory=list)
    mail_to: list[Annotated[_Text, AfterValidator(_checked_address)]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if not (self.authors or self.categories or any(not keyword.startswith("-") for keyword in self.keywords)):
            raise ValueError(f"the list {self.name!r} has no keyword, author or category that could show a paper")
        return self

    def as_list(self) -> WatchList:
        keywords = dict.fromkeys(self.keywords)
        return WatchList(
            name=self.name,
            title=one_line(self.title) or self.name,
            keywords=tuple(keyword for keyword in keywords if not keyword.startswith("-")),
            excluded=tuple(keyword[1:].strip() for keyword in keywords if keyword.startswith("-")),
            authors=tuple(dict.fromkeys(self.authors)),
            categories=tuple(dict.fromkeys(self.categories)),
            mail_to=tuple(dict.fromkeys(str(address) for text in self.mail_to for address in parse_addresses(text))),
        )


# -- the file ---------------------------------------------------------------------------------------


def load_watch_lists(path: Path) -> tuple[WatchList, ...]:
    """The lists of `watch.toml` in its order; no file, no lists. Raises SettingsError naming line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", hint="see watch.example.toml") from None
    return parse_watch_lists(text, path.name)


def parse_watch_lists(text: str, source: str = "watch.toml") -> tuple[WatchList, ...]:
    """As `load_watch_lists`, from the file's text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not valid TOML: {error}", hint="mend that line; see watch.example.toml") from None
    lines = _Lines(text, source)
    for key in data:
        if key != "list":
            raise lines.error(key, None, f"{key!r} is unknown at the top of the file; lists begin with [[list]]")
    tables = data.get("list", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise lines.error("list", None, "a list begins with [[list]], in double brackets")
    return tuple(_lists(tables, lines))


def _lists(tables: list[dict[str, Any]], lines: _Lines) -> Iterator[WatchList]:
    seen: set[str] = set()
    for number, table in enumerate(tables):
        try:
            one = _Table.model_validate({"name": "", **table}).as_list()
        except ValidationError as error:
            raise lines.refusal(error, number) from None
        if one.name in seen:
            raise lines.error("name", number, f"the name {one.name!r} is used twice; each list has its own page and feed")
        seen.add(one.name)
        yield one


class _Lines:
    """Finds the line of a value again, which the TOML parser does not tell."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._starts = [n for n, line in enumerate(self._lines) if regex.match(r"\s*\[\[\s*[\"']?list[\"']?\s*\]\]", line)]

    def refusal(self, error: ValidationError, list_number: int) -> SettingsError:
        """The first thing that pydantic found wrong in one list, in words and with its line."""
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "name"
        kind, value = first["type"], first["input"]
        if kind == "extra_forbidden":
            return self.error(key, list_number, f"{key!r} is unknown; a list has {', '.join(_Table.model_fields)}")
        if kind == "list_type":
            return self.error(key, list_number, f"{key} must be a list of texts in square brackets")
        if kind == "string_type":
            why = f"{value!r} in {key} is no text" if len(first["loc"]) > 1 else f"{key} must be a text in quotes"
            return self.error(str(value) if len(first["loc"]) > 1 else key, list_number, why)
        needle = str(value) if len(first["loc"]) > 1 and str(value).strip() else key
        return self.error(needle, list_number, str(first.get("ctx", {}).get("error", first["msg"])))

    def error(self, needle: str, list_number: int | None, why: str) -> SettingsError:
        """A SettingsError at the first line that holds `needle`, within one list or the whole file."""
        return SettingsError(f"{self._source} line {self._find(needle, list_number)}: {why}", hint="see watch.example.toml")

    def _find(self, needle: str, list_number: int | None) -> int:
        starts = self._starts
        in_list = list_number is not None and list_number < len(starts)
        first = starts[list_number] if in_list and list_number is not None else 0
        last = starts[list_number + 1] if in_list and list_number is not None and list_number + 1 < len(starts) else len(self._lines)
        spellings = (needle, needle.replace("\\", "\\\\").replace('"', '\\"'))
        return next((n + 1 for n in range(first, last) if any(spelling in self._lines[n] for spelling in spellings)), first + 1)

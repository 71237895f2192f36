"""Watch lists: anybody's personal view of the one paid corpus, matched without asking a model.

`watch.toml` holds named lists of keywords, authors and categories (`watch.example.toml` explains each line). A
paper is shown for a list where any keyword or any author matches, no negative keyword does, and, if the list
names categories, the paper is in one of them; a list of categories alone shows all of theirs.

What lives here: reading and refusing that file, matching, and the order of a list's papers. What does not:
pages (`views.py`), feeds (`feeds.py`), mail (`notify/`).

How keywords match: whole words; any space or hyphen between them; case, accents and a plural ending do not matter,
save that a keyword in capitals (`RAG`, `LLM`) is an acronym and keeps its case. Text in Chinese, Japanese or
Korean matches anywhere, spaces aside. `/…/` and `/…/i` are regular expressions on the text as it stands.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import regex

from digest_pipeline import taxonomy
from digest_pipeline.errors import SettingsError
from digest_pipeline.models import DigestEntry, Paper, Summary
from digest_pipeline.text import one_line, without_accents
from digest_pipeline.translation.languages import Language

_PATTERN_SECONDS = 0.5
"""A regular expression may take this long on one text; `(a+)+$` would take years."""
_LONGEST_KEYWORD = 500
_NAME = regex.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ADDRESS = regex.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
_SPACE_IN_EAST_ASIAN = regex.compile(r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])\s+|\s+(?=[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])")
_TEX_ACCENT = regex.compile(r"""\{?\\(?:["'`^~=.]|[uvHcdbrk](?=[{\s]))\s*\{?\\?([A-Za-z])\}?\}?""")
_BETWEEN_WORDS = r"[\s\-\u2010-\u2015]+"
_KEYS = {"name": str, "title": str, "keywords": list, "authors": list, "categories": list, "mail_to": list}


class Place(StrEnum):
    """Where a list's term was found; `[labels.watch]` has the words as `in_<place>`."""

    TITLE = "title"
    ABSTRACT = "abstract"
    TRANSLATED_TITLE = "translated_title"
    TRANSLATED_ABSTRACT = "translated_abstract"
    TLDR = "tldr"
    AUTHOR = "author"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Reason:
    """One "why shown": the term as the list has it, and the words of the paper it met."""

    place: Place
    term: str
    found: str

    def in_words(self, language: Language) -> str:
        """For readers, e.g. `标题：retrieval-augmented`."""
        return language.label("watch", "reason").format(place=language.label("watch", f"in_{self.place}"), found=self.found)


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


@dataclass(frozen=True, slots=True)
class WatchMatch:
    """One list that shows the paper, with at least one reason."""

    list_name: str
    title: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class WatchedEntry:
    entry: DigestEntry
    reasons: tuple[Reason, ...]


# -- matching ---------------------------------------------------------------------------------------


def why_shown(paper: Paper, summaries: Summary | Iterable[Summary] | None, watched: WatchList) -> tuple[Reason, ...]:
    """Each term that matches, once, with the first place it was found; empty where the list does not show the paper.

    `summaries` may be one language's, several languages' or none. Raises SettingsError, naming list and
    keyword, where a regular expression takes too long.
    """
    matching_category = _matching_category(paper, watched)
    if watched.categories and matching_category is None:
        return ()
    texts = _texts(paper, (summaries,) if isinstance(summaries, Summary) else summaries or ())
    if any(_first_place(term, texts, watched) for term in watched.excluded):
        return ()
    reasons = [reason for term in watched.keywords if (reason := _first_place(term, texts, watched))]
    reasons += [Reason(Place.AUTHOR, author, one_line(found)) for author in watched.authors if (found := _author_like(author, paper.authors))]
    if matching_category and not watched.keywords and not watched.authors:
        reasons.append(Reason(Place.CATEGORY, matching_category, matching_category))
    return tuple(reasons)


def match_paper(lists: Sequence[WatchList], paper: Paper, summaries: Iterable[Summary] = ()) -> tuple[WatchMatch, ...]:
    """All lists that show the paper, in the file's order."""
    summaries = tuple(summaries)
    found = ((one, why_shown(paper, summaries, one)) for one in lists)
    return tuple(WatchMatch(one.name, one.title, reasons) for one, reasons in found if reasons)


def watched_entries(entries: Iterable[DigestEntry], watched: WatchList) -> tuple[WatchedEntry, ...]:
    """The list's papers among `entries`: those with more reasons first, else in the order given."""
    found = [WatchedEntry(entry, reasons) for entry in entries if (reasons := why_shown(entry.paper, entry.summary, watched))]
    return tuple(sorted(found, key=lambda one: -len(one.reasons)))


def _matching_category(paper: Paper, watched: WatchList) -> str | None:
    return next((one for one in watched.categories if any(taxonomy.falls_under(own, one) for own in paper.categories)), None)


def _texts(paper: Paper, summaries: Iterable[Summary]) -> list[tuple[Place, str]]:
    texts = [(Place.TITLE, paper.title), (Place.ABSTRACT, paper.abstract)]
    for summary in summaries:
        texts += [
            (Place.TRANSLATED_TITLE, summary.translated_title),
            (Place.TLDR, summary.tldr),
            (Place.TRANSLATED_ABSTRACT, summary.translated_abstract),
            (Place.TLDR, summary.tldr_en),
        ]
    return [(place, text) for place, text in texts if text]


def _first_place(term: str, texts: Sequence[tuple[Place, str]], watched: WatchList) -> Reason | None:
    for place, text in texts:
        try:
            found = _search(term, text)
        except TimeoutError:
            raise SettingsError(
                f"watch.toml: the regular expression {term} of the list {watched.name!r} runs for more than {_PATTERN_SECONDS} s on one text",
                hint="write it without nested repetitions such as (a+)+",
            ) from None
        if found:
            return Reason(place, term, one_line(found))
    return None


def _search(term: str, text: str) -> str:
    """The matching words, or the empty string."""
    pattern = _pattern(term)
    match = pattern.search(text if _as_expression(term) else _folded(text), timeout=_PATTERN_SECONDS)
    return match[0] if match else ""


def _as_expression(term: str) -> tuple[str, bool] | None:
    """(expression, whether case is ignored) of a keyword written /…/ or /…/i."""
    if len(term) > 2 and term.startswith("/") and term.endswith(("/", "/i")):
        return term[1:].rpartition("/")[0], term.endswith("i")
    return None


@cache
def _pattern(term: str) -> regex.Pattern[str]:
    """Raises regex.error, or ValueError where the expression matches the empty text and so everything."""
    expression = _as_expression(term)
    if expression is None:
        return _plain_pattern(_folded(term))
    source, ignore_case = expression
    pattern = regex.compile(source, flags=regex.VERSION1 | (regex.IGNORECASE if ignore_case else 0))
    if pattern.search("", timeout=_PATTERN_SECONDS):
        raise ValueError("it matches the empty text, so it would show every paper")
    return pattern


def _plain_pattern(keyword: str) -> regex.Pattern[str]:
    if _EAST_ASIAN.search(keyword):
        return regex.compile(regex.escape(keyword), flags=regex.IGNORECASE)
    *head, last = regex.split(_BETWEEN_WORDS, keyword)
    words = [regex.escape(word, literal_spaces=True) for word in head] + [f"(?:{'|'.join(map(regex.escape, _numbers(last)))})"]
    ignore_case = 0 if _is_acronym(keyword) else regex.IGNORECASE
    return regex.compile(rf"(?<![\p{{L}}\p{{N}}]){_BETWEEN_WORDS.join(words)}(?![\p{{L}}\p{{N}}])", flags=ignore_case)


def _is_acronym(keyword: str) -> bool:
    return keyword.isupper() and sum(map(str.isalpha, keyword)) > 1


def _numbers(word: str) -> list[str]:
    """The word itself first, then its other number: model(s), study/studies, process(es); an acronym takes a small s."""
    forms = [word, f"{word}s"]
    if _is_acronym(word) or len(word) < 3:
        return forms
    lower = word.lower()
    if lower.endswith("ies"):
        forms.append(f"{word[:-3]}y")
    elif lower.endswith("y"):
        forms.append(f"{word[:-1]}ies")
    if lower.endswith("es"):
        forms.append(word[:-2])
    if lower.endswith("s") and not lower.endswith("ss"):
        forms.append(word[:-1])
    return sorted({*forms, f"{word}es"}, key=len, reverse=True)


@lru_cache(maxsize=64)  # the few texts of one paper, asked again for every keyword
def _folded(text: str) -> str:
    """Without accents (TeX's too) and width variants, spaces beside East Asian letters removed; case is kept."""
    plain = _TEX_ACCENT.sub(r"\1", text) if "\\" in text else text
    return _SPACE_IN_EAST_ASIAN.sub("", without_accents(unicodedata.normalize("NFKC", plain)))


# -- authors ----------------------------------------------------------------------------------------


def _author_like(wanted: str, authors: Sequence[str]) -> str | None:
    """The first author whom `wanted` names: family name equal, given names equal or an initial of each other."""
    family, given = _name_parts(wanted)
    return next((author for author in authors if _same_person(family, given, *_name_parts(author))), None)


@cache
def _name_parts(name: str) -> tuple[str, tuple[str, ...]]:
    """(family name, given names), folded, lower case; `Bengio, Yoshua` and `Yoshua Bengio` are the same."""
    folded = _folded(name).casefold()
    if "," in folded:
        family, _, rest = folded.partition(",")
        return " ".join(_name_words(family)), tuple(_name_words(rest))
    words = _name_words(folded)
    return (words[-1], tuple(words[:-1])) if words else ("", ())


def _name_words(text: str) -> list[str]:
    return [word for word in regex.split(r"[\s.\-\u2010-\u2015]+", text) if word]


def _same_person(family: str, given: Sequence[str], other_family: str, other_given: Sequence[str]) -> bool:
    other_family_words = other_family.split()
    if family != other_family and family.split()[-1:] != other_family_words[-1:]:
        return False
    if len(family.split()) > 1 and family != " ".join([*other_given, *other_family_words][-len(family.split()) :]):
        return False  # `van der Berg, Anna`: the particles must stand there too
    return all(_same_given(one, other) for one, other in zip(given, other_given, strict=False)) and (not given or bool(other_given))


def _same_given(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or (len(shorter) == 1 and longer.startswith(shorter))


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
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise lines.error("list", None, "a list begins with [[list]], in double brackets")
    lists = tuple(_checked_list(table, number, lines) for number, table in enumerate(tables))
    _require_distinct_names(lists, lines)
    return lists


class _Lines:
    """Finds the line of a value again, which the TOML parser does not tell."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._starts = [n for n, line in enumerate(self._lines) if regex.match(r"\s*\[\[\s*[\"']?list[\"']?\s*\]\]", line)]

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


def _checked_list(table: Mapping[str, Any], number: int, lines: _Lines) -> WatchList:
    for key, value in table.items():
        kind = _KEYS.get(key)
        if kind is None:
            raise lines.error(key, number, f"{key!r} is unknown; a list has {', '.join(_KEYS)}")
        if not isinstance(value, kind):
            raise lines.error(key, number, f"{key} must be {'a text in quotes' if kind is str else 'a list of texts in square brackets'}")
    name = table.get("name", "")
    if not _NAME.fullmatch(name):
        raise lines.error("name", number, f"name is {name!r}: it needs 1 to 64 of a-z, 0-9 and -, because it becomes an address")
    terms = {key: _texts_of(table, key, number, lines) for key, kind in _KEYS.items() if kind is list}
    for keyword in terms["keywords"]:
        _check_keyword(keyword, number, lines)
    _check_others(terms, number, lines)
    if not any(not keyword.startswith("-") for keyword in terms["keywords"]) and not terms["authors"] and not terms["categories"]:
        raise lines.error("name", number, f"the list {name!r} has no keyword, author or category that could show a paper")
    return WatchList(
        name=name,
        title=one_line(table.get("title", "")) or name,
        keywords=tuple(keyword for keyword in terms["keywords"] if not keyword.startswith("-")),
        excluded=tuple(keyword[1:].strip() for keyword in terms["keywords"] if keyword.startswith("-")),
        authors=terms["authors"],
        categories=terms["categories"],
        mail_to=terms["mail_to"],
    )


def _texts_of(table: Mapping[str, Any], key: str, number: int, lines: _Lines) -> tuple[str, ...]:
    for value in table.get(key, []):
        if not isinstance(value, str) or not value.strip():
            raise lines.error(str(value) or key, number, f"{value!r} in {key} is no text")
    return tuple(dict.fromkeys(value.strip() for value in table.get(key, [])))


def _check_keyword(keyword: str, number: int, lines: _Lines) -> None:
    term = keyword.removeprefix("-").strip()
    if not term or len(term) > _LONGEST_KEYWORD:
        raise lines.error(keyword, number, f"the keyword {keyword[:60]!r} must have 1 to {_LONGEST_KEYWORD} characters")
    if _as_expression(term) is None and not any(character.isalnum() for character in term):
        raise lines.error(keyword, number, f"the keyword {keyword!r} has no letter or digit")
    try:
        for probe in ("a" * 3000 + "!", "ab " * 1000 + "!", "1" * 3000 + "!"):
            _pattern(term).search(probe, timeout=_PATTERN_SECONDS)
    except TimeoutError:
        raise lines.error(
            keyword, number, f"the regular expression {term} can run for ever; write it without nested repetitions such as (a+)+"
        ) from None
    except (regex.error, ValueError) as error:
        raise lines.error(keyword, number, f"the regular expression {term} is refused: {error}") from None


def _check_others(terms: Mapping[str, Sequence[str]], number: int, lines: _Lines) -> None:
    for author in terms["authors"]:
        if not _name_parts(author)[0]:
            raise lines.error(author, number, f"{author!r} is no author's name")
    for category in terms["categories"]:
        try:
            taxonomy.require_known(category)
        except ValueError as error:
            raise lines.error(category, number, str(error)) from None
    for address in terms["mail_to"]:
        if not _ADDRESS.fullmatch(address):
            raise lines.error(address, number, f"{address!r} is no mail address")


def _require_distinct_names(lists: Sequence[WatchList], lines: _Lines) -> None:
    seen: set[str] = set()
    for number, one in enumerate(lists):
        if one.name in seen:
            raise lines.error("name", number, f"the name {one.name!r} is used twice; each list has its own page and feed")
        seen.add(one.name)

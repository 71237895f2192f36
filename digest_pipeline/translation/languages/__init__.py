"""Languages as data: everything the project knows of a language stands in one file, `<tag>.toml`, beside this module.

What lives here: reading and checking those files. What does not: the words themselves (in the files), the
masks and checks that use them (`translation/placeholders.py`, `translation/validation/reject.py`), the prompts (`translation/prompts/`).
A new language is one new file; `digest_pipeline_tests/translation/test_languages.py` says what it still lacks.

    tag, endonym, english_name, html_lang     names of the language
    [script]       ranges: code points of its letters; least_share: least share of them in a translated abstract;
                   core_ranges, least_core_share: letters that no neighbour language has (kana);
                   foreign_characters: letters of a neighbour in the same ranges (traditional forms, for simplified Chinese);
                   function_words: for Latin scripts, the words that tell it from English and from each other
    [length]       abstract, title: least and most plausible length of the translation ÷ length of the source, in characters;
                   tldr_most_characters: a longer TL;DR gets a warning
    [punctuation]  quotes, full_stop, colon, sentence_enders, space_after_url
    [numbers]      words: how 0 … 12 are written out, alternatives parted by a bar; scales: signs for 1,000 and more
    [boilerplate]  anywhere: words of arXiv's feed; before: labels put before a text; continuation: “continued” marks
    [labels.ROOM]  the words a room shows to readers, key → words; the same keys in every language
    [glossary]     English term → its translation; the same word again where the term stays in English
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from digest_pipeline.errors import SettingsError

_FILES = files(__name__)
_LATIN_WORD = re.compile(r"[A-Za-z\u00C0-\u024F]+")
_LETTER = re.compile(r"[^\W\d_]")
_OTHER_LETTER = re.compile(r"(?![A-Za-z\u00C0-\u024F])[^\W\d_]")


@cache
def _class(ranges: tuple[tuple[int, int], ...]) -> re.Pattern[str]:
    return re.compile("[" + "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges) + "]")


@dataclass(frozen=True, slots=True)
class Script:
    """How text in the language looks: its letters, and the small words that tell one Latin script from another."""

    ranges: tuple[tuple[int, int], ...]
    """Code points (first, last) of the letters that are the language's own."""
    least_share: float
    """Least share of a translated abstract that must be in them; below it, the text was left untranslated."""
    core_ranges: tuple[tuple[int, int], ...]
    least_core_share: float
    """Least share of the core letters among the own ones; 0 where no neighbour language shares the script."""
    foreign_characters: frozenset[str]
    function_words: frozenset[str]
    """Lower-case articles and prepositions; empty where the script alone tells the language from English."""

    def owns(self, character: str) -> bool:
        return _class(self.ranges).match(character) is not None

    def own_letters(self, text: str) -> str:
        return "".join(_class(self.ranges).findall(text))

    def share(self, text: str) -> float:
        """How much of `text` is in the language's letters, 0 … 1; 1.0 where there is no letter at all.

        Where the script is not Latin, a Latin word counts as one letter: a system's name weighs as much as a sign.
        """
        own = len(self.own_letters(text))
        rest = _class(self.ranges).sub(" ", text)
        foreign = len(_LETTER.findall(rest)) if self.owns("a") else len(_LATIN_WORD.findall(rest)) + len(_OTHER_LETTER.findall(rest))
        return own / (own + foreign) if own + foreign else 1.0

    def core_share(self, text: str) -> float:
        """The share of the core letters among the own ones; 1.0 where the language has no core or the text no own letter."""
        own = self.own_letters(text)
        return len(_class(self.core_ranges).findall(own)) / len(own) if own and self.core_ranges else 1.0

    def foreign_share(self, text: str) -> float:
        """The share of a neighbour language's letters among the own ones; 0.0 for a text without own letters."""
        own = self.own_letters(text)
        return sum(c in self.foreign_characters for c in own) / len(own) if own else 0.0


@dataclass(frozen=True, slots=True)
class Punctuation:
    quotes: tuple[str, str]
    full_stop: str
    colon: str
    sentence_enders: str
    """Characters that end a sentence; used to count the sentences of a TL;DR."""
    space_after_url: bool
    """True where the script has no spaces, so that a URL would run into the words after it."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Plausible lengths of a translation, as ratios of characters to the source, and of a TL;DR, in characters."""

    abstract: tuple[float, float]
    title: tuple[float, float]
    tldr_most_characters: int


@dataclass(frozen=True, slots=True)
class Numbers:
    words: tuple[tuple[str, ...], ...]
    """How 0 … 12 may be written out."""
    scales: tuple[str, ...]
    """Signs or words for thousand, million and so on; a number before one may have other digits than its source."""


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """Words that have no place in a translation, unless the source has them too."""

    anywhere: tuple[str, ...]
    before: tuple[str, ...]
    """Labels that models put before a text, followed by a colon."""
    continuation: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Language:
    """One language, as its file gives it. Compared by identity: `load_language` returns the same object each time."""

    tag: str
    name: str
    """The language's name in itself, e.g. 日本語."""
    english_name: str
    html_lang: str
    """For `lang=` in pages and feeds, with the script where fonts depend on it, e.g. zh-Hans."""
    script: Script
    lengths: Lengths
    punctuation: Punctuation
    numbers: Numbers
    boilerplate: Boilerplate
    labels: Mapping[str, Mapping[str, str]]
    """Room → key → words."""
    glossary: Mapping[str, str]
    """English term → translation, in the file's order; empty for `en`."""

    @property
    def is_translated_into(self) -> bool:
        """False for `en`: there the paper gets a TL;DR and no translation."""
        return self.tag != "en"

    def label(self, room: str, key: str) -> str:
        """The words for `key` in a room; raises KeyError naming language, room and key where the file lacks it."""
        try:
            return self.labels[room][key]
        except KeyError:
            raise KeyError(f"languages/{self.tag}.toml has no {key!r} under [labels.{room}]") from None


@cache
def known_language_tags() -> frozenset[str]:
    """The tags of all shipped languages, from the file names alone."""
    return frozenset(entry.name.removesuffix(".toml") for entry in _FILES.iterdir() if entry.name.endswith(".toml"))


@cache
def load_language(tag: str) -> Language:
    """Reads `<tag>.toml`; raises SettingsError for a tag without a file or a file that is not a whole language."""
    if tag not in known_language_tags():
        raise SettingsError(f"there is no language {tag!r}", hint=f"choose from {', '.join(sorted(known_language_tags()))}")
    return parse_language(tag, (_FILES / f"{tag}.toml").read_text(encoding="utf-8"))


def parse_language(tag: str, toml: str) -> Language:
    """One language file's text → Language; raises SettingsError naming the file and what is wrong in it."""
    try:
        data = tomllib.loads(toml)
        if data["tag"] != tag:
            raise ValueError(f"its tag is {data['tag']!r}")
        return _language(data)
    except KeyError as error:
        raise SettingsError(f"languages/{tag}.toml lacks {error}", hint="see the head of translation/languages/__init__.py") from None
    except (TypeError, ValueError) as error:
        raise SettingsError(f"languages/{tag}.toml is not a language: {error}", hint="mend the file") from None


def _language(data: Mapping[str, Any]) -> Language:
    return Language(
        tag=data["tag"],
        name=data["endonym"],
        english_name=data["english_name"],
        html_lang=data["html_lang"],
        script=_script(data["script"]),
        lengths=Lengths(_bounds(data["length"]["abstract"]), _bounds(data["length"]["title"]), int(data["length"]["tldr_most_characters"])),
        punctuation=_punctuation(data["punctuation"]),
        numbers=_numbers(data["numbers"]),
        boilerplate=Boilerplate(*(tuple(data["boilerplate"][key]) for key in ("anywhere", "before", "continuation"))),
        labels=MappingProxyType({room: MappingProxyType(_words(words)) for room, words in data["labels"].items()}),
        glossary=MappingProxyType(_words(data["glossary"])),
    )


def _script(data: Mapping[str, Any]) -> Script:
    return Script(
        ranges=tuple(map(_code_points, data["ranges"])),
        least_share=float(data["least_share"]),
        core_ranges=tuple(map(_code_points, data.get("core_ranges", ()))),
        least_core_share=float(data.get("least_core_share", 0)),
        foreign_characters=frozenset(data.get("foreign_characters", "")),
        function_words=frozenset(data.get("function_words", ())),
    )


def _numbers(data: Mapping[str, Any]) -> Numbers:
    words = tuple(tuple(word.split("|")) for word in data["words"])
    if len(words) != 13:
        raise ValueError(f"[numbers] words are {len(words)}, not the 13 from 0 to 12")
    return Numbers(words, tuple(data["scales"]))


def _code_points(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9A-F]{4,6})-([0-9A-F]{4,6})", text)
    if match is None:
        raise ValueError(f"{text!r} is no range of code points such as 4E00-9FFF")
    return int(match[1], 16), int(match[2], 16)


def _punctuation(data: Mapping[str, Any]) -> Punctuation:
    opening, closing = data["quotes"]
    return Punctuation((opening, closing), data["full_stop"], data["colon"], data["sentence_enders"], bool(data["space_after_url"]))


def _bounds(pair: list[float]) -> tuple[float, float]:
    least, most = pair
    if not 0 < least < most:
        raise ValueError(f"{pair} are no bounds")
    return float(least), float(most)


def _words(table: Mapping[str, Any]) -> dict[str, str]:
    for key, words in table.items():
        if not isinstance(words, str) or not words.strip():
            raise ValueError(f"{key!r} has no words")
    return dict(table)

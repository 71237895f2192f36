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
    [labels.…]     the words that an output shows to readers, key → words; the same keys in every language
    [glossary]     English term → its translation; the same word again where the term stays in English
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from digest_pipeline.errors import SettingsError

_FILES = files(__name__)
_LATIN_WORD = re.compile(r"[A-Za-z\u00C0-\u024F]+")
_LETTER = re.compile(r"[^\W\d_]")
_OTHER_LETTER = re.compile(r"(?![A-Za-z\u00C0-\u024F])[^\W\d_]")


def _code_points(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9A-F]{4,6})-([0-9A-F]{4,6})", text)
    if match is None:
        raise ValueError(f"{text!r} is no range of code points such as 4E00-9FFF")
    return int(match[1], 16), int(match[2], 16)


def _bounds(pair: list[float]) -> tuple[float, float]:
    least, most = pair
    if not 0 < least < most:
        raise ValueError(f"{pair} are no bounds")
    return float(least), float(most)


def _alternatives(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


Ranges = tuple[Annotated[tuple[int, int], BeforeValidator(_code_points)], ...]
Bounds = Annotated[tuple[float, float], BeforeValidator(_bounds)]
Words = dict[str, Annotated[str, StringConstraints(pattern=r"\S")]]
SpelledOut = Annotated[tuple[str, ...], BeforeValidator(_alternatives)]


@cache
def _class(ranges: tuple[tuple[int, int], ...]) -> re.Pattern[str]:
    return re.compile("[" + "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges) + "]")


class _Table(BaseModel):
    """One table of a language's file: every key known, none left out unless it has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Script(_Table):
    """How text in the language looks: its letters, and the small words that tell one Latin script from another."""

    ranges: Ranges
    """Code points (first, last) of the letters that are the language's own."""
    least_share: float
    """Least share of a translated abstract that must be in them; below it, the text was left untranslated."""
    core_ranges: Ranges = ()
    least_core_share: float = 0.0
    """Least share of the core letters among the own ones; 0 where no neighbour language shares the script."""
    foreign_characters: Annotated[frozenset[str], BeforeValidator(frozenset)] = frozenset()
    function_words: frozenset[str] = frozenset()
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


class Punctuation(_Table):
    quotes: tuple[str, str]
    full_stop: str
    colon: str
    sentence_enders: str
    """Characters that end a sentence; used to count the sentences of a TL;DR."""
    space_after_url: bool
    """True where the script has no spaces, so that a URL would run into the words after it."""


class Lengths(_Table):
    """Plausible lengths of a translation, as ratios of characters to the source, and of a TL;DR, in characters."""

    abstract: Bounds
    title: Bounds
    tldr_most_characters: int


class Numbers(_Table):
    words: Annotated[tuple[SpelledOut, ...], Field(min_length=13, max_length=13)]
    """How 0 … 12 may be written out."""
    scales: tuple[str, ...]
    """Signs or words for thousand, million and so on; a number before one may have other digits than its source."""


class Boilerplate(_Table):
    """Words that have no place in a translation, unless the source has them too."""

    anywhere: tuple[str, ...]
    before: tuple[str, ...]
    """Labels that models put before a text, followed by a colon."""
    continuation: tuple[str, ...]


class Language(_Table):
    """One language, as its file gives it. Compared by identity: `load_language` returns the same object each time."""

    tag: str
    name: str = Field(alias="endonym")
    """The language's name in itself, e.g. 日本語."""
    english_name: str
    html_lang: str
    """For `lang=` in pages and feeds, with the script where fonts depend on it, e.g. zh-Hans."""
    script: Script
    lengths: Lengths = Field(alias="length")
    punctuation: Punctuation
    numbers: Numbers
    boilerplate: Boilerplate
    labels: dict[str, Words]
    """By output, e.g. `site`: key → words."""
    glossary: Words
    """English term → translation, in the file's order; empty for `en`."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    @property
    def is_translated_into(self) -> bool:
        """False for `en`: there the paper gets a TL;DR and no translation."""
        return self.tag != "en"

    def label(self, output: str, key: str) -> str:
        """An output's words for `key`; raises KeyError naming language, output and key where the file lacks it."""
        try:
            return self.labels[output][key]
        except KeyError:
            raise KeyError(f"languages/{self.tag}.toml has no {key!r} under [labels.{output}]") from None


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
        language = Language.model_validate(tomllib.loads(toml))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise _not_whole(tag, faults) from None
    except tomllib.TOMLDecodeError as error:
        raise _not_whole(tag, str(error)) from None
    if language.tag != tag:
        raise _not_whole(tag, f"its tag is {language.tag!r}")
    return language


def _not_whole(tag: str, faults: str) -> SettingsError:
    return SettingsError(f"languages/{tag}.toml is not a whole language: {faults}", hint="see the head of translation/languages/__init__.py")

"""Which papers a watch list shows, and why: matched once, without asking a model, for page, feed and mail alike.

A paper is shown for a list where any keyword or any author matches, no negative keyword does, and, if the list names
categories, the paper is in one of them; a list of categories alone shows all of theirs. Its own text counts and its
translations into every language, so that all readers are shown the same papers.

How keywords match: whole words; any space or hyphen between them; case, accents and a plural ending do not matter,
save that a keyword in capitals (`RAG`, `LLM`) is an acronym and keeps its case. Text in Chinese, Japanese or
Korean matches anywhere, spaces aside. `/…/` and `/…/i` are regular expressions on the text as it stands.

What lives here: matching. What does not: the lists and their file (`watch_lists.py`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Protocol

import regex

from digest_pipeline import taxonomy
from digest_pipeline.errors import SettingsError
from digest_pipeline.models import Paper, Summary
from digest_pipeline.render.watch_lists import PATTERN_SECONDS, WatchList, as_expression, compiled_expression
from digest_pipeline.tex.text import with_accents_read
from digest_pipeline.text import one_line, without_accents
from digest_pipeline.translation.languages import Language

_EAST_ASIAN = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
_SPACE_IN_EAST_ASIAN = regex.compile(r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])\s+|\s+(?=[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])")
_BETWEEN_WORDS = r"[\s\-\u2010-\u2015]+"


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
class WatchMatch:
    """One list that shows the paper, with at least one reason."""

    list_name: str
    title: str
    reasons: tuple[Reason, ...]


# -- matching ---------------------------------------------------------------------------------------


class Matched(Protocol):
    """What is looked at of a paper."""

    @property
    def title(self) -> str: ...
    @property
    def abstract(self) -> str: ...
    @property
    def authors(self) -> tuple[str, ...]: ...
    @property
    def categories(self) -> tuple[str, ...]: ...


def why_shown(paper: Matched, summaries: Summary | Iterable[Summary] | None, watched: WatchList) -> tuple[Reason, ...]:
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


def _matching_category(paper: Matched, watched: WatchList) -> str | None:
    return next((one for one in watched.categories if any(taxonomy.falls_under(own, one) for own in paper.categories)), None)


def _texts(paper: Matched, summaries: Iterable[Summary]) -> list[tuple[Place, str]]:
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
                f"watch.toml: the regular expression {term} of the list {watched.name!r} runs for more than {PATTERN_SECONDS} s on one text",
                hint="write it without nested repetitions such as (a+)+",
            ) from None
        if found:
            return Reason(place, term, one_line(found))
    return None


def _search(term: str, text: str) -> str:
    """The matching words, or the empty string."""
    pattern = _pattern(term)
    match = pattern.search(text if as_expression(term) else _folded(text), timeout=PATTERN_SECONDS)
    return match[0] if match else ""


@cache
def _pattern(term: str) -> regex.Pattern[str]:
    return compiled_expression(term) if as_expression(term) else _plain_pattern(_folded(term))


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
    return _SPACE_IN_EAST_ASIAN.sub("", without_accents(unicodedata.normalize("NFKC", with_accents_read(text))))


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

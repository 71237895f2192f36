"""One paper in one language, as every output shows it: which title, which marks, what is missing and why.

What lives here: those decisions, as plain values whose texts are still TeX. What does not: how a text is written
(`tex/`, `markdown/escaping.py`) and where it stands on a page, in a mail, in a digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digest_pipeline.models import AnnounceType, DigestEntry, Paper, Summary, SummaryStatus
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language

STRUCTURE = ("motivation", "method", "result", "conclusion")
"""The parts of the structured summary, in order; empty where it is switched off."""


@dataclass(frozen=True, slots=True)
class Note:
    """A check's doubt about a translation, or the reason why there is none."""

    phrase: str
    """In the reader's words; a code without words stands as it is."""
    detail: str

    def __str__(self) -> str:
        return self.phrase


@dataclass(frozen=True, slots=True)
class PaperView:
    """One paper with its summary in one language. Texts are TeX as in the tables; titles and TL;DRs on one line."""

    paper: Paper
    summary: Summary
    title: str
    """The translated title, else the authors', else `arXiv:ID`: never empty."""
    title_lang: str
    """HTML's language tag of `title`."""
    authors_title: str
    """The authors' title, else `arXiv:ID`."""
    kind: str
    """The announce type in the reader's words."""
    marks: tuple[str, ...]
    """What is said beside a title: type, version, withdrawal, doubt, no translation. Nothing of an ordinary new paper."""
    tldr: str
    """In the language, else in English; empty where there is no translation."""
    tldr_en: str
    """The English one where `tldr` is not it already."""
    abstract: str
    """Translated; empty where there is none."""
    structure: tuple[tuple[str, str], ...]
    """(word for the part, text)."""
    notes: tuple[Note, ...]
    missing: str
    """Why there is no translation, in the reader's words; empty where there is one."""

    @property
    def id(self) -> str:
        return self.paper.arxiv_id

    @property
    def is_translated(self) -> bool:
        return self.summary.is_translated

    @property
    def original_title(self) -> str:
        """The authors' title where `title` is another one, else empty."""
        return self.authors_title if self.authors_title != self.title else ""

    @property
    def doubts(self) -> tuple[Note, ...]:
        """The notes on a translation that is there."""
        return self.notes if self.is_translated else ()

    @property
    def anchor(self) -> str:
        """The paper's element on a day's page."""
        return f"p-{self.id.replace('/', '-')}"


_FOR_OPERATORS = frozenset({"asked-today"})
"""Flags that say when a paper is asked for again: they stand in the table, and a day that is made again keeps its digest."""


def paper_view(entry: DigestEntry, language: Language) -> PaperView:
    """What is shown of one paper in `language`."""
    paper, summary = entry.paper, entry.summary
    authors_title = one_line(paper.title) or f"arXiv:{paper.arxiv_id}"
    translated = one_line(summary.translated_title) if summary.is_translated and language.is_translated_into else ""
    tldr, tldr_en = one_line(summary.tldr), one_line(summary.tldr_en)
    notes = tuple(_note(flag, language) for flag in summary.flags if flag.partition(":")[0] not in _FOR_OPERATORS)
    return PaperView(
        paper=paper,
        summary=summary,
        title=translated or authors_title,
        title_lang=language.html_lang if translated else "en",
        authors_title=authors_title,
        kind=language.label("digest", paper.announce_type.value),
        marks=tuple(_marks(paper, summary, language)),
        tldr=tldr or tldr_en,
        tldr_en=tldr_en if tldr and tldr != tldr_en else "",
        abstract=summary.translated_abstract,
        structure=tuple((language.label("digest", part), text) for part in STRUCTURE if (text := one_line(getattr(summary, part)))),
        notes=notes,
        missing=_missing(summary, notes, language),
    )


def _note(flag: str, language: Language) -> Note:
    """`code: detail`; a code that no longer has words (an old row) is shown whole."""
    code, _, detail = flag.partition(":")
    words: str | None = language.labels.get("flags", {}).get(code.strip())
    return Note(words, one_line(detail)) if words else Note(one_line(flag), "")


def _marks(paper: Paper, summary: Summary, language: Language) -> Iterator[str]:
    if paper.announce_type is not AnnounceType.NEW:
        yield language.label("digest", paper.announce_type.value)
    if paper.version > 1 or paper.announce_type.is_replacement:
        yield f"v{paper.version}"
    if paper.is_withdrawn:
        yield f"⚠ {language.label('digest', 'withdrawn')}"
    if summary.is_translated and summary.flags:
        yield f"⚠ {language.label('digest', 'check')}"


def state_of(summary: Summary) -> str:
    """The key of the word for a missing translation: `untranslated`, `deferred`, or by choice `original`; empty where there is one."""
    keys = {SummaryStatus.TRANSLATED: "", SummaryStatus.DEFERRED: "deferred", SummaryStatus.ORIGINAL: "original"}
    return keys.get(summary.status, "untranslated")


def _missing(summary: Summary, notes: Sequence[Note], language: Language) -> str:
    if not (state := state_of(summary)):
        return ""
    word = language.label("digest", state)
    reasons = "; ".join(dict.fromkeys(map(str, notes)))
    return f"{word}{colon(language)}{reasons}" if reasons else word


def named_authors(authors: Sequence[str], most: int, language: Language) -> tuple[str, ...]:
    """The first `most` names, each on one line, and in words how many follow. No authors: none."""
    named = tuple(name for name in map(one_line, authors[:most]) if name)
    further = len(authors) - most
    return (*named, language.label("feed", "more_authors").format(count=further)) if further > 0 else named


def colon(language: Language) -> str:
    """The language's own, with the space that it needs; the full-width one has it within."""
    mark = language.punctuation.colon
    return mark if mark == "：" else f"{mark} "

"""One paper in a digest: its table row, and the note that the row's number leads to.

What lives here: what stands in both, in which order. What does not: the file around them (`render.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from digest_pipeline.markdown.escaping import MarkdownText, addresses_in, cell, inline, paragraph, paragraphs
from digest_pipeline.models import DigestEntry, Paper, SummaryStatus
from digest_pipeline.render.paper import PaperView, colon, named_authors, paper_view
from digest_pipeline.translation.languages import Language

MOST_AUTHORS_NAMED = 20
"""Further authors are given as a number; the tables and pages have all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One paper: its table row, and the note that the row's number leads to."""

    number: int
    link: MarkdownText
    title: MarkdownText
    marks: tuple[MarkdownText, ...]
    summary: MarkdownText
    note_title: MarkdownText
    note: tuple[MarkdownText, ...]

    @property
    def size(self) -> int:
        """About so many bytes of UTF-8 in the file, never fewer."""
        pieces = (self.link, self.title, *self.marks, self.summary, self.note_title, *self.note)
        return 60 + sum(len(piece.encode()) + 8 for piece in pieces)

    @property
    def named_size(self) -> int:
        """The same of its row in the list of other parts' papers."""
        return 40 + len(self.link.encode()) + len(self.title.encode())


def row_of(number: int, entry: DigestEntry, language: Language) -> Row:
    view = paper_view(entry, language)
    return Row(
        number=number,
        link=MarkdownText(view.paper.abs_url),
        title=cell(view.authors_title),
        marks=tuple(cell(mark) for mark in view.marks),
        summary=cell(view.tldr) if view.is_translated else _missing(view),
        note_title=paragraph(view.title),
        note=tuple(_note(view, language)),
    )


# -- notes -------------------------------------------------------------------------------------------------


def _note(view: PaperView, language: Language) -> Iterator[MarkdownText]:
    """The lines below the note's first, in their fixed order; a line without content is left out."""
    paper = view.paper
    linked = addresses_in([paper.title, paper.abstract, paper.comment or ""])
    if language.is_translated_into:
        yield paragraph(view.authors_title)
    yield MarkdownText(f"[{paper.abs_url}]({paper.abs_url})")
    if not view.is_translated:
        yield _missing(view)
    for text in (view.tldr, view.tldr_en, view.abstract):
        yield from paragraphs(text, linked)
    yield from paragraphs(paper.abstract, linked)
    yield from _beyond_the_layout(view, language, linked)


def _missing(view: PaperView) -> MarkdownText:
    """The mark in place of a TL;DR, fit for a table cell as well: that there is no translation, and why; no warning where that was chosen."""
    sign = "" if view.summary.status is SummaryStatus.ORIGINAL else "⚠ "
    return MarkdownText(f"{sign}{cell(view.missing)}")


def _beyond_the_layout(view: PaperView, language: Language, linked: frozenset[str]) -> Iterator[MarkdownText]:
    if view.paper.is_withdrawn:
        yield MarkdownText(f"⚠ {word(language, 'withdrawn')}")
    if view.doubts:
        yield labelled(language, "check", inline("; ".join(dict.fromkeys(map(str, view.doubts)))), mark="⚠ ")
    for name, text in view.structure:
        yield MarkdownText(f"{cell(name)}{colon(language)}{inline(text, linked)}")
    yield _particulars(view.paper, language, linked)


def _particulars(paper: Paper, language: Language, linked: frozenset[str]) -> MarkdownText:
    parts = [
        labelled(language, "category", inline(", ".join(paper.categories or (paper.primary_category,)))),
        word(language, paper.announce_type.value),
        MarkdownText(f"v{paper.version}"),
        labelled(language, "authors", inline(", ".join(named_authors(paper.authors, MOST_AUTHORS_NAMED, language)))),
        labelled(language, "comment", inline(paper.comment or "", linked)),
        labelled(language, "journal", inline(paper.journal_ref or "")),
        MarkdownText(f"DOI: {doi}" if (doi := inline(paper.doi or "")) else ""),
    ]
    return MarkdownText(" · ".join(part for part in parts if part))


# -- words ---------------------------------------------------------------------------------------------------


def word(language: Language, key: str) -> MarkdownText:
    return cell(language.label("digest", key))


def labelled(language: Language, key: str, text: MarkdownText, mark: str = "") -> MarkdownText:
    """`标签：text`, with the language's own colon; empty where the text is."""
    return MarkdownText(f"{mark}{word(language, key)}{colon(language)}{text}" if text else "")

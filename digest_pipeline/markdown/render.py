"""One day, one category, one language as Markdown, in the layout that readers of such digests know.

    front matter
    # 摘要    | Ref | Title | Summary |   rows `| [^n] | [original title](link) | TL;DR |`, newest id first
    # 详细    [^n]: translated title, and, indented by four spaces, a line each: original title, [link](link), TL;DR,
             English TL;DR, translated abstract, original abstract; then what that layout does not know: warnings,
             the structured summary, and one line of categories, announce type, version, authors, comment
    # 更新版本  the same again for replacements, where there are any; numbers go on
    announced N = fetched N = translated N + untranslated K = rendered N

What lives here: what stands in the digest, and its words. What does not: the layout itself
(`templates/digest.md.jinja`), harmless Markdown (`escaping.py`), writing files (`stages.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, Undefined

from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.escaping import MarkdownText, addresses_in, cell, inline, paragraph, paragraphs
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.models import (
    AnnounceType,
    DayLedger,
    DigestEntry,
    Evidence,
    ListingInfo,
    Paper,
    VersionedId,
    id_sort_key,
)
from digest_pipeline.render.paper import PaperView, colon, named_authors, paper_view
from digest_pipeline.render.templates import checked_environment
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language

__all__ = ["FRONT_MATTER_VERSION", "MOST_AUTHORS_NAMED", "preview", "render_digest", "rendered_ids"]

FRONT_MATTER_VERSION = 1
"""Raised when a key of the front matter changes its meaning or goes away."""
MOST_AUTHORS_NAMED = 20
"""Further authors are given as a number; the tables and pages have all."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One paper: its table row, and the note that the row's number leads to."""

    number: int
    link: MarkdownText
    title: MarkdownText
    marks: tuple[MarkdownText, ...]
    summary: MarkdownText
    note_title: MarkdownText
    note: tuple[MarkdownText, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    heading: MarkdownText
    details_heading: MarkdownText
    rows: list[_Row]
    empty: MarkdownText
    """The sentence that stands in place of table and notes where there is no row."""


def render_digest(facts: ListingInfo, ledger: DayLedger, entries: Sequence[DigestEntry], language: Language, *, model: str, generator: str) -> str:
    """The whole file, ending in a newline. `entries` are those of the ledger's category, in any order.

    A day without announcement and a category without papers give a digest that says so. Raises SourceError for an
    entry whose id is no arXiv id.
    """
    return (
        _templates()
        .get_template("digest.md.jinja")
        .render(
            front_matter=_front_matter(facts, ledger, model=model, generator=generator),
            notices=list(_notices(facts, language)),
            sections=_sections(facts, entries, language),
            closing=MarkdownText(ledger),
            lost=list(_lost(ledger, language)),
        )
    )


def preview(entries: Sequence[DigestEntry], language: Language, limit: int = 10) -> str:
    """The newest `limit` papers as a Markdown table for the Dagster UI, and how many more there are; "" without papers."""
    if not entries:
        return ""
    rows = [_row(number, entry, language) for number, entry in enumerate(_newest_first(entries)[:limit], start=1)]
    more = MarkdownText(f"… and {len(entries) - len(rows)} more" if len(entries) > len(rows) else "")
    return _templates().get_template("preview.md.jinja").render(rows=rows, more=more)


# -- templates -------------------------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    """HTML's escaping would spoil Markdown; instead nothing that was not escaped on purpose gets in."""
    return checked_environment("digest_pipeline.markdown", _only_markdown)


def _only_markdown(value: Any) -> Any:
    if isinstance(value, MarkdownText | int | Undefined):
        return value
    raise TypeError(f"{value!r} reached a digest template unescaped; pass it through digest_pipeline.markdown.escaping")


# -- the head ----------------------------------------------------------------------------------------------


def _front_matter(facts: ListingInfo, ledger: DayLedger, *, model: str, generator: str) -> MarkdownText:
    counts: dict[str, object] = {name: getattr(ledger, name) for name in ("announced", "fetched", "translated", "untranslated", "rendered")}
    values = {
        "schema_version": FRONT_MATTER_VERSION,
        "listing_date": facts.listing_date,
        "category": ledger.category,
        "language": ledger.language,
        "announcement": facts.announced,
        "counts": {**counts, "by_type": {kind.value: ledger.by_type.get(kind.value, 0) for kind in AnnounceType}},
        "model": one_line(model),
        "generator": one_line(generator),
        "sample": facts.is_sample,
        "evidence": facts.evidence.value if facts.evidence else None,
        "reconstructed": facts.evidence is Evidence.ID_BLOCK,
        "notes": [one_line(note) for note in facts.notes],
    }
    return MarkdownText(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100_000).rstrip("\n"))


def _notices(facts: ListingInfo, language: Language) -> Iterator[MarkdownText]:
    if facts.is_sample:
        yield paragraph(language.label("digest", "sample"))
    if facts.evidence is Evidence.ID_BLOCK:
        yield paragraph(language.label("digest", "reconstructed"))
    yield from (paragraph(note) for note in facts.notes if one_line(note))


# -- sections and rows -------------------------------------------------------------------------------------


def _sections(facts: ListingInfo, entries: Sequence[DigestEntry], language: Language) -> list[_Section]:
    fresh = [entry for entry in entries if not entry.paper.announce_type.is_replacement]
    replaced = [entry for entry in entries if entry.paper.announce_type.is_replacement]
    why_empty = "no_announcement" if not facts.announced else "no_new_papers" if entries else "no_papers"
    details, empty = _word(language, "details"), paragraph(language.label("digest", why_empty))
    sections = [_Section(_word(language, "summary"), MarkdownText(f"# {details}"), _rows(fresh, language, 1), empty)]
    if replaced:
        rows = _rows(replaced, language, len(fresh) + 1)
        sections.append(_Section(_word(language, "replacements"), MarkdownText(f"## {details}"), rows, empty))
    return sections


def _rows(entries: Sequence[DigestEntry], language: Language, first_number: int) -> list[_Row]:
    return [_row(number, entry, language) for number, entry in enumerate(_newest_first(entries), start=first_number)]


def _newest_first(entries: Sequence[DigestEntry]) -> list[DigestEntry]:
    for entry in entries:
        _require_id(entry.paper)
    return sorted(entries, key=lambda entry: id_sort_key(entry.paper.arxiv_id), reverse=True)


def _require_id(paper: Paper) -> None:
    try:
        VersionedId.parse(paper.arxiv_id)
    except ValueError as error:
        raise SourceError(f"a paper of {paper.listing_date} cannot be shown: {error}", hint="materialize papers of that day again") from None


def _row(number: int, entry: DigestEntry, language: Language) -> _Row:
    view = paper_view(entry, language)
    return _Row(
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
    """The mark in place of a TL;DR, fit for a table cell as well: that there is no translation, and why."""
    return MarkdownText(f"⚠ {cell(view.missing)}")


def _beyond_the_layout(view: PaperView, language: Language, linked: frozenset[str]) -> Iterator[MarkdownText]:
    if view.paper.is_withdrawn:
        yield MarkdownText(f"⚠ {_word(language, 'withdrawn')}")
    if view.doubts:
        yield _labelled(language, "check", inline("; ".join(dict.fromkeys(map(str, view.doubts)))), mark="⚠ ")
    for word, text in view.structure:
        yield MarkdownText(f"{cell(word)}{colon(language)}{inline(text, linked)}")
    yield _particulars(view.paper, language, linked)


def _particulars(paper: Paper, language: Language, linked: frozenset[str]) -> MarkdownText:
    parts = [
        _labelled(language, "category", inline(", ".join(paper.categories or (paper.primary_category,)))),
        _word(language, paper.announce_type.value),
        MarkdownText(f"v{paper.version}"),
        _labelled(language, "authors", inline(", ".join(named_authors(paper.authors, MOST_AUTHORS_NAMED, language)))),
        _labelled(language, "comment", inline(paper.comment or "", linked)),
        _labelled(language, "journal", inline(paper.journal_ref or "")),
        MarkdownText(f"DOI: {doi}" if (doi := inline(paper.doi or "")) else ""),
    ]
    return MarkdownText(" · ".join(part for part in parts if part))


# -- words ---------------------------------------------------------------------------------------------------


def _word(language: Language, key: str) -> MarkdownText:
    return cell(language.label("digest", key))


def _labelled(language: Language, key: str, text: MarkdownText, mark: str = "") -> MarkdownText:
    """`标签：text`, with the language's own colon; empty where the text is."""
    return MarkdownText(f"{mark}{_word(language, key)}{colon(language)}{text}" if text else "")


# -- what is missing -------------------------------------------------------------------------------------------


def _lost(ledger: DayLedger, language: Language) -> Iterator[MarkdownText]:
    for key, ids in (("not_fetched", ledger.missing_fetched), ("not_rendered", ledger.missing_rendered)):
        yield from _ids_line(language, key, ids)


def _ids_line(language: Language, key: str, ids: Iterable[str]) -> Iterator[MarkdownText]:
    if line := _labelled(language, key, inline(", ".join(ids)), mark="⚠ "):
        yield line

"""One day, one category, one language as Markdown, in the layout that readers of such digests know.

    front matter
    # 摘要    | Ref | Title | Summary |   rows `| [^n] | [original title](link) | TL;DR |`, newest id first
    # 详细    [^n]: translated title, and, indented by four spaces, a line each: original title, [link](link), TL;DR,
             English TL;DR, translated abstract, original abstract; then what that layout does not know: warnings,
             the structured summary, and one line of categories, announce type, version, authors, comment
    # 更新版本  the same again for replacements, where there are any; numbers go on
    announced N = fetched N = translated N + untranslated K = rendered N

What lives here: what stands in the digest, and its words. What does not: the layout itself
(`templates/digest.md.jinja`), harmless Markdown (`escaping.py`), writing files (`digests.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, Undefined

from digest_pipeline.errors import SourceError
from digest_pipeline.markdown.escaping import MarkdownText, cell, inline, paragraph
from digest_pipeline.markdown.rows import Row, labelled, row_of, word
from digest_pipeline.models import (
    LEDGER_COUNTS,
    AnnounceType,
    DayLedger,
    DigestEntry,
    Evidence,
    ListingInfo,
    Paper,
    VersionedId,
    id_sort_key,
)
from digest_pipeline.render.paper import colon
from digest_pipeline.render.templates import checked_environment
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language

__all__ = ["FRONT_MATTER_VERSION", "LARGEST_FILE", "part_name", "preview", "render_digest"]

_AROUND = 6_000
"""Bytes for front matter, headings and notices."""
FRONT_MATTER_VERSION = 1
"""Raised when a key of the front matter changes its meaning or goes away."""
LARGEST_FILE = 490_000
"""Bytes: GitHub shows no Markdown above 512 kB, and refuses to search it. A larger digest continues in numbered parts."""


@dataclass(frozen=True, slots=True)
class _Section:
    heading: MarkdownText
    details_heading: MarkdownText
    rows: list[Row]
    empty: MarkdownText
    """The sentence that stands in place of table and notes where there is no row."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file of a digest holds, and where the other papers are."""

    number: int
    sections: list[_Section]
    elsewhere: list[_Elsewhere]
    """In the first part: the papers of the others."""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A paper of another part, as the first part names it."""

    number: int
    title: MarkdownText
    link: MarkdownText
    file: MarkdownText


def part_name(category: str, part: int) -> str:
    """`all.md`, then `all-2.md`, `all-3.md`."""
    return f"{category}.md" if part == 1 else f"{category}-{part}.md"


def render_digest(
    facts: ListingInfo,
    ledger: DayLedger,
    entries: Sequence[DigestEntry],
    language: Language,
    *,
    model: str,
    generator: str,
    largest: int = LARGEST_FILE,
) -> tuple[str, ...]:
    """The digest's parts in order, each a whole file that ends in a newline; one part wherever it stays below `largest` bytes.

    `entries` are those of the ledger's category, in any order. The first part names every paper of the day. A day without
    announcement and a category without papers give a digest that says so. Raises SourceError for an entry whose id is no arXiv id.
    """
    sections = _sections(facts, entries, language)
    parts = _parts(sections, ledger.category, largest)
    return tuple(
        _templates()
        .get_template("digest.md.jinja")
        .render(
            front_matter=_front_matter(facts, ledger, part.number, len(parts), model=model, generator=generator),
            notices=list(_notices(facts, language)),
            navigation=_navigation(part.number, len(parts), ledger.category, language),
            sections=part.sections,
            elsewhere=part.elsewhere,
            elsewhere_heading=word(language, "other_parts"),
            closing=MarkdownText(ledger),
            lost=list(_lost(ledger, language)),
        )
        for part in parts
    )


def _parts(sections: Sequence[_Section], category: str, largest: int) -> list[_Part]:
    """The rows in their order, spread over files; each part keeps the headings of the rows it has."""
    rows = [(index, row) for index, section in enumerate(sections) for row in section.rows]
    room = largest - _AROUND
    is_huge = sum(row.named_size for _, row in rows) > room // 2  # then the other papers are named by their ids alone
    left = sum(_named_size(row, is_huge) for _, row in rows)
    files: list[list[tuple[int, Row]]] = [[]]
    used = 0
    for index, row in rows:
        left -= _named_size(row, is_huge)
        named_elsewhere = left if len(files) == 1 else 0
        if files[-1] and used + row.size + named_elsewhere > room:
            files.append([])
            used = 0
        files[-1].append((index, row))
        used += row.size
    elsewhere = [_named(row, part_name(category, number), is_huge) for number, file in enumerate(files[1:], start=2) for _, row in file]
    return [_Part(number, _with_rows(sections, file), elsewhere if number == 1 else []) for number, file in enumerate(files, start=1)]


_ID_SIZE = 110


def _named_size(row: Row, by_id: bool) -> int:
    return _ID_SIZE if by_id else row.named_size


def _named(row: Row, file: str, by_id: bool) -> _Elsewhere:
    title = cell(f"arXiv:{row.link.removeprefix('https://arxiv.org/abs/')}") if by_id else row.title
    return _Elsewhere(row.number, title, row.link, MarkdownText(file))


def _with_rows(sections: Sequence[_Section], rows: Sequence[tuple[int, Row]]) -> list[_Section]:
    """The sections with only these rows; those without any are left out, unless the digest has no row at all."""
    if not rows:
        return list(sections)
    found = [(section, [row for at, row in rows if at == index]) for index, section in enumerate(sections)]
    return [_Section(section.heading, section.details_heading, own, section.empty) for section, own in found if own or not section.rows]


def _navigation(number: int, count: int, category: str, language: Language) -> MarkdownText:
    """`Part 2 of 3: [1](all.md) · **2** · [3](all-3.md)`; empty where there is one part."""
    if count == 1:
        return MarkdownText("")
    links = (f"**{n}**" if n == number else f"[{n}]({part_name(category, n)})" for n in range(1, count + 1))
    title = language.label("digest", "part").format(part=number, parts=count)
    return MarkdownText(f"{cell(title)}{colon(language)}{' · '.join(links)}")


def preview(entries: Sequence[DigestEntry], language: Language, limit: int = 10) -> str:
    """The newest `limit` papers as a Markdown table for the Dagster UI, and how many more there are; "" without papers."""
    if not entries:
        return ""
    rows = [row_of(number, entry, language) for number, entry in enumerate(_newest_first(entries)[:limit], start=1)]
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


def _front_matter(facts: ListingInfo, ledger: DayLedger, part: int, parts: int, *, model: str, generator: str) -> MarkdownText:
    counts = {name: getattr(ledger, name) for name in LEDGER_COUNTS if name != "original" or ledger.original}
    values = {
        "schema_version": FRONT_MATTER_VERSION,
        "listing_date": facts.listing_date,
        "category": ledger.category,
        "language": ledger.language,
        "announcement": facts.announced,
        "part": part,
        "parts": parts,
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
    details, empty = word(language, "details"), paragraph(language.label("digest", why_empty))
    sections = [_Section(word(language, "summary"), MarkdownText(f"# {details}"), _rows(fresh, language, 1), empty)]
    if replaced:
        rows = _rows(replaced, language, len(fresh) + 1)
        sections.append(_Section(word(language, "replacements"), MarkdownText(f"## {details}"), rows, empty))
    return sections


def _rows(entries: Sequence[DigestEntry], language: Language, first_number: int) -> list[Row]:
    return [row_of(number, entry, language) for number, entry in enumerate(_newest_first(entries), start=first_number)]


def _newest_first(entries: Sequence[DigestEntry]) -> list[DigestEntry]:
    for entry in entries:
        _require_id(entry.paper)
    return sorted(entries, key=lambda entry: id_sort_key(entry.paper.arxiv_id), reverse=True)


def _require_id(paper: Paper) -> None:
    try:
        VersionedId.parse(paper.arxiv_id)
    except ValueError as error:
        raise SourceError(f"a paper of {paper.listing_date} cannot be shown: {error}", hint="materialize papers of that day again") from None


# -- what is missing -------------------------------------------------------------------------------------------


def _lost(ledger: DayLedger, language: Language) -> Iterator[MarkdownText]:
    for key, ids in (("not_fetched", ledger.missing_fetched), ("not_rendered", ledger.missing_rendered)):
        yield from _ids_line(language, key, ids)


def _ids_line(language: Language, key: str, ids: Iterable[str]) -> Iterator[MarkdownText]:
    if line := labelled(language, key, inline(", ".join(ids)), mark="⚠ "):
        yield line

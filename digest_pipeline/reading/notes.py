"""One listing day's chosen papers, read whole: `reading_notes/date=<day>/language=<tag>/notes.parquet`.

What lives here: which papers, the table, and what a run reports. What does not: the choosing (`ranking/`), the reading (`reader.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.models import VersionedId
from digest_pipeline.reading.fulltext import FullText, NoFullText
from digest_pipeline.reading.reader import PaperNotes, forecast_usd, read_papers
from digest_pipeline.reading.source import FetchHtml, read_fulltext
from digest_pipeline.reading.view import notes_file
from digest_pipeline.storage import Storage
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.translator import Translator

_VERSIONS = pa.schema([tables.PAPERS.field(name) for name in ("arxiv_id", "version")])
_RANKS = pa.schema([("arxiv_id", pa.string()), ("rank", pa.int32())])


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """What reading a day's papers came to, over all languages. Money in US dollars; None where a price is unknown."""

    papers: int
    rows: int
    """Of the tables."""
    notes: int
    dropped: int
    by_status: dict[str, int]
    forecast_usd: float | None
    paid_usd: float | None


def best_papers(storage: Storage, day: date, top: int) -> list[VersionedId]:
    """Each profile's `top` best papers of the day in their announced version, a paper once for all profiles; the better ranked first."""
    folder = tables.partition_folder("rankings", day)
    best: dict[str, int] = {}
    for profile in storage.names(folder):
        for row in storage.read_table(f"{folder}/{profile}/rankings.parquet", _RANKS).to_pylist():
            if row["rank"] <= top:
                best[row["arxiv_id"]] = min(row["rank"], best.get(row["arxiv_id"], top))
    versions = {row["arxiv_id"]: row["version"] for row in storage.read_table(storage.papers_file(day), _VERSIONS).to_pylist()} if best else {}
    return [VersionedId(arxiv_id, versions[arxiv_id]) for arxiv_id in sorted(best, key=lambda one: (best[one], one)) if arxiv_id in versions]


def full_texts(
    papers: Sequence[VersionedId], fetch: FetchHtml, storage: Storage, *, now: datetime
) -> list[tuple[VersionedId, FullText | NoFullText]]:
    """Each paper's text, or why there is none. Raises ArxivUnavailable."""
    found: list[tuple[VersionedId, FullText | NoFullText]] = []
    for paper in papers:
        try:
            found.append((paper, read_fulltext(paper, fetch, storage, now=now)))
        except NoFullText as absent:
            found.append((paper, absent))
    return found


def read_day(
    day: date,
    papers: Sequence[VersionedId],
    *,
    languages: Sequence[Language],
    fetch: FetchHtml,
    html_url: str,
    storage: Storage,
    translator: Translator,
    budget: Budget,
    tell: Callable[[str], None] = lambda _: None,
) -> ReadingReport:
    """Reads the papers and writes the day's tables, one a language, also where there is nothing to read. `tell` is called with the forecast before
    anything is asked. Raises ArxivUnavailable, EndpointConfigurationError, EndpointUnavailable or AnswerStoreError; what was answered until
    then is kept."""
    texts = full_texts(papers, fetch, storage, now=translator.now())
    expected = _total([forecast_usd(texts, language, translator) for language in languages])
    tell(f"{len(papers)} papers to read, expected cost {'unknown' if expected is None else f'${expected:.4f}'}")
    every: list[PaperNotes] = []
    rows = 0
    for language in languages:
        notes = read_papers(texts, language, translator, budget)
        table = notes_to_table(notes, html_url)
        storage.write_table(notes_file(day, language.tag), table)
        rows += len(table)
        every += notes
    return ReadingReport(
        papers=len(papers),
        rows=rows,
        notes=sum(len(one.notes) for one in every),
        dropped=sum(one.dropped for one in every),
        by_status=dict(Counter(one.status.value for one in every)),
        forecast_usd=expected,
        paid_usd=_total([one.paid_now_usd for one in every]),
    )


def notes_to_table(papers: Sequence[PaperNotes], html_url: str) -> pa.Table:
    return pa.Table.from_pylist([row for paper in papers for row in _rows(paper, html_url)], schema=tables.READING_NOTES)


def _rows(paper: PaperNotes, html_url: str) -> Iterator[dict[str, Any]]:
    """Cost and dropped notes stand on the first row only, so that sums over the table are right."""
    about = {
        "arxiv_id": paper.paper.arxiv_id,
        "version": paper.paper.version,
        "language": paper.language,
        "model": paper.model,
        "status": paper.status.value,
    }
    page = f"{html_url}/{paper.paper}"
    shown = [
        {
            "kind": one.note.kind.value,
            "claim": one.note.claim,
            "quote": one.note.quote,
            "section": one.passage.section,
            "anchor_url": f"{page}#{one.passage.anchor}" if one.passage.anchor else page,
        }
        for one in paper.notes
    ] or [{"kind": "", "claim": "", "quote": "", "section": "", "anchor_url": ""}]
    for number, note in enumerate(shown):
        first = {"cost_usd": paper.cost_usd, "dropped": paper.dropped} if number == 0 else {"cost_usd": 0.0, "dropped": 0}
        yield {**about, **note, **first, "detail": "" if paper.notes else paper.detail}


def _total(amounts: Sequence[float | None]) -> float | None:
    return None if any(amount is None for amount in amounts) else sum(amount or 0.0 for amount in amounts)

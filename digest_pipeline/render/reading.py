"""A day's papers and summaries from the tables: the one reader of every output.

What lives here: rows of one listing day as values, newest id first. What does not: the tables' columns (`tables.py`),
a finished day with its ledger and watch lists (`day.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from digest_pipeline import tables
from digest_pipeline.errors import SourceError
from digest_pipeline.models import DigestEntry, Paper, Summary, SummaryStatus, newest_first
from digest_pipeline.storage import Storage


def read_papers(storage: Storage, day: date, ids: Collection[str] | None = None) -> tuple[Paper, ...]:
    """The day's papers, or those with the given ids; empty on a day without announcement. Raises SourceError without a table."""
    file = storage.papers_file(day)
    if not storage.exists(file):
        raise SourceError(f"there is no papers table of {day}", hint="materialize papers of that day first")
    return tuple(newest_first(tables.papers_from_table(_only(storage.read_table(file, tables.PAPERS), ids))))


def read_summaries(storage: Storage, day: date, tag: str, ids: Collection[str] | None = None) -> dict[str, Summary]:
    """Id → summary in one language; empty where the language was configured after the day was made."""
    file = storage.summaries_file(day, tag)
    if not storage.exists(file):
        return {}
    return {row.arxiv_id: row for row in tables.summaries_from_table(_only(storage.read_table(file, tables.TRANSLATED_SUMMARIES), ids))}


def read_entries(storage: Storage, day: date, tag: str) -> tuple[DigestEntry, ...]:
    """Each paper of the day with its summary. Raises SourceError where a table or a paper's row is missing."""
    return with_summaries(read_papers(storage, day), read_summaries(storage, day, tag), day, tag)


def with_summaries(papers: Sequence[Paper], summaries: dict[str, Summary], day: date, tag: str) -> tuple[DigestEntry, ...]:
    """Each paper with its summary. Raises SourceError, naming a paper, where one has none."""
    if lacking := [paper.arxiv_id for paper in papers if paper.arxiv_id not in summaries]:
        raise SourceError(
            f"{len(lacking)} papers of {day} have no summary in {tag}, e.g. {lacking[0]}",
            hint="materialize translated_summaries of that day",
        )
    return tuple(DigestEntry(paper, summaries[paper.arxiv_id]) for paper in papers)


def not_asked_yet(paper: Paper, tag: str) -> Summary:
    """The summary of a paper that the language's table does not hold: it was never sent."""
    return Summary(paper.arxiv_id, paper.version, tag, "", "", "", "", SummaryStatus.DEFERRED, (), "", "", 0, 0, None, True)


def _only(table: pa.Table, ids: Collection[str] | None) -> pa.Table:
    return table if ids is None else table.filter(pc.is_in(table["arxiv_id"], value_set=pa.array(sorted(ids), pa.string())))

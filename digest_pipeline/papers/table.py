"""The papers table of one listing day: written from what is kept (`write_papers`).

What does not live here: how kept answers become papers (`assemble.py`), reading the table (`render/reading.py`), and asking anybody for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from digest_pipeline import tables
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.errors import SourceError
from digest_pipeline.papers.assemble import Assembled, assemble_papers
from digest_pipeline.papers.ledger import usual_size
from digest_pipeline.storage import Storage

PARSER_VERSION = "1"
"""Raised when the same kept answers would give other rows; Dagster then shows earlier partitions as outdated."""


@dataclass(frozen=True, slots=True)
class PapersWritten(Assembled):
    missing_ids: tuple[str, ...]
    """Announced papers of which nothing is kept; the day's next run fetches them."""
    announced: bool
    usual: float | None
    """Median size of the same weekday's earlier listings; None where too few are known."""


def require_manifest(raw: RawStore, day: date, categories: tuple[str, ...]) -> RawManifest:
    """Raises SourceError where the day was not fetched, or not for these categories."""
    manifest = raw.manifest(day)
    if manifest is None:
        raise SourceError(f"nothing of the listing of {day} is kept", hint="materialize raw_arxiv_metadata of that day first")
    if lacking := manifest.lacking(categories):
        raise SourceError(f"what is kept of {day} does not cover {', '.join(lacking)}", hint="materialize raw_arxiv_metadata of that day again")
    return manifest


def write_papers(day: date, storage: Storage, categories: tuple[str, ...]) -> PapersWritten:
    """Writes `papers/date=<day>/papers.parquet`, one row a paper. Raises SourceError where the day is not kept."""
    raw = RawStore(storage)
    manifest = require_manifest(raw, day, categories)
    assembled = assemble_papers(manifest, raw, categories)
    storage.write_table(storage.papers_file(day), tables.papers_to_table(assembled.papers))
    return PapersWritten(
        assembled.papers, assembled.from_feed_text, assembled.incomplete, manifest.missing_ids, manifest.announced, usual_size(storage, day)
    )

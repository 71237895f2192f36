"""The digest files of one listing day: every category and their union in every language, read back and counted.

What lives here: which files there are and their ledger. What does not: how a digest looks (`render.py`) and how it is
read back (`read_back.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.clients import GENERATOR, DigestOptions
from digest_pipeline.markdown.files import write_digest
from digest_pipeline.markdown.render import preview
from digest_pipeline.models import ALL, DayLedger, DigestEntry, ListingInfo, Paper
from digest_pipeline.papers.ledger import day_facts, day_ledger, in_category, write_facts, write_ledger
from digest_pipeline.papers.table import require_manifest
from digest_pipeline.render.reading import read_papers, read_summaries, with_summaries
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language


@dataclass(frozen=True, slots=True)
class DigestsWritten:
    papers: tuple[Paper, ...]
    ledger: tuple[DayLedger, ...]
    """One row a file."""
    preview: str
    """The first papers in the first language, Markdown; the listing's notes where it has none."""

    @property
    def whole(self) -> list[DayLedger]:
        """The rows of `all`, one a language."""
        return [row for row in self.ledger if row.category == ALL]


def write_digests(day: date, storage: Storage, options: DigestOptions) -> DigestsWritten:
    """Writes `digests/<tag>/<day>/*.md` and `ledger/date=<day>/`. Raises SourceError where a stage before it is lacking."""
    manifest = require_manifest(RawStore(storage), day, options.categories)
    papers = read_papers(storage, day)
    info = day_facts(manifest, is_sample=options.is_sample)
    entries: dict[str, list[DigestEntry]] = {}
    rows: list[DayLedger] = []
    for language in options.languages:
        entries[language.tag] = mine = list(with_summaries(papers, read_summaries(storage, day, language.tag), day, language.tag))
        rows += [_write_one(storage, info, manifest, category, language, mine, options.model) for category in (*options.categories, ALL)]
    write_ledger(storage, day, rows)
    write_facts(storage, info)
    first = options.languages[0]
    return DigestsWritten(papers, tuple(rows), preview(entries[first.tag], first) or "\n".join(info.notes))


def _write_one(
    storage: Storage, info: ListingInfo, manifest: RawManifest, category: str, language: Language, entries: Sequence[DigestEntry], model: str
) -> DayLedger:
    mine = in_category(category, [e.paper for e in entries])
    listed = {p.arxiv_id for p in mine}
    chosen = [e for e in entries if e.paper.arxiv_id in listed]
    summaries = {e.paper.arxiv_id: e.summary for e in chosen}
    announced = {*listed, *(manifest.missing_ids if category == ALL else ())}
    day = info.listing_date

    def ledger_of(rendered: Sequence[str]) -> DayLedger:
        return day_ledger(day, category, language.tag, announced_ids=announced, papers=mine, summaries=summaries, rendered_ids=rendered)

    return write_digest(storage, info, chosen, language, category=category, ledger_of=ledger_of, model=model, generator=GENERATOR)

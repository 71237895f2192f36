"""How a paper came to its place and its flags: what every kept listing says of it, in words.

What does not live here: the rules themselves (`papers/assemble.py`, `translation/flags.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from digest_pipeline import tables
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.models import AnnounceType, Evidence, Paper, Summary, SummaryStatus, id_sort_key
from digest_pipeline.render.reading import read_papers
from digest_pipeline.storage import Storage
from digest_pipeline.translation.flags import FlagCode, code_of

_TYPES = {
    AnnounceType.NEW: "new: announced for the first time, its primary category is configured",
    AnnounceType.CROSS: "cross-list: a configured category is not its primary one",
    AnnounceType.REPLACE: "replacement: a new version of an earlier paper",
    AnnounceType.REPLACE_CROSS: "replacement of a cross-list",
}


def explain(storage: Storage, arxiv_id: str) -> list[str]:
    """Lines for a person, the newest listing first; empty where no kept listing holds the paper. A version is left out of account."""
    arxiv_id = arxiv_id.removeprefix("arXiv:").rsplit("v", 1)[0] if arxiv_id[-1:].isdigit() and "v" in arxiv_id else arxiv_id.removeprefix("arXiv:")
    lines: list[str] = []
    for day in reversed(storage.days_of("papers")):
        table = storage.read_table(storage.papers_file(day), tables.PAPERS)
        if arxiv_id in table.column("arxiv_id").to_pylist():
            (paper,) = (paper for paper in read_papers(storage, day) if paper.arxiv_id == arxiv_id)
            lines += ["", *_in_listing(storage, day, paper)] if lines else [*_in_listing(storage, day, paper)]
    return lines


def _in_listing(storage: Storage, day: date, paper: Paper) -> Iterator[str]:
    yield f"{paper.arxiv_id}v{paper.version} in the listing of {day}: {paper.title}"
    yield f"  type      {_TYPES[paper.announce_type]} ({', '.join(paper.categories)}; primary {paper.primary_category})"
    manifest = RawStore(storage).manifest(day)
    yield f"  evidence  {_evidence(paper, manifest)}"
    if paper.is_withdrawn:
        yield "  withdrawn arXiv's comment or abstract says so"
    for name in storage.names(tables.partition_folder("translated_summaries", day)):
        tag = name.removeprefix("language=")
        rows = tables.summaries_from_table(storage.read_table(storage.summaries_file(day, tag), tables.TRANSLATED_SUMMARIES))
        yield from (line for row in rows if row.arxiv_id == paper.arxiv_id for line in _translation(row))


def _evidence(paper: Paper, manifest: RawManifest | None) -> str:
    if paper.evidence is Evidence.RSS:
        return "it stood in arXiv's announcement feed of that day"
    if manifest is None or manifest.block is None:
        return "its id lies in the day's id range"
    first, last = manifest.block
    place = "lies in" if id_sort_key(first) <= id_sort_key(paper.arxiv_id) <= id_sort_key(last) else "was added to"
    return f"its id {place} the day's range, {first} to {last}"


def _translation(row: Summary) -> Iterator[str]:
    if row.status is SummaryStatus.ORIGINAL:
        yield f"  {row.language:<9} original: listed in the original by choice; DIGEST_TRANSLATE with a larger number, or `all`, and the day made again translates it"
        return
    source = "an answer paid before" if row.from_cache else "asked in this run" if row.status.is_of_an_answer else "not asked yet"
    yield f"  {row.language:<9} {row.status.value}, {row.model or 'no model'}, {source}, prompt {row.prompt_sha256[:12]}"
    for flag in row.flags:
        code = FlagCode(code_of(flag)) if code_of(flag) in set(FlagCode) else None
        yield f"            flag {flag}" + (f"  ({code.kind}: {code.checks})" if code else "")

"""The ledger of one listing day: announced, fetched, translated, rendered, with the ids missing at each step.

Kept as `ledger/date=<day>/ledger.parquet` (columns in `tables.LEDGER`) and, for what is not a number,
`facts.json` beside it. What does not live here: the checks that read it (`orchestration/checks.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from statistics import median

import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.arxiv.raw_store import RawManifest
from digest_pipeline.models import ALL, DayLedger, Evidence, ListingInfo, Paper, Summary, SummaryStatus, counts_by_type
from digest_pipeline.papers.assemble import under
from digest_pipeline.storage import Storage


def day_facts(manifest: RawManifest, *, is_sample: bool) -> ListingInfo:
    return ListingInfo(manifest.listing_date, manifest.announced, manifest.evidence, is_sample, manifest.notes)


def write_facts(storage: Storage, facts: ListingInfo) -> None:
    values = {**asdict(facts), "listing_date": facts.listing_date.isoformat()}
    storage.write_text(_facts_file(facts.listing_date), json.dumps(values, ensure_ascii=False, indent=1))


def read_facts(storage: Storage, day: date) -> ListingInfo:
    """Raises FileNotFoundError where the day has no digest yet."""
    values = json.loads(storage.read_text(_facts_file(day)))
    evidence = Evidence(values["evidence"]) if values["evidence"] else None
    return ListingInfo(date.fromisoformat(values["listing_date"]), values["announced"], evidence, values["is_sample"], tuple(values["notes"]))


def _facts_file(day: date) -> str:
    return f"{tables.partition_folder('ledger', day)}/facts.json"


def day_ledger(
    day: date,
    category: str,
    language: str,
    *,
    announced_ids: Iterable[str],
    papers: Sequence[Paper],
    summaries: Mapping[str, Summary],
    rendered_ids: Sequence[str],
) -> DayLedger:
    """One row: `papers` and `announced_ids` are those of `category`; `rendered_ids` were read back from the file."""
    fetched = [p.arxiv_id for p in papers]
    statuses = Counter(summaries[i].status for i in fetched if i in summaries)
    translated, original = statuses[SummaryStatus.TRANSLATED], statuses[SummaryStatus.ORIGINAL]
    announced, rendered = set(announced_ids), set(rendered_ids)
    return DayLedger(
        listing_date=day,
        category=category,
        language=language,
        announced=len(announced),
        fetched=len(fetched),
        translated=translated,
        untranslated=len(fetched) - translated - original,
        rendered=len(rendered_ids),
        missing_fetched=tuple(sorted(announced - set(fetched))),
        missing_rendered=tuple(sorted(set(fetched) - rendered)),
        original=original,
        by_type=counts_by_type(papers),
    )


def in_category(category: str, papers: Sequence[Paper]) -> list[Paper]:
    """The papers of one configured category, or all of them for `all`."""
    return list(papers) if category == ALL else under(category, papers)


def write_ledger(storage: Storage, day: date, rows: Sequence[DayLedger]) -> None:
    storage.write_table(storage.ledger_file(day), pa.Table.from_pylist([asdict(row) for row in rows], schema=tables.LEDGER))


def read_ledger(storage: Storage, day: date) -> list[DayLedger]:
    """The day's rows; `by_type` is not kept and comes back empty. Raises FileNotFoundError."""
    rows = storage.read_table(storage.ledger_file(day), tables.LEDGER).to_pylist()
    return [DayLedger(**{**row, **{n: tuple(row[n]) for n in ("missing_fetched", "missing_rendered")}}) for row in rows]


def usual_size(storage: Storage, day: date, *, weeks: int = 8) -> float | None:
    """Median number of papers of the last listings of the same weekday before `day`; None with fewer than three known."""
    sizes = [
        storage.read_table(storage.papers_file(d), tables.PAPERS).num_rows
        for d in storage.days_of("papers")
        if d < day and d.weekday() == day.weekday() and (day - d).days <= 7 * weeks
    ]
    known = [size for size in sizes if size]
    return float(median(known)) if len(known) >= 3 else None

"""The Parquet tables as a public interface: one pyarrow schema a table, each column with its meaning.

What lives here: column names, types, descriptions, versions, and rows ↔ values. What does not: where
the files lie (`home.py`). `docs/formats.md` is generated from here; readers need none of our code.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from digest_pipeline.models import AnnounceType, Evidence, Paper, Summary, SummaryStatus

_UTC = pa.timestamp("us", tz="UTC")


def _schema(version: int, description: str, columns: list[tuple[str, pa.DataType, bool, str]]) -> pa.Schema:
    fields = [pa.field(name, kind, nullable, metadata={"description": text}) for name, kind, nullable, text in columns]
    return pa.schema(fields, metadata={"schema_version": str(version), "description": description})


PAPERS = _schema(
    1,
    "one row a paper and listing day; no row on a day without announcement",
    [
        ("arxiv_id", pa.string(), False, "arXiv id without version, e.g. 2404.01438 or hep-ex/0406020"),
        ("version", pa.int32(), False, "the announced version; its text is what stands in this row"),
        ("announce_type", pa.string(), False, "new, cross, replace or replace-cross, relative to the configured categories"),
        ("primary_category", pa.string(), False, "e.g. cs.CL"),
        ("categories", pa.list_(pa.string()), False, "all categories, the primary one first"),
        ("title", pa.string(), False, "on one line; TeX as arXiv gives it"),
        ("abstract", pa.string(), False, "whole, with its mathematics and line breaks; no feed boilerplate"),
        ("authors", pa.list_(pa.string()), False, "in the paper's order"),
        ("affiliations", pa.list_(pa.string()), False, "parallel to authors; empty string where arXiv gives none"),
        ("comment", pa.string(), True, "the authors' comment: pages, venue"),
        ("doi", pa.string(), True, "as arXiv gives it"),
        ("journal_ref", pa.string(), True, "as arXiv gives it"),
        ("submitted_at_utc", _UTC, True, "when version 1 was submitted; null while the API does not know the paper"),
        ("updated_at_utc", _UTC, True, "when this version was submitted; null while the API does not know the paper"),
        ("listing_date", pa.date32(), False, "the date of the listing, US Eastern"),
        ("evidence", pa.string(), False, "rss: the feed of that day; id-block: reconstructed from the ids assigned that day"),
        ("abs_url", pa.string(), False, "https://arxiv.org/abs/ID"),
        ("pdf_url", pa.string(), False, "https://arxiv.org/pdf/IDvN"),
    ],
)

TRANSLATED_SUMMARIES = _schema(
    1,
    "one row a paper, listing day and language; the four texts are empty strings where status is not translated",
    [
        ("arxiv_id", pa.string(), False, "arXiv id without version"),
        ("version", pa.int32(), False, "the version that was translated"),
        ("language", pa.string(), False, "language tag, e.g. zh"),
        ("translated_title", pa.string(), False, "title in the language; mathematics as in the source"),
        ("translated_abstract", pa.string(), False, "abstract in the language, whole; empty for `en`, which has a TL;DR only"),
        ("tldr", pa.string(), False, "one sentence in the language"),
        ("tldr_en", pa.string(), False, "one sentence in English"),
        ("status", pa.string(), False, "translated, quarantined (every answer rejected), deferred (not asked yet) or original (by choice)"),
        ("flags", pa.list_(pa.string()), False, "`code: detail` warnings, or the reasons of a rejection"),
        ("model", pa.string(), False, "the model that gave the answer"),
        ("prompt_sha256", pa.string(), False, "hash of the prompt files used"),
        ("input_tokens", pa.int64(), False, "tokens sent for this answer, all attempts; as the endpoint counted"),
        ("output_tokens", pa.int64(), False, "tokens received for this answer, all attempts"),
        ("cost_usd", pa.float64(), True, "US dollars when it was paid; null where the model's price is unknown"),
        ("from_cache", pa.bool_(), False, "true: this run paid nothing for it"),
        ("motivation", pa.string(), False, "structured summary, where switched on; else empty"),
        ("method", pa.string(), False, "structured summary, where switched on; else empty"),
        ("result", pa.string(), False, "structured summary, where switched on; else empty"),
        ("conclusion", pa.string(), False, "structured summary, where switched on; else empty"),
    ],
)

LEDGER = _schema(
    1,
    "one row a listing day, language and category (and their union `all`): where each announced paper got to",
    [
        ("listing_date", pa.date32(), False, "the date of the listing, US Eastern"),
        ("category", pa.string(), False, "a configured category, or all"),
        ("language", pa.string(), False, "language tag"),
        ("announced", pa.int64(), False, "papers arXiv announced in the category, as far as `evidence` can know"),
        ("fetched", pa.int64(), False, "papers in the papers table"),
        ("translated", pa.int64(), False, "papers with a validated translation"),
        ("untranslated", pa.int64(), False, "papers shipped in the original for want of a translation: quarantined or deferred"),
        ("rendered", pa.int64(), False, "papers in the digest file"),
        ("missing_fetched", pa.list_(pa.string()), False, "ids announced but not in the papers table"),
        ("missing_rendered", pa.list_(pa.string()), False, "ids in the papers table but not in the digest file"),
        ("original", pa.int64(), False, "papers listed in the original by choice, DIGEST_TRANSLATE; in files of before this column read it as 0"),
    ],
)

READING_NOTES = _schema(
    1,
    "one row a claim of a paper that was read whole, listing day and language; a paper of which nothing can be shown has one row whose status says why",
    [
        ("arxiv_id", pa.string(), False, "arXiv id without version"),
        ("version", pa.int32(), False, "the version that was read"),
        ("language", pa.string(), False, "language tag of the claim"),
        ("kind", pa.string(), False, "contribution, method, setup, result or limitation; empty where status is not shown"),
        ("claim", pa.string(), False, "one sentence in the language; empty where status is not shown"),
        ("quote", pa.string(), False, "the paper's own words that carry the claim, at most 300 characters; empty where status is not shown"),
        ("section", pa.string(), False, "title of the section the quote stands in"),
        ("anchor_url", pa.string(), False, "where the quote stands in arXiv's HTML"),
        ("model", pa.string(), False, "the model that read the paper; empty where none was asked"),
        (
            "cost_usd",
            pa.float64(),
            True,
            "US dollars of all answers about this paper, on its first row, 0 on the others; null where a price is unknown",
        ),
        (
            "status",
            pa.string(),
            False,
            "shown, no full text, nothing to show (every note was dropped), deferred (budget reached) or failed (no usable answer)",
        ),
        ("dropped", pa.int32(), False, "notes of this paper that failed the checks twice, on its first row, 0 on the others"),
        ("detail", pa.string(), False, "why there is no full text or no note; empty where status is shown"),
    ],
)

RANKINGS = _schema(
    1,
    "one row a paper, listing day and profile, best first; no row on a day without announcement. Private to the profile's owner",
    [
        ("arxiv_id", pa.string(), False, "arXiv id without version"),
        ("rank", pa.int32(), False, "1 for the paper that this reader would want first"),
        ("score", pa.float64(), False, "between 0 and 1, never rising with the rank; comparable within a day only"),
        ("interest", pa.string(), False, "the reader's interest that the paper serves, in terms of the library or a title of it"),
        (
            "why",
            pa.list_(pa.struct([("key", pa.string()), ("title", pa.string()), ("share", pa.float64())])),
            False,
            "the library papers that speak for it, at most three, each with its share of what the whole library says",
        ),
    ],
)

TABLES: dict[str, pa.Schema] = {
    "papers": PAPERS,
    "translated_summaries": TRANSLATED_SUMMARIES,
    "ledger": LEDGER,
    "reading_notes": READING_NOTES,
    "rankings": RANKINGS,
}


def describe(schema: pa.Schema) -> str:
    """The table's own sentence: what one row is, and the empty case."""
    description: bytes = (schema.metadata or {})[b"description"]
    return description.decode()


def papers_to_table(papers: Iterable[Paper]) -> pa.Table:
    return _to_table(papers, PAPERS)


def papers_from_table(table: pa.Table) -> list[Paper]:
    return [
        Paper(
            **{
                **_known(row, Paper),
                "announce_type": AnnounceType(row["announce_type"]),
                "evidence": Evidence(row["evidence"]),
                **{name: tuple(row[name]) for name in ("categories", "authors", "affiliations")},
            }
        )
        for row in table.to_pylist()
    ]


def summaries_to_table(summaries: Iterable[Summary]) -> pa.Table:
    return _to_table(summaries, TRANSLATED_SUMMARIES)


def summaries_from_table(table: pa.Table) -> list[Summary]:
    return [Summary(**{**_known(row, Summary), "status": SummaryStatus(row["status"]), "flags": tuple(row["flags"])}) for row in table.to_pylist()]


def to_parquet(table: pa.Table) -> bytes:
    """The file's bytes, zstd-compressed; the schema's metadata travels inside."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def from_parquet(content: bytes, schema: pa.Schema) -> pa.Table:
    """Reads a file of `schema`'s table. A column of numbers that a file of an earlier release lacks is read as 0.

    Without Arrow's threads: one of them may still hold the Python buffer when the interpreter ends, and then aborts the
    process (seen in 1 of about 35 runs, after all work was done). A day's table is too small to gain by them.
    """
    table = pq.ParquetFile(pa.BufferReader(content)).read(schema.names, use_threads=False)
    for name in set(schema.names) - set(table.column_names):
        table = table.append_column(name, pa.array([0] * table.num_rows, schema.field(name).type))
    return table.select(schema.names).cast(schema)


def _to_table(values: Iterable[Paper | Summary], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: getattr(value, name) for name in schema.names} for value in values], schema=schema)


def _known(row: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {f.name: row[f.name] for f in dataclasses.fields(kind)}


def partition_folder(table: str, day: date) -> str:
    """Hive-style folder of one listing day, relative to the data directory."""
    return f"{table}/date={day.isoformat()}"

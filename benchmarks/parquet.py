"""arXiv's answer → records → papers.parquet → records: how long, how large, and how both grow with the day.

Data: generated listings in the API's own format, in pages of 100 as arXiv sends them. Each row compares with a floor
measured in the same run: parsing with what the XML parser alone needs, the file with the same answer under gzip.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from collections.abc import Sequence
from datetime import date
from itertools import cycle, islice
from pathlib import Path

from defusedxml.ElementTree import fromstring

from benchmarks.table import PeakMemory, growth, print_result, seconds_of
from digest_pipeline import tables
from digest_pipeline.arxiv.atom import ApiRecord, read_page
from digest_pipeline.models import AnnounceType, Evidence, Paper
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.fake_arxiv import atom_entry, atom_feed
from digest_pipeline_tests.support.listing_days import ListingDay, generate_days

DAY = date(2026, 6, 2)
PAGE = 100
SIZES = (300, 600, 2_855, 28_550)
"""A usual day of two categories, of seven, the largest recorded day, and ten of those."""
QUICK_SIZES = (100, 300)


def pages_of(day: ListingDay, papers: int) -> list[bytes]:
    """`papers` papers as the API's pages; those of the generated day again and again where it has fewer."""
    entries = [atom_entry(paper, paper.versions[0], day.announced_at) for paper in islice(cycle(day.block), papers)]
    starts = range(0, len(entries), PAGE)
    return [atom_feed({}, entries[start : start + PAGE], len(entries), start, PAGE, day.announced_at) for start in starts]


def paper_of(record: ApiRecord) -> Paper:
    fields = {name: getattr(record, name) for name in ApiRecord.__dataclass_fields__}
    return Paper(**fields, announce_type=AnnounceType.NEW, listing_date=DAY, evidence=Evidence.ID_BLOCK)


def measured(pages: Sequence[bytes], storage: Storage) -> list[object]:
    """One row of the table."""
    path = storage.papers_file(DAY)
    with PeakMemory() as memory:
        papers = [paper_of(record) for page in pages for record in read_page(page).records]
        storage.write_table(path, tables.papers_to_table(papers))
    parse, bare, write, read = seconds_of(
        lambda: [read_page(page) for page in pages],
        lambda: [fromstring(page) for page in pages],
        lambda: storage.write_table(path, tables.papers_to_table(papers)),
        lambda: tables.papers_from_table(storage.read_table(path, tables.PAPERS)),
    )
    parquet, zipped = len(storage.read_bytes(path)), len(gzip.compress(b"".join(pages)))
    rates = [f"{len(papers) / seconds:,.0f}" for seconds in (parse, write, read)]
    return [
        f"{len(papers):,}",
        f"{sum(map(len, pages)) / 1e6:.1f}",
        rates[0],
        f"{parse / bare:.1f}",
        *rates[1:],
        f"{1e6 * (parse + write + read) / len(papers):.0f}",
        f"{parquet / 1e6:.2f}",
        f"{parquet / zipped:.2f}",
        f"{memory.grown_megabytes:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parquet", description="Parse and write throughput of the papers table.")
    parser.add_argument("sizes", nargs="*", type=int, metavar="PAPERS", help="numbers of papers to measure")
    parser.add_argument("--quick", action="store_true", help="small days only")
    arguments = parser.parse_args()
    sizes = arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)
    day = next(d for d in generate_days(date(2026, 6, 1), date(2026, 6, 3), papers_per_day=300) if d.listing_date == DAY)
    with tempfile.TemporaryDirectory() as folder:
        measured(pages_of(day, PAGE), Storage(Path(folder)))  # so that the first row does not pay for what libraries load on first use
        rows = [measured(pages_of(day, size), Storage(Path(folder))) for size in sizes]
    print_result(
        "Parse and write: the papers of one listing day",
        ["papers", "Atom, MB", "parsed/s", "÷ XML alone", "written/s", "read/s", "µs a paper", "Parquet, MB", "÷ gzip", "memory, MB"],
        rows,
        notes=[
            "`÷ XML alone`: parsing and checking, over the bare XML parser on the same bytes. `÷ gzip`: the table's size over the same answer's, gzipped.",
            "Written: built, compressed, flushed to disk and moved into place. Read: from the file back to values.",
            "Memory: the most held beyond what the generated pages hold.",
            "`µs a paper`, parse + write + read, stays level where the cost grows with the number of papers and no faster.",
            growth(
                "the time of the papers table (parse, write, read)",
                "papers",
                sizes,
                [size * float(str(row[6])) for size, row in zip(sizes, rows, strict=True)],
            ),
            growth("the size of papers.parquet", "papers", sizes, [float(str(row[7])) for row in rows]),
        ],
    )


if __name__ == "__main__":
    main()

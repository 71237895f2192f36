"""Papers and summaries → one digest → read back: how long a paper takes, and how that grows with the day.

Data: generated papers of real shape, three formulas and one link an abstract, with a translation as long.
"""

from __future__ import annotations

import argparse
from datetime import date

from markdown_it import MarkdownIt

from benchmarks.table import PeakMemory, growth, print_result, seconds_of
from digest_pipeline.markdown.read_back import rendered_ids
from digest_pipeline.markdown.render import render_digest
from digest_pipeline.models import AnnounceType, DayLedger, DigestEntry, Evidence, ListingInfo, Paper, Summary, SummaryStatus
from digest_pipeline.translation.languages import load_language

DAY = date(2026, 6, 2)
SIZES = (300, 600, 2_855)
QUICK_SIZES = (50, 150)
ABSTRACT = (
    "We study the bound $\\|f - g\\|_2 \\le \\epsilon$ of [1] for $n < 10$ at https://example.org/code_{n}. "
    + "Plain words, well chosen, fill a sentence. " * 25
    + "$x|y$"
)
TRANSLATION = "我们研究 $\\|f - g\\|_2 \\le \\epsilon$ 在 $n < 10$ 时的界 [1]。" + "朴素而恰当的词语组成一句话。" * 25 + "$x|y$"


def entry(number: int) -> DigestEntry:
    arxiv_id = f"2606.{number:05}"
    paper = Paper(
        arxiv_id=arxiv_id,
        version=1,
        announce_type=AnnounceType.NEW,
        primary_category="cs.CL",
        categories=("cs.CL", "cs.IR"),
        title=f"On $x|y$, part {number}",
        abstract=ABSTRACT.replace("{n}", str(number)),
        authors=("A. Example", "B. Beispiel"),
        affiliations=("", ""),
        comment="12 pages",
        doi=None,
        journal_ref=None,
        submitted_at_utc=None,
        updated_at_utc=None,
        listing_date=DAY,
        evidence=Evidence.RSS,
    )
    texts = (f"论 $x|y$（{number}）", TRANSLATION, "一句话说明结果。", "One sentence says the result.")
    return DigestEntry(paper, Summary(arxiv_id, 1, "zh", *texts, SummaryStatus.TRANSLATED, (), "m", "", 900, 700, None, False))


def measured(size: int) -> list[object]:
    """One row of the table."""
    entries = [entry(number) for number in range(1, size + 1)]
    facts, ledger = ListingInfo(DAY, True, Evidence.RSS, False), DayLedger(DAY, "all", "zh", size, size, size, 0, size)

    def render() -> str:
        (digest,) = render_digest(facts, ledger, entries, load_language("zh"), model="m", generator="g", largest=1_000_000_000)
        return digest

    with PeakMemory() as memory:
        digest = render()
        ids = rendered_ids(digest)
    flat = digest.replace("\n    ", "\n")  # else the bare parser would take the notes for code and read no word of them
    render_seconds, read_seconds, bare = seconds_of(render, lambda: rendered_ids(digest), lambda: MarkdownIt("commonmark").parse(flat))
    assert len(ids) == size
    per_paper = [f"{1e3 * seconds / size:.2f}" for seconds in (render_seconds, read_seconds)]
    return [f"{size:,}", f"{len(digest.encode()) / 1e6:.1f}", *per_paper, f"{read_seconds / bare:.2f}", f"{memory.grown_megabytes:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.markdown", description="Rendering and reading back of one digest.")
    parser.add_argument("sizes", nargs="*", type=int, metavar="PAPERS", help="numbers of papers to measure")
    parser.add_argument("--quick", action="store_true", help="small days only")
    arguments = parser.parse_args()
    sizes = arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)
    rows = [measured(size) for size in sizes]
    print_result(
        "One digest as Markdown",
        ["papers", "MB", "ms to render a paper", "ms to read one back", "÷ bare CommonMark", "memory, MB"],
        rows,
        notes=[
            "Reading back is a whole parse with tables and footnotes, over which the ledger's `rendered` is counted; it is compared with the bare parser.",
            growth(
                "rendering a digest and reading it back",
                "papers",
                sizes,
                [size * (float(str(row[2])) + float(str(row[3]))) for size, row in zip(sizes, rows, strict=True)],
            ),
        ],
    )


if __name__ == "__main__":
    main()

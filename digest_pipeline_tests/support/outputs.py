"""Papers, summaries and days for the tests of feeds, exports, search, watch lists and statistics."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from digest_pipeline.models import AnnounceType, DigestEntry, Evidence, Paper, Summary, SummaryStatus

DAY = date(2026, 6, 2)

HOSTILE = (
    'A ]]> <script>alert("x")</script> & <b>bold</b> | `tick` \u202eesrever\u2066\u200f \x00\x07\x1b[31m cost $5 {open \\input{/etc/passwd} % end'
)
"""Everything issue D names that a title or a model's answer may hold."""


def a_paper(**changes: Any) -> Paper:
    paper = Paper(
        arxiv_id="2606.00001",
        version=1,
        announce_type=AnnounceType.NEW,
        primary_category="cs.CL",
        categories=("cs.CL", "cs.IR"),
        title="On the Brewing of Tea by Language Models",
        abstract="We brew $n^2$ cups.\nThey taste of $\\alpha$.",
        authors=("Zoë Example", "Ana María Muster", "Wei Beispiel"),
        affiliations=("", "", ""),
        comment="12 pages",
        doi=None,
        journal_ref=None,
        submitted_at_utc=datetime(2026, 6, 1, 9, 30, tzinfo=UTC),
        updated_at_utc=datetime(2026, 6, 1, 9, 30, tzinfo=UTC),
        listing_date=DAY,
        evidence=Evidence.RSS,
    )
    return replace(paper, **changes)


def a_summary(**changes: Any) -> Summary:
    summary = Summary(
        arxiv_id="2606.00001",
        version=1,
        language="zh",
        translated_title="论语言模型如何泡茶",
        translated_abstract="我们泡了 $n^2$ 杯茶。它们有 $\\alpha$ 的味道。",
        tldr="语言模型学会了泡茶。",
        tldr_en="Language models learn to brew tea.",
        status=SummaryStatus.TRANSLATED,
        flags=(),
        model="test-model",
        prompt_sha256="0" * 64,
        input_tokens=900,
        output_tokens=400,
        cost_usd=0.001,
        from_cache=False,
    )
    return replace(summary, **changes)


def an_entry(language: str = "zh", summary: dict[str, Any] | None = None, **changes: Any) -> DigestEntry:
    """A paper with its summary; `changes` are the paper's."""
    paper = a_paper(**changes)
    return DigestEntry(paper, a_summary(arxiv_id=paper.arxiv_id, version=paper.version, language=language, **(summary or {})))


def an_untranslated_entry(**changes: Any) -> DigestEntry:
    empty = dict.fromkeys(("translated_title", "translated_abstract", "tldr", "tldr_en"), "")
    return an_entry(summary={**empty, "status": SummaryStatus.QUARANTINED, "flags": ("refused: no",)}, **changes)

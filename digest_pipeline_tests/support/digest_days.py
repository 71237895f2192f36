"""Invented papers, summaries and days for the tests of the Markdown digest.

Run as a program it rewrites the golden digest: `python -m digest_pipeline_tests.support.digest_days`; read the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from digest_pipeline.markdown.render import LARGEST_FILE, render_digest
from digest_pipeline.models import AnnounceType, DayLedger, DigestEntry, Evidence, ListingInfo, Paper, Summary, SummaryStatus
from digest_pipeline.translation.languages import load_language

DAY = date(2026, 6, 2)
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "digest_zh.md"


def paper(arxiv_id: str = "2606.00011", **changes: Any) -> Paper:
    values: dict[str, Any] = {
        "arxiv_id": arxiv_id,
        "version": 1,
        "announce_type": AnnounceType.NEW,
        "primary_category": "cs.CL",
        "categories": ("cs.CL",),
        "title": "A plain title",
        "abstract": "A plain abstract.",
        "authors": ("Ada Example",),
        "affiliations": ("",) * len(changes.get("authors", ("Ada Example",))),
        "comment": None,
        "doi": None,
        "journal_ref": None,
        "submitted_at_utc": None,
        "updated_at_utc": None,
        "listing_date": DAY,
        "evidence": Evidence.RSS,
    }
    return Paper(**{**values, **changes})


def summary(arxiv_id: str = "2606.00011", **changes: Any) -> Summary:
    values: dict[str, Any] = {
        "arxiv_id": arxiv_id,
        "version": 1,
        "language": "zh",
        "translated_title": "一个普通的标题",
        "translated_abstract": "一段普通的摘要。",
        "tldr": "一句话。",
        "tldr_en": "One sentence.",
        "status": SummaryStatus.TRANSLATED,
        "flags": (),
        "model": "recorded",
        "prompt_sha256": "",
        "input_tokens": 1,
        "output_tokens": 1,
        "cost_usd": None,
        "from_cache": False,
    }
    return Summary(**{**values, **changes})


def untranslated(arxiv_id: str = "2606.00011", status: SummaryStatus = SummaryStatus.QUARANTINED, **changes: Any) -> Summary:
    nothing = dict.fromkeys(("translated_title", "translated_abstract", "tldr", "tldr_en"), "")
    return summary(arxiv_id, **{**nothing, "status": status, "flags": ("not-translated: 3 % Chinese letters",), **changes})


def facts(**changes: Any) -> ListingInfo:
    return ListingInfo(**{"listing_date": DAY, "announced": True, "evidence": Evidence.RSS, "is_sample": False, **changes})


def ledger_of(entries: Sequence[DigestEntry], **changes: Any) -> DayLedger:
    translated = sum(entry.summary.is_translated for entry in entries)
    by_type: dict[str, int] = {}
    for entry in entries:
        by_type[entry.paper.announce_type.value] = by_type.get(entry.paper.announce_type.value, 0) + 1
    values: dict[str, Any] = {
        "listing_date": DAY,
        "category": "all",
        "language": "zh",
        "announced": len(entries),
        "fetched": len(entries),
        "translated": translated,
        "untranslated": len(entries) - translated,
        "rendered": len(entries),
        "by_type": by_type,
    }
    return DayLedger(**{**values, **changes})


def digest_of(*entries: DigestEntry, tag: str = "zh", day: ListingInfo | None = None, ledger: DayLedger | None = None) -> str:
    (text,) = parts_of(*entries, tag=tag, day=day, ledger=ledger)
    return text


def parts_of(
    *entries: DigestEntry, tag: str = "zh", day: ListingInfo | None = None, ledger: DayLedger | None = None, largest: int = LARGEST_FILE
) -> tuple[str, ...]:
    return render_digest(
        day or facts(),
        ledger or ledger_of(entries),
        entries,
        load_language(tag),
        model="a-model",
        generator="digest-pipeline 0.1.0",
        largest=largest,
    )


def golden_day() -> str:
    """One of everything that changes the layout."""
    return digest_of(
        DigestEntry(
            paper(
                "2606.00012",
                title="Attending to $P(y \\mid x)$ | a `greedy` view of $|S|$ on $[0,1)$",
                abstract="We bound the gap by $\\|f - g\\|_2 \\le \\epsilon$ for all $x<y$.\nCode is at https://example.org/greedy_view.\n  A second paragraph cites [3] and_more.",
                categories=("cs.CL", "stat.ML"),
                authors=("Zoë Müller", "李 明", "Ngô Thị Bích"),
                comment="12 pages, accepted at Nowhere 2026",
                doi="10.1000/xyz_1",
                journal_ref="J. Inv. Res. 7 (2026) 1",
            ),
            summary(
                "2606.00012",
                translated_title="关注 $P(y \\mid x)$：对 $|S|$ 的贪心视角",
                translated_abstract="对所有 $x<y$，我们以 $\\|f - g\\|_2 \\le \\epsilon$ 给出差距的上界。代码见 https://example.org/greedy_view。\n\n第二段引用了 [3]。",
                tldr="给出了差距的上界。",
                tldr_en="An upper bound of the gap.",
                flags=("number-lost: 12",),
            ),
        ),
        DigestEntry(
            paper("2606.00010", title="Crossed lists", announce_type=AnnounceType.CROSS, primary_category="cs.LG", categories=("cs.LG", "cs.CL")),
            untranslated("2606.00010"),
        ),
        DigestEntry(
            paper(
                "hep-ex/0406020",
                title="An old paper, once more",
                announce_type=AnnounceType.REPLACE_CROSS,
                version=4,
                primary_category="hep-ex",
                categories=("hep-ex", "cs.CL"),
            ),
            summary(
                "hep-ex/0406020",
                translated_title="再谈一篇旧论文",
                motivation="动机句。",
                method="方法句。",
                result="结果句。",
                conclusion="结论句。",
            ),
        ),
        DigestEntry(
            paper(
                "2605.09999",
                title="Withdrawn wisdom",
                announce_type=AnnounceType.REPLACE,
                version=2,
                comment="This paper has been withdrawn by the authors",
            ),
            untranslated("2605.09999", SummaryStatus.DEFERRED, flags=()),
        ),
        day=facts(is_sample=True, evidence=Evidence.ID_BLOCK, notes=("the feed of this day was not kept: reconstructed",)),
    )


if __name__ == "__main__":
    GOLDEN.write_text(golden_day(), encoding="utf-8")

"""Papers by the dozen and a translator against the loopback endpoint, with waits that suit a test."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from digest_pipeline.models import AnnounceType, Evidence, Paper
from digest_pipeline.translation.batch.client import BatchEndpoint
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.llm.client import OpenAIChatClient, endpoint_name
from digest_pipeline.translation.llm.rate_limit import PacingLimits
from digest_pipeline.translation.pricing import Price, PriceTable
from digest_pipeline.translation.translator import Translator

KEY = "sk-test-SECRET-0123456789"
MODEL = "fake-model"
PRICES = dataclasses.replace(PriceTable.load(), models={MODEL: Price(1.0, 2.0, 0.1, 0.5), "fallback-model": Price(1.0, 2.0)})


def papers(count: int, first: int = 1) -> list[Paper]:
    """Different papers with a formula, a link and numbers each."""
    return [_paper(number) for number in range(first, first + count)]


def _paper(number: int) -> Paper:
    return Paper(
        arxiv_id=f"2606.{number:05d}",
        version=1,
        announce_type=AnnounceType.NEW,
        primary_category="cs.CL",
        categories=("cs.CL",),
        title=f"Harvest{number}: Sorting Apples with $O({number} \\log n)$ Comparisons",
        abstract=(
            f"We study how to sort apples by their colour when only {number} comparisons are allowed. The known bound is $n^{{{number}}}$, and it "
            "is far from what orchards need in practice. We give a procedure that needs less, prove that it ends, and try it on two orchards "
            f"with {number + 100} trees. It saves 41% of the time. The code is at https://example.org/harvest/{number}."
        ),
        authors=("A. Author",),
        affiliations=("",),
        comment=None,
        doi=None,
        journal_ref=None,
        submitted_at_utc=None,
        updated_at_utc=None,
        listing_date=date(2026, 6, 9),
        evidence=Evidence.RSS,
    )


def utc_now() -> datetime:
    return datetime.now(UTC)


def translator_for(url: str, folder: Path | str, *, at_once: int = 8, budget: Budget | None = None, **changes: Any) -> Translator:
    """A translator whose store lies in `folder`; backoffs in hundredths of a second, an outage after little more than one."""
    values: dict[str, Any] = {
        "model": MODEL,
        "paper_timeout_seconds": 5.0,
        "pacing": PacingLimits(at_once, first_backoff=0.01, longest_backoff=0.05, longest_outage=1.2, spread=0.01),
        "budget": budget or Budget(),
        "prices": PRICES,
        "grace_seconds": 2.0,
        "progress_seconds": 0.05,
        "store_patience_seconds": 0.5,
        "least_timeout_seconds": 0.5,
        "now": utc_now,
        "rng": random.Random(7),
        "endpoint": endpoint_name(url),
        **changes,
    }
    store = open_cache(str(folder), values["now"])
    return Translator(
        store=store,
        make_client=lambda: OpenAIChatClient(
            api_key=KEY, base_url=url, longest_timeout_seconds=values["paper_timeout_seconds"], connections=at_once, memory=store, now=values["now"]
        ),
        make_batch_endpoint=lambda: BatchEndpoint(api_key=KEY, base_url=url, timeout_seconds=5.0, memory=store, now=values["now"], most_retries=1),
        **values,
    )

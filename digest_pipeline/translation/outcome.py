"""How far a translation run is, and what it brought: plain values.

What does not live here: the run (`run.py`), and one question (`tasks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from digest_pipeline.models import Summary, SummaryStatus


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. One count for each paper and language; `str()` gives the line for a log."""

    done: int
    total: int
    reused: int
    requests: int
    cost_usd: float | None
    """Of this run, so far; None where an answer's price is unknown."""
    waiting_for_others: int

    def __str__(self) -> str:
        cost = "cost unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        waiting = f", {self.waiting_for_others} asked by another run" if self.waiting_for_others else ""
        return f"{self.done} of {self.total} papers, {self.reused} reused, {self.requests} requests, {cost}{waiting}"


@dataclass(frozen=True, slots=True)
class TranslationOutcome:
    """All summaries, and what this run paid. Tokens and cost are of this run, rejected answers included."""

    summaries: dict[str, list[Summary]]
    """By language tag; one a paper, in the papers' order."""
    asked: int
    """Papers this run paid for."""
    reused: int
    """Papers whose answer was there already."""
    requests: int
    """Requests sent, failed ones included."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """0.0 where nothing was paid, None where a price was unknown."""
    by_status: dict[SummaryStatus, int] = field(default_factory=dict)
    missing: str = ""
    """Why papers are deferred for money, in a sentence; empty where none is."""

"""The daily look back as a job: one request for each of the last listings, reported as an asset check.

What does not live here: what is compared (`digest_pipeline.reconcile`).
"""

import dagster as dg

from digest_pipeline.orchestration import reporting
from digest_pipeline.reconcile import days_to_look_back, papers_that_turned_up
from digest_pipeline.stages import Finding
from digest_pipeline.workshop import Workshop

CHECK = "no_paper_turned_up_later"


class LookBackConfig(dg.Config):
    listings: int = 5
    """How many of the last listings to look at."""


@dg.op(name="look_back", pool="listing_day")
def look_back(context: dg.OpExecutionContext, config: LookBackConfig, workshop: dg.ResourceParam[Workshop]) -> None:
    """Reports papers that turned up after their listing was fetched; the partition's next run adds them."""
    for day in days_to_look_back(workshop, config.listings):
        late = papers_that_turned_up(workshop, day)
        words = f"{len(late)} turned up: {', '.join(late[:20])}; run {day} again to add them" if late else "nothing turned up"
        context.log_event(reporting.check_evaluation("papers", day.isoformat(), Finding(CHECK, not late, words)))  # type: ignore[arg-type]  # its signature lags: a step may log evaluations too
        context.log.info("%s: %s", day, words)


@dg.job(name="reconcile_last_listings", description="One request a listing: papers that arXiv's API shows now and our tables lack.")
def reconcile_last_listings() -> None:
    look_back()

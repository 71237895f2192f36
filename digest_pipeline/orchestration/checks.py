"""The asset checks by name: sentences that are true when green, and the numbers each of them plots.

What lives here: names, descriptions and severities (the one list that definitions, runbook and tests share), and the two
checks that can be executed by themselves, because they look at no day in particular. What does not: the verdicts of the
others, which their assets give while they are made.
Dagster's own word: https://docs.dagster.io/guides/test/asset-checks
"""

from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from digest_pipeline.arxiv.late_papers import days_to_look_back, papers_noted_as_missing, papers_that_turned_up
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.calendar import newest_due
from digest_pipeline.orchestration.failures import SCHEDULED, errors_as_failures
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.storage import Storage

LOOK_BACK_LISTINGS = 5
DUE = timedelta(hours=13)
"""So long after midnight US Eastern of its date a listing should have its digest; the look back runs at 13:40."""


@dataclass(frozen=True, slots=True)
class Check:
    """One asset check; one that only warns does not make the day wrong."""

    name: str
    asset: str
    description: str
    warns: bool = False
    is_of_a_step: bool = True
    """Evaluated while the asset is materialized; else by itself, daily and by its button."""


CHECKS = (
    Check(
        "arxiv_kept_to_its_calendar",
        "raw_arxiv_metadata",
        "Warns where arXiv announced on a day that its calendar skips, or not on one that it lists.",
        warns=True,
    ),
    Check(
        "the_calendar_covers_the_coming_weeks",
        "raw_arxiv_metadata",
        "Warns while arXiv's list of skipped evenings for the coming year is not in the data.",
        warns=True,
    ),
    Check("every_announced_paper_is_in_the_table", "papers", "No paper that arXiv announced is missing from the table."),
    Check(
        "the_listing_has_its_usual_size",
        "papers",
        "Warns where a listing has less than half of the weekday's median: a broken key or feed shrinks listings silently.",
        warns=True,
    ),
    Check(
        "every_record_is_complete",
        "papers",
        "Warns where arXiv gives a paper without title, abstract or authors; it is in the digest with what there is.",
        warns=True,
    ),
    Check(
        "every_profile_is_ranked",
        "rankings",
        "Warns where a profile could not be ranked; the others are, and the digest is made all the same.",
        warns=True,
    ),
    Check(
        "embeddings_were_had_where_they_are_set",
        "rankings",
        "Warns where DIGEST_EMBEDDING_MODEL is set and its vectors could not be had: the day is ranked by words alone.",
        warns=True,
    ),
    Check(
        "nearly_every_paper_is_translated", "translated_summaries", "At most 2 % of the papers are quarantined; a single one never fails a small day."
    ),
    Check(
        "nothing_waits_for_budget_or_batch",
        "translated_summaries",
        "Warns while papers are deferred for want of budget, or until their batch is back.",
        warns=True,
    ),
    Check("every_paper_is_in_the_digest", "digest_files", "Each paper of the table is found when the digest files are read back."),
    Check("announced_fetched_and_rendered_are_equal", "digest_files", "The ledger balances in every category and language."),
    Check(
        "the_pages_can_be_searched",
        "site",
        "Warns where the search index could not be built; pages and feeds are up to date all the same.",
        warns=True,
    ),
    Check(
        "no_paper_turned_up_later",
        "papers",
        f"arXiv's API shows no paper of the last {LOOK_BACK_LISTINGS} listings' id blocks that the tables lack.",
        is_of_a_step=False,
    ),
    Check(
        "the_newest_listing_has_its_digest",
        "digest_files",
        "Warns while the newest listing that is due has no digest. Listings before it do not count: a backfill makes no digest fresh.",
        warns=True,
        is_of_a_step=False,
    ),
    Check(
        "every_chosen_paper_with_a_full_text_was_read",
        "reading_notes",
        "Warns where a paper that was chosen for reading got no usable answer, or the budget ended first.",
        warns=True,
    ),
)
_BY_NAME = {check.name: check for check in CHECKS}


def specs_of(asset: str) -> list[dg.AssetCheckSpec]:
    """Those that the asset evaluates while it is made."""
    return [dg.AssetCheckSpec(c.name, asset=asset, description=c.description) for c in CHECKS if c.asset == asset and c.is_of_a_step]


def result(name: str, passed: bool, description: str, **numbers: int | float) -> dg.AssetCheckResult:
    """`numbers` are plotted over the runs, so each check gives the same ones every time."""
    check = _BY_NAME[name]
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=check.asset,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN if check.warns else dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata=numbers,
    )


# -- by themselves -------------------------------------------------------------------------------------


@dg.asset_check(asset="papers", name="no_paper_turned_up_later", description=_BY_NAME["no_paper_turned_up_later"].description, pool="arxiv")
def no_paper_turned_up_later(
    context: dg.AssetCheckExecutionContext, storage: dg.ResourceParam[Storage], listing_fetcher: dg.ResourceParam[ListingFetcher]
) -> dg.AssetCheckResult:
    """One request a listing. What turned up is noted, and the day's next run fetches just that.

    Dagster runs it beside every materialization of papers too: then nobody is asked, and what was noted before is reported.
    """
    days = days_to_look_back(storage, LOOK_BACK_LISTINGS)
    asks = not context.op_execution_context.job_def.asset_layer.selected_asset_keys
    with errors_as_failures(context.op_execution_context):
        look = papers_that_turned_up if asks else papers_noted_as_missing
        late = {day: look(day, storage, listing_fetcher) for day in days}
    found = [f"{day}: {', '.join(ids[:20])}" for day, ids in late.items() if ids]
    count = sum(map(len, late.values()))
    words = f"{count} turned up: {'; '.join(found)} → materialize those days again to add them" if found else f"none in {len(days)} listings"
    return result("no_paper_turned_up_later", not found, words, papers=count, listings=len(days))


@dg.asset_check(asset="digest_files", name="the_newest_listing_has_its_digest", description=_BY_NAME["the_newest_listing_has_its_digest"].description)
def the_newest_listing_has_its_digest(
    context: dg.AssetCheckExecutionContext, storage: dg.ResourceParam[Storage], clock: dg.ResourceParam[Clock]
) -> dg.AssetCheckResult:
    """An installation that the schedule never ran, such as one that holds past days only, misses no listing."""
    day, have = newest_due(clock(), DUE), storage.days_of("ledger")
    is_daily = bool(context.instance.get_runs(dg.RunsFilter(tags={SCHEDULED: "true"}), limit=1))
    lacking = is_daily and day not in have
    words = f"the listing of {day} has no digest" if lacking else f"the newest digest is of {max(have)}" if have else "no digest was made yet"
    return result("the_newest_listing_has_its_digest", not lacking, words, missing=int(lacking), digests=len(have))

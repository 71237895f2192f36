"""The asset checks by name: sentences that are true when green, and what each looks at.

What lives here: names and descriptions, the one list that definitions, runbook and tests share. What does
not: how they are found out (`stages.py` while a step runs, `reconcile.py` for the daily look back).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One asset check. `is_of_a_step`: evaluated while the asset is materialized; else by the reconciliation job."""

    name: str
    asset: str
    description: str
    is_of_a_step: bool = True


CHECKS = (
    Check(
        "arxiv_kept_to_its_calendar",
        "raw_arxiv_metadata",
        "Warns where arXiv announced on a day that its calendar skips, or not on one that it lists.",
    ),
    Check(
        "the_calendar_covers_the_coming_weeks",
        "raw_arxiv_metadata",
        "Warns while arXiv's list of skipped evenings for the coming year is not in the data.",
    ),
    Check("every_announced_paper_is_in_the_table", "papers", "No paper that arXiv announced is missing from the table."),
    Check(
        "the_listing_has_its_usual_size",
        "papers",
        "Warns where a listing has less than half of the weekday's median: a broken key or feed shrinks listings silently.",
    ),
    Check(
        "every_record_is_complete",
        "papers",
        "Warns where arXiv gives a paper without title, abstract or authors; it is in the digest with what there is.",
    ),
    Check(
        "nearly_every_paper_is_translated", "translated_summaries", "At most 2 % of the papers are quarantined; a single one never fails a small day."
    ),
    Check(
        "nothing_waits_for_budget_or_batch",
        "translated_summaries",
        "Warns while papers are deferred for want of budget, or until their batch is back.",
    ),
    Check("every_paper_is_in_the_digest", "digest_files", "Each paper of the table is found when the digest files are read back."),
    Check("announced_fetched_and_rendered_are_equal", "digest_files", "The ledger balances in every category and language."),
    Check("the_pages_can_be_searched", "site", "Warns where the search index could not be built; pages and feeds are up to date all the same."),
    Check(
        "no_paper_turned_up_later",
        "papers",
        "The daily look back finds no paper of the last listings' id blocks that the table lacks.",
        is_of_a_step=False,
    ),
)

"""`site`: pages, feeds, search and exports over all days. One artefact, so no partitions."""

import dagster as dg

from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import DIGESTS, GROUP, OWNER, SITE
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.resources import Clock
from digest_pipeline.site.build import build_site
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.storage import Storage

ONCE_THE_DIGESTS_ARE_DONE = (
    dg.AutomationCondition.any_deps_updated().since(dg.AutomationCondition.newly_requested() | dg.AutomationCondition.initial_evaluation())
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("a digest was made, and none is being made")
"""Once after a backfill, not once a day of it: while a backfill has days to go, its digests are in progress.

Not `since_last_handled`: a site made by hand or by `digest run` would swallow a digest that is made in the same half minute after it.
A digest that is made in one run with the site does not count as updated."""


@dg.asset(
    name=SITE,
    deps=[DIGESTS],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"html"},
    pool="site",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=30),
    automation_condition=ONCE_THE_DIGESTS_ARE_DONE,
    check_specs=checks.specs_of(SITE),
    description="The static site under `site/`: pages, feeds, search and exports over all days, rebuilt where something changed.",
)
def site(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    site_options: dg.ResourceParam[SiteOptions],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    with errors_as_failures(context):
        context.log.info("bringing %s/site up to date with %d days", storage.root, len(storage.days_of("ledger")))
        report = build_site(storage, site_options, now=clock, progress=context.log.info)
    numbers = {
        "days": report.days,
        "days_built": report.days_built,
        "paper_pages_built": report.papers_built,
        "files_written": report.files_written,
        "files_unchanged": report.files_unchanged,
        "seconds": round(report.seconds, 1),
    }
    problem = report.search_problem
    return dg.MaterializeResult(
        metadata={"path": dg.MetadataValue.path(f"{storage.root}/site/"), **numbers},
        check_results=[
            checks.result(
                "the_pages_can_be_searched", not problem, problem or "the index is up to date", days=report.days, problems=int(bool(problem))
            )
        ],
    )

"""`digest_files`: the Markdown digests of a listing day in every language, and its ledger."""

from collections.abc import Sequence

import dagster as dg

from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.clients import DigestOptions
from digest_pipeline.markdown.digests import write_digests
from digest_pipeline.models import LEDGER_COUNTS, DayLedger
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import DIGESTS, GROUP, OWNER, SUMMARIES
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import metadata, picture
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.site.statistics import day_figure
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language


@dg.asset(
    name=DIGESTS,
    deps=[SUMMARIES],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"jinja", "markdown"},
    retry_policy=dg.RetryPolicy(max_retries=1, delay=10),
    check_specs=checks.specs_of(DIGESTS),
    description="The digests people read: `digests/<tag>/<day>/<category>.md` and `all.md`, and the day's ledger.",
)
def digest_files(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    listing_fetcher: dg.ResourceParam[ListingFetcher],
    digest_options: dg.ResourceParam[DigestOptions],
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    with errors_as_failures(context):
        written = write_digests(day, storage, digest_options)
        figure = day_figure(day, written.papers, digest_options.categories, listing_fetcher.calendar, load_language("en"))
    return dg.MaterializeResult(
        metadata=metadata(
            f"{storage.root}/{storage.digest_folder(digest_options.languages[0].tag, day)}/",
            sum(row.rendered for row in written.whole),
            {
                "files": len(written.ledger),
                **{f"{name} ({row.language})": getattr(row, name) for row in written.whole for name in LEDGER_COUNTS},
            },
            preview=dg.MetadataValue.md(written.preview or "no papers"),
            figure=picture(figure, f"{DIGESTS} {day}"),
        ),
        check_results=_checks(written.ledger),
    )


def _checks(rows: Sequence[DayLedger]) -> list[dg.AssetCheckResult]:
    lost = [f"{row.language}/{row.category}: {', '.join(row.missing_rendered)}" for row in rows if row.missing_rendered]
    unequal = [
        f"{row.language}/{row.category}: announced {row.announced}, fetched {row.fetched}, rendered {row.rendered}"
        for row in rows
        if not row.balances
    ]
    return [
        checks.result(
            "every_paper_is_in_the_digest",
            not lost,
            "; ".join(lost) or "read back from the files",
            lost=sum(len(row.missing_rendered) for row in rows),
            files=len(rows),
        ),
        checks.result(
            "announced_fetched_and_rendered_are_equal",
            not unequal,
            "; ".join(unequal) or "in every category and language",
            unequal=len(unequal),
            files=len(rows),
        ),
    ]

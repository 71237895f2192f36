"""`papers`: one row a paper of the listing day, worked out from what is kept. Asks nobody."""

from collections import Counter

import dagster as dg

from digest_pipeline import tables
from digest_pipeline.clients import DigestOptions
from digest_pipeline.models import AnnounceType
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import GROUP, OWNER, PAPERS, RAW
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import column_schema, metadata, preview
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.papers.assemble import counts_by_category
from digest_pipeline.papers.table import PARSER_VERSION, PapersWritten, write_papers
from digest_pipeline.storage import Storage

SHRUNKEN = 0.5
"""A listing below this share of the weekday's median warns."""


@dg.asset(
    name=PAPERS,
    deps=[RAW],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"python", "parquet"},
    code_version=PARSER_VERSION,
    retry_policy=dg.RetryPolicy(max_retries=1, delay=10),
    check_specs=checks.specs_of(PAPERS),
    metadata={"dagster/column_schema": column_schema(tables.PAPERS)},
    description=f"{tables.describe(tables.PAPERS).capitalize()}. `papers/date=<day>/papers.parquet`",
)
def papers(
    context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage], digest_options: dg.ResourceParam[DigestOptions]
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    with errors_as_failures(context):
        written = write_papers(day, storage, digest_options.categories)
    by_type = Counter(paper.announce_type for paper in written.papers)
    table = tables.papers_to_table(written.papers[:12]).select(["arxiv_id", "version", "announce_type", "primary_category", "title"]).to_pandas()
    return dg.MaterializeResult(
        metadata=metadata(
            f"{storage.root}/{storage.papers_file(day)}",
            len(written.papers),
            {
                "papers": len(written.papers),
                **{f"type {kind.value}": by_type[kind] for kind in AnnounceType},
                **{f"category {name}": n for name, n in counts_by_category(written.papers, digest_options.categories).items()},
                "from_feed_text": len(written.from_feed_text),
                "incomplete": len(written.incomplete),
            },
            preview=preview(table),
        ),
        check_results=[*_checks(written, f"{day:%A}")],
    )


def _checks(written: PapersWritten, weekday: str) -> list[dg.AssetCheckResult]:
    size, missing, usual = len(written.papers), written.missing_ids, written.usual
    return [
        checks.result(
            "every_announced_paper_is_in_the_table",
            not missing,
            f"missing: {', '.join(missing)} → materialize raw_arxiv_metadata of the day again to add them" if missing else f"all {size}",
            missing=len(missing),
            papers=size,
        ),
        checks.result(
            "the_listing_has_its_usual_size",
            not written.announced or usual is None or size >= SHRUNKEN * usual,
            f"{size} papers; " + (f"the median {weekday} has {usual:g}" if usual is not None else "too few earlier listings to compare"),
            papers=size,
            usual=usual or 0,
        ),
        checks.result(
            "every_record_is_complete",
            not written.incomplete,
            f"arXiv gives no title, abstract or authors for {', '.join(written.incomplete)} → refetch the day once arXiv shows more"
            if written.incomplete
            else f"all {size} have title, abstract and authors",
            incomplete=len(written.incomplete),
            papers=size,
        ),
    ]

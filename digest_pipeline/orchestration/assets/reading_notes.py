"""`reading_notes`: the best papers of each profile, read whole, every claim with its quote. Off unless DIGEST_READ_TOP says how many."""

import dagster as dg

from digest_pipeline import tables
from digest_pipeline.arxiv.html import ArxivHtml
from digest_pipeline.clients import DigestOptions, ReadingOptions
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import GROUP, OWNER, PAPERS, RANKINGS, READING_NOTES
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import column_schema, metadata
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.reading.claims import NoteStatus
from digest_pipeline.reading.notes import ReadingReport, best_papers, read_day
from digest_pipeline.storage import Storage
from digest_pipeline.translation.translator import Translator


@dg.asset(
    name=READING_NOTES,
    deps=[PAPERS, RANKINGS],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"openai", "parquet"},
    pool="model",
    retry_policy=dg.RetryPolicy(max_retries=1, delay=60),
    check_specs=checks.specs_of(READING_NOTES),
    metadata={"dagster/column_schema": column_schema(tables.READING_NOTES)},
    description=f"{tables.describe(tables.READING_NOTES).capitalize()}. `reading_notes/date=<day>/language=<tag>/notes.parquet`",
)
def reading_notes(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    digest_options: dg.ResourceParam[DigestOptions],
    translator: dg.ResourceParam[Translator],
    arxiv_html: dg.ResourceParam[ArxivHtml],
    reading_options: dg.ResourceParam[ReadingOptions],
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    with errors_as_failures(context):
        report = read_day(
            day,
            best_papers(storage, day, reading_options.top),
            languages=digest_options.languages,
            fetch=arxiv_html.page,
            html_url=arxiv_html.html_url,
            storage=storage,
            translator=translator,
            budget=reading_options.budget(),
            tell=lambda words: context.log.info("%s", words),
        )
    return dg.MaterializeResult(
        metadata=metadata(
            f"{storage.root}/{tables.partition_folder(READING_NOTES, day)}/",
            report.rows,
            {
                "papers": report.papers,
                "notes": report.notes,
                "dropped": report.dropped,
                **{f"status {status.value}": report.by_status.get(status.value, 0) for status in NoteStatus},
                "forecast_usd": "unknown" if report.forecast_usd is None else round(report.forecast_usd, 6),
                "cost_usd": "unknown" if report.paid_usd is None else round(report.paid_usd, 6),
            },
        ),
        check_results=[_check(report)],
    )


def _check(report: ReadingReport) -> dg.AssetCheckResult:
    unread = report.by_status.get(NoteStatus.FAILED.value, 0) + report.by_status.get(NoteStatus.DEFERRED.value, 0)
    return checks.result(
        "every_chosen_paper_with_a_full_text_was_read",
        not unread,
        f"{unread} papers were not read → see `detail` in the table; materialize the day again when the budget allows"
        if unread
        else f"{report.papers} papers",
        unread=unread,
        papers=report.papers,
    )

"""`translated_summaries`: each paper in each language, what is paid already reused. The only asset that asks the model."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import pandas as pd

from digest_pipeline import tables
from digest_pipeline.clients import DigestOptions
from digest_pipeline.errors import DigestError
from digest_pipeline.models import Summary, SummaryStatus
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import GROUP, OWNER, PAPERS, SUMMARIES
from digest_pipeline.orchestration.failures import backfill_of, errors_as_failures
from digest_pipeline.orchestration.metadata import column_schema, metadata, preview
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.ranking.rankings import best_ranks, chosen_for_translation
from digest_pipeline.storage import Storage
from digest_pipeline.translation.batch_days import collect_batches, sends_batches, submit_day
from digest_pipeline.translation.day import translate_day
from digest_pipeline.translation.flags import FlagCode
from digest_pipeline.translation.prompts import prompt_sha256
from digest_pipeline.translation.translator import Translator

QUARANTINE_LIMIT = 0.02
"""Share of papers without a translation beyond which the day's translation check fails; one alone never does, on any day."""


@dg.asset(
    name=SUMMARIES,
    deps=[PAPERS],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"openai", "parquet"},
    pool="model",
    retry_policy=dg.RetryPolicy(max_retries=1, delay=60),  # an endpoint that was down, after its own patience (DIGEST_PAPER_TIMEOUT_SECONDS)
    check_specs=checks.specs_of(SUMMARIES),
    metadata={"dagster/column_schema": column_schema(tables.TRANSLATED_SUMMARIES)},
    description=(f"{tables.describe(tables.TRANSLATED_SUMMARIES).capitalize()}. `translated_summaries/date=<day>/language=<tag>/summaries.parquet`"),
)
def translated_summaries(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    digest_options: dg.ResourceParam[DigestOptions],
    translator: dg.ResourceParam[Translator],
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    with errors_as_failures(context):
        _collect_what_came_back(context, storage, translator)
        ranks, chosen = best_ranks(storage, day), chosen_for_translation(storage, day, digest_options.translated_best)
        if sends_batches(digest_options.batch, is_backfill=backfill_of(context.run) is not None):
            context.log.info("batch: %s", submit_day(day, storage, digest_options.languages, translator, ranks, chosen))
        outcome = translate_day(
            day,
            storage,
            digest_options.languages,
            translator,
            progress=lambda so_far: context.log.info("%s", so_far),
            ranks=ranks,
            chosen=chosen,
        )
    every = [summary for rows in outcome.summaries.values() for summary in rows]
    by_status = Counter(summary.status for summary in every)
    flags = Counter(flag.split(":")[0] for summary in every for flag in summary.flags)
    return dg.MaterializeResult(
        metadata=metadata(
            f"{storage.root}/{tables.partition_folder(SUMMARIES, day)}/",
            len(every),
            {
                **{f"status {status.value}": by_status[status] for status in SummaryStatus},
                "paid_now": outcome.asked,
                "reused": outcome.reused,
                "reused_share": round(outcome.reused / len(every), 4) if every else 0.0,
                "input_tokens": outcome.input_tokens,
                "output_tokens": outcome.output_tokens,
                "cost_usd": round(outcome.cost_usd, 6) if outcome.cost_usd is not None else "unknown",
                "with_warnings": sum(bool(summary.flags) and summary.is_translated for summary in every),
                **{f"flag {code.value}": flags[code.value] for code in FlagCode},
            },
            preview=preview(_untranslated(every)),
        ),
        check_results=_checks(len(every) - by_status[SummaryStatus.ORIGINAL], by_status),
    )


def _collect_what_came_back(context: dg.AssetExecutionContext, storage: Storage, translator: Translator) -> None:
    """Without a daemon, or with batches switched off since, no sensor would: their papers would be deferred for ever."""
    try:
        days, words = collect_batches(storage, translator)
    except DigestError as error:  # the run has other work; what it cannot do without fails there, in its own words
        context.log.warning("open batches could not be looked at, their papers wait on: %s", error)
        return
    if days:
        context.log.info("batch: %s", words)


def _untranslated(summaries: Sequence[Summary]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"paper": f"{s.arxiv_id}v{s.version}", "language": s.language, "status": s.status.value, "why": "; ".join(s.flags)}
            for s in summaries
            if s.status.is_untranslated
        ]
    )


def _checks(total: int, by_status: Mapping[SummaryStatus, int]) -> list[dg.AssetCheckResult]:
    """`total` without what is listed in the original by choice."""
    quarantined, deferred = by_status[SummaryStatus.QUARANTINED], by_status[SummaryStatus.DEFERRED]
    return [
        checks.result(
            "nearly_every_paper_is_translated",
            quarantined <= max(1, QUARANTINE_LIMIT * total),
            f"{quarantined} of {total} quarantined (limit: {QUARANTINE_LIMIT:.0%}, and one in any case)",
            quarantined=quarantined,
            papers=total,
        ),
        checks.result(
            "nothing_waits_for_budget_or_batch",
            not deferred,
            f"{deferred} papers deferred → materialize the day again when the budget allows or the batch is back" if deferred else "nothing waits",
            deferred=deferred,
        ),
    ]


def prompt_version(options: DigestOptions, structured: bool) -> str:
    """Changes with any prompt, glossary instruction or language file: Dagster then shows earlier partitions as outdated."""
    prompts = [prompt_sha256(language, structured) for language in options.languages]
    return hashlib.sha256("".join(prompts).encode()).hexdigest()[:12]

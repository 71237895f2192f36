"""`rankings`: the day in each profile's own order. There only where profiles.toml is; says nothing of what is in it but names and numbers."""

from collections.abc import Iterable, Sequence
from functools import partial

import dagster as dg

from digest_pipeline import tables
from digest_pipeline.clients import arxiv_client, utc_now
from digest_pipeline.errors import AnswerStoreError, DigestError, EmbeddingsUnavailable
from digest_pipeline.orchestration import checks
from digest_pipeline.orchestration.assets import GROUP, OWNER, PAPERS, RANKINGS
from digest_pipeline.orchestration.failures import errors_as_failures
from digest_pipeline.orchestration.metadata import column_schema, metadata
from digest_pipeline.orchestration.partitions import day_of
from digest_pipeline.ranking.embeddings import Embedder
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.lookup import AskArxiv, asks, nobody
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.ranking.rankings import rank_for_profile
from digest_pipeline.render.watch_lists import load_watch_lists
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.budget import require_price
from digest_pipeline.translation.translator import Translator


@dg.asset(
    name=RANKINGS,
    deps=[PAPERS],
    group_name=GROUP,
    owners=[OWNER],
    kinds={"scikitlearn", "parquet"},
    op_tags={"dagster/priority": "1"},  # before the translations, which a budget may cut: what readers want most comes first
    check_specs=checks.specs_of(RANKINGS),
    metadata={"dagster/column_schema": column_schema(tables.RANKINGS)},
    description=f"{tables.describe(tables.RANKINGS).capitalize()}. `rankings/date=<day>/profile=<name>/rankings.parquet`",
)
def rankings(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    settings: dg.ResourceParam[Settings],
    translator: dg.ResourceParam[Translator],
) -> dg.MaterializeResult:
    day = day_of(context.partition_key)
    ranked, failed, unusable, without_vectors = 0, [], 0, []

    def tell(error: EmbeddingsUnavailable) -> None:
        without_vectors.append(str(error))
        context.log.warning("%s is ranked by words alone: %s", day, error)

    with errors_as_failures(context):
        profiles = load_profiles(settings.profiles_file)
        if embedder := Embedder.from_settings(settings, translator):
            require_price(embedder.model, translator.prices, translator.budget)  # refused before anything is sent
        at_hand, watch_lists = PapersAtHand(storage, embedder), load_watch_lists(settings.watch_file)
        for profile in profiles:
            try:
                rank = partial(rank_for_profile, storage, at_hand, day, profile, settings.profiles_file.parent, _ask(context, settings), watch_lists)
                problems = at_hand.by_words_where_vectors_fail(rank, tell)
            except AnswerStoreError:
                raise
            except DigestError as error:  # one reader's library is no reason for another's to wait; its words may quote the library
                failed.append(profile.name)
                context.log.warning(
                    "%s is not ranked for %s: %s → `digest profile check %s` says why", day, profile.name, type(error).__name__, profile.name
                )
                continue
            ranked += 1
            unusable += problems
    return dg.MaterializeResult(
        metadata=metadata(
            f"{storage.root}/{tables.partition_folder(RANKINGS, day)}/",
            ranked * len(at_hand.of_day(day)),
            {"profiles": len(profiles), "ranked": ranked, "failed": len(failed), "unusable_entries": unusable, "papers": len(at_hand.of_day(day))},
        ),
        check_results=[
            checks.result(
                "every_profile_is_ranked",
                not failed,
                f"not ranked: {', '.join(failed)} → `digest profile check` says why" if failed else f"all {ranked}",
                failed=len(failed),
                profiles=len(profiles),
            ),
            checks.result(
                "embeddings_were_had_where_they_are_set",
                not without_vectors,
                f"ranked by words alone: {without_vectors[0]}" if without_vectors else "all" if embedder else "DIGEST_EMBEDDING_MODEL is not set",
                without=len(without_vectors),
            ),
        ],
    )


def _ask(context: dg.AssetExecutionContext, settings: Settings) -> AskArxiv:
    """arXiv for texts that no listing at hand has; without an answer the titles alone are used, and it is asked again another day."""
    return nobody if settings.is_sample else partial(_ask_arxiv, context, settings)


def _ask_arxiv(context: dg.AssetExecutionContext, settings: Settings, ids: Sequence[str]) -> Iterable[Document]:
    try:
        return list(asks(arxiv_client(settings, utc_now))(ids))
    except DigestError as error:
        context.log.warning("arXiv was not able to give %d papers of libraries: %s", len(ids), type(error).__name__)
        return []

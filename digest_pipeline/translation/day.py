"""One listing day's papers through the translator, into the tables of summaries.

What lives here: reading, writing, and what is remembered of an endpoint that refused. What does not: asking (`run.py`),
batches (`batch_days.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from digest_pipeline import tables
from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.render.reading import read_papers
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.outcome import Progress, TranslationOutcome
from digest_pipeline.translation.run import translate_papers
from digest_pipeline.translation.translator import Translator

_REFUSAL = "state/endpoint-refusal.json"


def translate_day(
    day: date,
    storage: Storage,
    languages: Sequence[Language],
    translator: Translator,
    progress: Callable[[Progress], None] = lambda _: None,
    ranks: Mapping[str, int] = MappingProxyType({}),
    chosen: Collection[str] | None = None,
) -> TranslationOutcome:
    """Writes one table a language. Raises what `translate_papers` does; what was answered until then is kept and not paid again.

    `ranks`, by arXiv id, says which papers are asked for first, should the budget not reach for all; `chosen`, which are asked for
    at all (None: every one). The others are listed in the original, unless they are paid already.

    After a run whose key or account the endpoint refused, the next one sends a single request and waits for its answer
    before any other: a dead key costs one request a run, however many days there are.
    """
    papers = read_papers(storage, day)
    refused = storage.exists(_REFUSAL)
    if refused:
        translator.head_start_seconds = translator.paper_timeout_seconds
    try:
        outcome = translate_papers(papers, languages, translator, ranks=ranks, chosen=chosen, progress=progress)
    except EndpointConfigurationError as error:
        storage.write_text(_REFUSAL, f"{translator.now().isoformat()} {error.message}\n")
        raise
    if refused and outcome.requests:
        storage.delete(_REFUSAL)
    for language in languages:
        storage.write_table(storage.summaries_file(day, language.tag), tables.summaries_to_table(outcome.summaries[language.tag]))
    return outcome

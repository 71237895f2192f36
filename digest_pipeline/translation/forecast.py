"""What translating papers will cost, before it is paid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from digest_pipeline.models import Paper
from digest_pipeline.translation.languages import Language
from digest_pipeline.translation.llm.completion import Usage
from digest_pipeline.translation.pricing import PriceTable, TokenRates
from digest_pipeline.translation.prompts import build_request
from digest_pipeline.translation.tasks import chunked, keys_of
from digest_pipeline.translation.translator import Translator


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is still to be paid, before it is: about ± 20 % in tokens. One count for each paper and language."""

    papers: int
    already_paid: int
    """Papers whose answer is in the store, or awaited from a batch; not in `papers`."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None where the model's price is unknown; 0.0 where nothing is to be paid."""
    batch_cost_usd: float | None
    """The same by batch; None where there is no batch price."""


def forecast_papers(papers: Sequence[Paper], languages: Sequence[Language], translator: Translator) -> Forecast:
    """What translating these papers would still cost. Asks nobody but the store."""
    missing: list[tuple[Paper, Language]] = []
    for chunk in chunked([(paper, language) for language in languages for paper in papers], 200):
        keys = {keys_of(build_request(paper, language, translator.structured), translator.models): (paper, language) for paper, language in chunk}
        every = [key for of_models in keys for key in of_models]
        known = set(translator.store.answers(every)) | translator.store.keys_in_open_batches(every)
        missing += [pair for of_models, pair in keys.items() if not known.intersection(of_models)]
    total = len(papers) * len(languages)
    return forecast(missing, total - len(missing), model=translator.model, structured=translator.structured, prices=translator.prices)


def forecast(papers: Iterable[tuple[Paper, Language]], already_paid: int, *, model: str, structured: bool, prices: PriceTable) -> Forecast:
    """The arithmetic over papers that are not paid for yet; pure. Rejected answers, some percent, are not foreseen."""
    count = input_tokens = output_tokens = 0
    for paper, language in papers:
        usage = expected_usage(paper, language, structured=structured, rates=prices.rates)
        count, input_tokens, output_tokens = count + 1, input_tokens + usage.input_tokens, output_tokens + usage.output_tokens
    usage = Usage(input_tokens, output_tokens)
    by_batch = prices.cost(model, usage, by_batch=True)
    cost = prices.cost(model, usage)
    return Forecast(count, already_paid, input_tokens, output_tokens, cost if count else 0.0, by_batch if count else 0.0)


def expected_usage(paper: Paper, language: Language, *, structured: bool, rates: TokenRates) -> Usage:
    """Tokens of one request, as they are on average."""
    characters = len(paper.title) + len(paper.abstract)
    tokens_in = rates.instruction_tokens + characters / rates.characters_per_token
    if not language.is_translated_into:
        return Usage(round(tokens_in), round(rates.tldr_tokens))
    per_character = rates.output_tokens_per_character.get(language.tag, rates.output_tokens_per_character["default"])
    tokens_out = characters * per_character * (rates.structured_factor if structured else 1.0)
    return Usage(round(tokens_in), round(tokens_out))

"""What a range of listing days would need, before it starts: requests to arXiv, time, papers, tokens, cost.

What is known is counted: days kept, papers in tables, answers already paid. The rest is estimated from what is
known, or, where nothing is, from arXiv's usual size; the report says which. What does not live here: the token
arithmetic (`translation/pricing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime

from digest_pipeline.arxiv.api import IDS_PER_REQUEST
from digest_pipeline.arxiv.listing import ListingFetcher
from digest_pipeline.clients import digest_options, listing_fetcher, open_storage, utc_now
from digest_pipeline.errors import ListingDateError
from digest_pipeline.models import AnnounceType, Evidence, Paper
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.ranking.rankings import best_ranks
from digest_pipeline.render.reading import read_papers
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.forecast import forecast, forecast_papers
from digest_pipeline.translation.translator import Translator

USUAL_IDS = 1500
USUAL_IDS_TUESDAY = 2600  # three days' submissions; 2026 had 2,300 to 2,900
SECONDS_PER_ANSWER_OF_ARXIV = 1.5  # a page of 400 records; adds to the interval between requests
SECONDS_PER_ANSWER_OF_MODEL = 6.0  # a usual hosted model; yours may differ
USUAL_ABSTRACT = "x" * 1339  # the mean length of 82,476 abstracts


@dataclass(frozen=True, slots=True)
class RangeForecast:
    """Sums over the range. Costs are US dollars, None where unknown; `papers` counts each language."""

    days: tuple[date, ...]
    skipped: int
    kept: int
    requests: int
    arxiv_seconds: float
    papers_known: int
    papers_estimated: int | None
    already_paid: int
    input_tokens: int
    """Of the known and the estimated papers, as the next four; where `papers_estimated` is None, costs are None too."""
    output_tokens: int
    cost_usd: float | None
    batch_cost_usd: float | None
    model_seconds: float
    model: str
    translated_best: int | None = None
    """How many of each profile's best papers a day are counted in; None: all."""

    def to_text(self) -> str:
        to_fetch = len(self.days) - self.skipped - self.kept
        unknown = (
            "unknown (no listing of these categories was fetched yet: run one day first)"
            if self.papers_estimated is None
            else f"about {self.papers_estimated}"
        )
        lines = [
            f"{self.days[0]} to {self.days[-1]}: {len(self.days)} listing days, {self.skipped} without announcement, {self.kept} kept, {to_fetch} to fetch",
            f"  arXiv   about {self.requests} requests, {_duration(self.arxiv_seconds)}, one after another",
            f"  papers  {self.papers_known} known to be translated, {unknown} in days not fetched; {self.already_paid} paid already"
            + (f"; the {self.translated_best} best of each profile a day" if self.translated_best else ""),
            f"  model   {self._model_in_words()}",
            f"  cost    {self._cost_in_words()}",
        ]
        return "\n".join(lines)

    def _model_in_words(self) -> str:
        if self.papers_estimated is None:
            return f"{self.model}: unknown, as the papers are"
        time = f"{_duration(self.model_seconds)} if an answer takes {SECONDS_PER_ANSWER_OF_MODEL:g} s"
        return f"{self.model}: about {self.input_tokens:,} tokens in, {self.output_tokens:,} out, {time}"

    def _cost_in_words(self) -> str:
        if self.papers_estimated is None:
            return "unknown, as the papers are; DIGEST_BUDGET_PER_RUN_USD bounds it"
        if self.cost_usd is None or self.batch_cost_usd is None:
            return "unknown (the model has no price in the table)"
        return f"${self.cost_usd:,.2f}; by batch ${self.batch_cost_usd:,.2f}"


def forecast_range(settings: Settings, first: date, last: date, *, now: Callable[[], datetime] = utc_now) -> RangeForecast:
    """Raises ListingDateError for a range without listing days, the wrong way round, or into the future."""
    storage = open_storage(settings)
    with closing(Translator.from_settings(settings, now=now)) as translator:
        return _forecast(settings, storage, listing_fetcher(settings, storage, now), translator, first, last)


def _forecast(settings: Settings, storage: Storage, fetcher: ListingFetcher, translator: Translator, first: date, last: date) -> RangeForecast:
    calendar, languages = fetcher.calendar, digest_options(settings).languages
    days = tuple(calendar.listing_days(first, last)) if first <= last else ()
    if not days:
        raise ListingDateError(f"{first} to {last} holds no listing day", hint="give the earlier date first; listings are dated Monday to Friday")
    for end in (days[0], days[-1]):
        calendar.require_listing_day(end)
    calendar.require_announceable(days[-1], fetcher.now())
    announced = [day for day in days if calendar.is_announced(day)]
    to_fetch = [day for day in announced if fetcher.raw.manifest(day) is None]
    most = settings.translated_best and settings.translated_best * len(load_profiles(settings.profiles_file))
    known = [
        paper for day in days if storage.exists(storage.papers_file(day)) for paper in _to_translate(storage, day, settings.translated_best, most)
    ]
    unknown_days = [day for day in announced if not storage.exists(storage.papers_file(day))]
    estimated = _estimated_papers(storage, unknown_days, most)
    unpaid = forecast_papers(known, languages, translator)
    usual = [(usual_paper(last), language) for language in languages for _ in range(estimated or 0)]
    unknown = forecast(usual, 0, model=translator.model, structured=translator.structured, prices=translator.prices)
    requests = _requests(to_fetch)
    return RangeForecast(
        days=days,
        skipped=len(days) - len(announced),
        kept=len(announced) - len(to_fetch),
        requests=requests,
        arxiv_seconds=requests * (settings.arxiv_interval_seconds + SECONDS_PER_ANSWER_OF_ARXIV),
        papers_known=unpaid.papers,
        papers_estimated=estimated * len(languages) if estimated is not None else None if unknown_days else 0,
        already_paid=unpaid.already_paid,
        input_tokens=unpaid.input_tokens + unknown.input_tokens,
        output_tokens=unpaid.output_tokens + unknown.output_tokens,
        cost_usd=None if estimated is None else _sum(unpaid.cost_usd, unknown.cost_usd),
        batch_cost_usd=None if estimated is None else _sum(unpaid.batch_cost_usd, unknown.batch_cost_usd),
        model_seconds=(unpaid.papers + unknown.papers) * SECONDS_PER_ANSWER_OF_MODEL / settings.max_concurrency,
        model=settings.model,
        translated_best=settings.translated_best,
    )


def _to_translate(storage: Storage, day: date, best: int | None, most: int | None) -> Sequence[Paper]:
    """All papers of a kept day, or those chosen by rank; of a day that is not ranked yet as many as may be chosen, `most`."""
    papers = read_papers(storage, day)
    if ranks := best_ranks(storage, day) if best else {}:
        return [paper for paper in papers if ranks.get(paper.arxiv_id, len(papers)) <= (best or 0)]
    return papers[:most]


def _requests(days: Sequence[date]) -> int:
    """One search for each edge, and the pages of each block; neighbours share an edge."""
    pages = sum(-(-(USUAL_IDS_TUESDAY if day.weekday() == 1 else USUAL_IDS) // IDS_PER_REQUEST) + 1 for day in days)
    return pages + len(days) + 1 if days else 0


def _estimated_papers(storage: Storage, days: Sequence[date], most: int | None) -> int | None:
    """From the mean of the last twenty listings we have, at most `most` a day; None without any."""
    sizes = [len(read_papers(storage, day)) for day in storage.days_of("papers")[-20:]]
    full = [size for size in sizes if size]
    if not full:
        return None if days else 0
    mean = sum(full) / len(full)
    return round((mean if most is None else min(mean, most)) * len(days))


def _sum(known: float | None, estimated: float | None) -> float | None:
    return None if known is None or estimated is None else known + estimated


def usual_paper(day: date) -> Paper:
    """A paper of mean length, for days that are not fetched yet."""
    return Paper(
        "0000.00000", 1, AnnounceType.NEW, "cs.CL", ("cs.CL",), "x" * 75, USUAL_ABSTRACT, (), (), None, None, None, None, None, day, Evidence.ID_BLOCK
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"

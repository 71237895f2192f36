"""Everything a translation run works with, put together once a run from the settings.

What lives here: the wiring and the numbers that are no settings. What does not: any work. Nothing is opened, and nothing
of the network imported, before the first paper is asked for.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from digest_pipeline.settings import Settings
from digest_pipeline.translation.batch.client import BatchEndpoint
from digest_pipeline.translation.budget import Budget
from digest_pipeline.translation.cache.open import open_cache
from digest_pipeline.translation.cache.protocol import ResponseCache
from digest_pipeline.translation.cache.threads import PATIENCE_SECONDS
from digest_pipeline.translation.llm.client import ChatClient, OpenAIChatClient, endpoint_name
from digest_pipeline.translation.llm.rate_limit import AdaptiveRateLimiter, PacingLimits
from digest_pipeline.translation.llm.recorded import RECORDED_MODEL, RecordedClient, RecordedTexts
from digest_pipeline.translation.llm.session import Session
from digest_pipeline.translation.pricing import PriceTable

_SHARE_OF_ONE_REQUEST = 0.4
"""One request may take this share of a paper's time, so that a hanging one leaves room for another."""


@dataclass(slots=True)
class Translator:
    """One run's tools and limits; used for any number of days in turn. `close` it, or use it in a `with` block."""

    model: str
    store: ResponseCache
    make_client: Callable[[], ChatClient]
    """Called within a session's event loop."""
    prices: PriceTable
    now: Callable[[], datetime]
    rng: random.Random
    fallback_model: str | None = None
    structured: bool = False
    paper_timeout_seconds: float = 300.0
    pacing: PacingLimits = field(default_factory=lambda: PacingLimits(most_at_once=16))
    budget: Budget = field(default_factory=Budget)
    """Of the run: it goes on counting from one day to the next."""
    make_batch_endpoint: Callable[[], BatchEndpoint] | None = None
    """None where there is no endpoint at all (recorded answers)."""
    endpoint: str = ""
    head_start_seconds: float = 0.3
    """How long the first request goes alone: a dead key is then found with one request, not one for every worker."""
    has_been_answered: bool = False
    """Set by the first answer: the key is good, and no later day of the run needs a head start."""
    has_translated: bool = False
    """Set by the first accepted answer: what fails from then on is a paper, not the endpoint."""
    grace_seconds: float = 10.0
    """When a run must stop, requests under way get so long to bring the answers that are paid already."""
    store_patience_seconds: float = PATIENCE_SECONDS
    """How long answers are held in memory while the store's disk is full."""
    progress_seconds: float = 5.0
    least_timeout_seconds: float = 30.0
    """No request is given up earlier, however fast the endpoint was so far."""
    _session: Session | None = field(default=None, init=False, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, *, now: Callable[[], datetime], rng: random.Random | None = None) -> Translator:
        """The sample's translator answers from recordings. Raises SettingsError for a bad price file; opens nothing yet."""
        store = open_cache(settings.answers_root, now)
        rng = rng or random.Random()  # noqa: S311 - spreads waits
        prices = PriceTable.load(settings.prices_file)
        if settings.is_sample:
            return cls(RECORDED_MODEL, store, lambda: RecordedClient(_sample_texts), prices, now, rng, structured=settings.structured_summary)
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        return cls(
            model=settings.model,
            store=store,
            make_client=lambda: OpenAIChatClient(
                api_key=key,
                base_url=settings.openai_base_url,
                longest_timeout_seconds=_SHARE_OF_ONE_REQUEST * settings.paper_timeout_seconds,
                connections=settings.max_concurrency,
                memory=store,
                now=now,
            ),
            prices=prices,
            now=now,
            rng=rng,
            fallback_model=settings.fallback_model,
            structured=settings.structured_summary,
            paper_timeout_seconds=settings.paper_timeout_seconds,
            pacing=PacingLimits(most_at_once=settings.max_concurrency, longest_outage=min(120.0, settings.paper_timeout_seconds)),
            budget=Budget(settings.budget_per_run_usd, settings.budget_per_month_usd),
            make_batch_endpoint=lambda: BatchEndpoint(
                api_key=key, base_url=settings.openai_base_url, timeout_seconds=settings.paper_timeout_seconds, memory=store, now=now
            ),
            endpoint=endpoint_name(settings.openai_base_url),
        )

    @property
    def models(self) -> tuple[str, ...]:
        """The model, and the fallback where one is set."""
        return (self.model,) if self.fallback_model in (None, self.model) else (self.model, str(self.fallback_model))

    @property
    def request_timeout_seconds(self) -> float:
        """The longest one request may take."""
        return _SHARE_OF_ONE_REQUEST * self.paper_timeout_seconds

    @property
    def quarantine_settings(self) -> str:
        """What a paper that was given up may be asked for again at once after a change of; model, prompt and schema are in its key."""
        return f"{self.endpoint} {' '.join(self.models)} {self.paper_timeout_seconds:g}"

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """The open session, or one for this block: who takes many days through opens it around them all."""
        if self._session is not None:
            yield self._session
            return
        self._session = Session(self.make_client, AdaptiveRateLimiter(self.pacing, self.rng))
        try:
            yield self._session
        finally:
            closing, self._session = self._session, None
            closing.close()

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Translator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sample_texts(tag: str) -> RecordedTexts:
    from digest_pipeline import sample

    return sample.recorded_answers(tag) if tag in sample.sample_languages() else {}

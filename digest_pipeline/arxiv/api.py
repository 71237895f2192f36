"""Questions to arXiv's query API, asked with the `arxiv` package through the polite transport.

The package builds the queries and walks the pages; its traps are closed here: `max_results` is None (its
default of 100 truncates), its own delay and retries are off because the transport's hold over all processes,
and the transport refuses the bodies that the package would take for "no results". Pages are read by our
strict parser, since the package's recovers silently from torn XML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import requests

from digest_pipeline import taxonomy
from digest_pipeline.arxiv import atom, rss
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.http import CrossProcessRateLimiter, Pace, RateLimitedAdapter, RawResponse, polite_session, user_agent
from digest_pipeline.errors import ArxivUnavailable, SourceError

IDS_PER_REQUEST = 400  # 400 ids make an address of 6 KB; servers commonly stop at 8 KB
RESULTS_PER_PAGE = 1000  # the API allows 2,000; half of that answers reliably


class Arxiv:
    """arXiv over its API and feeds, one request at a time. Every good answer is kept until `take_captures`."""

    def __init__(self, *, api_url: str, rss_url: str, rate_limit_file: Path, pace: Pace, contact: str, now: Callable[[], datetime]) -> None:
        turnstile, agent = CrossProcessRateLimiter(rate_limit_file, pace.interval), user_agent(contact)
        self._api_url, self._rss_url = api_url, rss_url
        self._api = RateLimitedAdapter(turnstile, pace, agent, atom.why_unusable, now=now)
        self._rss = RateLimitedAdapter(turnstile, pace, agent, rss.why_unusable, now=now)

    @property
    def request_count(self) -> int:
        """Requests sent so far, failed attempts included."""
        return self._api.request_count + self._rss.request_count

    def feed(self, categories: Sequence[str]) -> RawResponse:
        """The announcement feed of the union of `categories`, as bytes. Raises ArxivUnavailable, or SourceError for a category arXiv refuses."""
        address = f"{self._rss_url}/{'+'.join(categories)}"
        with polite_session(self._rss) as session:
            response = session.get(address)
        if (message := rss.error_message(response.content)) is not None:
            raise SourceError(f"arXiv refuses the feed of {'+'.join(categories)}: {message}", hint="correct DIGEST_CATEGORIES")
        if response.status_code != requests.codes.ok:
            raise ArxivUnavailable(f"{address} answers HTTP {response.status_code}", hint="check DIGEST_ARXIV_RSS_URL")
        return self._rss.captures.pop()

    def submitted_between(self, opens_utc: datetime, closes_utc: datetime, categories: Iterable[str] = ()) -> list[ApiRecord]:
        """Current versions of the papers whose v1 was submitted in [opens, closes), in submission order; filtered by category if any is given."""
        query = f"submittedDate:[{opens_utc.astimezone(UTC):%Y%m%d%H%M} TO {closes_utc.astimezone(UTC):%Y%m%d%H%M}]"
        if terms := " OR ".join(f"cat:{member}" for name in categories for member in _query_names(name)):
            query = f"({terms}) AND {query}"
        found = self._ask(query=query)
        return [record for record in found if opens_utc <= record.submitted_at_utc < closes_utc]  # the API's ends are inclusive and whole minutes

    def records(self, versioned_ids: Sequence[str]) -> list[ApiRecord]:
        """The records of exactly these ids (`2404.01438v1`); one the API does not know is silently absent, as arXiv does it."""
        found: list[ApiRecord] = []
        for start in range(0, len(versioned_ids), IDS_PER_REQUEST):
            found += self._ask(ids=versioned_ids[start : start + IDS_PER_REQUEST])
        return found

    def take_captures(self) -> list[RawResponse]:
        """The API's answers since the last call, oldest first."""
        captures, self._api.captures = self._api.captures, []
        return captures

    def _ask(self, *, query: str = "", ids: Sequence[str] = ()) -> list[ApiRecord]:
        import arxiv  # with lxml, half a second; only runs that ask pay it

        client = arxiv.Client(page_size=RESULTS_PER_PAGE, delay_seconds=0, num_retries=0)
        client.query_url_format = self._api_url + "?{}"
        before = len(self._api.captures)
        with polite_session(self._api) as client._session:
            search = arxiv.Search(
                query=query, id_list=list(ids), max_results=None, sort_by=arxiv.SortCriterion.SubmittedDate, sort_order=arxiv.SortOrder.Ascending
            )
            try:
                walked = sum(1 for _ in client.results(search))
            except arxiv.ArxivError as error:
                raise ArxivUnavailable(f"arXiv's API: {error}", hint="run the same partition again later") from error
        found = [record for capture in self._api.captures[before:] for record in atom.parse_page(capture.body)]
        if walked != len(found):
            raise SourceError(f"the arxiv package read {walked} entries where the pages hold {len(found)}", hint="report it with the day's raw files")
        return list({(r.arxiv_id, r.version): r for r in found}.values())


def _query_names(configured: str) -> tuple[str, ...]:
    """How the query language names a category or a whole archive (`cs` → `cs.*`; `astro-ph` is both)."""
    names = (configured,) if configured in taxonomy.category_names() else ()
    return (*names, f"{configured}.*") if configured in taxonomy.archives() else names

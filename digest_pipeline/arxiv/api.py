"""Questions to arXiv's query API and feeds, through the rate-limited adapter.

The `arxiv` package builds the queries and walks the pages; its traps are closed here: `max_results` is None (its default of
100 truncates), its own delay and retries are off because the adapter's hold over all processes, and each page is the one that
our own reader made of the answer, since the package takes "Rate exceeded." for no results, leaves out incomplete records, and
recovers silently from torn XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import requests

from digest_pipeline import taxonomy
from digest_pipeline.arxiv import atom, rss
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.http import ArxivAccess, RawResponse, UnusableBody, get, polite_session
from digest_pipeline.errors import ArxivUnavailable, SourceError

IDS_PER_REQUEST = 400  # 400 ids make an address of 6 KB; servers commonly stop at 8 KB
RESULTS_PER_PAGE = 1000  # the API allows 2,000; half of that answers reliably


class Arxiv:
    """arXiv over its API and feeds, one request at a time. Every good answer is kept until `take_raw_responses`."""

    def __init__(self, access: ArxivAccess, *, api_url: str, rss_url: str) -> None:
        self.stand_back = access.rate_limiter.stand_back
        """Puts the first request an interval from now, where a process of another machine may just have asked."""
        self._api_url, self._rss_url = api_url, rss_url
        self._api, self._rss = access.adapter(atom.read_page), access.adapter(rss.read_feed)

    @property
    def request_count(self) -> int:
        """Requests sent so far, failed attempts included."""
        return self._api.request_count + self._rss.request_count

    def feed(self, categories: Sequence[str]) -> RawResponse:
        """The announcement feed of the union of `categories`. Raises ArxivUnavailable, or SourceError for a category arXiv refuses."""
        address = f"{self._rss_url}/{'+'.join(categories)}"
        try:
            with polite_session(self._rss) as session:
                response = get(session, address)
            if response.status_code != requests.codes.ok:
                self._explain(address, response)
        except rss.FeedRefused as refusal:
            raise SourceError(f"arXiv refuses the feed of {'+'.join(categories)}: {refusal}", hint="correct DIGEST_CATEGORIES") from None
        return self._rss.raw_responses.pop()

    @staticmethod
    def _explain(address: str, response: requests.Response) -> None:
        """Raises FeedRefused where the body is arXiv's own refusal, else ArxivUnavailable."""
        try:
            rss.read_feed(response.content)
        except rss.FeedRefused:
            raise
        except UnusableBody:
            pass
        raise ArxivUnavailable(f"{address} answers HTTP {response.status_code}", hint="check DIGEST_ARXIV_RSS_URL")

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

    def papers_by(self, author: str, most: int) -> list[ApiRecord]:
        """At most `most` papers that arXiv finds under an author's name, newest first; it takes names loosely. Raises ArxivUnavailable."""
        name = " ".join(re.sub(r"[\"():]", " ", author).split())
        return self._ask(query=f'au:"{name}"', most=most)

    @property
    def raw_responses(self) -> list[RawResponse]:
        """The API's answers that were not taken yet, oldest first; their `content` is an `atom.ApiPage`."""
        return list(self._api.raw_responses)

    def take_raw_responses(self) -> list[RawResponse]:
        """The API's answers since the last call, oldest first."""
        taken, self._api.raw_responses = self._api.raw_responses, []
        return taken

    def _ask(self, *, query: str = "", ids: Sequence[str] = (), most: int | None = None) -> list[ApiRecord]:
        """Each version once, oldest first; of at most `most` the newest first. Raises ArxivUnavailable where a page between others is empty."""
        import arxiv  # with lxml, half a second; only runs that ask pay it

        class Client(arxiv.Client):  # type: ignore[misc]  # the package has no types
            """Walks the pages that our own reader made; an entry that cannot be read keeps its place in the count."""

            def _parse_feed(self, url: str, first_page: bool = True, _try_index: int = 0) -> Any:
                response = get(self._session, url)
                if response.status_code != requests.codes.ok:
                    raise arxiv.HTTPError(url, 0, response.status_code)
                page: atom.ApiPage = adapter.raw_responses[-1].content
                if not page.entries and not first_page:
                    raise ArxivUnavailable(f"arXiv's API: an empty page in the middle ({url})", hint="run the same partition again later")
                return SimpleNamespace(header=SimpleNamespace(total_results=page.total), results=[*page.records, *[None] * page.unreadable])

        adapter = self._api
        client = Client(page_size=min(most or RESULTS_PER_PAGE, RESULTS_PER_PAGE), delay_seconds=0, num_retries=0)
        client.query_url_format = self._api_url + "?{}"
        search = arxiv.Search(
            query=query,
            id_list=list(ids),
            max_results=most,
            sort_by=arxiv.SortCriterion.SubmittedDate,
            sort_order=arxiv.SortOrder.Descending if most else arxiv.SortOrder.Ascending,
        )
        with polite_session(adapter) as client._session:
            try:
                found: list[ApiRecord] = [record for record in client.results(search) if record is not None]
            except arxiv.ArxivError as error:
                raise ArxivUnavailable(f"arXiv's API: {error}", hint="run the same partition again later") from error
        return list({(r.arxiv_id, r.version): r for r in found}.values())


def _query_names(configured: str) -> tuple[str, ...]:
    """How the query language names a category or a whole archive (`cs` → `cs.*`; `astro-ph` is both)."""
    names = (configured,) if configured in taxonomy.category_names() else ()
    return (*names, f"{configured}.*") if configured in taxonomy.archives() else names

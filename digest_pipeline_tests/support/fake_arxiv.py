"""A loopback stand-in for arXiv's query API and announcement feeds, over generated listing days.

    with FakeArxiv(generate_days(first, last), now=datetime(2026, 1, 15, 12, tzinfo=UTC)) as arxiv:
        fetch(arxiv.api_url, arxiv.rss_url); arxiv.requests; arxiv.faults.api_statuses.append(503)

What lives here: the wire formats (Atom answers, RSS feeds, error pages), the query language as far as we use it,
and faults to inject. What does not: which papers exist (`listing_days.py`). Formats and habits follow arXiv's API
manual, its RSS specification, and the service as it has been since November 2025:

- a search returns current versions; `id_list=2601.00011v1` that version; unknown ids are absent without a word;
- `submittedDate:[a TO b]` is GMT, inclusive, on version 1, and `lastUpdatedDate` means the same;
- a paper is known from its announcement plus `faults.api_lag`; the feed of a date is served from 00:00 Eastern;
- by relevance, results come in no order a client could rely on.
"""

from __future__ import annotations

import math
import re
import socket
import sys
import threading
import time as clock
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from digest_pipeline.taxonomy import archives, category_names
from digest_pipeline_tests.support.listing_days import EASTERN, GeneratedPaper, ListingDay, Version, generate_days

__all__ = ["FakeArxiv", "Faults", "Refusal", "Request", "generate_days"]

HIGHEST_OFFSET = 10_000
LARGEST_PAGE = 2_000
FEED_CAP = 2_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: monotonic seconds, `api` or `rss`, the decoded query (or the feed's categories)."""

    time: float
    kind: str
    query: str
    headers: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer instead of the right one; a bare int in the queues means Refusal(status)."""

    status: int
    body: bytes = b"Rate exceeded."
    retry_after: str | None = None
    content_type: str = "text/plain; charset=utf-8"


@dataclass
class Faults:
    """What goes wrong; change it at any time. Queues are used up by the next requests of their kind, then all is well.

    A `None` in a queue lets one request pass.
    """

    api_statuses: deque[int | Refusal | None] = field(default_factory=deque)
    rss_statuses: deque[int | Refusal | None] = field(default_factory=deque)
    api_bodies: deque[bytes | None] = field(default_factory=deque)
    """Bytes sent with status 200 instead of the answer: `Rate exceeded.`, a page of HTML, an error entry."""
    rss_bodies: deque[bytes | None] = field(default_factory=deque)
    empty_pages: int = 0
    """The next so many API answers have no entry, though totalResults counts them."""
    torn_bodies: int = 0
    """The next so many answers, of either kind, break off in the middle."""
    latency_seconds: float = 0.0
    api_lag: timedelta = timedelta(hours=1, minutes=30)
    """From the announcement until the API knows its papers and versions."""
    hidden_ids: set[str] = field(default_factory=set)
    """Ids that the API does not know although they are announced (lag of single papers, holes)."""
    stale_feed: bool = False
    """The previous listing's items under today's dates."""
    stale_categories: set[str] = field(default_factory=set)
    """The same, of these categories only."""
    missing_categories: set[str] = field(default_factory=set)
    """Categories the feed drops: not in its title, none of the items that are listed through them alone."""
    feed_share: float = 1.0
    """Only the first part of the new items: a feed caught half filled."""
    feed_cap: int = FEED_CAP
    """Most items of a feed; replacements are counted in before new papers."""


class FakeArxiv:
    """The server, as a context manager. `now` is an instant or a clock; assign `arxiv.now` to let time pass."""

    def __init__(self, days: Sequence[ListingDay], *, now: datetime | Callable[[], datetime], faults: Faults | None = None) -> None:
        self.days = list(days)
        self.now = now
        self.faults = faults or Faults()
        self.requests: list[Request] = []
        self.peak_concurrency = 0
        self.lock = threading.Lock()
        self._running = 0
        self._papers = {paper.arxiv_id: paper for day in self.days for paper in _papers_of(day)}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.arxiv = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> FakeArxiv:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def api_url(self) -> str:
        """What stands where `https://export.arxiv.org/api/query` would."""
        return f"{self.base_url}/api/query"

    @property
    def rss_url(self) -> str:
        """What stands where `https://rss.arxiv.org/rss` would."""
        return f"{self.base_url}/rss"

    def instant(self) -> datetime:
        return self.now() if callable(self.now) else self.now

    def count(self, kind: str) -> int:
        return sum(request.kind == kind for request in self.requests)

    def gaps_seconds(self) -> list[float]:
        """Between the arrivals of successive requests of either kind."""
        times = [request.time for request in self.requests]
        return [later - earlier for earlier, later in pairwise(times)]

    def day(self, listing_date: date) -> ListingDay:
        """The truth of one date; KeyError where nothing was announced."""
        by_date = {day.listing_date: day for day in self.days}
        return by_date[listing_date]

    def begin(self, request: Request) -> None:
        with self.lock:
            self.requests.append(request)
            self._running += 1
            self.peak_concurrency = max(self.peak_concurrency, self._running)

    def end(self) -> None:
        with self.lock:
            self._running -= 1

    # the API

    def answer_query(self, parameters: dict[str, str]) -> tuple[int, bytes]:
        """Status and Atom document for one call of /api/query."""
        at = self.instant()
        try:
            start, size = int(parameters.get("start", "0")), int(parameters.get("max_results", "10"))
            if start < 0 or size < 0 or size > LARGEST_PAGE or start + size > HIGHEST_OFFSET + LARGEST_PAGE:
                raise _QueryError(f"start and max_results must be within 0 to {HIGHEST_OFFSET} and {LARGEST_PAGE}")
            found = self._find(parameters.get("search_query", ""), parameters.get("id_list", ""), at)
        except ValueError as error:
            return 400, atom_error(str(error), at)
        ordered = _ordered(found, parameters.get("sortBy", "relevance"), parameters.get("sortOrder", "descending"))
        with self.lock:
            page = [] if self.faults.empty_pages else ordered[start : start + size]
            self.faults.empty_pages = max(0, self.faults.empty_pages - 1)
        return 200, atom_feed(parameters, [atom_entry(paper, version, at) for paper, version in page], len(ordered), start, size, at)

    def _find(self, search: str, id_list: str, at: datetime) -> list[tuple[GeneratedPaper, Version]]:
        known_since = at - self.faults.api_lag
        if id_list.strip():
            found = [hit for text in id_list.split(",") if (hit := self._by_id(text.strip(), known_since))]
        else:
            visible = (paper for paper in self._papers.values() if paper.arxiv_id not in self.faults.hidden_ids)
            found = [(paper, version) for paper in visible if (version := paper.current(known_since))]
        if not search.strip():
            return found if id_list.strip() else []
        matches = _QueryParser(search).parse()
        return [(paper, version) for paper, version in found if matches(paper, paper.categories_at(known_since))]

    def _by_id(self, text: str, known_since: datetime) -> tuple[GeneratedPaper, Version] | None:
        match = re.fullmatch(r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(?P<version>\d+))?", text)
        if match is None:
            raise _QueryError(f"incorrect id format for {text}")
        paper = self._papers.get(match["id"])
        if paper is None or paper.arxiv_id in self.faults.hidden_ids:
            return None
        version = paper.current(known_since)
        if version is not None and match["version"]:
            wanted = int(match["version"])
            version = paper.versions[wanted - 1] if 1 <= wanted <= version.number else None
        return None if version is None else (paper, version)

    # the feed

    def answer_feed(self, requested: str) -> tuple[int, bytes]:
        """Status and RSS document for /rss/<requested>, e.g. `cs.CL+cs.IR`."""
        today = self.instant().astimezone(EASTERN).date()
        address = f"{self.rss_url}/{requested}"
        categories = [name for name in re.split(r"[+ ]", requested) if name]
        for name in categories:
            if name not in category_names() and name not in archives():
                return 400, rss_error(address, f"Bad subject class '{name}'.", today)
        categories = [name for name in categories if name not in self.faults.missing_categories]
        return 200, rss_feed(address, categories, self._items(today, categories), today)

    def _items(self, today: date, categories: list[str]) -> list[str]:
        fresh = [name for name in categories if not self.faults.stale_feed and name not in self.faults.stale_categories]
        stale = [name for name in categories if name not in fresh]
        items = self._listed(next((day for day in self.days if day.listing_date == today), None), fresh, categories, today)
        if stale:
            yesterday = max((day for day in self.days if day.listing_date < today), key=lambda day: day.listing_date, default=None)
            items += self._listed(yesterday, stale, categories, today)
        room = max(0, self.faults.feed_cap - sum(kind.startswith("replace") for kind, _ in items))
        new = [item for kind, item in items if not kind.startswith("replace")][:room]
        replaced = [item for kind, item in items if kind.startswith("replace")][: self.faults.feed_cap]
        return new[: math.ceil(len(new) * self.faults.feed_share)] + replaced

    def _listed(self, day: ListingDay | None, through: list[str], categories: list[str], today: date) -> list[tuple[str, str]]:
        """Announce type and item of what one day lists through some categories, typed for the whole request."""
        if day is None or not through:
            return []
        types = day.announced(categories)
        items = []
        for versioned in day.announced(through):
            arxiv_id, number = versioned.rsplit("v", 1)
            paper = self._papers[arxiv_id]
            kind = types[versioned]
            items.append((kind, rss_item(paper, paper.versions[int(number) - 1], kind, paper.categories_at(day.announced_at), today)))
        return items


def _papers_of(day: ListingDay) -> Iterable[GeneratedPaper]:
    yield from day.block
    yield from (paper for paper, _ in day.replacements)
    yield from (paper for paper, _ in day.late_crosses)


def _ordered(found: list[tuple[GeneratedPaper, Version]], by: str, order: str) -> list[tuple[GeneratedPaper, Version]]:
    if by == "relevance":
        return sorted(found, key=lambda hit: hit[0].arxiv_id[::-1])  # an order of the engine's own
    return sorted(found, key=lambda hit: hit[0].submitted_at if by == "submittedDate" else hit[1].submitted_at, reverse=order != "ascending")


class _QueryError(ValueError):
    """The query is refused with an error entry."""


Condition = Callable[[GeneratedPaper, tuple[str, ...]], bool]


class _QueryParser:
    """`field:value` joined by AND, OR, ANDNOT and parentheses, as far as this project asks: dates, categories and authors."""

    _TOKEN = re.compile(r"\s*(?:(?P<bracket>[()])|(?P<joint>ANDNOT|AND|OR)\b|(?P<term>\w+:(?:\[[^\]]*\]|\"[^\"]*\"|[^\s()]+)))")

    def __init__(self, text: str) -> None:
        self._tokens: deque[str] = deque()
        position, text = 0, text.strip()
        while position < len(text):
            match = self._TOKEN.match(text, position)
            if match is None:
                raise _QueryError(f"cannot read the query at {text[position:]!r}")
            self._tokens.append(next(group for group in match.groups() if group))
            position = match.end()

    def parse(self) -> Condition:
        condition = self._expression()
        if self._tokens:
            raise _QueryError(f"unexpected {self._tokens[0]!r}")
        return condition

    def _expression(self) -> Condition:
        left = self._operand()
        while self._tokens and self._tokens[0] in ("AND", "OR", "ANDNOT"):
            left = _joined(self._tokens.popleft(), left, self._operand())
        return left

    def _operand(self) -> Condition:
        token = self._tokens.popleft() if self._tokens else ""
        if token == "(":
            inside = self._expression()
            if not self._tokens or self._tokens.popleft() != ")":
                raise _QueryError("a parenthesis is not closed")
            return inside
        name, _, value = token.partition(":")
        if name in ("submittedDate", "lastUpdatedDate"):
            return _submitted_between(value)
        if name == "cat":
            pattern = re.compile(re.escape(value).replace(r"\*", ".*"))
            return lambda _paper, categories: any(pattern.fullmatch(category) for category in categories)
        if name == "au":  # loosely, as arXiv does: any author who has every word of the name
            words = set(value.strip('"').lower().replace(".", " ").split())
            return lambda paper, _: any(words <= set(author.lower().replace(".", " ").split()) for author in paper.authors)
        raise _QueryError(f"the stand-in does not know {token!r}")


def _joined(joint: str, left: Condition, right: Condition) -> Condition:
    if joint == "OR":
        return lambda paper, categories: left(paper, categories) or right(paper, categories)
    wanted = joint == "AND"
    return lambda paper, categories: left(paper, categories) and right(paper, categories) is wanted


def _submitted_between(value: str) -> Condition:
    match = re.fullmatch(r"\[(\d{12}) TO (\d{12})\]", value)
    if match is None:
        raise _QueryError(f"not a range of dates: {value!r}")
    low, high = (datetime.strptime(digits, "%Y%m%d%H%M").replace(tzinfo=UTC) for digits in match.groups())
    return lambda paper, _categories: low <= paper.submitted_at <= high


# wire formats

_ATOM_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
"""


def _stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def atom_feed(parameters: dict[str, str], entries: list[str], total: int, start: int, size: int, at: datetime) -> bytes:
    asked = f"search_query={parameters.get('search_query', '')}&id_list={parameters.get('id_list', '')}&start={start}&max_results={size}"
    head = f"""  <id>https://arxiv.org/api/standin</id>
  <title>arXiv Query: {escape(asked)}</title>
  <updated>{_stamp(at)}</updated>
  <link href="https://arxiv.org/api/query?{escape(asked, {'"': "&quot;"})}" type="application/atom+xml"/>
  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
"""
    return f"{_ATOM_HEAD}{head}{''.join(entries)}</feed>\n".encode()


def atom_entry(paper: GeneratedPaper, version: Version, at: datetime) -> str:
    name = f"{paper.arxiv_id}v{version.number}"
    categories = paper.categories_at(at)
    terms = "".join(f'    <category term="{term}" scheme="http://arxiv.org/schemas/atom"/>\n' for term in categories)
    comment = f"    <arxiv:comment>{escape(version.comment)}</arxiv:comment>\n" if version.comment else ""
    authors = "".join(f"    <author>\n      <name>{escape(author)}</name>\n    </author>\n" for author in paper.authors)
    return f"""  <entry>
    <id>http://arxiv.org/abs/{name}</id>
    <title>{escape(version.title)}</title>
    <updated>{_stamp(version.submitted_at)}</updated>
    <link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>
    <summary>{escape(version.abstract)}</summary>
{terms}    <published>{_stamp(paper.submitted_at)}</published>
{comment}    <arxiv:primary_category term="{categories[0]}"/>
{authors}  </entry>
"""


def atom_error(message: str, at: datetime) -> bytes:
    """The error entry that arXiv sends with HTTP 400."""
    anchor = re.sub(r"\W+", "_", message)
    return f"""{_ATOM_HEAD}  <id>https://arxiv.org/</id>
  <title>arXiv Search Results</title>
  <updated>{_stamp(at)}</updated>
  <opensearch:itemsPerPage>1</opensearch:itemsPerPage>
  <opensearch:totalResults>1</opensearch:totalResults>
  <opensearch:startIndex>0</opensearch:startIndex>
  <entry>
    <id>https://arxiv.org/api/errors#{anchor}</id>
    <title>Error</title>
    <updated>{_stamp(at)}</updated>
    <link href="https://arxiv.org/api/errors#{anchor}" rel="alternate" type="text/html"/>
    <summary>{escape(message)}</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
</feed>
""".encode()


def _midnight(day: date) -> str:
    return format_datetime(datetime(day.year, day.month, day.day, tzinfo=EASTERN))


def _channel(address: str, title: str, description: str, day: date, inside: str) -> bytes:
    built = format_datetime(datetime(day.year, day.month, day.day, 0, 0, 7, tzinfo=EASTERN).astimezone(UTC))
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" \
xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>{escape(title)}</title>
    <link>{escape(address)}</link>
    <description>{escape(description)}</description>
    <atom:link href="{escape(address)}" rel="self" type="application/rss+xml"/>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <language>en-us</language>
    <lastBuildDate>{built}</lastBuildDate>
    <managingEditor>rss-help@arxiv.org</managingEditor>
    <pubDate>{_midnight(day)}</pubDate>
{inside}  </channel>
</rss>
""".encode()


def rss_feed(address: str, categories: Sequence[str], items: list[str], day: date) -> bytes:
    names = ", ".join(categories)
    skip = "    <skipDays>\n      <day>Saturday</day>\n      <day>Sunday</day>\n    </skipDays>\n"
    return _channel(address, f"{names} updates on arXiv.org", f"{names} updates on the arXiv.org e-print archive.", day, skip + "".join(items))


def rss_error(address: str, message: str, day: date) -> bytes:
    return _channel(address, f"Feed error for query: {address}", message, day, "")


def rss_item(paper: GeneratedPaper, version: Version, kind: str, categories: Sequence[str], day: date) -> str:
    name = f"{paper.arxiv_id}v{version.number}"
    terms = "".join(f"      <category>{category}</category>\n" for category in categories)
    return f"""    <item>
      <title>{escape(version.title)}</title>
      <link>https://arxiv.org/abs/{paper.arxiv_id}</link>
      <description>arXiv:{name} Announce Type: {kind}{" "}
Abstract: {escape(version.abstract)}</description>
      <guid isPermaLink="false">oai:arXiv.org:{name}</guid>
{terms}      <pubDate>{_midnight(day)}</pubDate>
      <arxiv:announce_type>{kind}</arxiv:announce_type>
      <dc:rights>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</dc:rights>
      <dc:creator>{escape(", ".join(paper.authors))}</dc:creator>
    </item>
"""


# the server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    arxiv: FakeArxiv

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Ends kept-alive connections, so that no handler thread outlives the `with` block."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that timed out has hung up: expected
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: tests read `arxiv.requests`."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/api/query":
            self._serve("api", unquote(parts.query.replace("+", " ")), lambda: self._api(parts.query))
        elif parts.path.startswith("/rss/"):
            requested = unquote(parts.path.removeprefix("/rss/"))
            self._serve("rss", requested, lambda: self._rss(requested))
        else:
            self._send(Refusal(404, b"Not found"))

    def _serve(self, kind: str, query: str, answer: Callable[[], Refusal]) -> None:
        arxiv = self.server.arxiv
        arxiv.begin(Request(clock.monotonic(), kind, query, dict(self.headers.items())))
        try:
            clock.sleep(arxiv.faults.latency_seconds)
            answered = self._fault(kind) or answer()
        finally:
            arxiv.end()  # before the last byte leaves, lest a prompt next request be taken for a concurrent one
        self._send(answered, tear=self._torn())

    def _fault(self, kind: str) -> Refusal | None:
        faults = self.server.arxiv.faults
        statuses, bodies = (faults.api_statuses, faults.api_bodies) if kind == "api" else (faults.rss_statuses, faults.rss_bodies)
        with self.server.arxiv.lock:
            status = statuses.popleft() if statuses else None
            body = bodies.popleft() if bodies and status is None else None
        if body is not None:
            return Refusal(200, body, content_type="text/html; charset=utf-8")
        return Refusal(status) if isinstance(status, int) else status

    def _torn(self) -> bool:
        faults = self.server.arxiv.faults
        with self.server.arxiv.lock:
            faults.torn_bodies, torn = max(0, faults.torn_bodies - 1), faults.torn_bodies > 0
        return torn

    def _api(self, query: str) -> Refusal:
        parameters = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        status, body = self.server.arxiv.answer_query(parameters)
        return Refusal(status, body, content_type="application/atom+xml; charset=utf-8")

    def _rss(self, requested: str) -> Refusal:
        status, body = self.server.arxiv.answer_feed(requested)
        return Refusal(status, body, content_type="application/rss+xml; charset=utf-8")

    def _send(self, answer: Refusal, *, tear: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.retry_after is not None:
            self.send_header("Retry-After", answer.retry_after)
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if tear else answer.body)
        if tear:
            self.close_connection = True

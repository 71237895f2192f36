"""arXiv's query API answers (Atom) → records, strictly.

What lives here: the XML of https://info.arxiv.org/help/api/user-manual.html as values, no field lost. What
does not: fetching (`api.py`), categories and listings. Entities, DTDs and external references are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError  # types only; parsing goes through defusedxml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from digest_pipeline.errors import SourceError
from digest_pipeline.models import VersionedId

_NS = {"atom": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom", "opensearch": "http://a9.com/-/spec/opensearch/1.1/"}
_FEED_TAG = f"{{{_NS['atom']}}}feed"


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """One version of one paper as the API gives it.

    `submitted_at_utc` is version 1's submission (`published`), `updated_at_utc` this version's (`updated`);
    neither is an announcement date. `abstract` is empty where arXiv gives none.
    """

    arxiv_id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    primary_category: str
    categories: tuple[str, ...]
    comment: str | None
    doi: str | None
    journal_ref: str | None
    submitted_at_utc: datetime
    updated_at_utc: datetime


def why_unusable(body: bytes) -> str | None:
    """None for a whole Atom feed; else in words what came instead (a torn page, HTML, "Rate exceeded.", an error entry)."""
    root = parsed(body)
    return f"no whole XML but {body[:60]!r}" if root is None else _why_no_feed(root)


def parsed(body: bytes) -> Element | None:
    """The root of an answer from outside; None where it is no whole, harmless XML, also in an encoding that nobody knows."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError):  # the last two: an unknown encoding, one of several bytes
        return None
    return root


def _why_no_feed(root: Element) -> str | None:
    if root.tag != _FEED_TAG:
        return f"no Atom feed but <{root.tag}>"
    if (message := _error_entry(root)) is not None:
        return f"arXiv answers with an error entry: {message}"
    if _count(root, "opensearch:totalResults") > _count(root, "opensearch:startIndex") and root.find("atom:entry", _NS) is None:
        return f"an empty page of {_count(root, 'opensearch:totalResults')} results"
    return None


def parse_page(body: bytes) -> list[ApiRecord]:
    """The records of one page, in its order; empty where nothing matched. Raises SourceError naming what is malformed."""
    root = parsed(body)
    if root is None or (why := _why_no_feed(root)) is not None:
        raise SourceError(f"a kept API page cannot be read: {'no whole XML' if root is None else why}", hint="refetch the day")
    return [_record(entry) for entry in root.iterfind("atom:entry", _NS)]


def _record(entry: Element) -> ApiRecord:
    address = _text(entry, "atom:id") or ""
    try:
        paper = VersionedId.parse(address.split("/abs/", 1)[1])
        submitted, updated = _time(entry, "atom:published"), _time(entry, "atom:updated")
    except (IndexError, ValueError, OverflowError) as error:
        raise SourceError(f"the API's entry {address!r} lacks an id or a time ({error})", hint="run again later; report it if it lasts") from None
    categories = tuple(dict.fromkeys(c.get("term", "") for c in entry.iterfind("atom:category", _NS)))
    primary = entry.find("arxiv:primary_category", _NS)
    primary_term = primary.get("term", "") if primary is not None else categories[0] if categories else ""
    authors = list(entry.iterfind("atom:author", _NS))
    return ApiRecord(
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        title=one_line(_text(entry, "atom:title") or ""),
        abstract=(_text(entry, "atom:summary") or "").strip(),
        authors=tuple(one_line(_text(a, "atom:name") or "") for a in authors),
        affiliations=tuple("; ".join(one_line(f.text or "") for f in a.iterfind("arxiv:affiliation", _NS)) for a in authors),
        primary_category=primary_term,
        categories=(primary_term, *(c for c in categories if c and c != primary_term)),
        comment=_optional(entry, "arxiv:comment"),
        doi=_optional(entry, "arxiv:doi"),
        journal_ref=_optional(entry, "arxiv:journal_ref"),
        submitted_at_utc=submitted,
        updated_at_utc=updated,
    )


def one_line(text: str) -> str:
    """Titles and names are wrapped by some of arXiv's back ends; the break is not part of them."""
    return re.sub(r"\s+", " ", text).strip()


def _error_entry(root: Element) -> str | None:
    for entry in root.iterfind("atom:entry", _NS):
        if "/api/errors" in (_text(entry, "atom:id") or ""):
            return _text(entry, "atom:summary") or "no reason given"
    return None


def _count(root: Element, path: str) -> int:
    """0 where the page does not say, or not in digits."""
    text = (_text(root, path) or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _time(entry: Element, path: str) -> datetime:
    return datetime.fromisoformat((_text(entry, path) or "").strip().replace("Z", "+00:00")).astimezone(UTC)


def _text(element: Element, path: str) -> str | None:
    found = element.find(path, _NS)
    return None if found is None else found.text


def _optional(element: Element, path: str) -> str | None:
    text = one_line(_text(element, path) or "")
    return text or None

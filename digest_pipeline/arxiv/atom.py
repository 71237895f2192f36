"""arXiv's query API answers (Atom) → records.

What lives here: the XML of https://info.arxiv.org/help/api/user-manual.html as values, no field lost. What
does not: fetching (`api.py`), categories and listings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element  # a type only; `xml.py` parses

from digest_pipeline.arxiv.http import UnusableBody
from digest_pipeline.arxiv.xml import read_xml
from digest_pipeline.models import VersionedId
from digest_pipeline.text import one_line

UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)
"""Stands where a record gives neither of its times: before anything."""
_NS = {"atom": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom", "opensearch": "http://a9.com/-/spec/opensearch/1.1/"}
_FEED_TAG = f"{{{_NS['atom']}}}feed"


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """One version of one paper as the API gives it.

    `submitted_at_utc` is version 1's submission (`published`), `updated_at_utc` this version's (`updated`);
    neither is an announcement date. Where one is missing the other stands for it. `title` and `abstract` are empty where
    arXiv gives none.
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


@dataclass(frozen=True, slots=True)
class ApiPage:
    """One answer: its records in order, how many results arXiv counts over all pages, how many entries name no paper.

    An entry names its paper by its id or by one of its links.
    """

    records: tuple[ApiRecord, ...]
    total: int
    unreadable: int = 0

    @property
    def entries(self) -> int:
        return len(self.records) + self.unreadable


def read_page(body: bytes) -> ApiPage:
    """A whole Atom feed as a page; raises UnusableBody, saying what came instead (a torn page, HTML, "Rate exceeded.", an error entry)."""
    root = read_xml(body)
    if root is None:
        raise UnusableBody(f"no whole XML but {body[:60]!r}")
    if root.tag != _FEED_TAG:
        raise UnusableBody(f"no Atom feed but <{root.tag}>")
    if (message := _error_entry(root)) is not None:
        raise UnusableBody(f"arXiv answers with an error entry: {message}")
    entries = root.findall("atom:entry", _NS)
    total = _count(root, "opensearch:totalResults")
    if total > _count(root, "opensearch:startIndex") and not entries:
        raise UnusableBody(f"an empty page of {total} results")
    records = tuple(record for entry in entries if (record := _record(entry)) is not None)
    return ApiPage(records, total, len(entries) - len(records))


def _record(entry: Element) -> ApiRecord | None:
    addresses = [_text(entry, "atom:id") or "", *(link.get("href", "") for link in entry.iterfind("atom:link", _NS))]
    paper = next((found for address in addresses if (found := _paper_at(address)) is not None), None)
    if paper is None:
        return None
    submitted, updated = _time(entry, "atom:published"), _time(entry, "atom:updated")
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
        categories=tuple(dict.fromkeys(c for c in (primary_term, *categories) if c)),
        comment=_optional(entry, "arxiv:comment"),
        doi=_optional(entry, "arxiv:doi"),
        journal_ref=_optional(entry, "arxiv:journal_ref"),
        submitted_at_utc=submitted or updated or UNKNOWN_TIME,
        updated_at_utc=updated or submitted or UNKNOWN_TIME,
    )


def _paper_at(address: str) -> VersionedId | None:
    place = re.search(r"/(?:abs|pdf)/(.+)\Z", address.strip())
    try:
        return VersionedId.parse(place[1].removesuffix(".pdf")) if place else None
    except ValueError:
        return None


def _error_entry(root: Element) -> str | None:
    for entry in root.iterfind("atom:entry", _NS):
        if "/api/errors" in (_text(entry, "atom:id") or ""):
            return _text(entry, "atom:summary") or "no reason given"
    return None


def _count(root: Element, path: str) -> int:
    """0 where the page does not say, or not in digits."""
    text = (_text(root, path) or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _time(entry: Element, path: str) -> datetime | None:
    try:
        found = datetime.fromisoformat((_text(entry, path) or "").strip().replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(element: Element, path: str) -> str | None:
    found = element.find(path, _NS)
    return None if found is None else "".join(found.itertext())


def _optional(element: Element, path: str) -> str | None:
    text = one_line(_text(element, path) or "")
    return text or None

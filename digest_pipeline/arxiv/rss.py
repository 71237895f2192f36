"""arXiv's announcement feed (RSS 2.0) → the day's announcement, strictly.

The feed's form: https://info.arxiv.org/help/rss_specifications.html. It holds the listing of one date with
versioned ids and announce types; it is capped at 2,000 items with the replacements first, and its channel's
date turns at Eastern midnight. What lives here: the XML as values. What does not: whether to believe it
(`listing.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element  # types only; parsing goes through defusedxml

from pylatexenc.latex2text import LatexNodes2Text

from digest_pipeline.arxiv.atom import one_line, parsed
from digest_pipeline.calendar import EASTERN
from digest_pipeline.errors import SourceError
from digest_pipeline.models import AnnounceType, VersionedId

MOST_ITEMS = 2000
"""arXiv's cap on one feed; a feed that reaches it may lack new papers."""

_ARXIV = "{http://arxiv.org/schemas/atom}"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_BOILERPLATE = re.compile(r"\A\s*arXiv:\S+\s+Announce Type:\s*\S+\s*(?:\n|\s)\s*(?:Abstract:\s?)?")
_AUTHOR_SEPARATOR = re.compile(r",\s*(?![^(]*\))")  # a comma inside "(Department, University)" separates nothing
_NAMES_FROM_TEX = LatexNodes2Text(keep_braced_groups=False, strict_latex_spaces=True)
_AFFILIATION = re.compile(r"\s*\((?P<affiliation>.*)\)\s*\Z", re.S)


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One announced paper in the feed's own words; the API's record of the same version says more."""

    arxiv_id: str
    version: int
    announce_type: AnnounceType
    title: str
    abstract: str
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    categories: tuple[str, ...]
    doi: str | None
    journal_ref: str | None


@dataclass(frozen=True, slots=True)
class Announcement:
    """One feed: the date it carries (US Eastern), the categories it says it is for, its items in order."""

    dated: date
    categories: tuple[str, ...]
    items: tuple[FeedItem, ...]


def why_unusable(body: bytes) -> str | None:
    """None for a whole RSS feed, also an empty one; else in words what came instead."""
    root = parsed(body)
    if root is None:
        return f"no whole XML but {body[:60]!r}"
    if root.tag != "rss" or root.find("channel") is None:
        return f"no RSS feed but <{root.tag}>"
    return None


def error_message(body: bytes) -> str | None:
    """What arXiv says where the body is its "Feed error for query" form; None for a feed."""
    if why_unusable(body) is not None:
        return None
    channel = _channel(body)
    return channel.findtext("description") if (channel.findtext("title") or "").startswith("Feed error") else None


def parse_feed(body: bytes) -> Announcement:
    """Raises SourceError naming the item that cannot be read; an empty feed is an Announcement without items."""
    if (why := why_unusable(body) or error_message(body)) is not None:
        raise SourceError(f"a feed cannot be read: {why}", hint="refetch the day")
    channel = _channel(body)
    title = channel.findtext("title") or ""
    names = tuple(name.strip() for name in title.removesuffix(" updates on arXiv.org").split(",") if name.strip())
    return Announcement(_dated(channel), names, tuple(_item(item) for item in channel.iterfind("item")))


def _channel(body: bytes) -> Element:
    root = parsed(body)
    channel = None if root is None else root.find("channel")
    assert channel is not None  # why_unusable has looked
    return channel


def _dated(channel: Element) -> date:
    text = channel.findtext("pubDate") or ""
    try:
        return parsedate_to_datetime(text).astimezone(EASTERN).date()
    except (ValueError, OverflowError):
        raise SourceError(f"the feed's date {text!r} cannot be read", hint="run again later; report it if it lasts") from None


def _item(item: Element) -> FeedItem:
    guid = item.findtext("guid") or item.findtext("link") or ""
    try:
        paper = VersionedId.parse(re.split(r"arXiv\.org:|/abs/", guid)[-1])
        announced_as = AnnounceType((item.findtext(f"{_ARXIV}announce_type") or "").strip())
    except ValueError as error:
        raise SourceError(
            f"the feed's item {guid!r} ({item.findtext('title')!r}) cannot be read: {error}", hint="report it; its format is new"
        ) from None
    people = [_plain_name(person) for person in _AUTHOR_SEPARATOR.split(item.findtext(_CREATOR) or "") if person.strip()]
    return FeedItem(
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        announce_type=announced_as,
        title=one_line(item.findtext("title") or ""),
        abstract=without_boilerplate(item.findtext("description") or ""),
        authors=tuple(one_line(_AFFILIATION.sub("", person)) for person in people),
        affiliations=tuple(one_line(found["affiliation"]) if (found := _AFFILIATION.search(person)) else "" for person in people),
        categories=tuple(dict.fromkeys((c.text or "").strip() for c in item.iterfind("category"))),
        doi=item.findtext(f"{_ARXIV}DOI"),
        journal_ref=item.findtext(f"{_ARXIV}journal_reference"),
    )


def _plain_name(person: str) -> str:
    """The feed writes accents in TeX (`Ors\\'o Ill\\'es`), the API in Unicode; a name is read the same from both."""
    return str(_NAMES_FROM_TEX.latex_to_text(person)).strip() if "\\" in person else person.strip()


def without_boilerplate(description: str) -> str:
    """The abstract alone, without `arXiv:…v1 Announce Type: new Abstract:` before it."""
    return _BOILERPLATE.sub("", description, count=1).strip()

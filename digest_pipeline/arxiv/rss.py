"""arXiv's announcement feed (RSS 2.0) → the day's announcement, read as leniently as leaves no doubt.

The feed's form: https://info.arxiv.org/help/rss_specifications.html. It holds the listing of one date with
versioned ids and announce types; it is capped at 2,000 items with the replacements first, and its channel's
date turns at Eastern midnight. An item counts as long as it names its paper: what else it lacks is taken from where it
stands a second time, or left empty. What lives here: the XML as values. What does not: whether to believe it
(`feed_listing.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element  # a type only; `xml.py` parses

from pylatexenc.latex2text import LatexNodes2Text

from digest_pipeline.arxiv.http import UnusableBody
from digest_pipeline.arxiv.xml import read_xml
from digest_pipeline.calendar import EASTERN
from digest_pipeline.models import AnnounceType, VersionedId
from digest_pipeline.text import one_line

MOST_ITEMS = 2000
"""arXiv's cap on one feed; a feed that reaches it may lack new papers."""

_ARXIV = "{http://arxiv.org/schemas/atom}"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_BOILERPLATE = re.compile(r"\A\s*(?:arXiv:\S+\s+)?Announce Type:\s*\S+\s*(?:Abstract:\s?)?|\A\s*(?:arXiv:\S+\s+)?Abstract:\s", re.I)
_STATED_TYPE = re.compile(r"\A\s*(?:arXiv:\S+\s+)?Announce Type:\s*(\S+)", re.I)
_ID_IN_TEXT = re.compile(r"(?:\A|arXiv\.org:|/(?:abs|pdf)/|\barXiv:)\s*((?:\d{4}\.\d{4,5}|[a-z][a-z\-]*(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,4})?)(?!\w)")
_MARKUP = re.compile(r"<(?P<tag>p|i|em|b|strong|sub|sup|tt|span|div)(?:\s[^<>]*)?>(?P<inside>.*?)</(?P=tag)>|<br\s*/?>", re.S)
_NAMES_FROM_TEX = LatexNodes2Text(keep_braced_groups=False, strict_latex_spaces=True)


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One announced paper in the feed's own words; the API's record of the same version says more.

    Where the feed states no announce type that we know, a first version counts as new and a later one as replacement.
    `categories` and the texts are empty where the item has none.
    """

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
    """One feed: the date it carries (US Eastern), the categories it says it is for, its items in order.

    `unreadable` are the titles of items that name no paper.
    """

    dated: date
    categories: tuple[str, ...]
    items: tuple[FeedItem, ...]
    unreadable: tuple[str, ...] = ()


class FeedRefused(UnusableBody):
    """arXiv's own "Feed error for query", in its words."""

    retryable = False


def read_feed(body: bytes) -> Announcement:
    """A whole RSS feed, also an empty one; raises UnusableBody, saying what came instead, FeedRefused where arXiv names an error."""
    root = read_xml(body)
    if root is None:
        raise UnusableBody(f"no whole XML but {body[:60]!r}")
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise UnusableBody(f"no RSS feed but <{root.tag}>")
    title = _text(channel, "title")
    if title.startswith("Feed error"):
        raise FeedRefused(_text(channel, "description") or title)
    names = tuple(name.strip() for name in title.removesuffix(" updates on arXiv.org").split(",") if name.strip())
    elements = channel.findall("item")
    items = [_item(element) for element in elements]
    unreadable = tuple(one_line(_text(e, "title")) or "an item without title" for e, item in zip(elements, items, strict=True) if item is None)
    return Announcement(_dated(channel), names, tuple(item for item in items if item is not None), unreadable)


def _dated(channel: Element) -> date:
    for name in ("pubDate", "lastBuildDate"):
        try:
            return parsedate_to_datetime(_text(channel, name).strip()).astimezone(EASTERN).date()
        except (ValueError, OverflowError):
            continue
    raise UnusableBody(f"a feed whose date {_text(channel, 'pubDate')!r} cannot be read")


def _item(item: Element) -> FeedItem | None:
    description = _text(item, "description")
    paper = _paper(_text(item, "guid"), _text(item, "link"), description[:60])
    if paper is None:
        return None
    people = [_author(person) for creator in item.iterfind(_CREATOR) for person in split_authors("".join(creator.itertext()))]
    return FeedItem(
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        announce_type=_announce_type(_text(item, f"{_ARXIV}announce_type"), description, paper.version),
        title=one_line(_without_markup(_text(item, "title"))),
        abstract=without_boilerplate(_without_markup(description)),
        authors=tuple(name for name, _ in people),
        affiliations=tuple(affiliation for _, affiliation in people),
        categories=tuple(dict.fromkeys(name for c in item.iterfind("category") if (name := "".join(c.itertext()).strip()))),
        doi=_text(item, f"{_ARXIV}DOI") or None,
        journal_ref=_text(item, f"{_ARXIV}journal_reference") or None,
    )


def _paper(*places: str) -> VersionedId | None:
    """The first versioned id in these places, else the first without a version: the link has none."""
    found: list[VersionedId] = []
    for place in places:
        if (match := _ID_IN_TEXT.search(place)) is not None:
            try:
                paper = VersionedId.parse(match[1])
            except ValueError:
                continue
            if match[1].endswith(f"v{paper.version}"):
                return paper
            found.append(paper)
    return found[0] if found else None


def _announce_type(stated: str, description: str, version: int) -> AnnounceType:
    in_text = _STATED_TYPE.search(description)
    for word in (stated, in_text[1] if in_text else ""):
        try:
            return AnnounceType(word.strip().lower().replace("_", "-"))
        except ValueError:
            continue
    return AnnounceType.NEW if version == 1 else AnnounceType.REPLACE


def split_authors(names: str) -> list[str]:
    """`A. Nemo (Dept. of X, Y), B. Nemo (1 and 2 (Z))` → its people; a comma inside parentheses, however nested, separates nothing."""
    people, depth, begin = [], 0, 0
    for place, character in enumerate(names):
        if character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif character == "," and not depth:
            people.append(names[begin:place])
            begin = place + 1
    people.append(names[begin:])
    if depth and "," in people[-1]:  # an open parenthesis that nothing closes must not swallow the people behind it
        first, _, rest = people.pop().partition(",")
        people += [first, *split_authors(rest)]
    return [person.strip() for person in people if person.strip()]


def _author(person: str) -> tuple[str, str]:
    """Name and affiliation; the latter is what stands in the groups of parentheses that end it."""
    # the feed writes accents in TeX (`Ors\'o Ill\'es`), the API in Unicode; a name is read the same from both
    text, notes = str(_NAMES_FROM_TEX.latex_to_text(person)).strip() if "\\" in person else person.strip(), list[str]()
    while text.endswith(")") and (opening := _opening_of_last_group(text)):
        notes.insert(0, text[opening + 1 : -1])
        text = text[:opening].strip()
    return one_line(text), one_line("; ".join(notes))


def _opening_of_last_group(text: str) -> int:
    """Where the parenthesis opens that the text's last character closes; 0 where it does not, or at the very beginning."""
    depth = 0
    for place in range(len(text) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if not depth:
            return place
    return 0


def without_boilerplate(description: str) -> str:
    """The abstract alone, without `arXiv:…v1 Announce Type: new Abstract:` before it, or what there is of that."""
    return _BOILERPLATE.sub("", description, count=1).strip()


def _without_markup(text: str) -> str:
    """Text without the HTML that feeds have been seen to wrap it in; `<` of formulas stays."""
    return _without_markup(_MARKUP.sub(lambda m: m["inside"] if m["tag"] else " ", text)) if _MARKUP.search(text) else text


def _text(element: Element, path: str) -> str:
    """The text below the child of that name; empty where there is none."""
    found = element.find(path)
    return "" if found is None else "".join(found.itertext())

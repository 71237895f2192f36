"""Which papers a mail shows, and how much of each, within a given number of bytes.

What lives here: that choice. What does not: the message around it (`mail.py`), which papers a watch list wants (`render/`).

The watch lists' papers come first, the first of them whole, with their abstracts; when there is no room for that they are
shown with title and TL;DR as all other papers are, and what finds no room at all is counted, with where to read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from digest_pipeline.models import DigestEntry, ListingInfo
from digest_pipeline.render.day import in_reading_order
from digest_pipeline.render.paper import paper_view
from digest_pipeline.tex.plain import plain_text
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language

_AROUND = 3_000
"""Bytes of a message without papers."""
_AROUND_A_PAPER = 450
"""Bytes of a paper's markup, addresses and inlined style."""
_AROUND_A_SECTION = 500


@dataclass(frozen=True, slots=True)
class WatchedPapers:
    """What one watch list found on one day."""

    name: str
    title: str
    reasons: Mapping[str, tuple[str, ...]]
    """arXiv id → why it is shown, in the reader's words; only papers that the list wants."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailDay:
    """One listing day as the mail shows it."""

    facts: ListingInfo
    entries: tuple[DigestEntry, ...]
    """Newest id first."""
    language: Language
    watches: tuple[WatchedPapers, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One paper, every text plain and ready to be escaped."""

    title: str
    original_title: str
    tldr: str
    abstract: str
    why: str
    marks: tuple[str, ...]
    abs_url: str
    pdf_url: str

    @property
    def size(self) -> int:
        """About its bytes in the message."""
        texts = (self.title, self.original_title, self.tldr, self.abstract, self.why, *self.marks)
        return _AROUND_A_PAPER + sum(len(escape(text).encode()) for text in texts)


@dataclass(frozen=True, slots=True)
class Section:
    """Papers under a heading, or a sentence that says what is not listed."""

    heading: str
    items: tuple[Item, ...]
    note: str = ""


def sections_of(day: MailDay, page: str, room: int) -> list[Section]:
    """The sections, within about `room` bytes. `page` is the day's public address, or empty. No papers: none."""
    if not day.entries:
        return []
    return list(_Filling(day, page, room).sections())


class _Filling:
    """One message being filled in its order."""

    def __init__(self, day: MailDay, page: str, room: int) -> None:
        self._day, self._page = day, page
        self._room = room - _AROUND
        self._entries = in_reading_order(day.entries)
        self._watched = {arxiv_id for watch in day.watches for arxiv_id in watch.reasons}

    def sections(self) -> Iterable[Section]:
        label = self._day.language.label
        watches = [(watch, self._short_items(watch)) for watch in self._day.watches]
        reserved = sum(item.size for _, items in watches for _, item in items)
        for watch, items in watches:
            shown: list[Item] = []
            self._room -= _AROUND_A_SECTION
            for entry, short in items:
                reserved -= short.size
                whole = _item(entry, self._day.language, watch.reasons[entry.paper.arxiv_id], with_abstract=True)
                shown += self._taken(whole if whole.size + reserved <= self._room else short)
            note = self._left_out(len(items) - len(shown)) if items else label("mail", "watch_none")
            yield Section(label("mail", "watch_heading").format(name=one_line(watch.title)), tuple(shown), note)
        yield from self._others()

    def _short_items(self, watch: WatchedPapers) -> list[tuple[DigestEntry, Item]]:
        language, reasons = self._day.language, watch.reasons
        return [(entry, _item(entry, language, reasons[entry.paper.arxiv_id])) for entry in self._entries if entry.paper.arxiv_id in reasons]

    def _others(self) -> Iterable[Section]:
        label = self._day.language.label
        rest = [entry for entry in self._entries if entry.paper.arxiv_id not in self._watched]
        shown = {id(entry): found for entry in rest for found in self._taken(_item(entry, self._day.language))}
        for is_replaced, heading in (
            (False, label("mail", "rest") if self._watched else label("digest", "summary")),
            (True, label("digest", "replacements")),
        ):
            items = tuple(shown[id(entry)] for entry in rest if id(entry) in shown and entry.paper.announce_type.is_replacement is is_replaced)
            if items:
                yield Section(heading, items)
        if note := self._left_out(len(rest) - len(shown)):
            yield Section("", (), note)

    def _taken(self, item: Item) -> list[Item]:
        """The item in a list, where there is room for it; when there is none, nothing that follows is taken either."""
        if item.size > self._room:
            self._room = 0
            return []
        self._room -= item.size
        return [item]

    def _left_out(self, count: int) -> str:
        if count <= 0:
            return ""
        day = self._day.facts.listing_date.isoformat()
        return self._day.language.label("mail", "more").format(count=count, where=self._page or f"data/digests/{self._day.language.tag}/{day}/")


def _item(entry: DigestEntry, language: Language, reasons: tuple[str, ...] = (), *, with_abstract: bool = False) -> Item:
    view = paper_view(entry, language)
    return Item(
        title=plain_text(view.title),
        original_title=plain_text(view.original_title),
        tldr=plain_text(view.tldr),
        abstract=plain_text(view.abstract or view.paper.abstract) if with_abstract else "",
        why=language.label("mail", "why").format(reasons="; ".join(map(one_line, reasons))) if reasons else "",
        marks=(*view.marks, *([view.missing] if view.missing else [])),
        abs_url=view.paper.abs_url,
        pdf_url=view.paper.pdf_url,
    )

"""A profile's day as values, and as files: `private/<profile>/<tag>/<day>.md`, `<day>.html` and `feed.xml`.

What lives here: what is said of each paper, and writing. What does not: which papers (`selection.py`), the mail (`mail.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from feedgen.feed import FeedGenerator
from jinja2 import Environment

from digest_pipeline.markdown.escaping import inline, paragraph
from digest_pipeline.models import DigestEntry
from digest_pipeline.personal.selection import Shown, select
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile
from digest_pipeline.ranking.taste import taste_of_profile
from digest_pipeline.ranking.votes import private_folder
from digest_pipeline.reading.view import ShownNote, notes_in_words, shown_notes
from digest_pipeline.render.day import counts_in_words
from digest_pipeline.render.paper import PaperView, named_authors, paper_view
from digest_pipeline.render.reading import not_asked_yet, read_papers, read_summaries
from digest_pipeline.render.templates import html_environment
from digest_pipeline.storage import Storage
from digest_pipeline.tex.html import inline_html
from digest_pipeline.tex.plain import plain_text
from digest_pipeline.translation.languages import Language, load_language

_MOST_AUTHORS = 6
_FEED_DAYS = 7
_DAY_PAGE = re.compile(r"\d{4}-\d{2}-\d{2}\.html")


@dataclass(frozen=True, slots=True)
class Item:
    """One paper with the reason why it is shown."""

    view: PaperView
    authors: str
    interest: str
    why: tuple[str, ...]
    listed: date
    comes_back: bool
    notes: tuple[ShownNote, ...]
    """What the paper says, where it was read whole."""


@dataclass(frozen=True, slots=True)
class PersonalDay:
    """One profile's day in one language. `rest` has the other papers' announce types → counts."""

    profile: str
    day: date
    language: Language
    items: tuple[Item, ...]
    total: int
    rest: Mapping[str, int]

    @property
    def headline(self) -> str:
        """ "12 of 622 for you", in the reader's language."""
        return self.language.label("mine", "for_you").format(shown=len(self.items), total=self.total)


def personal_day(storage: Storage, day: date, profile: str, shown: Sequence[Shown], language: Language) -> PersonalDay:
    """Reads the texts of the shown papers. Raises SourceError where the day has no papers table."""
    papers = read_papers(storage, day)
    summaries = read_summaries(storage, day, language.tag)
    chosen = {one.ranked.arxiv_id for one in shown}
    rest = [
        DigestEntry(paper, summaries.get(paper.arxiv_id) or not_asked_yet(paper, language.tag)) for paper in papers if paper.arxiv_id not in chosen
    ]
    items = tuple(items_of(storage, shown, language))
    return PersonalDay(profile, day, language, items, len(papers), counts_in_words(rest, language))


def items_of(storage: Storage, shown: Sequence[Shown], language: Language) -> Iterator[Item]:
    """The texts of papers of any days, those of one day together."""
    for listed in dict.fromkeys(one.listed for one in shown):
        here = [one for one in shown if one.listed == listed]
        ids = [one.ranked.arxiv_id for one in here]
        papers = {paper.arxiv_id: paper for paper in read_papers(storage, listed, ids)}
        summaries = read_summaries(storage, listed, language.tag, ids)
        notes = shown_notes(storage, listed, language.tag)
        for one in here:
            paper = papers[one.ranked.arxiv_id]
            view = paper_view(DigestEntry(paper, summaries.get(paper.arxiv_id) or not_asked_yet(paper, language.tag)), language)
            why = tuple(
                f"{language.label('mine', 'like').format(title=plain_text(reason.title))} ({reason.share:.0%})"
                for reason in one.ranked.why
                if reason.title
            )
            authors = ", ".join(named_authors(paper.authors, _MOST_AUTHORS, language))
            yield Item(view, authors, one.ranked.interest, why, listed, one.comes_back, tuple(notes.get(paper.arxiv_id, ())))


def write_day(storage: Storage, at_hand: PapersAtHand, day: date, profile: Profile, folder: Path, languages: Sequence[str]) -> int:
    """Chooses and writes a profile's day in its languages (default: `languages`); how many papers are shown. `folder` is that of profiles.toml."""
    shown = select(storage, day, profile.name, profile.top, taste_of_profile(profile, folder, at_hand, storage))
    for tag in profile.languages or languages:
        write_files(storage, personal_day(storage, day, profile.name, shown, load_language(tag)))
    return len(shown)


# -- files -------------------------------------------------------------------------------------------------


def write_files(storage: Storage, one: PersonalDay) -> None:
    """Markdown, page and feed of a profile's day; the feed holds the newest days that are there."""
    folder = f"{private_folder(one.profile)}/{one.language.tag}"
    storage.write_text(f"{folder}/{one.day.isoformat()}.md", markdown(one))
    storage.write_text(f"{folder}/{one.day.isoformat()}.html", page(one))
    storage.write_bytes(f"{folder}/feed.xml", _feed(storage, folder, one))


def markdown(one: PersonalDay) -> str:
    """The day as Markdown, best first, then the rest as counts."""
    lines = [f"# {one.day.isoformat()} · {inline(one.headline)}", "", *items_in_markdown(one.items, one.language)]
    lines += [f"## {inline(one.language.label('mine', 'rest'))}", "", *(f"- {inline(kind)}: {count}" for kind, count in one.rest.items()), ""]
    return "\n".join(map(str, lines))


def items_in_markdown(items: Sequence[Item], language: Language) -> Iterator[str]:
    for number, item in enumerate(items, 1):
        yield f"## {number}. [{inline(item.view.title)}]({item.view.paper.abs_url})\n"
        yield f"{paragraph(_said(item, language))}\n"
        yield from (f"{paragraph(text)}\n" for text in (item.view.tldr, item.authors) if text)
        yield from _notes_in_markdown(item, language)


def _notes_in_markdown(item: Item, language: Language) -> Iterator[str]:
    """A line a claim under its kind; beneath it the paper's own words, linked to where they stand."""
    for kind, notes in groupby(item.notes, key=lambda note: note.kind):
        yield f"**{inline(language.label('reading', kind))}**\n"
        for note in notes:
            yield f"- {inline(note.claim)}\n  > {inline(note.quote)} — [{inline(note.section or note.anchor_url)}]({note.anchor_url})\n"


def page(one: PersonalDay) -> str:
    """The day as one HTML file that needs no other."""
    return html_page(f"{one.day.isoformat()} · {one.headline}", one.items, one.language, rest=one.rest)


def html_page(
    title: str,
    items: Sequence[Item],
    language: Language,
    *,
    notices: Sequence[str] = (),
    rest: Mapping[str, int] = MappingProxyType({}),
    revised: Sequence[Mapping[str, str]] = (),
) -> str:
    """`rest` counts papers that are not shown; `revised` has a title, a URL and what is said of it for each new version."""
    return (
        _templates()
        .get_template("personal.html.jinja")
        .render(
            lang=language.html_lang,
            title=title,
            notices=notices,
            rest_title=language.label("mine", "rest"),
            rest=rest,
            revised_title=language.label("week", "revised"),
            revised=revised,
            items=[_values(item, language) for item in items],
        )
    )


def _values(item: Item, language: Language) -> dict[str, object]:
    return {
        "title": inline_html(item.view.title),
        "title_lang": item.view.title_lang,
        "url": item.view.paper.abs_url,
        "tldr": inline_html(item.view.tldr),
        "said": _said(item, language),
        "authors": item.authors,
        "notes": notes_in_words(item.notes, language),
    }


def _said(item: Item, language: Language) -> str:
    """Why it is shown: the interest, the library papers that speak for it, and when it was listed where that is not today."""
    parts = [item.interest, *item.why]
    if item.comes_back:
        parts.append(language.label("mine", "again").format(date=item.listed.isoformat()))
    return " · ".join(part for part in [*parts, *item.view.marks] if part)


def _feed(storage: Storage, folder: str, newest: PersonalDay) -> bytes:
    feed = FeedGenerator()
    feed.id(f"urn:arxiv-digest:{newest.profile}:{newest.language.tag}")
    feed.title(f"arXiv · {newest.profile}")
    feed.language(newest.language.html_lang)
    pages = [name for name in storage.names(folder) if _DAY_PAGE.fullmatch(name)][-_FEED_DAYS:]
    moment = datetime.min.replace(tzinfo=UTC)
    for name in pages:
        day = date.fromisoformat(name.removesuffix(".html"))
        moment = datetime.combine(day, time(5), UTC)
        entry = feed.add_entry()
        entry.id(f"urn:arxiv-digest:{newest.profile}:{newest.language.tag}:{day.isoformat()}")
        entry.title(day.isoformat())
        entry.updated(moment)
        entry.content(storage.read_text(f"{folder}/{name}").partition("<body>")[2].partition("</body>")[0], type="html")
    feed.updated(moment)
    content: bytes = feed.atom_str(pretty=True)
    return content


@cache
def _templates() -> Environment:
    return html_environment("digest_pipeline.personal")

"""A day, a paper, its versions as the values a template shows: everything decided, nothing left to markup.

What lives here: pure functions from the model's values and a language to plain frozen values; texts are
`Markup` already (escaped, mathematics converted). What does not: files, addresses (`paths.py`), HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_skeleton
from markupsafe import Markup

from digest_pipeline import taxonomy
from digest_pipeline.models import AnnounceType, DayLedger, DigestEntry, Evidence, Paper, SummaryStatus, counts_by_type, id_sort_key
from digest_pipeline.render import paper as render
from digest_pipeline.render.day import Day
from digest_pipeline.render.matching import WatchMatch
from digest_pipeline.site import paths
from digest_pipeline.tex.html import inline_html, paragraphs_html
from digest_pipeline.tex.plain import text_with_tex
from digest_pipeline.text import one_line
from digest_pipeline.translation.languages import Language

_AUTHORS_UNFOLDED = 2
_FIRST_HTML_MONTH = (2023, 12)
"""arXiv makes an HTML version of papers submitted since then."""


# -- words ------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _locale(language: Language) -> Locale:
    return Locale.parse(language.html_lang, sep="-")


def day_in_words(day: date, language: Language) -> str:
    """E.g. 2026年6月2日 星期二, Tuesday, June 2, 2026."""
    pattern = "y年M月d日 EEEE" if language.html_lang[:2] in ("zh", "ja") else "full"
    return format_date(day, pattern, _locale(language))


def short_day(day: date, language: Language) -> str:
    return format_date(day, "medium", _locale(language))


def month_in_words(month: date, language: Language) -> str:
    text: str = format_skeleton("yMMMM", month, locale=_locale(language))
    return text


def weekday_names(language: Language) -> tuple[tuple[str, str], ...]:
    """Monday to Friday as (short, whole)."""
    short, whole = _locale(language).days["stand-alone"]["short"], _locale(language).days["stand-alone"]["wide"]
    return tuple((short[n], whole[n]) for n in range(5))


# -- a paper ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class WhyShown:
    list_name: str
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaperView:
    """One paper in one language. Where there is no translation, `title` is the original one and `original_title` is None."""

    id: str
    version: int
    kind: AnnounceType
    kind_name: str
    is_translated: bool
    state: str
    """The word for why there is no translation, a key of the labels: `untranslated`, `deferred`, `original`; empty where there is one."""
    is_withdrawn: bool
    title: Markup
    title_lang: str
    title_text: str
    original_title: Markup | None
    first_authors: tuple[str, ...]
    further_authors: int
    authors: tuple[tuple[str, str], ...]
    """All of them as (name, affiliation or empty)."""
    primary_category: str
    categories: tuple[str, ...]
    tldr: Markup | None
    tldr_en: Markup | None
    tldr_text: str
    abstract: tuple[Markup, ...]
    """The translated one; empty where there is none."""
    original_abstract: tuple[Markup, ...]
    structure: tuple[tuple[str, Markup], ...]
    comment: Markup | None
    journal_ref: Markup | None
    doi: Link | None
    address: str
    """Where the paper is without these pages: arXiv."""
    links: tuple[Link, ...]
    notes: tuple[render.Note, ...]
    why_shown: tuple[WhyShown, ...]
    submitted_at: datetime | None
    updated_at: datetime | None

    @property
    def description(self) -> str:
        """One line for search engines and previews."""
        return text_with_tex(self.tldr_text) or self.title_text

    @property
    def anchor(self) -> str:
        """The paper's row on a day's page."""
        return paths.anchor(self.id)


def paper_view(entry: DigestEntry, language: Language, matches: Sequence[WatchMatch] = ()) -> PaperView:
    return _paper_view(entry, language, tuple(matches))


@lru_cache(maxsize=4_096)  # a paper stands on its day's page, on the home page and in the abstracts beside them
def _paper_view(entry: DigestEntry, language: Language, matches: tuple[WatchMatch, ...]) -> PaperView:
    paper, summary = entry.paper, entry.summary
    names = tuple(text_with_tex(name) for name in paper.authors)
    shown = render.paper_view(entry, language)
    english = shown.tldr_en or ("" if summary.tldr else shown.tldr)
    return PaperView(
        id=paper.arxiv_id,
        version=paper.version,
        kind=paper.announce_type,
        kind_name=shown.kind,
        is_translated=summary.is_translated,
        state=render.state_of(summary),
        is_withdrawn=paper.is_withdrawn,
        title=_within_a_link(inline_html(shown.title)),
        title_lang=shown.title_lang,
        title_text=text_with_tex(shown.title),
        original_title=inline_html(shown.original_title) if shown.original_title else None,
        first_authors=names if len(names) <= _AUTHORS_UNFOLDED + 1 else names[:_AUTHORS_UNFOLDED],
        further_authors=0 if len(names) <= _AUTHORS_UNFOLDED + 1 else len(names) - _AUTHORS_UNFOLDED,
        authors=tuple(zip(names, (text_with_tex(one) for one in paper.affiliations), strict=True)),
        primary_category=paper.primary_category,
        categories=paper.categories,
        tldr=inline_html(shown.tldr) if summary.tldr else None,
        tldr_en=inline_html(english) if english else None,
        tldr_text=shown.tldr,
        abstract=paragraphs_html(summary.translated_abstract),
        original_abstract=paragraphs_html(paper.abstract),
        structure=tuple((name, inline_html(text)) for name, text in shown.structure),
        comment=inline_html(paper.comment) if paper.comment else None,
        journal_ref=inline_html(paper.journal_ref) if paper.journal_ref else None,
        doi=Link(one_line(paper.doi), f"https://doi.org/{quote(one_line(paper.doi), safe='/:;()')}") if paper.doi else None,
        address=paper.abs_url,
        links=(*_arxiv_links(paper), *code_links(f"{paper.abstract}\n{paper.comment or ''}")),
        notes=shown.notes,
        why_shown=tuple(WhyShown(m.list_name, m.title, tuple(reason.in_words(language) for reason in m.reasons)) for m in matches),
        submitted_at=paper.submitted_at_utc,
        updated_at=paper.updated_at_utc,
    )


def _within_a_link(html: Markup) -> Markup:
    """A long formula scrolls by keys where it stands alone; within a link nothing else may take the focus."""
    return Markup(str(html).replace(' tabindex="0"', ""))  # noqa: S704 - it was markup before


def _arxiv_links(paper: Paper) -> tuple[Link, ...]:
    version = f"{paper.arxiv_id}v{paper.version}"
    links = [Link("arXiv", paper.abs_url), Link("PDF", paper.pdf_url)]
    if id_sort_key(paper.arxiv_id)[:2] >= _FIRST_HTML_MONTH:
        links.append(Link("HTML", f"https://arxiv.org/html/{version}"))
    return tuple(links)


_CODE_HOSTS: Mapping[str, str] = {
    "github.com": "GitHub",
    "gitlab.com": "GitLab",
    "bitbucket.org": "Bitbucket",
    "codeberg.org": "Codeberg",
    "huggingface.co": "Hugging Face",
    "zenodo.org": "Zenodo",
    "osf.io": "OSF",
    "kaggle.com": "Kaggle",
    "anonymous.4open.science": "Anonymous GitHub",
}
_ADDRESS = re.compile(r"(?:https?://|(?<![\w@/.\-])(?=(?:www\.)?(?:github\.com|gitlab\.com|huggingface\.co)/))[A-Za-z0-9\-._~:/?#@!&+,;=%\\]+")


def code_links(text: str) -> tuple[Link, ...]:
    """The web addresses an abstract or comment names, each once: code hosts by name, others by their host."""
    found: dict[str, Link] = {}
    for match in _ADDRESS.finditer(text):
        url = match[0].replace("\\_", "_").replace("\\%", "%").replace("\\#", "#").split("\\")[0].rstrip(".,;:!?&")
        url = url if url.startswith("http") else f"https://{url}"
        host = url.split("/")[2].lower().removeprefix("www.") if url.count("/") >= 2 else ""
        if "." in host and not host.endswith("arxiv.org"):
            is_code = host in _CODE_HOSTS or host.endswith(".github.io")
            found.setdefault(url.rstrip("/"), Link(_CODE_HOSTS.get(host, host), url, "code" if is_code else "web"))
    return tuple(found.values())


# -- a day ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """Papers under one heading. `name` is a category's English name, or empty."""

    id: str
    title: str
    name: str
    papers: tuple[PaperView, ...]
    in_category: int = 0
    """Of a category: how many papers of the day it has in all, cross-lists under other headings and replacements included."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to narrow the page: `?field=value`. `anchor` is where its papers begin, for readers without scripts."""

    field: str
    value: str
    title: str
    count: int
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class DayView:
    """One listing day in one language."""

    day: date
    title: str
    announced: bool
    is_sample: bool
    is_reconstructed: bool
    notes: tuple[str, ...]
    types: tuple[Choice, ...]
    """The announce types that have papers; their counts add up to `total`."""
    categories: tuple[Choice, ...]
    """The day's categories; a paper counts in each that lists it, so they add up to more than `total`."""
    watch_lists: tuple[Choice, ...]
    total: int
    untranslated: int
    original: int
    """Listed in the original by choice; not in `untranslated`."""
    sections: tuple[Section, ...]
    ledger: DayLedger | None
    models: tuple[str, ...]
    """Those that wrote the texts shown, as the rows name them."""

    @property
    def papers(self) -> tuple[PaperView, ...]:
        """In the page's order."""
        return tuple(paper for section in self.sections for paper in section.papers)

    @property
    def description(self) -> str:
        """One line for search engines and previews."""
        return " · ".join([self.title, *(f"{one.title} {one.count}" for one in (*self.types, *self.categories))])


def day_view(day: Day, language: Language, configured: Sequence[str]) -> DayView:
    entries = day.entries(language.tag)
    views = {e.paper.arxiv_id: paper_view(e, language, day.matches.get(e.paper.arxiv_id, ())) for e in entries}
    shown = shown_categories(day, configured)
    sections = tuple(_sections(day, views, language, shown))
    return DayView(
        day=day.day,
        title=day_in_words(day.day, language),
        announced=day.facts.announced,
        is_sample=day.facts.is_sample,
        is_reconstructed=day.facts.evidence is Evidence.ID_BLOCK,
        notes=day.facts.notes,
        types=tuple(Choice("type", kind, language.label("digest", kind), count) for kind, count in counts_by_type(day.papers).items() if count),
        categories=tuple(_category_choices(day, shown, {one.id for one in sections})),
        watch_lists=tuple(_watch_choices(views.values())),
        total=len(entries),
        untranslated=sum(e.summary.status.is_untranslated for e in entries),
        original=sum(e.summary.status is SummaryStatus.ORIGINAL for e in entries),
        sections=sections,
        ledger=day.ledger_of(language.tag),
        models=tuple(sorted({e.summary.model for e in entries if e.summary.is_translated and e.summary.model})),
    )


def shown_categories(day: Day, configured: Sequence[str]) -> tuple[str, ...]:
    """The day's categories: those configured now first and in their order, then those configured when it was made."""
    return (*(one for one in configured if one in day.categories), *(one for one in day.categories if one not in configured))


def category_name(category: str) -> str:
    """arXiv's English name; empty for an archive and for `all`."""
    return taxonomy.category_names().get(category, "")


def _category_choices(day: Day, shown: Sequence[str], sections: Collection[str]) -> Iterator[Choice]:
    for category in shown:
        section = section_id(category)
        yield Choice("category", category, category, len(day.in_category(category)), section if section in sections else "")


def _watch_choices(views: Iterable[PaperView]) -> Iterator[Choice]:
    found = Counter((one.list_name, one.title) for view in views for one in view.why_shown)
    for (name, title), count in found.items():
        yield Choice("watch", name, title, count, "watched")


def section_id(category: str) -> str:
    return category.replace(".", "-")


def page_order(day: Day, language: Language, configured: Sequence[str]) -> list[Paper]:
    """The day's papers as its page has them, without making the page."""
    return [paper for _, _, _, members, _ in _groups(day, language, shown_categories(day, configured)) for paper in members]


def _sections(day: Day, views: Mapping[str, PaperView], language: Language, categories: Sequence[str]) -> Iterator[Section]:
    for name, title, english, members, in_category in _groups(day, language, categories):
        if members:
            yield Section(name, title, english, tuple(views[p.arxiv_id] for p in members), in_category)


def _groups(day: Day, language: Language, categories: Sequence[str]) -> list[_Group]:
    """Watched papers first, replacements last; between them by category, or by announce type where there is only one."""
    watched = [p for p in day.papers if p.arxiv_id in day.matches]
    others = [p for p in day.papers if p.arxiv_id not in day.matches]
    fresh = [p for p in others if not p.announce_type.is_replacement]
    groups: list[_Group] = [("watched", language.label("site", "watched"), "", watched, 0)]
    groups += _groups_by_type(fresh, language) if len(categories) <= 1 else _groups_by_category(day, fresh, categories)
    groups.append(("replacements", language.label("site", "replacements"), "", [p for p in others if p.announce_type.is_replacement], 0))
    return groups


_Group = tuple[str, str, str, list[Paper], int]


def _groups_by_type(papers: Sequence[Paper], language: Language) -> list[_Group]:
    return [
        ("new", language.label("site", "new_papers"), "", [p for p in papers if p.announce_type is AnnounceType.NEW], 0),
        ("cross", language.label("site", "cross_lists"), "", [p for p in papers if p.announce_type is AnnounceType.CROSS], 0),
    ]


def _groups_by_category(day: Day, papers: Sequence[Paper], categories: Sequence[str]) -> list[_Group]:
    groups: list[_Group] = []
    for category in categories:
        members = [p for p in papers if home_category(p, categories) == category]
        members.sort(key=lambda p: p.announce_type is AnnounceType.CROSS)  # stable: newest id first within new and cross
        groups.append((section_id(category), category, category_name(category), members, len(day.in_category(category))))
    return groups


def home_category(paper: Paper, categories: Sequence[str]) -> str:
    """Where a paper stands on the page: the first of its own categories, primary first, that is configured."""
    homes = (one for own in paper.categories for one in categories if taxonomy.falls_under(own, one))
    return next(homes, categories[0] if categories else "")

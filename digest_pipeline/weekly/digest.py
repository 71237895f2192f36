"""A week for everybody: `digests/<tag>/week-<YYYY-Www>.md`, papers a day and category, and the terms that rise with their papers.

What lives here: those values and their Markdown. What does not: a profile's week (`personal/week.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from digest_pipeline import taxonomy
from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.clients import GENERATOR, DigestOptions
from digest_pipeline.markdown.escaping import cell, inline, paragraph
from digest_pipeline.models import AnnounceType, DigestEntry, Paper
from digest_pipeline.render.paper import paper_view
from digest_pipeline.render.reading import not_asked_yet, read_summaries
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import Language
from digest_pipeline.weekly.trends import LEAST_EARLIER_WEEKS, RisingTerm, Trends, find_trends
from digest_pipeline.weekly.week import Week, WeekListing, read_week

WEEK_VERSION = 1
"""`schema_version` of the front matter; raised when a key changes its meaning or goes away."""
WEEKS_BEFORE = 8
_MOST_TERMS, _MOST_PAPERS = 10, 5


@dataclass(frozen=True, slots=True)
class WeekDigest:
    """What the week comes to, in no language yet."""

    listing: WeekListing
    categories: tuple[str, ...]
    trends: Trends
    is_sample: bool


def write_week(storage: Storage, week: Week, calendar: ListingCalendar, options: DigestOptions) -> WeekDigest:
    """Writes the week in every language. Raises SourceError where nothing of it is at hand."""
    listing = read_week(storage, week, calendar)
    earlier = (_papers_of(storage, week.before(weeks), calendar) for weeks in range(1, WEEKS_BEFORE + 1))
    digest = WeekDigest(listing, options.categories, find_trends(listing.first_listed, earlier, _MOST_TERMS), options.is_sample)
    for language in options.languages:
        storage.write_text(week_file(language.tag, week), markdown(digest, language, _titles(storage, digest, language)))
    return digest


def week_file(tag: str, week: Week) -> str:
    """Below the data directory."""
    return f"digests/{tag}/week-{week}.md"


def _papers_of(storage: Storage, week: Week, calendar: ListingCalendar) -> list[Paper]:
    return read_week(storage, week, calendar).first_listed if any(storage.exists(storage.papers_file(day)) for day in week.days) else []


def _titles(storage: Storage, digest: WeekDigest, language: Language) -> dict[str, str]:
    """The shown papers' titles in the language, or the authors'."""
    shown = [paper for term in digest.trends.terms for paper in term.papers[:_MOST_PAPERS]]
    titles: dict[str, str] = {}
    for day in {paper.listing_date for paper in shown}:
        of_day = [paper for paper in shown if paper.listing_date == day]
        summaries = read_summaries(storage, day, language.tag, [paper.arxiv_id for paper in of_day])
        for paper in of_day:
            entry = DigestEntry(paper, summaries.get(paper.arxiv_id) or not_asked_yet(paper, language.tag))
            titles[paper.arxiv_id] = paper_view(entry, language).title
    return titles


# -- Markdown --------------------------------------------------------------------------------------------


def markdown(digest: WeekDigest, language: Language, titles: dict[str, str]) -> str:
    """`titles` has those of the shown papers by id."""
    week = digest.listing.week
    lines = ["---", _front_matter(digest, language), "---", "", f"# {heading(week, language)}", ""]
    lines += [f"{paragraph(notice)}\n" for notice in notices(digest.listing, language, is_sample=digest.is_sample)]
    if digest.listing.all_papers:
        lines += [f"## {_word(language, 'counts')}", "", *_counts(digest, language), "", f"## {_word(language, 'rising')}", ""]
        lines += _rising(digest.trends, language, titles)
    return "\n".join(lines).rstrip("\n") + "\n"


def heading(week: Week, language: Language) -> str:
    return inline(language.label("week", "title").format(week=week, first=week.days[0], last=week.days[-1]))


def notices(listing: WeekListing, language: Language, *, is_sample: bool = False) -> Iterator[str]:
    """Which days are lacking, or that there was nothing to announce; plain text."""
    if is_sample:
        yield language.label("digest", "sample")
    if listing.lacking:
        yield language.label("week", "lacking").format(days=", ".join(map(str, listing.lacking)))
    if listing.without_announcement and not listing.all_papers and not listing.lacking:
        yield language.label("week", "nothing")


def _front_matter(digest: WeekDigest, language: Language) -> str:
    listing = digest.listing
    values = {
        "schema_version": WEEK_VERSION,
        "week": str(listing.week),
        "first": listing.week.days[0],
        "last": listing.week.days[-1],
        "language": language.tag,
        "papers": len(listing.all_papers),
        "without_announcement": sorted(listing.without_announcement),
        "lacking": list(listing.lacking),
        "weeks_compared": digest.trends.weeks_before,
        "terms": [{"term": one.term, "papers": [paper.arxiv_id for paper in one.papers]} for one in digest.trends.terms],
        "generator": GENERATOR,
        "sample": digest.is_sample,
    }
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100_000).rstrip("\n")


def _counts(digest: WeekDigest, language: Language) -> Iterator[str]:
    """A row a day at hand or without announcement, and their sum."""
    listing = digest.listing
    kinds = [language.label("digest", kind.value) for kind in AnnounceType]
    head = [language.label("digest", "listing_date"), *digest.categories, language.label("digest", "all"), *kinds]
    yield _row(head)
    yield _row(["---"] + ["---:"] * (len(head) - 1))
    for day in listing.week.days:
        if day in listing.without_announcement:
            yield _row([str(day), language.label("statistics", "no_announcement"), *[""] * (len(head) - 2)])
        elif day in listing.papers:
            yield _row([str(day), *map(str, _numbers(listing.papers[day], digest.categories))])
    yield _row([_word(language, "sum"), *map(str, _numbers(listing.all_papers, digest.categories))])


def _numbers(papers: Sequence[Paper], categories: Sequence[str]) -> Iterator[int]:
    for category in categories:
        yield sum(any(taxonomy.falls_under(one, category) for one in paper.categories) for paper in papers)
    yield len(papers)
    for kind in AnnounceType:
        yield sum(paper.announce_type is kind for paper in papers)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rising(trends: Trends, language: Language, titles: dict[str, str]) -> Iterator[str]:
    if trends.weeks_before < LEAST_EARLIER_WEEKS:
        yield _word(language, "no_history", least=LEAST_EARLIER_WEEKS, weeks=trends.weeks_before)
        return
    yield _word(language, "compared", weeks=trends.weeks_before, papers=trends.papers, before=trends.papers_before)
    yield ""
    if not trends.terms:
        yield _word(language, "no_rise")
    for term in trends.terms:
        yield from _term(term, language, titles)


def _term(term: RisingTerm, language: Language, titles: dict[str, str]) -> Iterator[str]:
    yield f"### {inline(term.term)}"
    yield ""
    yield _word(language, "term", count=len(term.papers), share=f"{term.share:.1%}", before=f"{term.share_before:.1%}")
    yield ""
    for paper in term.papers[:_MOST_PAPERS]:
        yield f"- [{cell(titles[paper.arxiv_id])}]({paper.abs_url}) · {paper.listing_date}"
    if further := term.papers[_MOST_PAPERS:]:
        yield f"- {' · '.join(f'[{paper.arxiv_id}]({paper.abs_url})' for paper in further)}"
    yield ""


def _word(language: Language, key: str, **values: object) -> str:
    return paragraph(language.label("week", key).format(**values))

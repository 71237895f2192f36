"""A profile's week: its best ten, and new versions of papers that it likes. `private/<profile>/<tag>/week-<YYYY-Www>.md` and `.html`.

What lives here: the choice over the week's days, and both files. What does not: the week itself (`weekly/`), how a paper is shown (`digest.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from digest_pipeline.errors import DigestError
from digest_pipeline.markdown.escaping import inline, paragraph
from digest_pipeline.models import Paper, newest_first
from digest_pipeline.personal.digest import Item, html_page, items_in_markdown, items_of
from digest_pipeline.personal.selection import Shown, shown_before
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import load_profiles
from digest_pipeline.ranking.rankings import rank_as_one
from digest_pipeline.ranking.taste import ProfileTaste, taste_of_profile
from digest_pipeline.ranking.votes import private_folder
from digest_pipeline.render.watch_lists import load_watch_lists
from digest_pipeline.settings import Settings
from digest_pipeline.storage import Storage
from digest_pipeline.tex.html import inline_html
from digest_pipeline.translation.languages import Language, load_language
from digest_pipeline.weekly.digest import notices
from digest_pipeline.weekly.week import WeekListing

BEST = 10


@dataclass(frozen=True, slots=True)
class PersonalWeek:
    """One profile's week in one language; `revised` are new versions, of this week, of papers it likes."""

    profile: str
    listing: WeekListing
    language: Language
    best: Sequence[Shown]
    revised: Sequence[Paper]

    @property
    def title(self) -> str:
        count = self.language.label("mine", "for_you").format(shown=len(self.best), total=len(self.listing.all_papers))
        return f"{self.listing.week} · {count}"


def best_of_week(listing: WeekListing, at_hand: PapersAtHand, read: ProfileTaste, before: set[str]) -> list[Shown]:
    """The week ranked as one, so that interests take turns over all of its days; empty for a profile that names nothing.

    Neither what the profile knows (library, votes) nor what its digests of earlier weeks showed. A paper listed twice counts as first listed.
    """
    if read.taste.is_empty:
        return []
    listed = {paper.arxiv_id: paper for paper in reversed(listing.all_papers)}
    known = {*read.known_ids, *before, *(key for key, paper in listed.items() if paper.title.casefold() in read.known_titles)}
    ranked = [one for one in rank_as_one(at_hand, list(listing.papers), read.taste) if one.arxiv_id not in known]
    return [Shown(one, listed[one.arxiv_id].listing_date, False) for one in ranked[:BEST]]


def revised_papers(listing: WeekListing, read: ProfileTaste) -> list[Paper]:
    """The week's newest versions of liked papers, the youngest id first."""
    newest = {paper.arxiv_id: paper for paper in listing.all_papers if paper.announce_type.is_replacement and paper.arxiv_id in read.liked_ids}
    return newest_first(newest.values())


def write_personal_weeks(storage: Storage, listing: WeekListing, settings: Settings, warn: Callable[[str, DigestError], None]) -> dict[str, int]:
    """Writes each profile's week in its languages; profile → papers shown. `warn` is called with a profile that cannot be read: that is no
    reason for another's to wait. Raises SettingsError for a bad profiles.toml or watch.toml; without profiles there is nothing to do."""
    shown: dict[str, int] = {}
    profiles = load_profiles(settings.profiles_file)
    watch_lists = load_watch_lists(settings.watch_file) if profiles else ()
    at_hand = PapersAtHand(storage)
    for profile in profiles:
        try:
            read = taste_of_profile(profile, settings.profiles_file.parent, at_hand, storage, watch_lists=watch_lists)
        except DigestError as error:
            warn(profile.name, error)
            continue
        best = best_of_week(listing, at_hand, read, shown_before(storage, profile.name, listing.week.monday))
        for tag in profile.languages or settings.languages:
            _write(storage, PersonalWeek(profile.name, listing, load_language(tag), best, revised_papers(listing, read)))
        shown[profile.name] = len(best)
    return shown


def _write(storage: Storage, week: PersonalWeek) -> None:
    items = {item.view.id: item for item in items_of(storage, week.best, week.language)}
    in_order = [items[one.ranked.arxiv_id] for one in week.best]
    file = f"{private_folder(week.profile)}/{week.language.tag}/week-{week.listing.week}"
    storage.write_text(f"{file}.md", _markdown(week, in_order))
    storage.write_text(f"{file}.html", _page(week, in_order))


# -- files -------------------------------------------------------------------------------------------------


def _notices(week: PersonalWeek) -> list[str]:
    said = list(notices(week.listing, week.language))
    return said if week.best or not week.listing.all_papers else [*said, week.language.label("week", "none")]


def _markdown(week: PersonalWeek, items: Sequence[Item]) -> str:
    """Best first, then the new versions."""
    lines = [f"# {inline(week.title)}", "", *(f"{paragraph(notice)}\n" for notice in _notices(week)), *items_in_markdown(items, week.language)]
    if week.revised:
        lines += [f"## {paragraph(week.language.label('week', 'revised'))}", ""]
        lines += [f"- [{inline(paper.title)}]({paper.abs_url}v{paper.version}) · v{paper.version} · {paper.listing_date}" for paper in week.revised]
    return "\n".join(map(str, lines)).rstrip("\n") + "\n"


def _page(week: PersonalWeek, items: Sequence[Item]) -> str:
    """The same as one HTML file that needs no other."""
    revised = [
        {"title": inline_html(paper.title), "url": f"{paper.abs_url}v{paper.version}", "said": f"v{paper.version} · {paper.listing_date}"}
        for paper in week.revised
    ]
    return html_page(week.title, items, week.language, notices=_notices(week), revised=revised)

"""`digest rank`, `digest vote`, `digest profile`: a reader's own order of the days.

What lives here: arguments and words. What does not: ranking, libraries and votes (`ranking/`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path

import click

from digest_pipeline.cli import FAILED, OK
from digest_pipeline.cli.words import LISTING_DATE
from digest_pipeline.clients import arxiv_client, open_storage, utc_now
from digest_pipeline.errors import ArxivUnavailable, SettingsError, SourceError
from digest_pipeline.ranking.embeddings import Embedder
from digest_pipeline.ranking.features import Document
from digest_pipeline.ranking.library import Library, Problem, read_library
from digest_pipeline.ranking.lookup import AskArxiv, KnownPapers, asks, documents_of, nobody, papers_that_arxiv_has_by
from digest_pipeline.ranking.papers_at_hand import PapersAtHand
from digest_pipeline.ranking.profiles import Profile, find_profile, load_profiles
from digest_pipeline.ranking.rank import RankedPaper, Ranker, Taste
from digest_pipeline.ranking.rankings import rank_days
from digest_pipeline.ranking.taste import ProfileTaste, taste_of_profile
from digest_pipeline.ranking.votes import Vote, add_vote, private_folder
from digest_pipeline.render.watch_lists import load_watch_lists
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.translator import Translator

_PAPERS_OF_LIBRARIES = "private/_libraries/papers.jsonl"  # no profile's name begins with _
_SHOWN = 20


# -- rank ----------------------------------------------------------------------------------------------


@click.command()
@click.argument("first", type=LISTING_DATE)
@click.argument("last", type=LISTING_DATE)
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="A profile of profiles.toml; default: the only one.")
@click.option(
    "--library", "libraries", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="A library instead; several are one reader's."
)
@click.option("--json", "as_json", is_flag=True, help="One object a line, every paper.")
def rank(first: date, last: date, profiles: tuple[str, ...], libraries: tuple[Path, ...], as_json: bool) -> int:
    """Order the days at hand from FIRST to LAST as a reader would want them, each day on its own, best first.

    Exit status: 0 ranked; 1 no day of the range is at hand; 2 refused.
    """
    settings = load_settings()
    storage = open_storage(settings)
    at_hand = PapersAtHand(storage, _embedder(settings))
    days = [day for day in at_hand.days if first <= day <= last]
    if not days:
        raise SourceError(f"no day from {first} to {last} is at hand", hint="`digest backfill` or `digest run` makes them")
    readers = [_profile_reader(settings, storage, at_hand, name) for name in profiles or (() if libraries else (None,))]
    readers += [_library_reader(settings, storage, at_hand, libraries)] if libraries else []
    for name, taste, top in readers:
        in_order = partial(lambda taste: list(rank_days(at_hand, days, taste)), taste)
        for day, ranked in at_hand.by_words_where_vectors_fail(in_order, lambda error: click.echo(f"! ranked by words alone: {error}", err=True)):
            _print(day, ranked, at_hand, name if len(readers) > 1 else "", None if as_json else top)
    return OK


def _embedder(settings: Settings) -> Embedder | None:
    """The command ends with the process, which closes the store."""
    return Embedder.from_settings(settings, Translator.from_settings(settings, now=utc_now)) if settings.embedding_model else None


def _print(day: date, ranked: Sequence[RankedPaper], at_hand: PapersAtHand, reader: str, top: int | None) -> None:
    if top is None:
        for paper in ranked:
            row = {"listing_date": day.isoformat(), "rank": paper.rank, **asdict(paper), **({"profile": reader} if reader else {})}
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    titles = {document.key: document.title for document in at_hand.of_day(day)}
    click.echo(f"{day}{f' for {reader}' if reader else ''}: {min(top, len(ranked))} of {len(ranked)}")
    for paper in ranked[:top]:
        click.echo(f"{paper.rank:4}  {paper.score:.2f}  {paper.arxiv_id:12} {titles[paper.arxiv_id]}")
        click.echo(f"            {paper.interest}{_why(paper)}")


def _why(paper: RankedPaper) -> str:
    return f" · like “{paper.why[0].title}” ({paper.why[0].share:.0%})" if paper.why else ""


def _profile_reader(settings: Settings, storage: Storage, at_hand: PapersAtHand, name: str | None) -> tuple[str, Taste, int]:
    profile = _profile(settings, name)
    read = _taste(settings, storage, at_hand, profile)
    _tell(read.problems)
    if read.taste.is_empty:
        raise SettingsError(
            f"the profile {profile.name} has no library, likes, categories or watch lists",
            hint="`digest profile suggest` begins with papers to judge",
        )
    return profile.name, read.taste, profile.top


def _taste(settings: Settings, storage: Storage, at_hand: PapersAtHand, profile: Profile) -> ProfileTaste:
    return taste_of_profile(profile, settings.profiles_file.parent, at_hand, storage, _ask(settings), load_watch_lists(settings.watch_file))


def _library_reader(settings: Settings, storage: Storage, at_hand: PapersAtHand, files: Sequence[Path]) -> tuple[str, Taste, int]:
    library = Library.joined(map(read_library, files))
    _tell(library.problems)
    liked = documents_of(library.entries, KnownPapers(at_hand, storage, _PAPERS_OF_LIBRARIES, _ask(settings)))
    if not liked:
        raise SettingsError(
            f"{', '.join(file.name for file in files)}: no entry can be used", hint="name a BibTeX, RIS, CSL-JSON, RDF, CSV or id list"
        )
    return "library", Taste(liked), _SHOWN


def _tell(problems: Iterable[Problem]) -> None:
    for problem in problems:
        click.echo(f"! {problem}", err=True)


def _profile(settings: Settings, name: str | None) -> Profile:
    return find_profile(load_profiles(settings.profiles_file), name)


def _ask(settings: Settings) -> AskArxiv:
    """arXiv for texts that are not at hand; where it does not answer, what is there is used."""
    if settings.is_sample:
        return nobody

    def ask(ids: Sequence[str]) -> Iterable[Document]:
        try:
            return list(asks(arxiv_client(settings))(ids))
        except (ArxivUnavailable, SourceError) as error:
            click.echo(f"! {len(ids)} papers are not at hand, and arXiv was not able to give them now: {error}", err=True)
            return []

    return ask


# -- votes ---------------------------------------------------------------------------------------------


@click.command()
@click.argument("arxiv_id", metavar="ID")
@click.argument("vote", type=click.Choice([vote.value for vote in Vote]))
@click.option("--profile", "name", metavar="NAME", help="Whose vote; default: the only profile.")
def vote(arxiv_id: str, vote: str, name: str | None) -> int:
    """Say that a paper is to your liking or not; `none` takes it back. It counts from the next ranking on."""
    from digest_pipeline.ranking.library.entry import parse_arxiv_id

    settings = load_settings()
    profile = _profile(settings, name)
    try:
        parsed = parse_arxiv_id(arxiv_id)
    except ValueError as error:
        raise SettingsError(str(error), hint="write it as 2401.01234, or as a link to the paper") from None
    storage = open_storage(settings)
    add_vote(storage, profile.name, parsed, Vote(vote), utc_now())
    known = KnownPapers(PapersAtHand(storage), storage, f"{private_folder(profile.name)}/papers.jsonl", _ask(settings)).find([parsed])
    click.echo(f"{vote}: {known[parsed].title if parsed in known else parsed} ({profile.name})")
    return OK


# -- profiles ------------------------------------------------------------------------------------------


@click.group()
def profile() -> None:
    """Show, check or begin a profile of profiles.toml."""


@profile.command()
@click.argument("name", required=False)
def show(name: str | None) -> int:
    """Say what a profile is made of, and the interests that are seen in it."""
    settings, storage = load_settings(), open_storage(load_settings())
    chosen, at_hand = _profile(settings, name), PapersAtHand(storage)
    read = _taste(settings, storage, at_hand, chosen)
    click.echo(f"{chosen.name}: {len(read.taste.liked)} papers liked, {len(read.taste.disliked)} disliked; the best {chosen.top} of a day are shown")
    space = at_hand.space_around(at_hand.days[-1]) if at_hand.days else None
    if space is not None and not read.taste.is_empty:
        for interest in Ranker(space, read.taste).interests:
            click.echo(f"  {len(interest.rows)} papers: {interest.words}")
    _tell(read.problems)
    return OK


@profile.command()
@click.argument("name", required=False)
def check(name: str | None) -> int:
    """Name what cannot be used: file, entry and reason. Exit status: 0 nothing; 1 something; 2 profiles.toml is refused."""
    settings, storage = load_settings(), open_storage(load_settings())
    profiles = load_profiles(settings.profiles_file)
    if not profiles:
        raise SettingsError(f"there is no profile in {settings.profiles_file}", hint="copy profiles.example.toml there and name your library")
    chosen, at_hand = [find_profile(profiles, name)] if name else list(profiles), PapersAtHand(storage)
    found = 0
    for one in chosen:
        read = _taste(settings, storage, at_hand, one)
        bare = sum(not document.abstract for document in read.taste.liked)
        click.echo(f"{one.name}: {len(read.taste.liked)} papers can be used{f', {bare} of them by their titles only' if bare else ''}")
        for problem in read.problems:
            click.echo(f"  {problem}")
        found += len(read.problems)
    return FAILED if found else OK


@profile.command()
@click.argument("name", required=False)
@click.option("--author", metavar="NAME", help="An author's papers, at hand and as arXiv has them, which is asked once.")
@click.option("--count", default=10, show_default=True, help="So many papers, of those that are worth a judgement.")
def suggest(name: str | None, author: str | None, count: int) -> int:
    """Name the papers at hand that are most worth a judgement, or an author's, to begin a profile with.

    What is printed is a list of ids as `library` takes it.
    """
    from digest_pipeline.ranking.suggest import papers_by_author, papers_worth_a_judgement

    settings, storage = load_settings(), open_storage(load_settings())
    at_hand = PapersAtHand(storage)
    if author:
        papers = papers_by_author(at_hand, author, _as_arxiv_has_them(author, settings, storage))
    elif at_hand.days:
        profiles = load_profiles(settings.profiles_file)
        taste = None
        if name or len(profiles) == 1:
            chosen = find_profile(profiles, name)
            taste = _taste(settings, storage, at_hand, chosen).taste
        papers = papers_worth_a_judgement(at_hand, taste, count)
    else:
        raise SourceError("no listing day is at hand", hint="`digest run` makes one; `--author NAME` asks arXiv instead")
    for paper in papers:
        click.echo(f"{paper.key:12} # {paper.title}")
    for_whom = f" (--profile {name})" if name else ""
    hint = f"`digest vote ID like` or `dislike` says which are yours{for_whom}; or keep this list in a file and name it as `library`"
    click.echo(f"\n{hint}" if papers else "none is found", err=True)
    return OK if papers else FAILED


def _as_arxiv_has_them(author: str, settings: Settings, storage: Storage) -> list[Document]:
    if settings.is_sample:
        return []
    try:
        return papers_that_arxiv_has_by(author, storage, arxiv_client(settings))
    except (ArxivUnavailable, SourceError) as error:
        click.echo(f"! arXiv was not able to say now what else there is by {author}: {error}", err=True)
        return []

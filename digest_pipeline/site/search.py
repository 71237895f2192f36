"""Search over all days, offline and static: an index beside the pages, read by the browser alone.

    site/<tag>/search/bundles.json       which bundles there are and what each was made from
    site/<tag>/search/<bundle>/          one Pagefind index: a month of the newest two years, else a year

The index is made by Pagefind's extended build (https://pagefind.app), which segments Chinese and Japanese; the
`pagefind` package brings the program. It is run as a program, not through the package's Python class: version
1.5.2 of that class ends the program before its last write is whole (a truncated wasm file, seen in the browser).

What lives here: what is indexed, which bundles are due, and their files. What does not: the search page's markup
(`templates/search.html.jinja`) and its script (`assets/search.js`).

One new day rebuilds its month alone. If the program is missing or fails, the pages are still built, the old index
stays, the search page says what is wrong, and `SearchOutcome.problem` carries it to the run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from digest_pipeline.errors import DigestError
from digest_pipeline.models import DigestEntry
from digest_pipeline.site import paths
from digest_pipeline.storage import Storage
from digest_pipeline.taxonomy import falls_under
from digest_pipeline.text import one_line, printable, without_accents
from digest_pipeline.translation.languages import Language

_LOG = logging.getLogger(__name__)
_PROGRAM_SECONDS = 1800
_MOST_INDEXED_AUTHORS = 200
"""Of longer author lists the rest is left out of the index: they are collaborations, found by their papers' words."""
_SHOWN_AUTHORS = 4
_NEEDED = re.compile(r"pagefind\.js|wasm\..*|pagefind-entry\.json|.*\.pf_meta|(?:fragment|index|filter)/.*")
"""Of what Pagefind writes; its user interfaces and worker are left out."""
_ENTRY = "pagefind-entry.json"


class SearchIndexError(DigestError):
    """The index of one bundle could not be made."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What the search page can offer after an update."""

    bundles: tuple[str, ...]
    """Names of the usable bundles, newest first."""
    rebuilt: tuple[str, ...] = ()
    indexed_papers: int = 0
    """In the rebuilt bundles."""
    problem: str = ""
    """Why the newest days are missing from the index; empty where all is well."""


def bundle_of(day: date, newest: date) -> str:
    """`2026-06` within the newest day's year and the one before, else `2024`: few bundles, and each soon rebuilt."""
    return f"{day:%Y-%m}" if day.year >= newest.year - 1 else f"{day:%Y}"


def update_search(
    storage: Storage,
    language: Language,
    days: Mapping[date, str],
    load: Callable[[date], Sequence[DigestEntry]],
    categories: Sequence[str],
) -> SearchOutcome:
    """Brings one language's index up to date; never raises for the index program's faults, but logs and reports them.

    `days` maps each listing day with papers to a key of its content; `load` gives a day's entries and is called for
    the days of changed bundles only. `categories` are those a reader can narrow a search to.
    """
    state_file = f"site/{language.tag}/search/bundles.json"
    state = _read_state(storage, state_file)
    wanted = _wanted_bundles(days, categories, language)
    rebuilt: list[str] = []
    indexed = 0
    problem = ""
    for name, (key, bundle_days) in wanted.items():
        if state.get(name) == key:
            continue
        try:
            indexed += _build_bundle(storage, language, name, (entry for day in bundle_days for entry in load(day)), categories)
        except SearchIndexError as error:
            problem = str(error)
            _LOG.error("search index %s of %s: %s", name, language.tag, error)
            break
        state[name] = key
        rebuilt.append(name)
        _write_state(storage, state_file, state)
    if not problem:
        _drop_bundles(storage, language, state_file, state, wanted.keys())
    return SearchOutcome(tuple(sorted(state, reverse=True)), tuple(rebuilt), indexed, problem)


def search_page_values(outcome: SearchOutcome, language: Language, categories: Sequence[str]) -> dict[str, Any]:
    """The values of `templates/search.html.jinja`."""
    problem = language.label("search", "unavailable").format(reason=outcome.problem) if outcome.problem else ""
    return {"bundles": outcome.bundles, "search_categories": tuple(categories), "problem": problem}


# -- which bundles ----------------------------------------------------------------------------------


def _wanted_bundles(days: Mapping[date, str], categories: Sequence[str], language: Language) -> dict[str, tuple[str, list[date]]]:
    """Bundle → (key of its content, its days), newest first."""
    found: dict[str, list[date]] = {}
    for day in sorted(days, reverse=True):
        found.setdefault(bundle_of(day, max(days)), []).append(day)
    fixed = [_program_version(), _template_source(), language.tag, *categories]
    return {name: (_key([*fixed, *(f"{day}={days[day]}" for day in own)]), own) for name, own in found.items()}


def _key(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _program_version() -> str:
    try:
        return version("pagefind")
    except PackageNotFoundError:
        return "none"


def _read_state(storage: Storage, file: str) -> dict[str, str]:
    try:
        return {str(name): str(key) for name, key in json.loads(storage.read_text(file)).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        _LOG.warning("%s is torn; every search index is built again", file)
        return {}


def _write_state(storage: Storage, file: str, state: Mapping[str, str]) -> None:
    storage.write_text(file, json.dumps(dict(sorted(state.items())), indent=1) + "\n")


def _drop_bundles(storage: Storage, language: Language, state_file: str, state: dict[str, str], wanted: Iterable[str]) -> None:
    """Bundles nobody wants any more: their days are gone, or moved from months to a year."""
    if gone := state.keys() - set(wanted):
        for name in gone:
            del state[name]
        _write_state(storage, state_file, state)  # first, so that no page names a half-deleted bundle
        for name in gone:
            for file in _existing(storage, f"site/{language.tag}/search/{name}"):
                storage.delete(f"site/{language.tag}/search/{name}/{file}")


# -- one bundle -------------------------------------------------------------------------------------


def _build_bundle(storage: Storage, language: Language, name: str, entries: Iterable[DigestEntry], categories: Sequence[str]) -> int:
    """Indexes the entries in a temporary folder and brings the files home; the number of papers."""
    newest: dict[str, DigestEntry] = {}
    for entry in entries:
        known = newest.get(entry.paper.arxiv_id)
        if known is None or known.paper.listing_date < entry.paper.listing_date:
            newest[entry.paper.arxiv_id] = entry
    try:
        with tempfile.TemporaryDirectory(prefix="search-") as scratch:
            source, made = Path(scratch) / "records", Path(scratch) / "index"
            source.mkdir()
            for number, entry in enumerate(newest.values()):
                (source / f"{number}.html").write_text(record_html(entry, language, categories), encoding="utf-8")
            _run_program(source, made, language)
            _require_whole(made)
            _bring_home(storage, made, f"site/{language.tag}/search/{name}")
    except OSError as error:
        raise SearchIndexError(f"the folder for temporary files cannot be used: {error}", hint="free space there, or set TMPDIR") from error
    return len(newest)


def record_html(entry: DigestEntry, language: Language, categories: Sequence[str]) -> str:
    """What is indexed of one paper: titles, TL;DR, translation, original, authors with and without accents, id."""
    paper, summary = entry.paper, entry.summary
    authors = [one_line(name) for name in paper.authors[:_MOST_INDEXED_AUTHORS]]
    title = one_line(summary.translated_title) or one_line(paper.title)
    further = len(paper.authors) - _SHOWN_AUTHORS
    more = [language.label("feed", "more_authors").format(count=further)] if further > 0 else []
    return _template().render(
        lang=_index_language(language),
        page=paths.paper_row(language.tag, paper.listing_date, paper.arxiv_id),
        day=paper.listing_date.isoformat(),
        title=title or paper.arxiv_id,
        original=one_line(paper.title) if one_line(paper.title) != title else "",
        tldr=printable(summary.tldr),
        translation=printable(summary.translated_abstract),
        abstract=printable(paper.abstract),
        authors=authors,
        bare_authors=[bare for name in authors if (bare := without_accents(name)) != name],
        shown_authors=", ".join([*authors[:_SHOWN_AUTHORS], *more]),
        id=paper.arxiv_id,
        id_word=id_word(paper.arxiv_id),
        categories=[one for one in categories if any(falls_under(own, one) for own in paper.categories)],
    )


def id_word(arxiv_id: str) -> str:
    """An id as one word, which no language's segmentation takes apart: `2404.01438` → `240401438`; `search.js` does the same."""
    return re.sub(r"[^0-9a-z]", "", arxiv_id.lower())


def _index_language(language: Language) -> str:
    return language.html_lang.partition("-")[0]


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("digest_pipeline.site", "templates"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("search_record.html.jinja")


@cache
def _template_source() -> str:
    return (Path(__file__).parent / "templates" / "search_record.html.jinja").read_text(encoding="utf-8")


# -- the program ------------------------------------------------------------------------------------


def _run_program(source: Path, made: Path, language: Language) -> None:
    command = [_program(), "--site", str(source), "--output-path", str(made), "--force-language", _index_language(language), "--silent"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SearchIndexError(f"Pagefind could not run: {type(error).__name__}: {error}", hint=_INSTALL) from error
    if done.returncode != 0:
        raise SearchIndexError(f"Pagefind failed with status {done.returncode}: {one_line(done.stderr or done.stdout)[:300]}", hint=_INSTALL)


_INSTALL = 'install it again: pip install "pagefind[extended]"'


def _program() -> str:
    try:
        from pagefind.service import get_executable
    except ImportError as error:
        raise SearchIndexError("the package pagefind is not installed", hint=_INSTALL) from error
    program = get_executable()
    if program is None:
        raise SearchIndexError("the pagefind program for this platform is not installed", hint=_INSTALL)
    if "extended" not in Path(program).name:
        raise SearchIndexError(f"{program} is Pagefind without Chinese and Japanese", hint=_INSTALL)
    return str(program)


def _require_whole(made: Path) -> None:
    """Every compressed file unpacks: a torn one shows only in a reader's browser."""
    if not (made / _ENTRY).is_file():
        raise SearchIndexError("Pagefind wrote no index", hint=_INSTALL)
    for file in made.rglob("*"):
        if file.suffix in (".pagefind", ".pf_meta", ".pf_index", ".pf_fragment", ".pf_filter"):
            try:
                gzip.decompress(file.read_bytes())
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise SearchIndexError(f"Pagefind wrote {file.name} only in part", hint="run again; is the disk full?") from error


# -- bringing the files home ------------------------------------------------------------------------


def _bring_home(storage: Storage, made: Path, folder: str) -> None:
    """Content-named files first, then the entry that names them, then what is no longer named is deleted."""
    files = {name: path for path in made.rglob("*") if path.is_file() and _NEEDED.fullmatch(name := path.relative_to(made).as_posix())}
    there = _existing(storage, folder)
    due = [name for name, path in files.items() if name != _ENTRY and (there.get(name) != path.stat().st_size or not _is_content_named(name))]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for _ in pool.map(lambda name: storage.write_bytes(f"{folder}/{name}", files[name].read_bytes(), is_durable=False), due):
            pass
    storage.write_bytes(f"{folder}/{_ENTRY}", files[_ENTRY].read_bytes())
    for name in there.keys() - files.keys():
        storage.delete(f"{folder}/{name}")


def _is_content_named(name: str) -> bool:
    return name.endswith((".pf_meta", ".pf_index", ".pf_fragment", ".pf_filter"))


def _existing(storage: Storage, folder: str) -> dict[str, int]:
    """Path below `folder` → size in bytes; empty where there is no such folder."""
    root = storage.path(folder)
    root.fs.invalidate_cache()
    found = root.fs.find(root.path, detail=True)
    prefix = root.path.rstrip("/") + "/"
    return {path.partition(prefix)[2]: int(info["size"]) for path, info in found.items()}

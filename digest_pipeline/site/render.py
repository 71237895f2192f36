"""Templates → pages: the jinja2 environment, its few helpers, and the key that changes with any of them.

What lives here: escaping switched on for every template, undefined names refused, links made relative to
the page they stand on. What does not: the values (`views.py`) and where pages are written (`build.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from digest_pipeline.render.templates import html_environment
from digest_pipeline.site import paths
from digest_pipeline.site.options import SiteOptions
from digest_pipeline.site.views import day_in_words, month_in_words, short_day
from digest_pipeline.translation.languages import Language, load_language

_ROOM = files("digest_pipeline.site")
ASSETS = ("style.css", "site.js", "rows.js", "narrow.js", "rank.js", "mine.js", "icon.svg", "outputs.css", "search-index.js", "search.js")


@cache
def environment() -> Environment:
    made = html_environment("digest_pipeline.site")
    made.globals |= {"paths": paths}
    return made


@cache
def room_key() -> str:
    """Changes with any file that decides how a page looks: templates, styles, the code that fills them."""
    seen = hashlib.sha256()
    beside = (files("digest_pipeline.render"), files("digest_pipeline.tex"))
    for folder in (_ROOM, _ROOM / "templates", _ROOM / "assets", _ROOM / "exports", _ROOM / "feeds", *beside):
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.is_file() and not file.name.endswith(".pyc"):
                seen.update(file.name.encode() + b"\0" + file.read_bytes())
    return seen.hexdigest()


def asset(name: str) -> bytes:
    return (_ROOM / "assets" / name).read_bytes()


@cache
def asset_key() -> str:
    """Stands in the assets' links, so that browsers fetch a changed one."""
    return hashlib.sha256(b"".join(map(asset, ASSETS))).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class LanguageLink:
    """The same page in another language."""

    name: str
    html_lang: str
    page: str
    is_current: bool


class Renderer:
    """Renders the templates for one choice of options."""

    def __init__(self, options: SiteOptions) -> None:
        self._options = options

    def page(
        self, template: str, page: str, language: Language, *, place: Callable[[str], str] | None = None, canonical: str = "", **values: Any
    ) -> bytes:
        """One page as UTF-8. `page` is its path; `place` gives the same page's path in another language, `canonical` its lasting one."""
        at = {tag: place(tag) if place else paths.home_page(tag) for tag in self._options.languages}
        values |= {"canonical": canonical, "languages": self._language_links(language, at), "asset_key": asset_key()}
        return self.part(template, page, language, **{"models": (), **values}).encode("utf-8")

    def part(self, template: str, page: str, language: Language, **values: Any) -> str:
        """A template that stands within the page at `page`."""
        context: dict[str, Any] = {
            "options": self._options,
            "language": language,
            "page": page,
            "t": _labeller(language),
            "link": lambda to: paths.relative_link(page, to),
            "whole_day": lambda day: day_in_words(day, language),
            "short_day": lambda day: short_day(day, language),
            "month": lambda day: month_in_words(day, language),
            "instant": _instant,
            **values,
        }
        return environment().get_template(f"{template}.html.jinja").render(context)

    def _language_links(self, language: Language, at: dict[str, str]) -> Sequence[LanguageLink]:
        return [LanguageLink(one.name, one.html_lang, at[tag], one is language) for tag in self._options.languages if (one := load_language(tag))]


def _labeller(language: Language) -> Callable[..., str]:
    def t(key: str, room: str = "site", **values: object) -> str:
        words = language.label(room, key)
        return words.format(**values) if values else words

    return t


def _instant(moment: datetime | date) -> str:
    """A time as arXiv shows it: UTC, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"

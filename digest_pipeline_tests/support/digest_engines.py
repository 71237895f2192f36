"""Markdown engines that readers use, each as one function from a digest to its HTML, and what a person sees in that HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cmarkgfm
import lxml.html
import markdown
import mistune
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin


def _body(digest: str) -> str:
    """Without the front matter, which every reader's program takes off before the engine sees the text."""
    return digest.split("\n---\n", maxsplit=1)[1] if digest.startswith("---\n") else digest


def commonmark(digest: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").use(footnote_plugin).render(_body(digest)))


def commonmark_with_mathematics(digest: str) -> str:
    engine = MarkdownIt("commonmark").enable("table").use(footnote_plugin).use(dollarmath_plugin, double_inline=True)
    return str(engine.render(_body(digest)))


def github(digest: str) -> str:
    """GitHub's own parser; it makes links of bare addresses. Unsafe, so that markup which got through is seen."""
    options = Options.CMARK_OPT_FOOTNOTES | Options.CMARK_OPT_UNSAFE
    return str(cmarkgfm.markdown_to_html_with_extensions(_body(digest), options=options, extensions=["table", "autolink", "strikethrough"]))


def python_markdown(digest: str) -> str:
    return markdown.markdown(_body(digest), extensions=["footnotes", "tables", "def_list", "admonition", "attr_list"])


def mistune_engine(digest: str) -> str:
    return str(mistune.create_markdown(escape=False, plugins=["table", "footnotes", "strikethrough", "url"])(_body(digest)))


ENGINES: dict[str, Callable[[str], str]] = {
    "commonmark": commonmark,
    "commonmark_with_mathematics": commonmark_with_mathematics,
    "github": github,
    "python_markdown": python_markdown,
    "mistune": mistune_engine,
}


@dataclass(frozen=True)
class Seen:
    """What stands on the reader's screen."""

    rows: list[list[str]]
    """The text of each cell of each table row below a heading row."""
    row_links: list[list[str]]
    """The addresses that each row's second cell links to."""
    notes: list[str]
    """The text of each footnote."""
    note_links: list[list[str]]
    links: list[str]
    tags: set[str]
    attributes: set[str]
    text: str


def seen(html: str) -> Seen:
    root = lxml.html.fromstring(f"<div>{html}</div>")
    rows = [row.xpath("./td") for row in root.xpath("//tr[td]")]
    notes = root.xpath("//*[contains(@class, 'footnote')]/ol/li")
    links = [a.get("href", "") for a in root.xpath("//a")]
    return Seen(
        rows=[[_words(c) for c in row] for row in rows],
        row_links=[[a.get("href", "") for a in row[1].xpath(".//a")] if len(row) > 1 else [] for row in rows],
        notes=[_words(note) for note in notes],
        note_links=[[h for a in note.xpath(".//a") if not (h := a.get("href", "")).startswith("#")] for note in notes],
        links=[link for link in links if not link.startswith("#")],
        tags={e.tag for e in root.iter() if isinstance(e.tag, str)} | {"comment" for e in root.iter() if not isinstance(e.tag, str)},
        attributes={name for e in root.iter() if isinstance(e.tag, str) for name in e.attrib},
        text=_words(root),
    )


def _words(element: lxml.html.HtmlElement) -> str:
    return " ".join(str(element.text_content()).split())

"""A digest read back: which papers a reader's Markdown engine finds in it.

What lives here: reading with markdown-it and its footnote plugin. What does not: any knowledge of how the digest was
made; only the published layout: a table row refers to a note, and both lead to the same paper on arXiv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

_ABSTRACT_PAGE = re.compile(r"https?://arxiv\.org/abs/(?P<id>[^?#]+)")


@cache
def _engine() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(front_matter_plugin).use(footnote_plugin)


def rendered_ids(markdown: str) -> list[str]:
    """The ids of the papers that have a row in a table and the note it refers to, in the rows' order.

    A row without its note, a note without its row, and a row and a note of different papers are not counted.
    """
    tokens = _engine().parse(markdown)
    notes = dict(_notes(tokens))
    return [arxiv_id for label, arxiv_id in _rows(tokens) if notes.get(label) == arxiv_id]


def _rows(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """(note's label, paper's id) of each row with three columns."""
    cells: list[Token] = []
    for position, token in enumerate(tokens):
        if token.type == "tr_open":
            cells = []
        elif token.type == "td_open":
            cells.append(tokens[position + 1])
        elif token.type == "tr_close" and len(cells) == 3:
            label, arxiv_id = _note_label(cells[0]), _paper(cells[1])
            if label and arxiv_id:
                yield label, arxiv_id


def _note_label(cell: Token) -> str | None:
    return next((str(child.meta["label"]) for child in cell.children or () if child.type == "footnote_ref"), None)


def _notes(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """(label, paper's id) of each note that is referred to and leads to a paper."""
    label, found = "", False
    for token in tokens:
        if token.type == "footnote_open":
            label, found = str(token.meta.get("label", "")), False
        elif token.type == "inline" and label and not found and (arxiv_id := _paper(token)):
            found = True
            yield label, arxiv_id


def _paper(inline: Token) -> str | None:
    for child in inline.children or ():
        match = _ABSTRACT_PAGE.fullmatch(str(child.attrs.get("href", ""))) if child.type == "link_open" else None
        if match:
            return match["id"]
    return None

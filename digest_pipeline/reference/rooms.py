"""`docs/images/rooms.svg`: which room of the package imports which, drawn from the import statements themselves.

What lives here: reading the imports, leaving out what follows from others, and a small layered drawing. What does
not: judging them; `digest_pipeline_tests/test_architecture.py` holds their direction.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path

import digest_pipeline

PACKAGE = Path(digest_pipeline.__file__).parent

FOUNDATION = "foundation"
MEMBERS = {
    FOUNDATION: ("calendar", "errors", "mail_address", "storage", "models", "sample", "settings", "tables", "taxonomy", "text"),
    "steps": ("stages", "workshop", "forecast", "reconcile", "doctor"),
    "entrances": ("definitions", "cli"),
}
"""Boxes that stand for several modules; every other folder is a box of its own."""

WORDS = {
    "entrances": "Dagster's and the command line's way in",
    "orchestration": "assets, checks, schedules, sensors: all of Dagster",
    "steps": "fetch → assemble → translate → render → publish",
    "notify": "a finished or failed day → people",
    "site": "pages, feeds, search, exports",
    "markdown": "papers + summaries → Markdown",
    "papers": "kept answers → one typed table",
    "translation": "papers → checked summaries, paid once",
    "reading": "a paper's full text → passages and checked quotes",
    "render": "one reader and one view for every output; watch lists",
    "tex": "formulas and TeX's text commands → HTML, Unicode, LaTeX",
    "arxiv": "a listing date → arXiv's answers, kept whole",
    "hosted": "runs on a code host's runners, kept on a branch",
    "reference": "the generated documents",
    FOUNDATION: "calendar · errors · data home · nouns · sample · settings · tables · taxonomy · text",
}

ASIDE = frozenset({"reference"})
"""Rooms off the data's way, not drawn."""

ROOT_FILES = ("__init__", "__version__")


@dataclass(frozen=True, slots=True)
class Imports:
    """Room → rooms it imports. `needed_at_start` leaves out imports inside functions and those for types alone."""

    every: Mapping[str, frozenset[str]]
    needed_at_start: Mapping[str, frozenset[str]]


@cache
def read_imports() -> Imports:
    """The imports between rooms, of all modules of the package. Raises KeyError for a room without words here."""
    every: dict[str, set[str]] = defaultdict(set)
    at_start: dict[str, set[str]] = defaultdict(set)
    for file in sorted(PACKAGE.rglob("*.py")):
        room = _room_of(file.relative_to(PACKAGE).with_suffix("").parts[0])
        if room is None:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        every[room] |= set(_rooms_in(tree, room))
        at_start[room] |= set(_rooms_in(ast.Module(_top_level(tree), []), room))
    if without_words := set(every) - set(WORDS):
        raise KeyError(f"reference/rooms.py has no words for {', '.join(sorted(without_words))}")
    return Imports({room: frozenset(to) for room, to in every.items()}, {room: frozenset(to) for room, to in at_start.items()})


def _top_level(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run at import: neither functions' bodies nor `if TYPE_CHECKING:`."""
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def _rooms_in(tree: ast.AST, room: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "digest_pipeline":
            first = node.module.split(".")[1:2]
            for name in first or [alias.name for alias in node.names]:
                other = _room_of(name)
                if other is not None and other != room:
                    yield other


def _room_of(name: str) -> str | None:
    """The box a module or folder belongs to; None for the package's own file."""
    if name in ROOT_FILES:
        return None
    return next((box for box, members in MEMBERS.items() if name in members), name)


def reduced(imports: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Without the foundation, which all import, and without edges that follow from others. Raises CycleError."""
    direct = {room: frozenset(to) - {FOUNDATION} for room, to in imports.items() if room != FOUNDATION}
    TopologicalSorter(direct).prepare()

    def reachable(room: str) -> frozenset[str]:
        return direct[room].union(*(reachable(other) for other in direct[room]))

    return {room: to - frozenset(far for near in to for far in reachable(near)) for room, to in direct.items()}


# -- the drawing --------------------------------------------------------------------------------------

_WIDTH, _BOX_WIDTH, _BOX_HEIGHT, _ROW = 880, 268, 48, 84
_MARGIN = 20
_STYLE = """
 text { font: 13px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
 .name { font-weight: 600 } .words { font-size: 10.5px; fill: #59636e }
 rect { fill: #f6f8fa; stroke: #818b98 } path { fill: none; stroke: #59636e } marker path { fill: #59636e; stroke: none }
 @media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .words { fill: #9198a1 } rect { fill: #151b23; stroke: #656c76 } path { stroke: #9198a1 } marker path { fill: #9198a1 }
 }
"""


def rooms_svg() -> str:
    """The drawing: each room under those that import it, the foundation at the bottom. The same for the same imports."""
    edges = {room: to for room, to in reduced(read_imports().every).items() if room not in ASIDE}
    rows = _rows(edges)
    places = {room: _place(row, column, len(rooms)) for row, rooms in enumerate(rows) for column, room in enumerate(rooms)}
    bottom = _MARGIN + len(rows) * _ROW
    height = bottom + _BOX_HEIGHT + _MARGIN
    lines = [_arrow(places[room], places[other]) for room in sorted(edges) for other in sorted(edges[room])]
    boxes = [_box(room, x, y, _BOX_WIDTH) for room, (x, y) in sorted(places.items())]
    boxes.append(_box(FOUNDATION, _WIDTH // 2, bottom, _WIDTH - 2 * _MARGIN))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title">',
            '<title id="title">The rooms of the package: an arrow leads from a room to one it imports</title>',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _rows(edges: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """A room's row is one below the lowest room that imports it."""
    row: dict[str, int] = {}

    def place(room: str) -> int:
        if room not in row:
            row[room] = 1 + max((place(other) for other, to in edges.items() if room in to), default=-1)
        return row[room]

    for room in sorted(edges):
        place(room)
    return [[room for room in WORDS if row.get(room) == number] for number in range(max(row.values()) + 1)]


def _place(row: int, column: int, columns: int) -> tuple[int, int]:
    """Middle of the box's top edge."""
    return round(_WIDTH * (column + 0.5) / columns), _MARGIN + row * _ROW


def _box(room: str, x: int, y: int, width: int) -> str:
    return (
        f'<rect x="{x - width // 2}" y="{y}" width="{width}" height="{_BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x}" y="{y + 20}">{escape(room)}</text><text class="words" x="{x}" y="{y + 37}">{escape(WORDS[room])}</text>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    y1 += _BOX_HEIGHT
    bend = (y2 - y1) // 2
    return f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2 - 1}" marker-end="url(#tip)"/>'

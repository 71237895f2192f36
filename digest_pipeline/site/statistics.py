"""The numbers people look at: papers, moderation holds, cost, tokens, doubts, by day and month; as charts and tables.

    site/<tag>/statistics/index.html        the page: charts, and the same numbers as tables
    site/<tag>/statistics/<chart>.svg       one chart of the last days
    site/<tag>/statistics/statistics.csv    one row a listing day   .json  the same with categories and flags apart

What lives here: a day's numbers (`day_numbers`, kept in the site's manifest so that old days are not read again),
their tables and drawings. What does not: which days there are (`build.py`), the daily ledger (`papers/ledger.py`).

Charts are drawn by matplotlib without pyplot. Their colours hold on light and dark ground; lines and letters take
the reader's scheme. The same numbers give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
import re
import statistics as st
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from babel import Locale
from babel.numbers import format_decimal

from digest_pipeline import taxonomy
from digest_pipeline.calendar import EASTERN, ListingCalendar
from digest_pipeline.models import ALL, AnnounceType, Paper, Summary
from digest_pipeline.translation.languages import Language, load_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_DAYS = 60
"""Charts and the table of days show so many listing days; months, CSV and JSON hold all."""
_MOST_LINES = 8
"""A chart keeps so many categories or reasons, the largest; the others are in the tables."""

# -- one day's numbers ------------------------------------------------------------------------------


def day_numbers(day: date, papers: Sequence[Paper], summaries: Mapping[str, Mapping[str, Summary]], calendar: ListingCalendar) -> dict[str, Any]:
    """One listing day as plain JSON values.

    `new_timed`: new papers whose submission time is known; `held_days`: of those submitted before the listing's
    window, the days from submission to listing date (US Eastern), ascending. `languages`: per tag the papers
    translated and not, tokens, US dollars (null where no price is known), papers without price, flags by code.
    """
    new = [paper for paper in papers if paper.announce_type is AnnounceType.NEW and paper.submitted_at_utc is not None]
    opens = calendar.window(day).opens_utc if new else None
    held = [paper.submitted_at_utc for paper in new if paper.submitted_at_utc and opens and paper.submitted_at_utc < opens]
    return {
        "new_timed": len(new),
        "held_days": sorted((day - moment.astimezone(EASTERN).date()).days for moment in held),
        "languages": {tag: _language_numbers(papers, by_id) for tag, by_id in summaries.items()},
    }


def _language_numbers(papers: Sequence[Paper], by_id: Mapping[str, Summary]) -> dict[str, Any]:
    rows = [by_id[paper.arxiv_id] for paper in papers if paper.arxiv_id in by_id]
    translated = sum(row.is_translated for row in rows)
    asked = [row for row in rows if row.input_tokens or row.output_tokens]
    costs = [row.cost_usd for row in asked if row.cost_usd is not None]
    return {
        "translated": translated,
        "untranslated": len(papers) - translated,
        "input_tokens": sum(row.input_tokens for row in rows),
        "output_tokens": sum(row.output_tokens for row in rows),
        "cost_usd": round(sum(costs), 6) if costs or not asked else None,
        "unpriced": len(asked) - len(costs),
        "flags": dict(sorted(Counter(flag.partition(":")[0].strip() for row in rows for flag in row.flags).items())),
    }


# -- rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What the site remembers of one listing day: papers by category (or `all`) and announce type, and `day_numbers`."""

    announced: bool
    counts: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One listing day, or one month, in one language. `cost_usd` is None where papers were paid at unknown prices only."""

    label: str
    listings: int
    """Announced listing days in it: 1 or 0 for a day."""
    by_type: Mapping[str, int]
    by_category: Mapping[str, int]
    new_timed: int
    held_days: tuple[int, ...]
    translated: int
    untranslated: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced: int
    flags: Mapping[str, int]

    @property
    def papers(self) -> int:
        return sum(self.by_type.values())

    @property
    def held_share(self) -> float | None:
        """Per cent of the new papers whose submission time is known."""
        return 100 * len(self.held_days) / self.new_timed if self.new_timed else None

    @property
    def held_median_days(self) -> float | None:
        return float(st.median(self.held_days)) if self.held_days else None

    @property
    def held_longest_days(self) -> int | None:
        return max(self.held_days, default=None)


_NO_LANGUAGE: Mapping[str, Any] = {
    "translated": 0,
    "untranslated": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "cost_usd": 0.0,
    "unpriced": 0,
    "flags": {},
}


def day_rows(days: Mapping[date, DayCounts], tag: str) -> list[Row]:
    """One row a listing day, oldest first; a day made before the language was configured counts nothing for it."""
    return [_day_row(day, days[day], tag) for day in sorted(days)]


def _day_row(day: date, one: DayCounts, tag: str) -> Row:
    own = one.numbers.get("languages", {}).get(tag, _NO_LANGUAGE)
    return Row(
        label=day.isoformat(),
        listings=int(one.announced),
        by_type={kind.value: one.counts.get(ALL, {}).get(kind.value, 0) for kind in AnnounceType},
        by_category={category: sum(kinds.values()) for category, kinds in one.counts.items() if category != ALL},
        new_timed=one.numbers.get("new_timed", 0),
        held_days=tuple(one.numbers.get("held_days", ())),
        **own,
    )


def month_rows(rows: Sequence[Row]) -> list[Row]:
    """Totals of each month, oldest first."""
    months: dict[str, list[Row]] = {}
    for row in rows:
        months.setdefault(row.label[:7], []).append(row)
    return [_sum(label, group) for label, group in months.items()]


def _sum(label: str, rows: Sequence[Row]) -> Row:
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return Row(
        label=label,
        listings=sum(row.listings for row in rows),
        by_type=_added(row.by_type for row in rows),
        by_category=_added(row.by_category for row in rows),
        new_timed=sum(row.new_timed for row in rows),
        held_days=tuple(sorted(days for row in rows for days in row.held_days)),
        translated=sum(row.translated for row in rows),
        untranslated=sum(row.untranslated for row in rows),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        cost_usd=sum(costs) if costs else None,
        unpriced=sum(row.unpriced for row in rows),
        flags=_added(row.flags for row in rows),
    )


def _added(tables: Iterator[Mapping[str, int]] | Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(total)


# -- files ------------------------------------------------------------------------------------------


def csv_bytes(rows: Sequence[Row]) -> bytes:
    """One line a listing day with a heading; empty cells where a number is not known."""
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, fieldnames=list(CSV_COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(of(row)) for name, of in CSV_COLUMNS.items()} for row in rows)
    return sink.getvalue().encode()


CSV_COLUMNS: Mapping[str, Callable[[Row], Any]] = {
    "listing_date": lambda row: row.label,
    "announced": lambda row: row.listings,
    "papers": lambda row: row.papers,
    "new": lambda row: row.by_type["new"],
    "cross": lambda row: row.by_type["cross"],
    "replace": lambda row: row.by_type["replace"],
    "replace_cross": lambda row: row.by_type["replace-cross"],
    "new_timed": lambda row: row.new_timed,
    "held": lambda row: len(row.held_days),
    "held_median_days": lambda row: row.held_median_days,
    "held_longest_days": lambda row: row.held_longest_days,
    "translated": lambda row: row.translated,
    "untranslated": lambda row: row.untranslated,
    "input_tokens": lambda row: row.input_tokens,
    "output_tokens": lambda row: row.output_tokens,
    "cost_usd": lambda row: row.cost_usd,
    "unpriced": lambda row: row.unpriced,
    "flags": lambda row: sum(row.flags.values()),
}


def _cell(value: Any) -> Any:
    return "" if value is None else value


def json_bytes(rows: Sequence[Row]) -> bytes:
    """The same as a list of objects, with `by_category`, `held_days` and `flags` in full."""
    plain = [
        {name.replace("announced", "listings"): of(row) for name, of in CSV_COLUMNS.items()}
        | {"by_category": dict(row.by_category), "held_days": list(row.held_days), "flags": dict(row.flags)}
        for row in rows
    ]
    return (json.dumps(plain, ensure_ascii=False, indent=1) + "\n").encode()


# -- the page ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing: its file's name below the page's folder, its heading, and what a reader without eyes is told."""

    file: str
    title: str
    alternative: str


@dataclass(frozen=True, slots=True)
class NumbersTable:
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class StatisticsPage:
    """The values of `templates/statistics.html.jinja`."""

    charts: tuple[Chart, ...]
    days: NumbersTable
    """Newest first, the last `SHOWN_DAYS`."""
    months: NumbersTable
    """Newest first, all."""
    flags: NumbersTable
    categories: NumbersTable


def statistics_page_data(rows: Sequence[Row], language: Language) -> StatisticsPage:
    """From `day_rows`; a chart without content is left out, so without days there is none."""
    shown = rows[-SHOWN_DAYS:]
    months = month_rows(rows)
    span = f"{shown[0].label} – {shown[-1].label}" if shown else ""
    words = _words(language)
    charts = tuple(Chart(f"{name}.svg", words(name), f"{words(name)}, {span}. {words('numbers')} ↓") for name in _charts_of(shown))
    return StatisticsPage(
        charts=charts,
        days=_table(words("listing_date"), reversed(shown), language),
        months=_table(words("month"), reversed(months), language),
        flags=_counts_table(words("flags"), shown, lambda row: row.flags, language, _flag_name),
        categories=_counts_table(words("papers_by_category"), shown, lambda row: row.by_category, language, _same),
    )


def statistics_files(rows: Sequence[Row], language: Language) -> dict[str, bytes]:
    """File name below the page's folder → bytes: the charts, `statistics.csv`, `statistics.json`."""
    shown = rows[-SHOWN_DAYS:]
    charts = {f"{name}.svg": _svg(draw, shown, language) for name, draw in _charts_of(shown).items()}
    return charts | {"statistics.csv": csv_bytes(rows), "statistics.json": json_bytes(rows)}


def _words(language: Language) -> Callable[[str], str]:
    return lambda key: language.label("statistics", key)


def _table(first: str, rows: Any, language: Language) -> NumbersTable:
    words = _words(language)
    names = ("held_share", "held_median_days", "held_longest_days", "untranslated", "input_tokens", "output_tokens", "cost_usd")
    types = [language.label("digest", kind.value) for kind in AnnounceType]
    return NumbersTable(
        words("numbers"),
        (first, words("papers"), *types, *(f"{words('held')}: {words(n)}" if n.startswith("held") else words(n) for n in names)),
        tuple(tuple(_table_cells(row, language)) for row in rows),
    )


def _table_cells(row: Row, language: Language) -> Iterator[str]:
    unknown = language.label("statistics", "unknown")
    yield row.label
    yield _number(row.papers, language) if row.listings or row.papers else language.label("statistics", "no_announcement")
    yield from (_number(row.by_type.get(kind.value, 0), language) for kind in AnnounceType)
    yield _number(row.held_share, language, "0.0") if row.held_share is not None else "–"
    yield _number(row.held_median_days, language, "0.#") if row.held_median_days is not None else "–"
    yield _number(row.held_longest_days, language) if row.held_longest_days is not None else "–"
    yield _number(row.untranslated, language)
    yield _number(row.input_tokens, language)
    yield _number(row.output_tokens, language)
    cost = unknown if row.cost_usd is None else _number(row.cost_usd, language, "0.0000" if row.cost_usd < 1 else "#,##0.00")
    yield f"{cost} + {row.unpriced} × {unknown}" if row.unpriced and row.cost_usd else cost


def _counts_table(
    caption: str, rows: Sequence[Row], of: Callable[[Row], Mapping[str, int]], language: Language, name: Callable[[str, Language], str]
) -> NumbersTable:
    total = sorted(_added(of(row) for row in rows).items(), key=lambda pair: (-pair[1], pair[0]))
    return NumbersTable(
        caption, ("", language.label("statistics", "papers")), tuple((name(key, language), _number(count, language)) for key, count in total)
    )


def _flag_name(code: str, language: Language) -> str:
    return language.labels.get("flags", {}).get(code, code)


def _same(name: str, _: Language) -> str:
    return name


def _number(value: float, language: Language, pattern: str = "#,##0") -> str:
    return str(format_decimal(value, format=pattern, locale=_locale(language)))


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(language.html_lang, sep="-")


# -- drawing ----------------------------------------------------------------------------------------

_PALETTE = ("#3f7fc4", "#d97a1f", "#2f9e77", "#c2568a", "#8a6fd1", "#8f8a2c", "#c0504d", "#4a9fb5")
"""Each at least 3 : 1 against white and against the site's dark ground, and told apart by people with colour blindness."""
_INK = "#010203"
"""Stands for the reader's text colour until the SVG is written."""
_DRAWING = threading.Lock()
"""matplotlib's settings belong to the process; they are set for one drawing at a time and put back."""
_EAST_ASIAN_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
)


@contextmanager
def _settings(ink: str = _INK) -> Iterator[None]:
    import matplotlib

    wanted: Any = {
        "svg.hashsalt": "digest-pipeline",  # else ids in the file are drawn by lot
        "svg.fonttype": "none",
        "font.family": ["DejaVu Sans", *_installed_fonts()],
        "font.size": 10,
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.unicode_minus": False,
        "text.parse_math": False,  # a label is words, whatever it holds
    }
    with _DRAWING, matplotlib.rc_context(wanted), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")  # no East Asian font here: the reader's browser has one
        yield


@cache
def _installed_fonts() -> tuple[str, ...]:
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _EAST_ASIAN_FONTS if name in there)[:1]


def _new_figure(height: float = 3.2) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    return figure, _bare(figure.add_subplot())


def _bare(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#888888", alpha=0.3, linewidth=0.6)
    return axes


def _svg(draw: Callable[[Sequence[Row], Language], Figure], rows: Sequence[Row], language: Language) -> bytes:
    sink = io.BytesIO()
    with _settings():
        draw(rows, language).savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _in_the_readers_colours(sink.getvalue().decode()).encode()


def _in_the_readers_colours(svg: str) -> str:
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"(font: [^;\"]*?px|font-family:) [^;\"]*", r"\1 system-ui, sans-serif", svg)
    style = "<style>svg{color:#24292f}@media (prefers-color-scheme:dark){svg{color:#d8dee4}}@media print{svg{color:#000}}</style>"
    end = svg.index(">") + 1
    return svg[:end] + style + svg[end:]


_FEWEST_SLOTS = 12
"""The first day's bar is as slim as the later ones', not a block as wide as the page."""


def _stacked(axes: Axes, labels: Sequence[str], series: Mapping[str, Sequence[float]], slots: int = _FEWEST_SLOTS) -> None:
    bottom = [0.0] * len(labels)
    for (name, values), colour in zip(series.items(), _PALETTE, strict=False):
        axes.bar(range(len(labels)), values, bottom=bottom, color=colour, label=name, width=0.8)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    if series:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(series), 4), fontsize=9)
    _label_axis(axes, labels, slots)


def _label_axis(axes: Axes, labels: Sequence[str], slots: int = _FEWEST_SLOTS) -> None:
    step = max(1, -(-len(labels) // 10))
    ticks = list(range(len(labels) - 1, -1, -step))[::-1]
    axes.set_xticks(ticks, [labels[tick] for tick in ticks], rotation=30, ha="right")
    axes.set_xlim(-0.6, max(len(labels), slots) - 0.4)
    axes.set_ylim(bottom=0)


def _largest(tables: Sequence[Mapping[str, int]]) -> list[str]:
    total = _added(tables)
    return sorted(total, key=lambda name: (-total[name], name))[:_MOST_LINES]


def _draw_papers_by_type(rows: Sequence[Row], language: Language) -> Figure:
    figure, axes = _new_figure()
    kinds = [kind for kind in AnnounceType if any(row.by_type[kind.value] for row in rows)] or [AnnounceType.NEW]
    _stacked(axes, [row.label for row in rows], {language.label("digest", kind.value): [row.by_type[kind.value] for row in rows] for kind in kinds})
    return figure


def _draw_papers_by_category(rows: Sequence[Row], _: Language) -> Figure:
    figure, axes = _new_figure()
    for category, colour, marker in zip(_largest([row.by_category for row in rows]), _PALETTE, "os^Dv<>P", strict=False):
        points = [row.by_category.get(category) if row.listings else None for row in rows]
        values = [float("nan") if point is None else point for point in points]
        axes.plot(range(len(rows)), values, color=colour, marker=marker, markersize=3.5, linewidth=1.6, label=category)
    if axes.get_lines():
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=_MOST_LINES, fontsize=9)
    _label_axis(axes, [row.label for row in rows])
    return figure


def _draw_held(rows: Sequence[Row], language: Language) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = (_bare(axes) for axes in figure.subplots(1, 2, width_ratios=(2, 1)))
    left.bar(range(len(rows)), [row.held_share or 0 for row in rows], color=_PALETTE[0], width=0.8)
    left.set_ylabel(language.label("statistics", "held_share"))
    _label_axis(left, [row.label for row in rows])
    days = [min(one, 30) for row in rows for one in row.held_days]
    right.hist(days, bins=range(0, 32, 2), color=_PALETTE[1])
    right.set_xticks([0, 10, 20, 30], ["0", "10", "20", "30+"])
    right.set_xlabel(language.label("statistics", "held_days"))
    right.set_ylabel(language.label("statistics", "held_count"))
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _draw_cost(rows: Sequence[Row], language: Language) -> Figure:
    figure, axes = _new_figure(2.6)
    _stacked(axes, [row.label for row in rows], {language.label("statistics", "cost_usd"): [row.cost_usd or 0 for row in rows]})
    return figure


def _draw_tokens(rows: Sequence[Row], language: Language) -> Figure:
    figure, axes = _new_figure(2.6)
    names = ("input_tokens", "output_tokens")
    _stacked(axes, [row.label for row in rows], {language.label("statistics", name): [getattr(row, name) for row in rows] for name in names})
    axes.yaxis.set_major_formatter(lambda value, _: _number(value, language))
    return figure


def _draw_flags(rows: Sequence[Row], language: Language) -> Figure:
    figure, axes = _new_figure()
    codes = _largest([row.flags for row in rows])
    _stacked(axes, [row.label for row in rows], {_flag_name(code, language): [row.flags.get(code, 0) for row in rows] for code in codes})
    return figure


_CHARTS: Mapping[str, Callable[[Sequence[Row], Language], Figure]] = {
    "papers_by_type": _draw_papers_by_type,
    "papers_by_category": _draw_papers_by_category,
    "held": _draw_held,
    "cost": _draw_cost,
    "tokens": _draw_tokens,
    "flags": _draw_flags,
}


_HAS_CONTENT: Mapping[str, Callable[[Row], bool]] = {
    "held": lambda row: bool(row.held_days),
    "cost": lambda row: bool(row.cost_usd),
    "tokens": lambda row: bool(row.input_tokens or row.output_tokens),
    "flags": lambda row: bool(row.flags),
}


def _charts_of(rows: Sequence[Row]) -> dict[str, Callable[[Sequence[Row], Language], Figure]]:
    """The charts that would show anything; an empty frame looks like a fault."""
    return {name: draw for name, draw in _CHARTS.items() if any(_HAS_CONTENT.get(name, _has_listing)(row) for row in rows)}


def _has_listing(row: Row) -> bool:
    return row.papers > 0


# -- one day for the UI -----------------------------------------------------------------------------


def day_figure_png(
    day: date,
    papers: Sequence[Paper],
    summaries: Mapping[str, Mapping[str, Summary]],
    categories: Sequence[str],
    calendar: ListingCalendar,
    language: Language | None = None,
) -> bytes:
    """One listing day as a PNG of about 900 × 320 pixels on white: papers by category and type, and how long new ones were held.

    In English unless a language is given. A day without papers says so in the picture.
    """
    language = language or load_language("en")
    sink = io.BytesIO()
    with _settings("#24292f"):
        figure = _day_figure(day, papers, day_numbers(day, papers, summaries, calendar), categories, language)
        figure.savefig(sink, format="png", dpi=100, facecolor="white", metadata={"Software": None})
    return sink.getvalue()


def _day_figure(day: date, papers: Sequence[Paper], numbers: Mapping[str, Any], categories: Sequence[str], language: Language) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = (_bare(axes) for axes in figure.subplots(1, 2, width_ratios=(2, 1)))
    names = [ALL, *categories]
    by_name = [papers if name == ALL else [p for p in papers if any(taxonomy.falls_under(own, name) for own in p.categories)] for name in names]
    kinds = [kind for kind in AnnounceType if any(paper.announce_type is kind for paper in papers)] or [AnnounceType.NEW]
    counts = {language.label("digest", kind.value): [sum(p.announce_type is kind for p in one) for one in by_name] for kind in kinds}
    _stacked(left, names, counts, slots=1)
    figure.suptitle(f"{day.isoformat()} · {len(papers)} {language.label('statistics', 'papers')}", fontsize=11)
    if not papers:
        left.text(0.5, 0.5, language.label("statistics", "no_announcement"), ha="center", transform=left.transAxes)
    right.hist([min(one, 30) for one in numbers["held_days"]], bins=range(0, 32, 2), color=_PALETTE[1])
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel(f"{language.label('statistics', 'held_days')} ({len(numbers['held_days'])} / {numbers['new_timed']})")
    return figure

"""The charts of the statistics page as SVG: stacked bars and lines over the weekdays, and how long papers were held.

What lives here: scales, shapes and colours of each chart; the same numbers give the same bytes. What does not: the numbers
(`statistics.py`), the SVG's markup (`templates/chart.html.jinja`).

Every weekday has its place on the axis, so a day without a listing is a gap. A category or reason has the same colour on every
day. Colours are at least 3 : 1 against white and against the site's dark ground, and told apart by people with colour blindness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from babel.numbers import format_compact_decimal

from digest_pipeline.models import AnnounceType
from digest_pipeline.site.render import environment
from digest_pipeline.translation.languages import Language

if TYPE_CHECKING:
    import pandas as pd

PALETTE = ("#3f7fc4", "#d97a1f", "#2f9e77", "#c2568a", "#8a6fd1", "#8f8a2c", "#c0504d", "#4a9fb5")
_MOST_SERIES = 8
"""A chart keeps so many categories or reasons, the largest; the others are in the tables."""
_FEWEST_SLOTS = 12
"""The first day's bar is as slim as the later ones', not a block as wide as the page."""
_LONGEST_HELD = 30
_WIDTH, _MIDDLE, _LEFT, _RIGHT, _TOP, _BOTTOM = 900.0, 570.0, 56.0, 12.0, 40.0, 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart. `values` run along the axis; None: no listing there."""

    name: str
    colour: str
    values: Sequence[float | None]
    dash: str = ""


@dataclass(slots=True)
class Panel:
    """One pair of axes with what is drawn between them, in the SVG's units."""

    left: float
    right: float
    top: float
    bottom: float
    ticks: list[tuple[float, str]] = field(default_factory=list)
    """(height, words) along the left axis."""
    labels: list[tuple[float, str]] = field(default_factory=list)
    """(place, words) along the lower axis."""
    bars: list[tuple[float, float, float, float, str, str]] = field(default_factory=list)
    """(x, y, width, height, colour, words)."""
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    """(path, colour, dashes)."""
    points: list[tuple[float, float, str, str]] = field(default_factory=list)
    """(x, y, colour, words)."""
    caption: str = ""


def chart_svg(name: str, days: pd.DataFrame, language: Language, categories: Sequence[str]) -> bytes:
    """The chart of this name (one of `CHARTS`) over rows of `statistics.day_table`, which must have content for it."""
    return CHARTS[name](days, language, categories)


def day_svg(types: Mapping[str, Mapping[str, int]], held_days: Sequence[int], language: Language) -> bytes:
    """One listing day: the papers of each category by announce type, `types`, in that order, and for how many days new ones were held."""
    names, height = list(types), 320.0
    series = [
        Series(language.label("digest", kind.value), PALETTE[number], [types[name].get(kind.value, 0) for name in names])
        for number, kind in enumerate(AnnounceType)
    ]
    left, y = _panel(_LEFT, _MIDDLE, height, max(sum(one.values()) for one in types.values()), language)
    _stacked(left, y, names, series, language)
    return _svg([left, _held_counts([held_days], language, height)], series, height)


def nice_ticks(largest: float, *, is_count: bool = True) -> list[float]:
    """From zero in round steps to above `largest`, so that the highest bar stays below the frame; a count in whole steps."""
    if largest <= 0:
        return [0.0, 1.0]
    step = 10 ** math.floor(math.log10(largest / 4))
    step *= next(factor for factor in ((1, 2, 5, 10) if is_count else (1, 2, 2.5, 5, 10)) if largest * 1.04 <= 5 * factor * step)
    step = max(step, 1) if is_count else step
    return [step * number for number in range(math.ceil(largest * 1.04 / step) + 1)]


# -- the axis of weekdays ---------------------------------------------------------------------------


def _weekdays(days: pd.DataFrame) -> list[str]:
    first, last = (date.fromisoformat(days["listing_date"].iloc[at]) for at in (0, -1))
    every = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return [day.isoformat() for day in every if day.weekday() < 5]


def _along(weekdays: Sequence[str], days: pd.DataFrame, of: Callable[[Mapping[Any, Any]], float | None]) -> list[float | None]:
    known = {row["listing_date"]: of(row) for row in days.to_dict("records") if row["announced"] or row["papers"]}
    return [known.get(day) for day in weekdays]


def _panel(
    left: float, right: float, height: float, largest: float, language: Language, unit: str = "", *, is_count: bool = True
) -> tuple[Panel, Callable[[float], float]]:
    top, bottom = _TOP, height - _BOTTOM
    ticks = nice_ticks(largest, is_count=is_count)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * value / ticks[-1], 1)

    return Panel(left, right, top, bottom, [(y(tick), f"{_short(tick, language)}{unit}") for tick in ticks]), y


def _short(value: float, language: Language) -> str:
    locale = language.html_lang.replace("-", "_")
    return str(format_compact_decimal(value, locale=locale, fraction_digits=2)) if value >= 10_000 else f"{value:g}"


def _slots(panel: Panel, places: Sequence[str]) -> tuple[Callable[[int], float], float]:
    """(place → its middle, a bar's width); labels the lower axis too."""
    width = (panel.right - panel.left) / max(len(places), _FEWEST_SLOTS)

    def middle(slot: int) -> float:
        return round(panel.left + width * (slot + 0.5), 1)

    longest = 12 + 8.4 * max(map(len, places), default=0)
    step = max(1, math.ceil(len(places) * longest / (panel.right - panel.left)))
    panel.labels = [(middle(slot), places[slot]) for slot in range(len(places) - 1, -1, -step)]
    return middle, round(width * 0.8, 1)


# -- shapes -----------------------------------------------------------------------------------------


def _stacked(panel: Panel, y: Callable[[float], float], places: Sequence[str], series: Sequence[Series], language: Language) -> None:
    middle, width = _slots(panel, places)
    for slot, place in enumerate(places):
        below = 0.0
        for one in series:
            value = one.values[slot] or 0
            if value:
                top = y(below + value)
                said = f"{place} · {one.name}: {_short(value, language)}"
                panel.bars.append((round(middle(slot) - width / 2, 1), top, width, round(y(below) - top, 1), one.colour, said))
                below += value


def _stacked_chart(weekdays: Sequence[str], series: Sequence[Series], language: Language, height: float, *, is_count: bool = True) -> bytes:
    largest = max((sum(one.values[slot] or 0 for one in series) for slot in range(len(weekdays))), default=0)
    panel, y = _panel(_LEFT, _WIDTH - _RIGHT, height, largest, language, is_count=is_count)
    _stacked(panel, y, weekdays, series, language)
    return _svg([panel], series if len(series) > 1 else (), height)


def _line_chart(weekdays: Sequence[str], series: Sequence[Series], language: Language, height: float) -> bytes:
    largest = max((value for one in series for value in one.values if value is not None), default=0)
    panel, y = _panel(_LEFT, _WIDTH - _RIGHT, height, largest, language)
    middle, _ = _slots(panel, weekdays)
    for one in series:
        path, is_down = [], False
        for slot, value in enumerate(one.values):
            if value is not None:
                path.append(f"{'L' if is_down else 'M'}{middle(slot)} {y(value)}")
                panel.points.append((middle(slot), y(value), one.colour, f"{weekdays[slot]} · {one.name}: {value:g}"))
            is_down = value is not None
        panel.lines.append(("".join(path), one.colour, one.dash))
    return _svg([panel], series, height)


def _svg(panels: Sequence[Panel], legend: Sequence[Series], height: float) -> bytes:
    template = environment().get_template("chart.html.jinja")
    return template.render(width=_WIDTH, height=height, panels=panels, legend=legend).encode()


# -- the charts -------------------------------------------------------------------------------------


def _papers_by_type(days: pd.DataFrame, language: Language, _: Sequence[str]) -> bytes:
    weekdays = _weekdays(days)
    series = [
        Series(language.label("digest", kind.value), PALETTE[number], _along(weekdays, days, lambda row, name=name: row[name]))  # type: ignore[misc]
        for number, kind in enumerate(AnnounceType)
        if days[name := kind.value.replace("-", "_")].any()
    ]
    return _stacked_chart(weekdays, series, language, 320)


def _papers_by_category(days: pd.DataFrame, language: Language, categories: Sequence[str]) -> bytes:
    weekdays = _weekdays(days)
    return _line_chart(weekdays, _largest(weekdays, days, "by_category", categories, str), language, 320)


def _flags(days: pd.DataFrame, language: Language, _: Sequence[str]) -> bytes:
    weekdays = _weekdays(days)
    words = language.labels.get("flags", {})
    return _stacked_chart(weekdays, _largest(weekdays, days, "by_flag", tuple(words), lambda code: str(words.get(code, code))), language, 320)


def _largest(weekdays: Sequence[str], days: pd.DataFrame, column: str, order: Sequence[str], name: Callable[[str], str]) -> list[Series]:
    """The largest keys of a column of counts; a key's colour comes from its place in `order`, whatever the numbers are."""
    total: dict[str, int] = {}
    for row in days[column]:
        for key, count in row.items():
            total[key] = total.get(key, 0) + count
    places = {key: number for number, key in enumerate([*order, *sorted(set(total) - set(order))])}
    kept = sorted(sorted(total, key=lambda key: (-total[key], key))[:_MOST_SERIES], key=places.__getitem__)
    return [
        Series(
            name(key),
            PALETTE[places[key] % len(PALETTE)],
            _along(weekdays, days, lambda row, key=key: row[column].get(key, 0)),  # type: ignore[misc]
            "5 3" if places[key] >= len(PALETTE) else "",
        )
        for key in kept
    ]


def _cost(days: pd.DataFrame, language: Language, _: Sequence[str]) -> bytes:
    return _amounts(days, language, ("cost_usd",))


def _tokens(days: pd.DataFrame, language: Language, _: Sequence[str]) -> bytes:
    return _amounts(days, language, ("input_tokens", "output_tokens"))


def _amounts(days: pd.DataFrame, language: Language, columns: Sequence[str]) -> bytes:
    weekdays = _weekdays(days)
    filled = days.fillna(dict.fromkeys(columns, 0))
    series = [
        Series(language.label("statistics", name), PALETTE[number], _along(weekdays, filled, lambda row, name=name: row[name]))  # type: ignore[misc]
        for number, name in enumerate(columns)
    ]
    return _stacked_chart(weekdays, series, language, 260, is_count="cost_usd" not in columns)


def _held(days: pd.DataFrame, language: Language, _: Sequence[str]) -> bytes:
    """Left the share of new papers that were held, right how many were held for how many days."""
    words = language.labels["statistics"]
    weekdays, height = _weekdays(days), 320.0
    share = Series(words["held_share"], PALETTE[0], _along(weekdays, days.fillna({"held_share": 0}), lambda row: row["held_share"]))
    left, y = _panel(_LEFT, _MIDDLE, height, max((value for value in share.values if value), default=0), language, " %", is_count=False)
    left.caption = words["held_share"]
    _stacked(left, y, weekdays, [share], language)
    return _svg([left, _held_counts(days["held_days"], language, height)], (), height)


def _held_counts(held_days: Iterable[Sequence[int]], language: Language, height: float) -> Panel:
    """How many papers were held for how many days, two days a bar."""
    words = language.labels["statistics"]
    counts = [0] * (_LONGEST_HELD // 2 + 1)
    for one in held_days:
        for held in one:
            counts[min(held, _LONGEST_HELD) // 2] += 1
    panel, y = _panel(_MIDDLE + _LEFT, _WIDTH - _RIGHT, height, max(counts), language)
    panel.caption = f"{words['held_count']} / {words['held_days']}"
    width = (panel.right - panel.left) / len(counts)
    for number, count in enumerate(counts):
        if count:
            said = f"{2 * number}–{2 * number + 1}: {count}" if 2 * number < _LONGEST_HELD else f"{_LONGEST_HELD}+: {count}"
            top = y(count)
            panel.bars.append((round(panel.left + width * number + 1, 1), top, round(width - 2, 1), round(panel.bottom - top, 1), PALETTE[1], said))
    panel.labels = [(round(panel.left + width * (days / 2 + 0.5), 1), f"{days}{'+' if days == _LONGEST_HELD else ''}") for days in (0, 10, 20, 30)]
    return panel


CHARTS: Mapping[str, Callable[[Any, Language, Sequence[str]], bytes]] = {
    "papers_by_type": _papers_by_type,
    "papers_by_category": _papers_by_category,
    "held": _held,
    "cost": _cost,
    "tokens": _tokens,
    "flags": _flags,
}

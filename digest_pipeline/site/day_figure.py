"""One listing day as a picture for the Dagster UI: papers by category and type, and how long new ones were held.

What lives here: the drawing, by matplotlib without pyplot; the same numbers give the same bytes. What does not: the numbers
(`statistics.py`), the charts of the pages (`charts.py`).
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from digest_pipeline import taxonomy
from digest_pipeline.calendar import ListingCalendar
from digest_pipeline.models import ALL, AnnounceType, Paper, Summary, counts_by_type
from digest_pipeline.site.charts import PALETTE
from digest_pipeline.site.statistics import day_numbers
from digest_pipeline.translation.languages import Language, load_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#24292f"
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


def day_figure_png(
    day: date,
    papers: Sequence[Paper],
    summaries: Mapping[str, Mapping[str, Summary]],
    categories: Sequence[str],
    calendar: ListingCalendar,
    language: Language | None = None,
) -> bytes:
    """A PNG of about 900 × 320 pixels on white. In English unless a language is given. A day without papers says so in the picture."""
    language = language or load_language("en")
    sink = io.BytesIO()
    with _settings():
        figure = _figure(day, papers, day_numbers(day, papers, summaries, calendar), categories, language)
        figure.savefig(sink, format="png", dpi=100, facecolor="white", metadata={"Software": None})
    return sink.getvalue()


def _figure(day: date, papers: Sequence[Paper], numbers: Mapping[str, Any], categories: Sequence[str], language: Language) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = (_bare(axes) for axes in figure.subplots(1, 2, width_ratios=(2, 1)))
    figure.suptitle(f"{day.isoformat()} · {len(papers)} {language.label('statistics', 'papers')}", fontsize=11)
    _stack_types(left, papers, [ALL, *categories], language)
    if not papers:
        left.text(0.5, 0.5, language.label("statistics", "no_announcement"), ha="center", transform=left.transAxes)
    right.hist([min(one, 30) for one in numbers["held_days"]], bins=range(0, 32, 2), color=PALETTE[1])
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel(f"{language.label('statistics', 'held_days')} ({len(numbers['held_days'])} / {numbers['new_timed']})")
    return figure


def _bare(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#888888", alpha=0.3, linewidth=0.6)
    axes.margins(y=0.08)
    return axes


def _stack_types(axes: Axes, papers: Sequence[Paper], names: Sequence[str], language: Language) -> None:
    counts = [counts_by_type(p for p in papers if name == ALL or any(taxonomy.falls_under(own, name) for own in p.categories)) for name in names]
    bottom = [0] * len(names)
    for kind, colour in zip(AnnounceType, PALETTE, strict=False):
        values = [one.get(kind.value, 0) for one in counts]
        if any(values):
            axes.bar(range(len(names)), values, bottom=bottom, color=colour, label=language.label("digest", kind.value), width=0.8)
            bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    if any(bottom):
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=9)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(bottom=0)


@contextmanager
def _settings() -> Iterator[None]:
    import matplotlib

    wanted: Any = {
        "font.family": ["DejaVu Sans", *_installed_fonts()],
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
        "axes.unicode_minus": False,
        "text.parse_math": False,  # a label is words, whatever it holds
    }
    with _DRAWING, matplotlib.rc_context(wanted), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")  # no East Asian font here: boxes stand for the letters
        yield


@cache
def _installed_fonts() -> tuple[str, ...]:
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _EAST_ASIAN_FONTS if name in there)[:1]

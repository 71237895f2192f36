"""The numbers people look at: papers, moderation holds, cost, tokens, doubts, by day and month; as charts and tables.

    site/<tag>/statistics/index.html        the page: charts, and the same numbers as tables
    site/<tag>/statistics/<chart>.svg       one chart of the last days
    site/<tag>/statistics/statistics.csv    one row a listing day   .json  the same with categories and flags apart

What lives here: a day's numbers (`day_numbers`, kept in the site's records so that old days are not read again) and their
tables. What does not: the drawings (`charts.py`), which days there are (`build.py`), the daily ledger
(`papers/ledger.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from statistics import median
from typing import Any

import pandas as pd
from babel import Locale
from babel.numbers import format_decimal

from digest_pipeline import taxonomy
from digest_pipeline.calendar import EASTERN, ListingCalendar
from digest_pipeline.models import ALL, AnnounceType, Paper, Summary, SummaryStatus, counts_by_type
from digest_pipeline.site.charts import CHARTS, chart_svg, day_svg
from digest_pipeline.translation.languages import Language

SHOWN_WEEKDAYS = 60
"""Charts and the table of days go back so many weekdays from the newest listing; months, CSV and JSON hold all."""

# -- one day's numbers ------------------------------------------------------------------------------


def day_numbers(day: date, papers: Sequence[Paper], summaries: Mapping[str, Mapping[str, Summary]], calendar: ListingCalendar) -> dict[str, Any]:
    """One listing day as plain JSON values.

    `new_timed`: new papers whose submission time is known; `held_days`: of those submitted before the listing's
    window, the days from submission to listing date (US Eastern), ascending. `languages`: per tag the papers
    translated, not, and in the original by choice, tokens, US dollars (null where no price is known), papers without price, flags by code.
    """
    new = [paper for paper in papers if paper.announce_type is AnnounceType.NEW and paper.submitted_at_utc is not None]
    opens = calendar.window(day).opens_utc if new else None
    held = [paper.submitted_at_utc for paper in new if paper.submitted_at_utc and opens and paper.submitted_at_utc < opens]
    return {
        "new_timed": len(new),
        "held_days": sorted((day - moment.astimezone(EASTERN).date()).days for moment in held),
        "languages": {tag: _language_numbers(papers, by_id) for tag, by_id in summaries.items()},
    }


def day_figure(day: date, papers: Sequence[Paper], categories: Sequence[str], calendar: ListingCalendar, language: Language) -> bytes:
    """A listing day as one SVG, for the Dagster UI: papers by category and type, and how long new ones were held."""
    in_category = {name: [paper for paper in papers if any(taxonomy.falls_under(own, name) for own in paper.categories)] for name in categories}
    types = {name: counts_by_type(found) for name, found in {ALL: papers, **in_category}.items()}
    return day_svg(types, day_numbers(day, papers, {}, calendar)["held_days"], language)


def _language_numbers(papers: Sequence[Paper], by_id: Mapping[str, Summary]) -> dict[str, Any]:
    rows = [by_id[paper.arxiv_id] for paper in papers if paper.arxiv_id in by_id]
    statuses = Counter(row.status for row in rows)
    translated, original = statuses[SummaryStatus.TRANSLATED], statuses[SummaryStatus.ORIGINAL]
    asked = [row for row in rows if row.input_tokens or row.output_tokens]
    costs = [row.cost_usd for row in asked if row.cost_usd is not None]
    return {
        "translated": translated,
        "untranslated": len(papers) - translated - original,
        "original": original,
        "input_tokens": sum(row.input_tokens for row in rows),
        "output_tokens": sum(row.output_tokens for row in rows),
        "cost_usd": round(sum(costs), 6) if costs or not asked else None,
        "unpriced": len(asked) - len(costs),
        "flags": dict(sorted(Counter(flag.partition(":")[0].strip() for row in rows for flag in row.flags).items())),
    }


# -- the table of days ------------------------------------------------------------------------------

CSV_COLUMNS = (
    "listing_date", "announced", "papers", "new", "cross", "replace", "replace_cross", "new_timed", "held", "held_median_days",
    "held_longest_days", "translated", "untranslated", "input_tokens", "output_tokens", "cost_usd", "unpriced", "flags",
    "original",
)  # fmt: skip
_SUMMED = (
    "announced",
    "papers",
    "new",
    "cross",
    "replace",
    "replace_cross",
    "new_timed",
    "translated",
    "untranslated",
    "original",
    "input_tokens",
    "output_tokens",
    "unpriced",
)
_NO_LANGUAGE: Mapping[str, Any] = {
    "translated": 0, "untranslated": 0, "original": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "unpriced": 0, "flags": {},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What the site remembers of one listing day: papers by category (or `all`) and announce type, and `day_numbers`."""

    announced: bool
    counts: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, Any]


def day_table(days: Mapping[date, DayCounts], tag: str) -> pd.DataFrame:
    """One row a listing day, oldest first, in one language: `CSV_COLUMNS`, and as objects `by_category`, `held_days`, `by_flag`.

    A day made before the language was configured counts nothing for it. `cost_usd` is missing where papers were paid at unknown
    prices only.
    """
    rows = [_row(day, days[day], tag) for day in sorted(days)]
    return _with_held(pd.DataFrame(rows, columns=["listing_date", *_SUMMED, "cost_usd", "by_category", "held_days", "by_flag"]))


def _row(day: date, one: DayCounts, tag: str) -> dict[str, Any]:
    own = {**_NO_LANGUAGE, **one.numbers.get("languages", {}).get(tag, {})}
    by_type = {kind.value.replace("-", "_"): one.counts.get(ALL, {}).get(kind.value, 0) for kind in AnnounceType}
    return {
        "listing_date": day.isoformat(),
        "announced": int(one.announced),
        "papers": sum(by_type.values()),
        **by_type,
        "new_timed": one.numbers.get("new_timed", 0),
        "by_category": {category: sum(kinds.values()) for category, kinds in one.counts.items() if category != ALL},
        "held_days": tuple(one.numbers.get("held_days", ())),
        "by_flag": own.pop("flags"),
        **own,
    }


def month_table(days: pd.DataFrame) -> pd.DataFrame:
    """Totals of each month, oldest first, in the same columns."""
    months = days.groupby(days["listing_date"].str[:7], sort=True)
    totals = months[list(_SUMMED)].sum()
    totals["cost_usd"] = months["cost_usd"].sum(min_count=1)
    for name, added in (
        ("by_category", _added),
        ("by_flag", _added),
        ("held_days", lambda lists: tuple(sorted(one for each in lists for one in each))),
    ):
        totals[name] = months[name].agg(added)
    return _with_held(totals.reset_index())


def _with_held(table: pd.DataFrame) -> pd.DataFrame:
    held = table["held_days"]
    table["held"] = held.map(len)
    table["held_median_days"] = held.map(_median)
    table["held_longest_days"] = held.map(lambda one: max(one, default=None)).astype("Int64")
    table["held_share"] = 100 * table["held"] / table["new_timed"].where(table["new_timed"] > 0)
    table["flags"] = table["by_flag"].map(lambda one: sum(one.values()))
    return table


def _median(days: tuple[int, ...]) -> float | None:
    return float(median(days)) if days else None


def _added(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(total)


def newest_days(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last `SHOWN_WEEKDAYS` weekdays up to the newest listing."""
    if table.empty:
        return table
    first = date.fromisoformat(table["listing_date"].iloc[-1]) - timedelta(days=SHOWN_WEEKDAYS * 7 // 5 - 1)
    return table[table["listing_date"] >= first.isoformat()]


# -- files ------------------------------------------------------------------------------------------


def statistics_files(table: pd.DataFrame, language: Language, categories: Sequence[str]) -> dict[str, bytes]:
    """File name below the page's folder → bytes: the charts, `statistics.csv`, `statistics.json`. `categories` have their colours by their order."""
    shown = newest_days(table)
    charts = {f"{name}.svg": chart_svg(name, shown, language, categories) for name in _charts_of(shown)}
    return charts | {"statistics.csv": csv_bytes(table), "statistics.json": json_bytes(table)}


def csv_bytes(table: pd.DataFrame) -> bytes:
    """One line a listing day with a heading; empty cells where a number is not known."""
    return table[list(CSV_COLUMNS)].to_csv(index=False, lineterminator="\n").encode()


def json_bytes(table: pd.DataFrame) -> bytes:
    """The same as a list of objects, with `by_category`, `held_days` and `flags` in full; null where a number is not known."""
    plain = table[[*CSV_COLUMNS, "by_category", "held_days", "by_flag"]].astype(object)
    plain = plain.where(plain.notna(), None).drop(columns="flags").rename(columns={"announced": "listings", "by_flag": "flags"})
    return ("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in plain.to_dict("records")) + "\n]\n").encode()


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
    """The values of `templates/statistics.html.jinja`; tables newest first."""

    charts: tuple[Chart, ...]
    days: NumbersTable
    months: NumbersTable
    flags: NumbersTable
    categories: NumbersTable


def statistics_page_data(table: pd.DataFrame, language: Language) -> StatisticsPage:
    """From `day_table`; a chart without content is left out, so without days there is none."""
    shown = newest_days(table)
    words = _words(language)
    span = f"{shown['listing_date'].iloc[0]} – {shown['listing_date'].iloc[-1]}" if len(shown) else ""
    return StatisticsPage(
        charts=tuple(Chart(f"{name}.svg", words(name), f"{words(name)}, {span}. {words('numbers')} ↓") for name in _charts_of(shown)),
        days=_table(words("listing_date"), shown, language),
        months=_table(words("month"), month_table(table), language),
        flags=_counts_table(words("flags"), shown["by_flag"], language, lambda code: str(language.labels.get("flags", {}).get(code, code))),
        categories=_counts_table(words("papers_by_category"), shown["by_category"], language, str),
    )


_HAS_CONTENT = {"held": "held", "cost": "cost_usd", "tokens": "input_tokens", "flags": "flags"}


def _charts_of(shown: pd.DataFrame) -> list[str]:
    """The charts that would show anything; an empty frame looks like a fault."""
    return [name for name in CHARTS if (shown[_HAS_CONTENT.get(name, "papers")].fillna(0) > 0).any()]


def _words(language: Language) -> Callable[[str], str]:
    return lambda key: language.label("statistics", key)


def _table(first: str, rows: pd.DataFrame, language: Language) -> NumbersTable:
    words = _words(language)
    held = ("held_share", "held_median_days", "held_longest_days")
    by_choice = bool(rows["original"].any())
    types = [language.label("digest", kind.value) for kind in AnnounceType]
    return NumbersTable(
        words("numbers"),
        (
            first,
            words("papers"),
            *types,
            *(f"{words('held')}: {words(name)}" for name in held),
            words("untranslated"),
            *([language.label("digest", "original")] if by_choice else []),
            *(words(name) for name in ("input_tokens", "output_tokens", "cost_usd")),
        ),
        tuple(tuple(_cells(row, language, by_choice)) for row in reversed(rows.to_dict("records"))),
    )


def _cells(row: Mapping[Any, Any], language: Language, by_choice: bool) -> Iterator[str]:
    words = _words(language)
    yield row["listing_date"]
    yield _number(row["papers"], language) if row["announced"] or row["papers"] else words("no_announcement")
    for kind in AnnounceType:
        yield _number(row[kind.value.replace("-", "_")], language)
    for name, pattern in (("held_share", "0.0"), ("held_median_days", "0.#"), ("held_longest_days", "#,##0")):
        yield "–" if pd.isna(row[name]) else _number(row[name], language, pattern)
    for name in ("untranslated", *(["original"] if by_choice else []), "input_tokens", "output_tokens"):
        yield _number(row[name], language)
    cost, unpriced = row["cost_usd"], row["unpriced"]
    in_words = words("unknown") if pd.isna(cost) else _number(cost, language, "0.0000" if cost < 1 else "#,##0.00")
    yield f"{in_words} + {unpriced} × {words('unknown')}" if unpriced and not pd.isna(cost) and cost else in_words


def _counts_table(caption: str, counts: Iterable[Mapping[str, int]], language: Language, name: Callable[[str], str]) -> NumbersTable:
    total = sorted(_added(counts).items(), key=lambda pair: (-pair[1], pair[0]))
    return NumbersTable(caption, ("", language.label("statistics", "papers")), tuple((name(key), _number(count, language)) for key, count in total))


@lru_cache(maxsize=8_192)
def _number(value: float, language: Language, pattern: str = "#,##0") -> str:
    return str(format_decimal(value, format=pattern, locale=_locale(language)))


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(language.html_lang, sep="-")

"""Statistics: the numbers of a day, their tables, and drawings that are the same each time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from digest_pipeline.calendar import load_calendar
from digest_pipeline.models import AnnounceType, Paper, Summary
from digest_pipeline.site.charts import PALETTE, nice_ticks
from digest_pipeline.site.statistics import (
    DayCounts,
    day_figure,
    day_numbers,
    day_table,
    month_table,
    statistics_files,
    statistics_page_data,
)
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.outputs import DAY, a_paper, a_summary

CALENDAR = load_calendar()
ZH, EN = load_language("zh"), load_language("en")
CATEGORIES = ("cs.CL", "cs.IR")


def summaries_of(papers: Sequence[Paper], **changes: Any) -> dict[str, dict[str, Summary]]:
    return {"zh": {paper.arxiv_id: a_summary(arxiv_id=paper.arxiv_id, **changes) for paper in papers}}


def a_day(day: date = DAY, count: int = 3, *, held: bool = False, **changes: Any) -> DayCounts:
    times = {"submitted_at_utc": datetime(2025, 12, 1, tzinfo=UTC)} if held else {}
    papers = [a_paper(arxiv_id=f"2606.{n:05d}", listing_date=day, **times) for n in range(count)]
    counts = {"all": {"new": count}, "cs.CL": {"new": count}} if count else {"all": {}, "cs.CL": {}}
    return DayCounts(bool(count), counts, day_numbers(day, papers, summaries_of(papers, **changes), CALENDAR))


def test_a_paper_submitted_before_the_listings_window_was_held_and_for_how_long() -> None:
    submitted = {  # the listing of Tuesday 2026-06-02 covers Friday 14:00 to Monday 14:00 US Eastern
        "in the window": datetime(2026, 6, 1, 9, tzinfo=UTC),
        "as it opens": datetime(2026, 5, 29, 18, 0, tzinfo=UTC),
        "a minute before": datetime(2026, 5, 29, 17, 59, tzinfo=UTC),
        "long before, late in the evening": datetime(2026, 5, 14, 2, 0, tzinfo=UTC),
    }
    papers = [a_paper(arxiv_id=f"2606.0000{n}", submitted_at_utc=at) for n, at in enumerate(submitted.values())]
    papers.append(a_paper(arxiv_id="2501.00001", submitted_at_utc=datetime(2025, 1, 1, tzinfo=UTC), announce_type=AnnounceType.REPLACE))
    papers.append(a_paper(arxiv_id="2606.00009", submitted_at_utc=None))
    numbers = day_numbers(DAY, papers, {}, CALENDAR)
    assert numbers == {"new_timed": 4, "held_days": [4, 20], "languages": {}}


def test_cost_tokens_and_flags_are_summed_and_an_unknown_price_is_not_zero() -> None:
    papers = [a_paper(arxiv_id=f"2606.0000{n}") for n in range(3)]
    by_id = {
        "2606.00000": a_summary(arxiv_id="2606.00000", flags=("numbers: 3 ≠ 4", "length: short")),
        "2606.00001": a_summary(arxiv_id="2606.00001", cost_usd=None, flags=("numbers: 1 ≠ 2",)),
    }
    own = day_numbers(DAY, papers, {"zh": by_id}, CALENDAR)["languages"]["zh"]
    assert own == {
        "translated": 2,
        "untranslated": 1,
        "original": 0,
        "input_tokens": 1800,
        "output_tokens": 800,
        "cost_usd": 0.001,
        "unpriced": 1,
        "flags": {"length": 1, "numbers": 2},
    }
    assert day_numbers(DAY, papers[1:2], {"zh": by_id}, CALENDAR)["languages"]["zh"]["cost_usd"] is None
    assert day_numbers(DAY, [], {"zh": {}}, CALENDAR)["languages"]["zh"]["cost_usd"] == 0


def test_a_days_numbers_survive_the_manifest() -> None:
    one = a_day()
    again = DayCounts(one.announced, one.counts, json.loads(json.dumps(one.numbers)))
    assert day_table({DAY: again}, "zh").equals(day_table({DAY: one}, "zh"))


def test_months_add_up_their_days_and_a_language_added_later_counts_nothing_before() -> None:
    days = {date(2026, 5, 29): a_day(date(2026, 5, 29), 2), DAY: a_day(), date(2026, 6, 3): a_day(date(2026, 6, 3), 0)}
    may, june = month_table(day_table(days, "zh")).to_dict("records")
    assert (may["listing_date"], may["papers"], june["papers"], june["announced"]) == ("2026-05", 2, 3, 1)
    assert june["cost_usd"] == pytest.approx(0.003)
    assert list(day_table(days, "ja")["input_tokens"]) == [0, 0, 0]
    assert list(day_table(days, "ja")["papers"]) == [2, 3, 0]


def test_csv_and_json_hold_every_day_in_the_same_numbers() -> None:
    days = {day: a_day(day, 2, cost_usd=None) for day in CALENDAR.listing_days(date(2026, 1, 5), DAY) if CALENDAR.is_announced(day)}
    files = statistics_files(day_table(days, "zh"), ZH, CATEGORIES)
    lines = list(csv.DictReader(io.StringIO(files["statistics.csv"].decode())))
    objects = json.loads(files["statistics.json"])
    assert len(lines) == len(objects) == len(days) > 60
    assert lines[0]["listing_date"] == objects[0]["listing_date"] == "2026-01-05"
    assert (lines[0]["papers"], lines[0]["cost_usd"], objects[0]["cost_usd"]) == ("2", "", None)
    assert objects[0]["by_category"] == {"cs.CL": 2}


def test_the_page_shows_unknown_prices_and_days_without_announcement_in_words() -> None:
    days = {DAY: a_day(cost_usd=None), date(2026, 6, 3): a_day(date(2026, 6, 3), 0)}
    page = statistics_page_data(day_table(days, "zh"), ZH)
    assert page.days.rows[0][:2] == ("2026-06-03", "没有发布")
    assert page.days.rows[1][-1] == "未知"
    assert len({len(row) for row in page.days.rows} | {len(page.days.head)}) == 1
    assert [chart.file for chart in page.charts] == ["papers_by_type.svg", "papers_by_category.svg", "tokens.svg"]
    assert all(chart.title and "2026-06-02 – 2026-06-03" in chart.alternative for chart in page.charts)


def test_flags_are_named_in_the_readers_words() -> None:
    code = next(iter(ZH.labels["flags"]))
    page = statistics_page_data(day_table({DAY: a_day(flags=(f"{code}: detail", "unheard-of: x"))}, "zh"), ZH)
    assert {name for name, _ in page.flags.rows} == {ZH.labels["flags"][code], "unheard-of"}


def test_without_days_there_is_no_chart_and_no_failure() -> None:
    assert statistics_page_data(day_table({}, "zh"), ZH).charts == ()
    assert set(statistics_files(day_table({}, "zh"), ZH, CATEGORIES)) == {"statistics.csv", "statistics.json"}


@pytest.mark.parametrize("tag", ["zh", "ko", "de"])
def test_charts_are_wellformed_take_the_readers_colours_and_are_the_same_each_time(tag: str) -> None:
    language = load_language(tag)
    days = {DAY: a_day(held=True, flags=("numbers: 1",)), date(2026, 6, 3): a_day(date(2026, 6, 3), 0)}
    days = {day: replace(one, numbers={**one.numbers, "languages": {tag: one.numbers["languages"]["zh"]}}) for day, one in days.items()}
    files = statistics_files(day_table(days, tag), language, CATEGORIES)
    assert files == statistics_files(day_table(days, tag), language, CATEGORIES)
    charts = {name: content.decode() for name, content in files.items() if name.endswith(".svg")}
    assert len(charts) == 6
    for content in charts.values():
        etree.fromstring(content.encode())
        assert "prefers-color-scheme:dark" in content
        assert "currentColor" in content
        assert not re.search(r"https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", content)


def drawing(days: dict[date, DayCounts], name: str) -> Any:
    return etree.fromstring(statistics_files(day_table(days, "zh"), ZH, CATEGORIES)[f"{name}.svg"])


def bars(days: dict[date, DayCounts], name: str = "papers_by_type") -> list[Any]:
    return list(drawing(days, name).iterfind(".//{*}rect[@class='bar']"))


def test_the_first_days_bar_is_slim_and_stands_at_the_left() -> None:
    [bar] = bars({DAY: a_day()})
    assert float(bar.get("width")) < 900 / 10
    assert float(bar.get("x")) < 900 / 4


def test_a_missing_day_is_a_gap_as_wide_as_a_day() -> None:
    monday = date(2026, 6, 1)
    whole = bars({monday + timedelta(days=n): a_day(monday + timedelta(days=n)) for n in range(5)})
    gap = bars({monday + timedelta(days=n): a_day(monday + timedelta(days=n)) for n in (0, 1, 4)})
    assert [bar.get("x") for bar in gap] == [whole[n].get("x") for n in (0, 1, 4)]
    lines = drawing({monday: a_day(monday), date(2026, 6, 3): a_day(date(2026, 6, 3))}, "papers_by_category").findall(".//{*}path")
    assert lines[0].get("d").count("M") == 2, "the line does not run over a day that is not there"


@pytest.mark.parametrize("largest", [1, 3, 4, 9, 10, 99, 100, 622, 5_000, 123_456, 0.0012])
def test_the_highest_bar_stays_below_the_top_and_the_axis_is_round(largest: float) -> None:
    ticks = nice_ticks(largest, is_count=largest >= 1)
    assert 3 <= len(ticks) <= 8
    assert largest * 1.03 < ticks[-1] <= largest * 2
    assert all(float(f"{tick:.3g}") == pytest.approx(tick) for tick in ticks)
    assert largest < 1 or all(tick == int(tick) for tick in ticks)


def test_a_category_keeps_its_colour_from_day_to_day() -> None:
    def colours(sizes: dict[str, int]) -> dict[str, str]:
        one = replace(a_day(), counts={"all": {"new": 3}, **{name: {"new": count} for name, count in sizes.items()}})
        found = drawing({DAY: one}, "papers_by_category").iterfind(".//{*}circle")
        return {circle.find("{*}title").text.split(" · ")[1].split(":")[0]: circle.get("fill") for circle in found}

    few, many = colours({"cs.CL": 1, "cs.IR": 9, "cs.AI": 4}), colours({"cs.CL": 9, "cs.IR": 1, "cs.AI": 40})
    assert few == many
    assert (few["cs.CL"], few["cs.IR"]) == (PALETTE[0], PALETTE[1])


def test_a_label_with_dollar_signs_is_drawn_as_it_stands() -> None:
    files = statistics_files(day_table({DAY: a_day(flags=("costs $5 and \\frac{: x",))}, "zh"), ZH, CATEGORIES)
    assert "costs $5 and \\frac{" in files["flags.svg"].decode()


def test_the_days_picture_for_the_ui_shows_each_category_by_type_and_how_long_papers_were_held() -> None:
    papers = [a_paper(arxiv_id=f"2606.0000{n}", announce_type=kind) for n, kind in enumerate(AnnounceType)]
    picture = etree.fromstring(day_figure(DAY, papers, ["cs.CL", "econ"], CALENDAR, EN))
    words = [title.text for title in picture.iterfind(".//{*}title")]
    assert {f"cs.CL · {EN.label('digest', kind.value)}: 1" for kind in AnnounceType} <= set(words)
    assert not [one for one in words if one.startswith("econ")]
    assert {"all", "cs.CL", "econ"} <= {text.text for text in picture.iterfind(".//{*}text")}


def test_the_days_picture_of_a_day_without_papers_has_axes_and_no_bar() -> None:
    picture = etree.fromstring(day_figure(DAY, [], ["cs.CL"], CALENDAR, EN))
    assert not picture.findall(".//{*}rect[@class='bar']")
    assert picture.findall(".//{*}line[@class='axis']")

"""The tables as DataFrames, for notebooks: `papers(first, last)` and `summaries(first, last, language)`.

    from datetime import date
    from digest_pipeline import corpus
    corpus.papers(date(2026, 6, 1), date(2026, 6, 30)).groupby("primary_category").size()

Columns and their meaning are those of `docs/formats.md`. Dtypes: texts are `str` (missing: NaN), `version` `int32`, token counts
`int64`, `cost_usd` `float64` (unknown: NaN), instants `datetime64[us, UTC]`, `listing_date` `datetime64[s]` without a time zone,
lists (`categories`, `authors`, `flags`) are objects. What does not live here: writing tables, and the pages (`site/`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pyarrow as pa

from digest_pipeline import tables
from digest_pipeline.clients import open_storage
from digest_pipeline.settings import load_settings
from digest_pipeline.storage import Storage


def papers(first: date, last: date, *, storage: Storage | None = None) -> pd.DataFrame:
    """One row a paper and listing day, oldest day first; no rows where nothing is kept. `storage`: default from the settings."""
    storage = storage or open_storage(load_settings())
    return _frame(storage, "papers", first, last, storage.papers_file, tables.PAPERS)


def summaries(first: date, last: date, language: str, *, storage: Storage | None = None) -> pd.DataFrame:
    """One row a paper and listing day in one language, with its listing_date; join with `papers` on that and `arxiv_id`."""
    place = storage or open_storage(load_settings())
    return _frame(place, "translated_summaries", first, last, lambda day: place.summaries_file(day, language), tables.TRANSLATED_SUMMARIES)


def _frame(storage: Storage, table: str, first: date, last: date, file: Callable[[date], str], schema: pa.Schema) -> pd.DataFrame:
    days = [day for day in storage.days_of(table) if first <= day <= last and storage.exists(file(day))]
    frames = [_dated(storage.read_table(file(day), schema).to_pandas(), day) for day in days]
    return pd.concat(frames, ignore_index=True) if frames else _dated(schema.empty_table().to_pandas(), first)


def _dated(frame: pd.DataFrame, day: date) -> pd.DataFrame:
    return frame.assign(listing_date=pd.Timestamp(day).as_unit("s"))

"""The cache at an address: a folder on this machine, or an object store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from upath import UPath

from digest_pipeline.translation.cache.protocol import ResponseCache


def open_cache(root: str, now: Callable[[], datetime]) -> ResponseCache:
    """The store at a folder (SQLite, `answers.sqlite`) or an object store's URL. Makes the folder, nothing else, until used."""
    place = UPath(root)
    if place.protocol in ("", "file", "local"):
        from digest_pipeline.translation.cache.sqlite import SqliteCache

        return SqliteCache(Path(place.path) / "answers.sqlite", now)
    from digest_pipeline.translation.cache.object_store import ObjectStoreCache

    return ObjectStoreCache(place, now)

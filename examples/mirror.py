"""A source of your own: listings that another machine has saved, for one that cannot or must not ask arXiv.

    python -m examples.mirror FOLDER 2026-01-15

reads `FOLDER/2026-01-15/rss.xml` (the day's announcement feed of your categories) and every `api*.xml` beside it (answers of
the query API to the announced ids), and keeps them as that day's raw answers. A run of that day then finds it kept and
asks arXiv nothing. Any source works this way: whatever leaves a `RawManifest` and the answers it names is one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from digest_pipeline.arxiv import rss
from digest_pipeline.arxiv.http import RawResponse
from digest_pipeline.arxiv.raw_store import RawManifest, RawStore
from digest_pipeline.clients import open_storage, utc_now
from digest_pipeline.errors import DigestError, SourceError
from digest_pipeline.models import AnnounceType, Evidence, id_sort_key
from digest_pipeline.settings import load_settings


def keep_mirrored(folder: Path, day: date, raw: RawStore, now: datetime) -> RawManifest:
    """Keeps the saved answers of the listing dated `day`. Raises SourceError for a day that is not there or is another's."""
    feed = _read(folder / day.isoformat() / "rss.xml", now)
    announcement = rss.read_feed(feed.body)
    if announcement.dated != day or not announcement.items:
        raise SourceError(
            f"{feed.url} holds {len(announcement.items)} items dated {announcement.dated}, not the listing of {day}", hint="save the day again"
        )
    files = (raw.keep_file(day, "rss", feed), *(raw.keep_file(day, "api", answer) for answer in _api_answers(folder / day.isoformat(), now)))
    new = sorted((item.arxiv_id for item in announcement.items if item.announce_type is AnnounceType.NEW), key=id_sort_key)
    manifest = RawManifest(
        day, True, Evidence.RSS, files, block=(new[0], new[-1]) if new else None, feed_categories=announcement.categories, notes=(f"from {folder}",)
    )
    raw.keep(manifest, now=now)
    return manifest


def _api_answers(folder: Path, now: datetime) -> Iterator[RawResponse]:
    for path in sorted(folder.glob("api*.xml")):
        yield _read(path, now)


def _read(path: Path, now: datetime) -> RawResponse:
    if not path.is_file():
        raise SourceError(f"there is no {path}", hint="save the day's feed under that name")
    return RawResponse(path.as_uri(), now, 200, path.read_bytes())


def main(folder: str, day: str) -> None:
    raw = RawStore(open_storage(load_settings()))
    manifest = keep_mirrored(Path(folder).resolve(), date.fromisoformat(day), raw, utc_now())
    print(f"{day}: {sum(file.records for file in manifest.files)} records in {len(manifest.files)} files are kept")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except DigestError as error:
        sys.exit(f"✗ {error}")

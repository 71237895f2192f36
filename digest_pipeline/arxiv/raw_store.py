"""How arXiv's answers for one listing day are kept: whole, compressed, with a manifest that vouches for them.

Below `raw/<day>/`: the answers as `<kind>-<UTC time>-<hash>.xml.gz`, byte for byte, and `manifest.json`, which
is written last and atomically: a day is kept exactly when its manifest is. A later fetch adds files and
replaces the manifest after setting the old one aside as `manifest-<UTC time>.json`; nothing is deleted.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeVar

from digest_pipeline import taxonomy
from digest_pipeline.arxiv import atom, rss
from digest_pipeline.arxiv.atom import ApiRecord
from digest_pipeline.arxiv.http import RawResponse, UnusableBody
from digest_pipeline.arxiv.rss import Announcement
from digest_pipeline.errors import RawCorrupt
from digest_pipeline.models import Evidence
from digest_pipeline.storage import Storage

SCHEMA_VERSION = 1

_Content = TypeVar("_Content")


@dataclass(frozen=True, slots=True)
class RawFile:
    """One kept answer. `records` counts its entries or items; `sha256` is of the uncompressed bytes."""

    file: str
    kind: str
    url: str
    fetched_at_utc: str
    status: int
    sha256: str
    records: int


@dataclass(frozen=True, slots=True)
class RawManifest:
    """What is kept of one listing day and what it shows.

    `announced` is false on a day without announcement, with the reason in `notes`. `block` is the first and
    last id assigned at this announcement, inclusive, where known. `feed_categories` are those the kept feeds
    were asked for; `full_block` says that all archives' papers of the block are kept. `missing_ids` are papers that a later
    reconciliation found and the next run fetches. `earlier_ids` are items of the kept feeds that belong to an earlier listing.
    """

    listing_date: date
    announced: bool
    evidence: Evidence | None
    files: tuple[RawFile, ...]
    block: tuple[str, str] | None = None
    full_block: bool = False
    feed_categories: tuple[str, ...] = ()
    missing_ids: tuple[str, ...] = ()
    earlier_ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    requests: int = 0
    schema_version: int = SCHEMA_VERSION

    def lacking(self, categories: tuple[str, ...]) -> list[str]:
        """Those of `categories` that no kept answer covers; a full block covers all."""
        if not self.announced or self.full_block:
            return []
        return [c for c in categories if not any(taxonomy.falls_under(c, had) for had in self.feed_categories)]

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "listing_date": self.listing_date.isoformat()}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> RawManifest:
        values = json.loads(text)
        values["listing_date"] = date.fromisoformat(values["listing_date"])
        values["evidence"] = Evidence(values["evidence"]) if values["evidence"] else None
        values["files"] = tuple(RawFile(**file) for file in values["files"])
        values["block"] = (values["block"][0], values["block"][1]) if values["block"] else None
        for name in ("feed_categories", "missing_ids", "earlier_ids", "notes"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


class RawStore:
    """The kept answers below the data home."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def manifest(self, day: date) -> RawManifest | None:
        """None where the day was never fetched. Raises RawCorrupt where the manifest cannot be read."""
        path = self._path(day, "manifest.json")
        if not self._storage.exists(path):
            return None
        try:
            return RawManifest.from_json(self._storage.read_text(path))
        except (ValueError, KeyError, TypeError) as error:
            raise RawCorrupt(f"{path} cannot be read ({error})", hint="refetch the day; the answers beside it are kept") from error

    def keep_file(self, day: date, kind: str, response: RawResponse) -> RawFile:
        """Writes one answer; it counts only once a manifest names it."""
        digest = hashlib.sha256(response.body).hexdigest()
        name = f"{kind}-{response.fetched_at_utc.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:12]}.xml.gz"
        self._storage.write_bytes(self._path(day, name), gzip.compress(response.body, mtime=0))
        content = response.content or (rss.read_feed if kind == "rss" else atom.read_page)(response.body)
        count = len(content.items if isinstance(content, Announcement) else content.records)
        return RawFile(
            name, kind, response.url, response.fetched_at_utc.astimezone(UTC).isoformat(timespec="seconds"), response.status, digest, count
        )

    def keep(self, manifest: RawManifest, *, now: datetime) -> None:
        """Makes `manifest` the day's; the one it replaces stays beside it under its time."""
        path = self._path(manifest.listing_date, "manifest.json")
        if self._storage.exists(path):
            aside = self._path(manifest.listing_date, f"manifest-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.json")
            self._storage.write_bytes(aside, self._storage.read_bytes(path))
        self._storage.write_text(path, manifest.to_json())

    def report_missing(self, day: date, ids: Sequence[str], *, now: datetime) -> None:
        """Notes ids that the API knows in this day's block and we lack; the day's next run fetches them."""
        manifest = self.manifest(day)
        if manifest is not None and set(ids) - set(manifest.missing_ids):
            self.keep(replace(manifest, missing_ids=tuple(sorted({*manifest.missing_ids, *ids}))), now=now)

    def feeds(self, manifest: RawManifest) -> list[Announcement]:
        """The day's kept feeds, oldest first. Raises RawCorrupt."""
        return [self._content(manifest, file, rss.read_feed) for file in manifest.files if file.kind == "rss"]

    def records(self, manifest: RawManifest) -> list[ApiRecord]:
        """The day's kept API records, each version once, the latest answer winning. Raises RawCorrupt."""
        pages = (self._content(manifest, file, atom.read_page) for file in manifest.files if file.kind == "api")
        return list({(r.arxiv_id, r.version): r for page in pages for r in page.records}.values())

    def _content(self, manifest: RawManifest, file: RawFile, read: Callable[[bytes], _Content]) -> _Content:
        try:
            return read(self._body(manifest.listing_date, file))
        except UnusableBody as error:
            raise RawCorrupt(f"the kept answer {self._path(manifest.listing_date, file.file)} cannot be read: {error}", hint=_REFETCH) from None

    def verify(self, manifest: RawManifest) -> None:
        """Raises RawCorrupt, naming the file, where a kept answer is missing or changed."""
        for file in manifest.files:
            self._body(manifest.listing_date, file)

    def _body(self, day: date, file: RawFile) -> bytes:
        path = self._path(day, file.file)
        try:
            body = gzip.decompress(self._storage.read_bytes(path))
        except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise RawCorrupt(f"the kept answer {path} cannot be read ({type(error).__name__})", hint=_REFETCH) from error
        if hashlib.sha256(body).hexdigest() != file.sha256:
            raise RawCorrupt(f"the kept answer {path} is not what was kept: its hash differs", hint=_REFETCH)
        return body

    def _path(self, day: date, name: str) -> str:
        return f"{self._storage.raw_folder(day)}/{name}"


_REFETCH = "materialize raw_arxiv_metadata of that day again; it fetches anew what is damaged"

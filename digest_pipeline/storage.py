"""Where the data lives: one folder, local or in an object store, written atomically.

What lives here: reading, listing and atomic writing below the data directory. What does not: what the
files mean. Local writes go to a temporary file beside the target, are flushed to disk, and replace it
in one step; an object store's single put has the same property by itself, and so has its single get.
A kill at any moment therefore leaves the old file or the new one, and of two writers the last wins.

Who may read: what is below `site/` everybody, because a web server of another user serves it; what is below `private/`
and `rankings/` nobody else, because it says what somebody reads; everything else, the way to `site/` included, as the umask says.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
from upath import UPath

from digest_pipeline import tables
from digest_pipeline.errors import SettingsError, StorageError, storage_errors

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".jsonl": "application/x-ndjson; charset=utf-8",
    ".bib": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
"""Ending → what a web server or a bucket says the file is."""
_MODES = {"site": (0o755, 0o644), "private": (0o700, 0o600), "rankings": (0o700, 0o600)}
"""Folder of the data directory → modes of the folders and files in it, whatever the umask."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Storage:
    """The data directory. Paths are relative, with forward slashes, e.g. `papers/date=2026-06-02/papers.parquet`.

    Raises SettingsError for an address that nothing here can open. Every method raises StorageError where the place
    does not let itself be read or written.
    """

    def __init__(self, root: str | os.PathLike[str] | UPath) -> None:
        try:
            self.root = UPath(root)
            self.is_local = self.root.protocol in ("", "file", "local")
            if not self.is_local:
                self.root.fs  # noqa: B018 - loads the store's client, so that a missing one is said before anything is done
        except ValueError as error:
            raise SettingsError(f"{root} is no place for data: {error}", hint="name a folder, or an s3://, gs:// or az:// address") from None
        except ImportError as error:
            raise SettingsError(
                f"{root} needs a package that is not installed: {error}", hint="see “Data in an object store” in docs/deploying.md"
            ) from None

    def path(self, relative: str) -> UPath:
        return self.root / relative

    def local_path(self, relative: str) -> Path:
        """The file-system path; only where `is_local`."""
        return Path(self.root.path) / relative

    def exists(self, relative: str) -> bool:
        with self._explained("read", relative):
            return self._fresh_path(relative).exists()

    def read_bytes(self, relative: str) -> bytes:
        """Raises FileNotFoundError where there is no such file."""
        path = self.path(relative)
        with self._explained("read", relative):
            if self.is_local:
                return path.read_bytes()
            # One request: a file opened first and read then would fail where another run replaced it in between.
            content: bytes = path.fs.cat_file(path.path)
            return content

    def read_text(self, relative: str) -> str:
        return self.read_bytes(relative).decode("utf-8")

    def write_bytes(self, relative: str, content: bytes, *, is_durable: bool = True) -> UPath:
        """Atomic: afterwards the file has the old content or the new, whatever happens.

        `is_durable` false leaves out the flush to the disk, for thousands of small files that can be made again.
        """
        target = self.path(relative)
        with self._explained("written", relative):
            if self.is_local:
                path = self.local_path(relative)
                self._make_folder(path.parent)
                _replace_file(path, content, self._modes(path), is_durable=is_durable)
            else:
                target.fs.pipe_file(target.path, content, **self._headers(relative))
        return target

    def write_text(self, relative: str, content: str) -> UPath:
        return self.write_bytes(relative, content.encode("utf-8"))

    def write_if_changed(self, relative: str, content: bytes) -> bool:
        """Leaves an identical file (and its time stamp) alone; true where it wrote."""
        with contextlib.suppress(FileNotFoundError):
            if self.read_bytes(relative) == content:
                return False
        self.write_bytes(relative, content)
        return True

    def names(self, folder: str) -> list[str]:
        """Sorted names of files and folders directly below `folder`; empty where there is none."""
        place = self._fresh_path(folder)
        with self._explained("read", folder):
            if not place.exists():
                return []
            return sorted(child.name for child in place.iterdir() if not child.name.startswith(".tmp-"))

    def delete(self, relative: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._explained("deleted", relative):
            self.path(relative).unlink()

    def delete_folder(self, relative: str) -> None:
        """With everything below it; a folder that is not there is no error."""
        path = self._fresh_path(relative)
        with contextlib.suppress(FileNotFoundError), self._explained("deleted", relative):
            path.fs.rm(path.path, recursive=True)

    def _headers(self, relative: str) -> dict[str, str]:
        """The kind of file, for buckets that are shown as a site; without it a browser would store every page instead of showing it."""
        name = {"s3": "ContentType", "s3a": "ContentType", "gs": "content_type", "gcs": "content_type"}.get(self.root.protocol)
        kind = _CONTENT_TYPES.get(Path(relative).suffix)
        return {name: kind} if name and kind else {}

    def _fresh_path(self, relative: str) -> UPath:
        """Object stores' clients remember listings; other runs write too."""
        path = self.path(relative)
        if not self.is_local:
            path.fs.invalidate_cache(path.path)
        return path

    def _modes(self, path: Path) -> tuple[int, int] | None:
        """Of a folder and of a file there; None where the umask decides."""
        below = path.relative_to(self.local_path("")).parts if path.is_relative_to(self.local_path("")) else ()
        return _MODES.get(below[0]) if below else None

    def _make_folder(self, folder: Path) -> None:
        """Makes it with its parents."""
        missing = list(itertools.takewhile(lambda part: not part.is_dir(), (folder, *folder.parents)))
        for part in reversed(missing):
            part.mkdir(exist_ok=True)
            if modes := self._modes(part):
                part.chmod(modes[0])

    @contextlib.contextmanager
    def _explained(self, done: str, relative: str) -> Iterator[None]:
        """A file that is not there is the caller's to judge; where one was to be written, it is the bucket that is not."""
        try:
            yield
        except storage_errors() as error:
            if isinstance(error, FileNotFoundError) and done != "written":
                raise
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StorageError(f"{self.root}/{relative} cannot be {done}: {reason}", hint=_advice(error)) from None

    # -- tables -----------------------------------------------------------------------------------

    def write_table(self, relative: str, table: pa.Table) -> UPath:
        return self.write_bytes(relative, tables.to_parquet(table))

    def read_table(self, relative: str, schema: pa.Schema) -> pa.Table:
        return tables.from_parquet(self.read_bytes(relative), schema)

    # -- the contract's paths ---------------------------------------------------------------------

    @staticmethod
    def papers_file(day: date) -> str:
        return f"{tables.partition_folder('papers', day)}/papers.parquet"

    @staticmethod
    def summaries_file(day: date, language: str) -> str:
        return f"{tables.partition_folder('translated_summaries', day)}/language={language}/summaries.parquet"

    @staticmethod
    def ledger_file(day: date) -> str:
        return f"{tables.partition_folder('ledger', day)}/ledger.parquet"

    @staticmethod
    def digest_folder(language: str, day: date) -> str:
        return f"digests/{language}/{day.isoformat()}"

    @staticmethod
    def raw_folder(day: date) -> str:
        return f"raw/{day.isoformat()}"

    def days_of(self, table: str) -> list[date]:
        """The listing days that have a partition of this table, oldest first."""
        found: list[date] = []
        for name in self.names(table):
            with contextlib.suppress(ValueError):
                found.append(date.fromisoformat(name.removeprefix("date=")))
        return found


def _advice(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return "free space there, then run again: whole files are kept, half ones are not used"
    if number in _FORBIDDEN:
        return "see DIGEST_DATA_DIR, who owns the folder and whether the file system is mounted for writing"
    return "see DIGEST_DATA_DIR: the place, and for an object store its address, bucket, credentials and quota"


def _replace_file(target: Path, content: bytes, modes: tuple[int, int] | None, *, is_durable: bool) -> None:
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        if modes:
            temporary.chmod(modes[1])
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if is_durable:
        with _directory(target.parent) as folder:
            os.fsync(folder)


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

"""No secret goes onto the branch or the pages: files are looked through before they leave the runner."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from digest_pipeline.errors import HostedStateError
from digest_pipeline.notify.redact import secret_values
from digest_pipeline.settings import Settings

SHORTEST = 8
"""A shorter value would be found everywhere by chance."""


def secrets_of(settings: Settings, *further: str) -> tuple[str, ...]:
    """The values to look for: those of the settings, and what else the runner was given, such as the token for pushing."""
    return tuple(value for value in (*secret_values(settings), *further) if len(value) >= SHORTEST)


def require_no_secret(files: Iterable[Path], secrets: Sequence[str]) -> None:
    """Raises HostedStateError, naming the file and never the value, where one of `secrets` stands in it."""
    wanted = [secret.encode() for secret in secrets]
    for file in files if wanted else ():
        content = _readable(file)
        if any(secret in content for secret in wanted):
            raise HostedStateError(
                f"{file.name} holds the value of a secret, so nothing was pushed or published",
                hint=f"look at {file} of a run on a machine of your own; replace the key if it was shown anywhere",
            )


def _readable(file: Path) -> bytes:
    """The bytes as they were before compression."""
    if file.suffix == ".parquet":
        return "\n".join(str(column.to_pylist()) for column in pq.read_table(file).columns).encode()
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()

"""A Zotero library over its web interface, read with pyzotero (the extra `zotero`).

What lives here: asking for all top-level items once. What does not: keeping the answer (`lookup.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from digest_pipeline.errors import SettingsError, SourceError
from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, arxiv_id_in, as_library, entry_of

_NOT_PAPERS = {"attachment", "note", "annotation"}
_NAMING_KEYS = ("url", "DOI", "extra", "archiveID", "publicationTitle", "repository", "reportNumber")


def read(user: str, key: str) -> Library:
    """The user's whole library. Raises SettingsError where pyzotero is not installed or the key is refused, SourceError without an answer."""
    try:
        from pyzotero import zotero, zotero_errors
    except ImportError:
        raise SettingsError("a Zotero user is named, but pyzotero is not installed", hint="pip install 'digest-pipeline[zotero]'") from None
    client = zotero.Zotero(user, "user", key)
    try:
        return items_to_library(client.everything(client.top()))
    except zotero_errors.UserNotAuthorisedError:
        raise SettingsError(f"Zotero refuses the key for user {user}", hint="see zotero.org/settings/keys") from None
    except (zotero_errors.PyZoteroError, OSError) as error:
        raise SourceError(f"Zotero did not give the library of user {user}: {type(error).__name__}", hint="try again later") from None


def items_to_library(items: Iterable[Mapping[str, Any]]) -> Library:
    """Items as the web interface gives them."""
    return as_library(_read(item) for item in items if item["data"].get("itemType") not in _NOT_PAPERS)


def _read(item: Mapping[str, Any]) -> LibraryEntry | Problem:
    data = item["data"]
    return entry_of(
        "Zotero",
        str(item.get("key", "")),
        title=data.get("title") or "",
        abstract=data.get("abstractNote") or "",
        authors=[
            creator.get("name") or f"{creator.get('firstName', '')} {creator.get('lastName', '')}".strip() for creator in data.get("creators") or ()
        ],
        arxiv_id=next((found for name in _NAMING_KEYS if (found := arxiv_id_in(str(data.get(name) or "")))), ""),
    )

"""A Zotero library over its web interface, read with pyzotero (the extra `zotero`).

What lives here: asking for all top-level items, within a time. What does not: keeping the answer (`profiles.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from digest_pipeline.errors import SettingsError, SourceError
from digest_pipeline.ranking.library.entry import Library, LibraryEntry, Problem, as_library, entry_of, first_arxiv_id

ADDRESS = "https://api.zotero.org"
_NOT_PAPERS = {"attachment", "note", "annotation"}
_NAMING_KEYS = ("url", "DOI", "extra", "archiveID", "publicationTitle", "repository", "reportNumber")
_WHOLE_SECONDS = 300.0


def read(user: str, key: str) -> Library:
    """The user's whole library. Raises SettingsError where pyzotero is not installed or user or key are refused, SourceError without an answer."""
    try:
        import httpx2
        from pyzotero import zotero, zotero_errors
    except ImportError:
        raise SettingsError("a Zotero user is named, but pyzotero is not installed", hint="pip install 'digest-pipeline[zotero]'") from None

    def without_answer(why: str) -> SourceError:
        return SourceError(f"Zotero did not give the library of user {user}: {why}", hint="try again later")

    deadline = time.monotonic() + _WHOLE_SECONDS

    def within_time(answer: httpx2.Response) -> None:
        """pyzotero sleeps as long as the server bids it."""
        bidden = max((int(text) for name in ("Backoff", "Retry-After") if (text := answer.headers.get(name, "")).isdecimal()), default=0)
        if time.monotonic() + bidden > deadline:
            raise without_answer(f"it asks to wait {bidden} s" if bidden else f"it was not through after {_WHOLE_SECONDS:.0f} s")

    with httpx2.Client(follow_redirects=True, event_hooks={"response": [within_time]}) as http:
        client = zotero.Zotero(user, "user", key, client=http)
        client.endpoint = ADDRESS
        try:
            return items_to_library(client.everything(client.top()))
        except zotero_errors.UserNotAuthorisedError:
            raise SettingsError(f"Zotero refuses the key for user {user}", hint="see zotero.org/settings/keys") from None
        except zotero_errors.ResourceNotFoundError:
            raise SettingsError(f"Zotero knows no user {user}", hint="the number is at zotero.org/settings/keys; a name is none") from None
        except (zotero_errors.PyZoteroError, httpx2.HTTPError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise without_answer(type(error).__name__) from None


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
        arxiv_id=first_arxiv_id(data.get(name) for name in _NAMING_KEYS),
    )

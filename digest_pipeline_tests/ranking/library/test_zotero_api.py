"""A Zotero library read with pyzotero itself, from a server on loopback that pages, refuses, bids to wait and fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from digest_pipeline.errors import SettingsError, SourceError
from digest_pipeline.ranking.library import zotero_api
from digest_pipeline.ranking.profiles import Profile, read_profile_library
from digest_pipeline.storage import Storage
from digest_pipeline_tests.support.loopback import free_port
from digest_pipeline_tests.support.serving import serving

pytest.importorskip("pyzotero")

KEY, USER = "sesame", "1234567"
PROFILE = Profile.model_validate({"name": "ada", "zotero": {"user": USER, "key": KEY}})


class FakeZotero:
    """A library of 250 papers and two notes. `faults` are answered one after another first: (status, headers, body)."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, dict[str, str], bytes]] = []
        self.starts: list[int] = []
        self.items = [
            {
                "key": f"K{n}",
                "data": {"itemType": "preprint", "title": f"Paper {n}", "abstractNote": "Words.", "url": f"https://arxiv.org/abs/2401.{n:05d}"},
            }
            for n in range(1, 251)
        ]
        self.items += [{"key": f"N{n}", "data": {"itemType": "note", "note": "mine"}} for n in range(2)]

    def answer(self, handler: BaseHTTPRequestHandler, address: str) -> tuple[int, dict[str, str], bytes]:
        if self.faults:
            return self.faults.pop(0)
        url = urlsplit(handler.path)
        if handler.headers["Authorization"] != f"Bearer {KEY}":
            return 403, {}, b"Forbidden"
        if url.path != f"/users/{USER}/items/top":
            return 404, {}, b"Not found"
        query = parse_qs(url.query)
        start, limit = int(query.get("start", ["0"])[0]), min(int(query.get("limit", ["25"])[0]), 100)
        self.starts.append(start)
        headers = {"Content-Type": "application/json", "Total-Results": str(len(self.items))}
        if start + limit < len(self.items):
            headers["Link"] = f'<{address}{url.path}?limit={limit}&start={start + limit}>; rel="next"'
        return 200, headers, json.dumps(self.items[start : start + limit]).encode()


@pytest.fixture
def zotero(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeZotero]:
    fake = FakeZotero()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = fake.answer(self, zotero_api.ADDRESS)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as server:
        monkeypatch.setattr(zotero_api, "ADDRESS", f"http://127.0.0.1:{server.server_port}")
        yield fake


def test_a_library_of_many_pages_is_read_whole_and_notes_are_no_papers(zotero: FakeZotero) -> None:
    library = zotero_api.read(USER, KEY)
    assert [entry.arxiv_id for entry in library.entries] == [f"2401.{n:05d}" for n in range(1, 251)]
    assert library.problems == ()
    assert zotero.starts == [0, 100, 200]


@pytest.mark.parametrize(("user", "key", "says"), [(USER, "wrong", "refuses the key for user 1234567"), ("ada", KEY, "knows no user ada")])
def test_a_wrong_key_or_user_is_refused_with_the_place_to_look(zotero: FakeZotero, user: str, key: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as raised:
        zotero_api.read(user, key)
    assert "zotero.org/settings/keys" in raised.value.hint
    assert key not in f"{raised.value.message}{raised.value.hint}"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ((503, {}, b""), "HTTPError"),
        ((200, {"Content-Type": "application/json"}, b"<html>"), "JSONDecodeError"),
        ((429, {"Retry-After": "86400"}, b""), "it asks to wait 86400 s"),
    ],
)
def test_a_server_that_does_not_give_it_is_told_at_once(zotero: FakeZotero, fault: tuple[int, dict[str, str], bytes], says: str) -> None:
    zotero.faults = [fault]
    with pytest.raises(SourceError, match=f"did not give the library of user 1234567: {says}"):
        zotero_api.read(USER, KEY)


def test_a_short_wait_is_waited(zotero: FakeZotero) -> None:
    zotero.faults = [(429, {"Retry-After": "1"}, b"")]
    assert len(zotero_api.read(USER, KEY).entries) == 250


def test_a_library_that_takes_too_long_is_given_up(zotero: FakeZotero, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zotero_api, "_WHOLE_SECONDS", 0.0)
    with pytest.raises(SourceError, match="it was not through after 0 s"):
        zotero_api.read(USER, KEY)
    assert zotero.starts == [0]


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zotero_api, "ADDRESS", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SourceError, match="ConnectError"):
        zotero_api.read(USER, KEY)


def test_without_an_answer_the_library_as_it_last_was_is_used_and_that_is_said(zotero: FakeZotero, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    zotero.faults = [(503, {}, b"")]
    with pytest.raises(SourceError):
        read_profile_library(PROFILE, tmp_path, storage)
    whole = read_profile_library(PROFILE, tmp_path, storage)
    zotero.faults = [(503, {}, b"")]
    again = read_profile_library(PROFILE, tmp_path, storage)
    assert again.entries == whole.entries
    assert [str(problem) for problem in again.problems] == [
        "Zotero: the library as it last was is used: Zotero did not give the library of user 1234567: HTTPError"
    ]
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["zotero.jsonl"]

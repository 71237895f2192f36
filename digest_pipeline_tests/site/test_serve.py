"""`digest serve` shows the site as a host would: compressed, revalidated, in ranges, with the page for addresses without a file."""

from __future__ import annotations

import gzip
import http.client
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from digest_pipeline.errors import SettingsError
from digest_pipeline.site.serve import SiteServer, site_server

PAGE = "<!doctype html><title>论文</title>" + "<p>摘要</p>" * 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "zh/2026-06-02").mkdir(parents=True)
    for name in ("index.html", "zh/index.html", "404.html"):
        (site / name).write_text(PAGE + name, encoding="utf-8")
    (site / "zh/2026-06-02/all.jsonl").write_text('{"arxiv_id": "2606.00001"}\n' * 50)
    (site / ".build.json").write_text("{}")
    (tmp_path / "secret").write_text("outside")
    return site


@pytest.fixture
def server(folder: Path) -> Iterator[SiteServer]:
    with site_server(folder) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def get(server: SiteServer, path: str, headers: Mapping[str, str] = {}, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_pages_are_compressed_for_those_who_can_read_it(server: SiteServer) -> None:
    status, headers, body = get(server, "/zh/", {"Accept-Encoding": "gzip"})
    assert (status, headers["content-encoding"], headers["content-type"]) == (200, "gzip", "text/html; charset=utf-8")
    assert len(body) < len(PAGE) / 20
    assert gzip.decompress(body).decode() == f"{PAGE}zh/index.html"
    assert "content-encoding" not in get(server, "/zh/")[1]


def test_a_page_that_is_known_is_not_sent_again(server: SiteServer) -> None:
    _, headers, _ = get(server, "/zh/index.html")
    for known in ({"If-None-Match": headers["etag"]}, {"If-Modified-Since": headers["last-modified"]}):
        status, _, body = get(server, "/zh/index.html", known)
        assert (status, body) == (304, b"")
    assert headers["cache-control"] == "no-cache"


def test_a_part_of_a_file_is_a_part_of_its_own_bytes(server: SiteServer, folder: Path) -> None:
    whole = (folder / "zh/2026-06-02/all.jsonl").read_bytes()
    status, headers, body = get(server, "/zh/2026-06-02/all.jsonl", {"Range": "bytes=10-19", "Accept-Encoding": "gzip"})
    assert (status, body) == (206, whole[10:20])
    assert headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert headers["content-type"].startswith("application/x-ndjson")


def test_an_address_without_a_file_gets_the_page_that_finds_it(server: SiteServer) -> None:
    status, _, body = get(server, "/zh/paper/2606.00001/index.html")
    assert (status, body.decode()) == (404, f"{PAGE}404.html")


@pytest.mark.parametrize("path", ["/.build.json", "/zh/../../secret", "/..%2fsecret", "/%2e%2e/secret", "//etc/passwd", "/zh/%2ebuild"])
def test_nothing_hidden_and_nothing_outside_is_shown(server: SiteServer, path: str) -> None:
    status, _, body = get(server, path)
    assert status in (404, 400)
    assert b"outside" not in body


def test_nobody_can_write(server: SiteServer) -> None:
    assert get(server, "/zh/index.html", method="PUT")[0] == 405


def test_a_folder_without_a_site_and_a_port_in_use_are_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no site"):
        site_server(tmp_path)
    with site_server(folder) as made, pytest.raises(SettingsError, match="cannot be used"):
        site_server(folder, made.server_port)

"""A web page open in the operator's browser cannot make the webserver do anything; people and programs still can."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from digest_pipeline.orchestration.guard import Guard, allowed_hosts

HOSTS = allowed_hosts("https://digest.lab.example")


def ask(
    method: str = "GET", path: str = "/", query: str = "", kind: str = "http", host: str = "127.0.0.1:3000", **headers: str
) -> tuple[int, dict[str, str]]:
    """The status and headers that the guarded application answers; 200 comes from the application itself."""
    sent: list[MutableMapping[str, Any]] = []
    given = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": [(k.encode(), v.encode()) for k, v in given.items()]}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []} if kind == "http" else {"type": "websocket.accept"})

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Guard(application, HOSTS)(scope | ({"method": method} if kind == "http" else {}), receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}
    return {"websocket.accept": 101, "websocket.close": 1008}.get(sent[0]["type"], sent[0].get("status", 0)), answered


def test_the_ui_itself_works() -> None:
    own = {"origin": "http://127.0.0.1:3000", "sec_fetch_site": "same-origin"}
    assert ask("POST", "/graphql", content_type="application/json", **own)[0] == 200
    assert ask("GET", "/assets/x.js", sec_fetch_site="same-origin")[0] == 200
    assert ask(kind="websocket", path="/graphql", **own)[0] == 101


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1:8080", "[::1]:3000", "digest.lab.example", "DIGEST.lab.example:443"])
def test_our_own_names_are_let_in(host: str) -> None:
    assert ask(host=host)[0] == 200


def test_the_ui_behind_a_proxy_that_ends_tls_works() -> None:
    own = {"host": "digest.lab.example", "origin": "https://digest.lab.example", "sec_fetch_site": "same-origin"}
    assert ask("POST", "/graphql", content_type="application/json", **own)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3000", "", "a:b:c", "[::1"])
def test_a_name_made_to_point_to_loopback_is_refused(host: str) -> None:
    assert ask("POST", "/graphql", host=host, content_type="application/json")[0] == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000", "http://localhost:3000", "file://", "x"])
def test_a_request_of_another_page_is_refused_whatever_it_asks(origin: str) -> None:
    for method, path in (
        ("POST", "/graphql"),
        ("GET", "/graphql"),
        ("OPTIONS", "/graphql"),
        ("POST", "/report_asset_materialization/papers"),
        ("GET", "/"),
    ):
        assert ask(method, path, content_type="application/json", origin=origin)[0] == 403
    assert ask(kind="websocket", path="/graphql", origin=origin)[0] == 1008


@pytest.mark.parametrize("query", ["query=mutation%20%7B%20x%20%7D", "query=%7B%20version%20%7D", "operationName=a&query=", "QUERY=1&query=x"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_query_in_the_address_is_refused_by_any_method(method: str, query: str) -> None:
    for path in ("/graphql", "/graphql/", "/prefix/graphql"):
        assert ask(method, path, query, content_type="application/json")[0] == 405


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data", "application/graphql"],
)
def test_a_body_that_a_form_could_send_is_refused(content_type: str) -> None:
    assert ask("POST", "/graphql", content_type=content_type)[0] == 415


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_or_frame_of_another_page_is_refused_and_a_followed_link_is_not(site: str) -> None:
    assert ask(path="/logs/x", sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="image")[0] == 403
    assert ask(path="/runs/1", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe")[0] == 403
    assert ask(path="/graphql", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")[0] == 403
    assert ask(path="/runs/1", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="document")[0] == 200


def test_a_program_that_is_no_browser_works() -> None:
    assert ask("POST", "/graphql", content_type="application/json; charset=utf-8")[0] == 200


def test_a_probe_may_use_any_name_for_the_health_path_only() -> None:
    assert ask(path="/server_info", host="10.0.0.7:3000")[0] == 200
    assert ask("POST", "/server_info", host="10.0.0.7:3000")[0] == 421


def test_no_page_may_be_framed() -> None:
    assert ask()[1]["x-frame-options"] == "DENY"

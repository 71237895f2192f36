"""Dagster's webserver behind a guard, so that a web page open in the operator's browser can start nothing.

What lives here: an ASGI wrapper and the command that starts the webserver inside it. What does not: who may
log in (the webserver has no users; `deploy/nginx.conf` asks for a password).

The webserver runs mutations sent by anybody, even by GET with a foreign Origin, and listens on loopback where
every page of the operator's browser can reach it. Browsers, however, say where a request comes from, and a page
cannot change that. The guard therefore refuses:

    a Host that is not ours                                a name of somebody else's that points to 127.0.0.1
    an Origin that is not this very server (or `null`)     a form, a script or a WebSocket of a foreign page
    Sec-Fetch-Site: cross-site or same-site                an image, a frame or a script of a foreign page; a link that is
                                                           followed to a page (an alert's link to its run) is let through
    a query in the address of /graphql, by whatever method the webserver would execute it, GET or POST
    a POST to /graphql that is not application/json        what a browser sends without asking first
    being shown in a frame                                 a click on what the reader does not see

Programs that are no browser send none of these headers and work as before, as long as they name the right host.
`python -m digest_pipeline.orchestration.guard` takes all options of `dagster-webserver`, and `--allow-host NAME`.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HEALTH_PATH = "/server_info"
"""Answers probes under any host name; it tells versions and nothing else."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Guard:
    """Wraps an ASGI application. `hosts` are the names, without port, under which people open it."""

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif refusal := why_refused(scope, self.hosts):
            await _refuse(scope, receive, send, *refusal)
        else:
            await self.app(scope, receive, _without_frames(send))


def why_refused(scope: Scope, hosts: frozenset[str]) -> tuple[int, str] | None:
    """(HTTP status, reason) of a request that is not let through, else None."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(scope["headers"])
    }  # of doubles the first, as Starlette
    if scope["path"] == HEALTH_PATH and scope.get("method") == "GET":
        return None
    return _foreign_host(headers, hosts) or _foreign_origin(headers) or _foreign_page(scope, headers) or _unsafe_graphql(scope, headers)


def _foreign_host(headers: dict[str, str], hosts: frozenset[str]) -> tuple[int, str] | None:
    name = _host_and_port(f"http://{headers.get('host', '')}")[0]
    if name in hosts:
        return None
    return 421, f"this server is not {headers.get('host', '')!r}; it can be allowed with --allow-host or DIGEST_DAGSTER_URL"


def _foreign_origin(headers: dict[str, str]) -> tuple[int, str] | None:
    origin = headers.get("origin")
    if origin is None:
        return None
    scheme = urlsplit(origin).scheme
    if scheme in ("http", "https") and _host_and_port(origin) == _host_and_port(f"{scheme}://{headers['host']}"):
        return None
    return 403, f"a page of {origin!r} may not use this server"


def _foreign_page(scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return None
    follows_a_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document" and scope.get("method") == "GET"
    if follows_a_link and not _is_graphql(scope):
        return None
    return 403, "another site's page may not use this server"


def _unsafe_graphql(scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
    if scope["type"] != "http" or not _is_graphql(scope):
        return None
    if "query" in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        return 405, "a query in the address is refused; send it as the JSON body of a POST"
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if scope["method"] == "POST" and media_type != "application/json":
        return 415, "a GraphQL request is a POST with Content-Type: application/json"
    return None


def _is_graphql(scope: Scope) -> bool:
    return str(scope["path"]).rstrip("/").endswith("/graphql")


def _host_and_port(url: str) -> tuple[str | None, int | None]:
    """Lower-case host and effective port; (None, None) for what is no address."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None, None


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        return
    body = f"Refused: {reason}.\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_frames(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message.get("headers", []) if header[0].lower() != b"x-frame-options"]
            message = {**message, "headers": [*kept, (b"x-frame-options", b"DENY")]}
        await send(message)

    return send_with_header


# -- the command ----------------------------------------------------------------------------------


def install_guard(hosts: frozenset[str]) -> None:
    """Makes the webserver of this process build its application inside the guard; raises RuntimeError where it cannot."""
    import dagster_webserver.app
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    if getattr(dagster_webserver.app, "DagsterWebserver", None) is not DagsterWebserver:
        raise RuntimeError("this dagster-webserver is built differently, and cannot be guarded; use the version in requirements.lock")

    class GuardedWebserver(DagsterWebserver):  # type: ignore[type-arg]  # it takes none at run time
        def build_middleware(self) -> list[Middleware]:
            return [Middleware(Guard, hosts=hosts), *super().build_middleware()]

    dagster_webserver.app.DagsterWebserver = GuardedWebserver  # type: ignore[attr-defined]


def allowed_hosts(dagster_url: str, extra: Iterable[str] = ()) -> frozenset[str]:
    """Loopback, the host in DIGEST_DAGSTER_URL, and `extra`."""
    public = urlsplit(dagster_url).hostname
    return LOOPBACK_NAMES | {name.lower() for name in extra} | ({public} if public else set())


def _without_own_option(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(values of --allow-host, the other arguments)."""
    hosts: list[str] = []
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--allow-host":
            hosts.append(next(pending, ""))
        elif argument.startswith("--allow-host="):
            hosts.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    return hosts, rest


def main(arguments: Sequence[str] | None = None) -> None:
    from dagster_webserver.cli import cli

    from digest_pipeline.settings import load_settings

    extra, rest = _without_own_option(sys.argv[1:] if arguments is None else arguments)
    install_guard(allowed_hosts(load_settings().dagster_url, extra))
    cli(args=rest, auto_envvar_prefix="DAGSTER_WEBSERVER", prog_name="guarded dagster-webserver")


if __name__ == "__main__":
    main()

"""A web server on loopback to look at the finished site (`digest serve`), as a host would show it.

What lives here: serving one local folder of files, read-only, to this machine: compressed, revalidated by ETag, in ranges, with
`404.html` for an address without a file. What does not: publishing; any web server or object store can hold the folder
(`docs/deploying.md`).
"""

from __future__ import annotations

import argparse
import mimetypes
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest_pipeline.errors import SettingsError

_LOOPBACK = "127.0.0.1"
_TYPES = {".jsonl": "application/x-ndjson", ".bib": "text/plain", ".wasm": "application/wasm", ".js": "text/javascript", ".xml": "application/xml"}
_HEADERS = [(b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff")]


class SiteServer:
    """The server for one folder, bound to a port and serving once it is told to; `with` closes the port."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self._listener = listener
        self.server_port: int = listener.getsockname()[1]
        config = uvicorn.Config(site_app(folder), log_level="warning", access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)

    def serve_forever(self) -> None:
        """Returns after `shutdown` or an interrupt."""
        self._server.run(sockets=[self._listener])

    def shutdown(self) -> None:
        """From another thread; open answers are finished first."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def site_app(folder: Path) -> ASGIApp:
    """The site as an ASGI application."""
    for suffix, kind in _TYPES.items():
        mimetypes.add_type(kind, suffix)
    files = Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])
    compressed = GZipMiddleware(files, minimum_size=500, compresslevel=6)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        if any(part.startswith(".") for part in scope["path"].split("/")):
            scope["path"] = "/ "  # answered like any address without a file
        # A part of a file is a part of its own bytes, not of compressed ones.
        wants_part = any(name == b"range" for name, _ in scope["headers"])
        await (files if wants_part else compressed)(scope, receive, send_with_headers)

    return app


def site_server(folder: Path, port: int = 0) -> SiteServer:
    """A server for `folder`, bound to loopback (0: any free port) but not yet serving; raises SettingsError."""
    if not (folder / "index.html").is_file():
        raise SettingsError(f"there is no site in {folder}", hint="build it first, e.g. with `make run`")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise SettingsError(f"port {port} cannot be used: {error.strerror}", hint="name another one with --port") from error
    return SiteServer(folder, listener)


def serve(folder: Path, port: int) -> None:
    """Serves until interrupted (Ctrl-C), after printing the address."""
    with site_server(folder, port) as server:
        print(f"{folder} at http://{_LOOPBACK}:{server.server_port}/  (Ctrl-C stops it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m digest_pipeline.site.serve [FOLDER] [--port N]`; without a folder, the site of the current settings."""
    parser = argparse.ArgumentParser(prog="digest serve", description="Serve the finished site on loopback.")
    parser.add_argument("folder", nargs="?", type=Path, help="the site's folder; default: site/ in the data directory")
    parser.add_argument("--port", type=int, default=8008)
    given = parser.parse_args(arguments)
    serve(given.folder or _settings_folder(), given.port)


def _settings_folder() -> Path:
    from digest_pipeline.settings import load_settings
    from digest_pipeline.storage import Storage

    storage = Storage(load_settings().data_root)
    if not storage.is_local:
        raise SettingsError(f"the data lies in {storage.root}", hint="open the object store's own web address, or name a local copy of site/")
    return storage.local_path("site")


if __name__ == "__main__":
    main()

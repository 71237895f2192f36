"""A small web server on loopback to look at the finished site (`make serve`); search needs one, the rest does not.

What lives here: serving one local folder of files, read-only, to this machine. What does not: publishing;
any web server or object store can hold the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from digest_pipeline.errors import SettingsError

_LOOPBACK = "127.0.0.1"


class SiteRequestHandler(SimpleHTTPRequestHandler):
    """Files as they are: never kept by the browser beyond this visit, and no lists of folders or hidden files."""

    extensions_map = {  # noqa: RUF012 (the base class's own shape)
        **SimpleHTTPRequestHandler.extensions_map,
        ".xml": "application/xml; charset=utf-8",
        ".json": "application/json; charset=utf-8",
        ".jsonl": "application/x-ndjson; charset=utf-8",
        ".bib": "text/plain; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def send_head(self):  # type: ignore[no-untyped-def]  # the base class's type is private
        if "/." in self.path:
            self.send_error(404)
            return None
        return super().send_head()

    def list_directory(self, path):  # type: ignore[no-untyped-def]  # noqa: ARG002 (as above)
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: whoever looks at their own pages needs no log."""


def site_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server for `folder`, bound to loopback (0: any free port) but not yet serving; raises SettingsError."""
    if not (folder / "index.html").is_file():
        raise SettingsError(f"there is no site in {folder}", hint="build it first, e.g. with `make run`")
    try:
        return ThreadingHTTPServer((_LOOPBACK, port), partial(SiteRequestHandler, directory=str(folder)))
    except OSError as error:
        raise SettingsError(f"port {port} cannot be used: {error.strerror}", hint="name another one with --port") from error


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

"""A real S3-compatible server (moto's) on loopback, with the environment that points clients at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """For as long as the block runs, this process's S3 clients talk to it; gives the environment for other processes."""
    moto = pytest.importorskip("moto.server", reason="moto is installed in the slow suite only")
    import s3fs

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "loopback",
        "AWS_SECRET_ACCESS_KEY": "loopback",  # pragma: allowlist secret
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = dict(os.environ)
    os.environ.update(environ)
    s3fs.S3FileSystem.clear_instance_cache()  # instances are kept by their arguments, not by the address in the environment
    try:
        yield environ
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        os.environ.clear()
        os.environ.update(before)
        server.stop()

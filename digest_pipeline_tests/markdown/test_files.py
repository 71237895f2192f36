"""A digest on disk: its parts, and what an earlier, larger one left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from digest_pipeline.markdown import files
from digest_pipeline.markdown.files import write_digest
from digest_pipeline.markdown.render import render_digest
from digest_pipeline.models import DayLedger, DigestEntry
from digest_pipeline.storage import Storage
from digest_pipeline.translation.languages import load_language
from digest_pipeline_tests.support.digest_days import facts, ledger_of, paper, summary

ENTRIES = [DigestEntry(paper(f"2606.{n:05}"), summary(f"2606.{n:05}")) for n in range(1, 41)]


def write(storage: Storage, entries: Sequence[DigestEntry]) -> DayLedger:
    def ledger(ids: Sequence[str]) -> DayLedger:
        return ledger_of(entries, rendered=len(ids))

    return write_digest(storage, facts(), entries, load_language("zh"), category="cs.CL", ledger_of=ledger, model="m", generator="g")


def test_the_ledger_counts_over_all_parts_and_parts_of_a_larger_digest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(*given: object, **named: object) -> tuple[str, ...]:
        return render_digest(*given, largest=12_000, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "render_digest", small)
    storage = Storage(tmp_path)
    assert write(storage, ENTRIES).rendered == 40
    folder = storage.digest_folder("zh", facts().listing_date)
    written = storage.names(folder)
    assert written[:3] == ["cs.CL-2.md", "cs.CL-3.md", "cs.CL-4.md"]
    assert "cs.CL.md" in written
    storage.write_text(f"{folder}/cs.CL-notes.md", "a reader's own file")
    write(storage, ENTRIES[:3])
    assert storage.names(folder) == ["cs.CL-notes.md", "cs.CL.md"]

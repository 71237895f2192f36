"""Reading tables leaves nothing behind that could end the process badly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from digest_pipeline import tables
from digest_pipeline_tests.support.answers import PAPER

READ_AND_COUNT = """
import sys
from pathlib import Path
from digest_pipeline import tables
before = len(list(Path("/proc/self/task").iterdir()))
for _ in range(5):
    tables.from_parquet(Path(sys.argv[1]).read_bytes(), tables.PAPERS)
print(len(list(Path("/proc/self/task").iterdir())) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by Linux's /proc")
def test_reading_a_table_starts_no_thread_that_could_outlive_the_interpreter(tmp_path: Path) -> None:
    """With Arrow's pool, one run in some dozens ended with "terminate called without an active exception"."""
    file = tmp_path / "papers.parquet"
    file.write_bytes(tables.to_parquet(tables.papers_to_table([PAPER] * 50)))
    done = subprocess.run([sys.executable, "-c", READ_AND_COUNT, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"

"""`docs/translation.md` says what the code does, where the two can be compared."""

from __future__ import annotations

import re
from pathlib import Path

from digest_pipeline.settings import Settings, setting_name
from digest_pipeline.translation.attempts import MOST_ANSWERS, MOST_CUTS, MOST_REJECTIONS, MOST_TROUBLES
from digest_pipeline.translation.batch.submit import MOST_REQUESTS, MOST_TRIES
from digest_pipeline.translation.cache.lease_owner import LEASE_SECONDS
from digest_pipeline.translation.flags import as_markdown
from digest_pipeline.translation.languages import load_language
from digest_pipeline.translation.llm.rate_limit import PacingLimits

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "translation.md").read_text(encoding="utf-8")


def test_every_finding_is_in_the_table_as_the_code_has_it() -> None:
    assert as_markdown(load_language("en").labels["flags"]).strip() in TEXT


def test_every_setting_it_names_exists() -> None:
    known = {setting_name(field) for field in Settings.model_fields}
    assert set(re.findall(r"`((?:DIGEST|OPENAI)_[A-Z_]+)", TEXT)) <= known


def test_every_file_it_points_to_exists_or_is_made_by_a_command() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)", TEXT)) - {"performance.md"}
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_its_numbers_are_the_codes() -> None:
    assert (MOST_REJECTIONS, MOST_ANSWERS, MOST_CUTS, MOST_TROUBLES, MOST_TRIES) == (3, 5, 2, 8, 3)
    assert f"{MOST_REQUESTS:,} questions" in TEXT
    assert f"has not answered for {PacingLimits(most_at_once=1).longest_outage:.0f} s" in TEXT
    assert f"{LEASE_SECONDS:.0f} seconds after its last sign of life" in TEXT

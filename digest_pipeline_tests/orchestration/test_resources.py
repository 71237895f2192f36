"""The clients that steps are given: each is made of the settings that its resource shows, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from digest_pipeline.clients import DigestOptions, utc_now
from digest_pipeline.orchestration.resources import SettingsResource, all_resources
from digest_pipeline.settings import Settings, load_settings


def settings_of(folder: Path) -> Settings:
    (folder / "profiles.toml").write_text('[[profile]]\nname = "ada"\ncategories = ["cs.CL"]\n')
    environ = {
        "DIGEST_DATA_DIR": str(folder / "data"),
        "DIGEST_DEMO": "false",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "DIGEST_TRANSLATE": "ranked:7",
    }
    return load_settings(environ | {"DIGEST_PROFILES_FILE": str(folder / "profiles.toml")}, folder)


@contextmanager
def recorded_reads() -> Iterator[set[str]]:
    """The names of settings that are read while the block runs."""
    read: set[str] = set()

    def look(settings: Settings, name: str) -> Any:
        if name in Settings.model_fields:
            read.add(name)
        return object.__getattribute__(settings, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "__getattribute__", look)
        yield read


@pytest.mark.parametrize("name", ["listing_fetcher", "translator", "digest_options", "site_options", "arxiv_html", "reading_options"])
def test_a_client_is_made_of_the_settings_that_its_resource_shows(name: str, tmp_path: Path) -> None:
    resource = all_resources(settings_of(tmp_path), utc_now)[name]
    assert isinstance(resource, SettingsResource)
    with recorded_reads() as read, dg.build_resources({name: resource}):
        pass
    assert read - set(type(resource).model_fields) == set()


def test_how_many_papers_are_translated_reaches_the_step(tmp_path: Path) -> None:
    with dg.build_resources({"digest_options": all_resources(settings_of(tmp_path), utc_now)["digest_options"]}) as resources:
        options = resources.digest_options
    assert isinstance(options, DigestOptions)
    assert options.translated_best == 7

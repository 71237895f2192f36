"""Settings: where they come from, and refusals that name the setting, the value and what is allowed."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import SettingsError
from digest_pipeline.settings import Settings, load_settings, setting_name


def test_the_defaults_are_what_the_readme_promises(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.categories == ("cs.CL", "cs.IR")
    assert settings.languages == ("zh",)
    assert settings.arxiv_api_url == "https://export.arxiv.org/api/query"
    assert settings.arxiv_rss_url == "https://rss.arxiv.org/rss"
    assert settings.arxiv_interval_seconds == 3
    assert settings.first_listing == date(2024, 1, 2)


def test_the_environment_beats_env_file_beats_toml_beats_default(tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text('categories = ["econ"]\nmodel = "from-toml"\ncontact = "toml"\n')
    (tmp_path / ".env").write_text("DIGEST_MODEL=from-env-file\nDIGEST_CONTACT=env-file\nUNRELATED=x\n")
    settings = load_settings({"DIGEST_CONTACT": "environment", "PATH": "/bin"}, tmp_path)
    assert (settings.categories, settings.model, settings.contact) == (("econ",), "from-env-file", "environment")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DIGEST_CATEGORIES", "cs.XX", r"cs\.XX.*near names"),
        ("DIGEST_CATEGORIES", "cs.CL,,cs.IR", "no empty one"),
        ("DIGEST_CATEGORIES", ",", "at least one"),
        ("DIGEST_LANGUAGES", "klingon", "allowed: .*zh"),
        ("DIGEST_FIRST_LISTING", "2024-13-01", "2024-13-01"),
        ("DIGEST_FIRST_LISTING", "2006-01-02", "2007-04-02"),
        ("DIGEST_MAX_CONCURRENCY", "0", "greater than or equal to 1"),
        ("DIGEST_ARXIV_API_URL", "ftp://x", "http"),
        ("DIGEST_BATCH", "sometimes", "never"),
        ("DIGEST_MAIL_TO", "Last, First <first@example.org>", "'Last' is no mail address.*in quotes"),
        ("DIGEST_MAIL_FROM", "a@x.org, b@x.org", "one address"),
        ("OPENAI_BASE_URL", "127.0.0.1:8080/v1", "http"),
        ("DIGEST_SITE_URL", "digest.example.org", "http"),
        ("DIGEST_DAGSTER_URL", "dagster.example.org", "http"),
        ("OPENAI_API_KEY", "sk-…", "neither blanks nor characters beyond ASCII"),
        ("DIGEST_DATA_DIR", "~nobody-of-that-name/data", "home"),
    ],
)
def test_a_bad_value_is_refused_with_the_settings_name_and_what_is_allowed(name: str, value: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{name}.*{says}"):
        load_settings({name: value}, tmp_path)


@pytest.mark.parametrize("where", ["environment", "env file", "toml"])
def test_an_unknown_name_is_refused_with_the_nearest_known_one(where: str, tmp_path: Path) -> None:
    if where == "env file":
        (tmp_path / ".env").write_text("DIGEST_CATEGORYS=cs.CL\n")
    if where == "toml":
        (tmp_path / "digest.toml").write_text('categorys = ["cs.CL"]\n')
    with pytest.raises(SettingsError, match=r"DIGEST_CATEGORYS.*DIGEST_CATEGORIES"):
        load_settings({"DIGEST_CATEGORYS": "cs.CL"} if where == "environment" else {}, tmp_path)


def test_a_broken_toml_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "digest.toml").write_text("categories = [\n")
    with pytest.raises(SettingsError, match=r"not valid TOML.*line"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize(("name", "line"), [("digest.toml", 'contact = "张三"'), (".env", "DIGEST_CONTACT=张三")])
def test_a_file_is_read_as_utf_8_with_or_without_its_mark_and_refused_in_words_otherwise(name: str, line: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / name).write_text(line, encoding=encoding)
        assert load_settings({}, tmp_path).contact == "张三"
    (tmp_path / name).write_text(line, encoding="gb18030")
    with pytest.raises(SettingsError, match=rf"{name} cannot be read.*UTF-8"):
        load_settings({}, tmp_path)


@given(st.text(), st.sampled_from(["digest.toml", ".env"]))
def test_a_settings_file_is_read_or_refused_whatever_is_in_it(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(text, encoding="utf-8", newline="")
        with contextlib.suppress(SettingsError):
            load_settings({}, Path(folder))


def test_paths_begin_at_the_project_wherever_one_stands_and_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = {
        "DIGEST_DATA_DIR": "data/lab",
        "DIGEST_ANSWERS_DIR": "~/answers",
        "DIGEST_WATCH_FILE": "lists/watch.toml",
        "DIGEST_PRICES_FILE": "~/p.toml",
    }
    settings = load_settings(given | {"DIGEST_SKIPPED_EVENINGS_FILE": "/etc/skipped.csv", "DIGEST_DEMO": "false"}, tmp_path)
    assert settings.data_root == str(tmp_path / "data" / "lab")
    assert settings.answers_root == str(tmp_path / "home" / "answers")
    assert settings.watch_file == tmp_path / "lists" / "watch.toml"
    assert settings.prices_file == tmp_path / "home" / "p.toml"
    assert settings.skipped_evenings_file == Path("/etc/skipped.csv")
    assert load_settings({"DIGEST_DEMO": "false"}, tmp_path).data_root == str(tmp_path / "data")
    assert load_settings({"DIGEST_DATA_DIR": "s3://bucket/digest", "DIGEST_DEMO": "false"}, tmp_path).data_root == "s3://bucket/digest"


def test_a_pasted_key_and_address_lose_what_came_along(tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_API_KEY": " sk-abc\n", "OPENAI_BASE_URL": " http://127.0.0.1:1/v1 "}, tmp_path)
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-abc"
    assert settings.openai_base_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize("query", ["", "?api-version=1"])
def test_the_whole_address_of_a_vendors_page_will_do(query: str, tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_BASE_URL": f"https://llm.example.org/v1/chat/completions{query}"}, tmp_path)
    assert settings.openai_base_url == f"https://llm.example.org/v1{query}"


def test_recipients_are_read_as_mail_programs_write_them(tmp_path: Path) -> None:
    settings = load_settings({"DIGEST_MAIL_TO": '"Last, First" <first@example.org>; 读者 <reader@例子.测试>'}, tmp_path)
    assert settings.mail_to == ('"Last, First" <first@example.org>', "读者 <reader@xn--fsqu00a.xn--0zwm56d>")
    (tmp_path / "digest.toml").write_text('mail_to = ["a@x.org", "B <b@x.org>"]\n')
    assert load_settings({}, tmp_path).mail_to == ("a@x.org", "B <b@x.org>")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_API_KEY": "", "DIGEST_MODEL": ""}, tmp_path)
    assert settings.is_sample
    assert settings.model


@pytest.mark.parametrize(
    ("environ", "is_sample"),
    [
        ({}, True),
        ({"OPENAI_API_KEY": "k"}, False),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, False),
        ({"OPENAI_API_KEY": "k", "DIGEST_DEMO": "true"}, True),
        ({"DIGEST_DEMO": "0"}, False),
    ],
)
def test_the_sample_runs_exactly_without_key_and_endpoint_unless_told(environ: dict[str, str], is_sample: bool, tmp_path: Path) -> None:
    settings = load_settings(environ, tmp_path)
    assert settings.is_sample is is_sample
    assert settings.data_root.endswith("data/sample") is is_sample


def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    settings = load_settings({"OPENAI_API_KEY": "sk-very-secret", "DIGEST_ALERT_URLS": "slack://tokenA/tokenB"}, tmp_path)
    assert "sk-very-secret" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "tokenA" not in repr(settings) + settings.model_dump_json()


def test_every_setting_has_a_description_for_the_generated_page() -> None:
    assert [setting_name(name) for name, field in Settings.model_fields.items() if not field.description] == []

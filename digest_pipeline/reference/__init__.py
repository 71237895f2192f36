"""The reference documents made from code: `docs/formats.md`, `docs/settings.md`, `docs/cost.md`.

    python -m digest_pipeline.reference --write docs      writes them
    python -m digest_pipeline.reference --check docs      status 1 where a committed file is out of date

What lives here: gathering what the code says of itself (schemas, settings, enumerations, flags, prices, imports) for
the templates beside this module. What does not: the words of the documents, which stand in those templates, and the
facts, which stand where they are used.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from digest_pipeline import models, tables
from digest_pipeline.models import AnnounceType, Evidence, ListingInfo, SummaryStatus
from digest_pipeline.settings import Settings, setting_name


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    nullable: bool
    description: str


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class SettingGroup:
    heading: str
    settings: tuple[Setting, ...]


def formats_markdown() -> str:
    """`docs/formats.md`: every file below the data directory, with the tables' columns."""
    from digest_pipeline.site.exports.jsonl import JSONL_FIELDS
    from digest_pipeline.site.statistics import CSV_COLUMNS
    from digest_pipeline.translation.flags import FlagCode
    from digest_pipeline.weekly.digest import WEEK_VERSION, WEEKS_BEFORE
    from digest_pipeline.weekly.trends import LEAST_EARLIER_WEEKS

    return _render(
        "formats.md.jinja",
        tables={name: (tables.describe(schema), _version(schema), tuple(columns(schema))) for name, schema in tables.TABLES.items()},
        enumerations={
            "announce_type": member_docs(AnnounceType),
            "evidence": member_docs(Evidence),
            "status": member_docs(SummaryStatus),
        },
        flags=FlagCode,
        facts=tuple(field.name for field in fields(ListingInfo)),
        jsonl_fields=JSONL_FIELDS,
        statistics_columns=CSV_COLUMNS,
        week_version=WEEK_VERSION,
        weeks_before=WEEKS_BEFORE,
        least_weeks=LEAST_EARLIER_WEEKS,
    )


def settings_markdown() -> str:
    """`docs/settings.md`: every setting with kind, default and meaning, grouped as in `settings.py`."""
    return _render("settings.md.jinja", groups=tuple(setting_groups()))


def cost_markdown() -> str:
    """`docs/cost.md`: what papers cost by the price table."""
    from digest_pipeline.reference import cost

    return _render("cost.md.jinja", **cost.facts())


DOCUMENTS = {"formats.md": formats_markdown, "settings.md": settings_markdown, "cost.md": cost_markdown}
"""File below `docs/` → what makes it."""


def write_documents(folder: Path) -> list[Path]:
    """Writes the documents; returns those that changed."""
    changed: list[Path] = []
    for path, text in _due(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def outdated_documents(folder: Path) -> list[Path]:
    """The documents in `folder` that differ from what the code says now, missing ones too."""
    return [path for path, _ in _due(folder)]


def _due(folder: Path) -> Iterator[tuple[Path, str]]:
    for name, make in DOCUMENTS.items():
        path, text = folder / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield path, text


# -- what the code says of itself -------------------------------------------------------------------


def columns(schema: pa.Schema) -> Iterator[Column]:
    for field in schema:
        yield Column(field.name, str(field.type).replace("item: ", ""), field.nullable, (field.metadata or {})[b"description"].decode())


def _version(schema: pa.Schema) -> str:
    return str((schema.metadata or {})[b"schema_version"].decode())


def member_docs(kind: type[StrEnum]) -> dict[str, str]:
    """Value → the string that follows the member in the source; python keeps none at run time."""
    tree = ast.parse(inspect.getsource(models))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    found: dict[str, str] = {}
    for here, after in pairwise(body):
        if isinstance(here, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[ast.literal_eval(here.value)] = " ".join(str(after.value.value).split())
    return {member.value: found[member.value] for member in kind}


def setting_groups() -> Iterator[SettingGroup]:
    """The settings under the comment lines that head them in `settings.py`."""
    schema = Settings.model_json_schema(by_alias=False)
    heading = ""
    group: list[Setting] = []
    for line in inspect.getsource(Settings).splitlines():
        if match := re.match(r"    # (.+)", line):
            if group:
                yield SettingGroup(heading, tuple(group))
            heading, group = match[1], []
        elif (match := re.match(r"    (\w+): ", line)) and match[1] in Settings.model_fields:
            group.append(_setting(match[1], schema["properties"][match[1]], schema.get("$defs", {})))
    yield SettingGroup(heading, tuple(group))


def _setting(field: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Setting:
    return Setting(setting_name(field), _kind(schema, definitions), _default(schema.get("default")), Settings.model_fields[field].description or "")


def _kind(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return _kind(next(one for one in schema["anyOf"] if one.get("type") != "null"), definitions) + ", optional"
    if "$ref" in schema:
        return _kind(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if schema["type"] == "array":
        return f"comma list ({_kind(schema['items'], definitions)})" if schema["items"].get("format") else "comma list"
    names = {"password": "secret", "path": "file", "date": "date `YYYY-MM-DD`", "time": "time `HH:MM`"}
    kind = names.get(
        schema.get("format", ""), {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}[schema["type"]]
    )
    return kind + "".join(_limits(schema))


def _limits(schema: dict[str, Any]) -> Iterator[str]:
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤")):
        if key in schema:
            yield f", {sign} {schema[key]:g}"


def _default(value: Any) -> str:
    if value in (None, "", []):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`{','.join(map(str, value))}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("digest_pipeline.reference", "."),
        autoescape=False,  # noqa: S701  Markdown for people, from our own code alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|")
    text: str = environment.get_template(template).render(values)
    return text

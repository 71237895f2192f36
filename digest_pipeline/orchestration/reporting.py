"""A step's plain report → what Dagster shows: metadata, column schemas, check evaluations.

What lives here: the translation of values into Dagster's types. What does not: which values there are
(`stages.py`, `tables.py`).
"""

import base64
from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from digest_pipeline.stages import Finding, StageReport


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """A table's columns with types and descriptions, for the asset's page."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=(field.metadata or {}).get(b"description", b"").decode(),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def materialization(asset: str, partition_key: str, report: StageReport, location: str) -> dg.AssetMaterialization:
    """What one step made of one listing day."""
    metadata: dict[str, dg.MetadataValue] = {
        "path": dg.MetadataValue.path(location),
        "dagster/partition_row_count": dg.MetadataValue.int(report.rows),
        **{name: _value(number) for name, number in report.numbers.items()},
    }
    if report.preview:
        metadata["preview"] = dg.MetadataValue.md(report.preview)
    if report.figure:
        metadata["figure"] = dg.MetadataValue.md(f"![{asset} {partition_key}](data:image/png;base64,{base64.b64encode(report.figure).decode()})")
    return dg.AssetMaterialization(asset, partition=partition_key, metadata=metadata)


def _value(number: int | float | str | bool | None) -> dg.MetadataValue:
    match number:
        case None:
            return dg.MetadataValue.null()
        case bool():
            return dg.MetadataValue.bool(number)
        case int():
            return dg.MetadataValue.int(number)
        case float():
            return dg.MetadataValue.float(number)
    return dg.MetadataValue.text(number)


def check_evaluation(asset: str, partition_key: str | None, finding: Finding) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=finding.name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.WARN if finding.is_warning else dg.AssetCheckSeverity.ERROR,
        description=finding.description,
        metadata={"what": dg.MetadataValue.text(finding.description)},
        partition=partition_key,
    )


def failure(description: str, metadata: Mapping[str, str]) -> dg.Failure:
    """A failure that no retry of the same step can mend."""
    return dg.Failure(description, metadata={name: dg.MetadataValue.text(text) for name, text in metadata.items()}, allow_retries=False)

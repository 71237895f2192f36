"""Values and tables → what Dagster shows of a materialization: numbers that plot over time, column schemas, previews.

What does not live here: which values there are (the assets).
"""

import base64
from collections.abc import Mapping

import dagster as dg
import pandas as pd
import pyarrow as pa

SHOWN_ROWS = 12
_LONGEST_CELL = 120


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


def metadata(location: str, rows: int, numbers: Mapping[str, int | float | str | None], **more: dg.MetadataValue) -> dict[str, dg.MetadataValue]:
    """What every materialization carries: where it lies, how many rows, and its numbers."""
    return {
        "path": dg.MetadataValue.path(location),
        "dagster/partition_row_count": dg.MetadataValue.int(rows),
        **{name: number(value) for name, value in numbers.items()},
        **more,
    }


def number(value: int | float | str | None) -> dg.MetadataValue:
    match value:
        case None:
            return dg.MetadataValue.null()
        case int():
            return dg.MetadataValue.int(value)
        case float():
            return dg.MetadataValue.float(value)
    return dg.MetadataValue.text(value)


def preview(table: pd.DataFrame) -> dg.MetadataValue:
    """The first rows as a Markdown table; text that would break it is changed in the picture only."""
    shown = table.head(SHOWN_ROWS).map(lambda cell: str(cell).replace("|", "∣").replace("\n", " ")[:_LONGEST_CELL])
    return dg.MetadataValue.md(shown.to_markdown(index=False, disable_numparse=True) if len(shown) else "no rows")


def picture(svg: bytes, title: str) -> dg.MetadataValue:
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})")

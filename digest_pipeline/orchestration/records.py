"""Dagster's records of a day as a small file beside the data, and back: a clone shows every day as it was made.

`records/date=<day>/records.json` holds what each asset's newest materialization of that
day said (without pictures), and its checks. What lives here: reading and reporting events. What does not: where the
files are kept (`hosted/branch.py`).

Dagster's own word: https://docs.dagster.io/guides/build/assets/external-assets (reporting events without a run)
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from digest_pipeline.storage import Storage

_TO_JSON: dict[type, Callable[[Any], tuple[str, Any]]] = {
    dg.IntMetadataValue: lambda value: ("int", value.value),
    dg.FloatMetadataValue: lambda value: ("float", value.value),
    dg.BoolMetadataValue: lambda value: ("bool", value.value),
    dg.TextMetadataValue: lambda value: ("text", value.text),
    dg.PathMetadataValue: lambda value: ("path", value.path),
    dg.MarkdownMetadataValue: lambda value: ("md", value.md_str),
    dg.UrlMetadataValue: lambda value: ("url", value.url),
}
_PICTURE = "data:image/"
_FIELD_LIMIT = 20_000


def keep_records(storage: Storage, day: date, instance: dg.DagsterInstance | None = None) -> None:
    """Writes what Dagster has recorded of a day; nothing where it has recorded nothing."""
    with _instance(instance) as dagster:
        assets = {key.to_user_string(): kept for key in dagster.get_asset_keys() if (kept := _newest(dagster, key, day.isoformat()))}
        checks = list(_checks(dagster, {kept["run_id"] for kept in assets.values()}, day.isoformat()))
    if assets:
        storage.write_text(records_file(day), json.dumps({"assets": assets, "checks": checks}, ensure_ascii=False, indent=1))


def report_records(storage: Storage, instance: dg.DagsterInstance | None = None) -> int:
    """Tells Dagster of every kept day that it does not show yet; returns how many days it was told of."""
    told = 0
    with _instance(instance) as dagster:
        known: dict[str, set[str]] = {}
        for day in storage.days_of("records"):
            kept = json.loads(storage.read_text(records_file(day)))
            new = [asset for asset in kept["assets"] if day.isoformat() not in _known(dagster, asset, known)]
            for asset in new:
                dagster.report_runless_asset_event(_materialization(asset, day, kept["assets"][asset]))
            for check in kept["checks"]:
                if check["asset"] in new:
                    dagster.report_runless_asset_event(_evaluation(check, day))
            told += bool(new)
    return told


def records_file(day: date) -> str:
    return f"records/date={day.isoformat()}/records.json"


@contextlib.contextmanager
def _instance(given: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    """The given instance, left open; else that of DAGSTER_HOME, closed at the end."""
    if given is not None:
        yield given
        return
    with dg.DagsterInstance.get() as own:
        yield own


def _known(instance: dg.DagsterInstance, asset: str, cache: dict[str, set[str]]) -> set[str]:
    if asset not in cache:
        cache[asset] = set(instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset)))
    return cache[asset]


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> dict[str, Any] | None:
    found = instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[partition]), limit=1).records
    event = found[0].asset_materialization if found else None
    if event is None:
        return None
    return {"made_at_utc": datetime.fromtimestamp(found[0].timestamp, UTC).isoformat(), "run_id": found[0].run_id, "metadata": _plain(event.metadata)}


def _checks(instance: dg.DagsterInstance, run_ids: set[str], partition: str) -> Iterator[dict[str, Any]]:
    for run_id in sorted(run_ids):
        for record in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION) if run_id else ():
            found = record.dagster_event.asset_check_evaluation_data if record.dagster_event else None
            if found is not None and found.partition in (None, partition):
                yield {
                    "asset": found.asset_key.to_user_string(),
                    "check": found.check_name,
                    "passed": found.passed,
                    "severity": found.severity.value,
                    "description": found.description,
                    "metadata": _plain(found.metadata),
                }


def _plain(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, tuple[str, Any]]:
    """Numbers, words and links; pictures and long previews stay in the Dagster that made them."""
    plain = {name: _TO_JSON[type(value)](value) for name, value in metadata.items() if type(value) in _TO_JSON}
    return {
        name: (kind, value)
        for name, (kind, value) in plain.items()
        if not (isinstance(value, str) and (_PICTURE in value or len(value) > _FIELD_LIMIT))
    }


def _metadata(plain: Mapping[str, tuple[str, Any]]) -> dict[str, dg.MetadataValue]:
    return {name: getattr(dg.MetadataValue, kind)(value) for name, (kind, value) in plain.items()}


def _materialization(asset: str, day: date, kept: Mapping[str, Any]) -> dg.AssetMaterialization:
    metadata = {**_metadata(kept["metadata"]), "made_at_utc": dg.MetadataValue.text(kept["made_at_utc"])}
    return dg.AssetMaterialization(dg.AssetKey.from_user_string(asset), partition=day.isoformat(), metadata=metadata)


def _evaluation(check: Mapping[str, Any], day: date) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey.from_user_string(check["asset"]),
        check_name=check["check"],
        passed=check["passed"],
        severity=dg.AssetCheckSeverity(check["severity"]),
        description=check["description"],
        metadata=_metadata(check["metadata"]),
        partition=day.isoformat(),
    )

"""Definitions of your own around the pipeline's: another provider, one more asset. Nothing of the pipeline is changed.

    dagster asset materialize -m examples.own_definitions --select ris_file --partition 2026-01-15

MODEL_COMMAND names the program that `command_provider.py` asks; without it, the provider is the usual one.
"""

import os
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg

from digest_pipeline.clients import DigestOptions
from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.partitions import day_of, listing_day_partitions
from digest_pipeline.orchestration.resources import ModelEndpoint
from digest_pipeline.render.reading import read_entries
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.storage import Storage
from digest_pipeline.translation.translator import Translator
from examples.command_provider import CommandProvider
from examples.ris import render_ris


class OwnEndpoint(ModelEndpoint):
    """The usual translator, asking a program of our own."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Translator, None, None]:
        with super().yield_for_execution(context) as translator:
            command = shlex.split(os.environ.get("MODEL_COMMAND", ""))
            yield replace(translator, make_client=lambda: CommandProvider(command), make_batch_endpoint=None) if command else translator


def ris_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=listing_day_partitions(settings.first_listing), deps=["digest_files"], group_name="outputs")
    def ris_file(
        context: dg.AssetExecutionContext, storage: dg.ResourceParam[Storage], digest_options: dg.ResourceParam[DigestOptions]
    ) -> dg.MaterializeResult[None]:
        """The day as references: `ris/<day>.ris`."""
        day = day_of(context.partition_key)
        entries = read_entries(storage, day, digest_options.languages[0].tag)
        path = storage.write_text(f"ris/{day}.ris", render_ris(entries))
        return dg.MaterializeResult(metadata={"path": str(path), "references": len(entries)})

    return ris_file


def own_definitions(settings: Settings) -> dg.Definitions:
    pipeline = build_definitions(settings, resources={"translator": OwnEndpoint.of(settings)})
    return dg.Definitions.merge(pipeline, dg.Definitions(assets=[ris_asset(settings)]))


@dg.definitions
def defs() -> dg.Definitions:
    return own_definitions(load_settings())

"""Definitions of your own around the pipeline's: another provider, one more asset. Nothing of the pipeline is changed.

    dagster asset materialize -m examples.own_definitions --select ris_file --partition 2026-01-15

MODEL_COMMAND names the program that `command_provider.py` asks; without it, the provider is the usual one.
"""

import os
import shlex
from dataclasses import replace
from functools import cached_property

import dagster as dg

from digest_pipeline.orchestration.build import build_definitions
from digest_pipeline.orchestration.partitions import day_of, listing_day_partitions
from digest_pipeline.render.reading import read_entries
from digest_pipeline.settings import Settings, load_settings
from digest_pipeline.translation.translator import Translator
from digest_pipeline.workshop import Workshop
from examples.command_provider import CommandProvider
from examples.ris import render_ris


class OwnWorkshop(Workshop):
    """The usual tools, with a provider of our own at the translation desk."""

    @cached_property
    def translator(self) -> Translator:
        translator = super().translator
        command = shlex.split(os.environ.get("MODEL_COMMAND", ""))
        return replace(translator, make_client=lambda: CommandProvider(command), make_batch_endpoint=None) if command else translator


def ris_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=listing_day_partitions(settings.first_listing), deps=["digest_files"], group_name="outputs")
    def ris_file(context: dg.AssetExecutionContext, workshop: dg.ResourceParam[Workshop]) -> dg.MaterializeResult[None]:
        """The day as references: `ris/<day>.ris`."""
        day = day_of(context.partition_key)
        entries = read_entries(workshop.storage, day, workshop.languages[0].tag)
        path = workshop.storage.write_text(f"ris/{day}.ris", render_ris(entries))
        return dg.MaterializeResult(metadata={"path": str(path), "references": len(entries)})

    return ris_file


def own_definitions(workshop: Workshop) -> dg.Definitions:
    return dg.Definitions.merge(build_definitions(workshop.settings, workshop), dg.Definitions(assets=[ris_asset(workshop.settings)]))


@dg.definitions
def defs() -> dg.Definitions:
    return own_definitions(OwnWorkshop(load_settings()))

"""Where Dagster enters: `dagster dev`, `dagster asset materialize -m digest_pipeline.definitions`, workspace.yaml."""

import dagster as dg

from digest_pipeline.orchestration.build import build_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """Reads the settings and refuses bad ones, when Dagster loads this location; importing the module does nothing."""
    return build_definitions()

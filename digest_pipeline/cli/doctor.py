"""`digest doctor`: whether everything is set up."""

from __future__ import annotations

import click


@click.command()
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON, for programs.")
def doctor(offline: bool, as_json: bool) -> int:
    """Examine settings, services and machine.

    Exit status: 0 well, 1 warnings, 2 errors.
    """
    from digest_pipeline.doctor import main as examine

    return examine([*(["--offline"] if offline else []), *(["--json"] if as_json else [])])

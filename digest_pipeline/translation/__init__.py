"""Room 3: papers → translated summaries, checked against their source and paid for once.

What lives here: languages and prompts as files, masking, checks, the answer store, the client of any
OpenAI-compatible endpoint, and the engine over them. What does not: where papers come from (`papers/`),
how summaries are shown (`digest/`, `site/`), Dagster (`orchestration/`).
"""

from __future__ import annotations

import importlib
import threading


def warm_up() -> None:
    """Starts loading the model client's library, most of a second, in the background: for a run that waits for something else."""
    threading.Thread(target=importlib.import_module, args=("openai",), name="load-openai", daemon=True).start()

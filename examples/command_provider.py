"""A model provider of your own: any program of this machine that reads a question and writes the answer.

The program gets one JSON object on its input: `model`, `messages` (as chat endpoints take them), `schema` (the JSON schema of the
answer). It writes the answer, a JSON object by that schema, and ends with status 0. `own_definitions.py` puts it to work.

A provider is one class with the three methods of `ChatClient`. It asks once and says what happened; retries, pace, time
limits, checks, the store and the budget are the engine's, the same for every provider.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Sequence

from digest_pipeline.errors import EndpointConfigurationError
from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer
from digest_pipeline.translation.llm.errors import TryAgain


class CommandProvider:
    """Runs `command` once for each question."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Raises EndpointConfigurationError where there is no such program, else TryAgain where it fails or takes too long."""
        question = {"model": request.model, "messages": list(request.messages), "schema": request.prompt.json_schema}
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        except OSError as error:
            raise EndpointConfigurationError(f"{self._command[0]} cannot be started: {error.strerror}", hint="correct MODEL_COMMAND") from None
        try:
            async with asyncio.timeout(request.timeout_seconds):
                answer, complaint = await process.communicate(json.dumps(question).encode())
        except TimeoutError:
            raise TryAgain(f"no answer within {request.timeout_seconds:g} s") from None
        finally:  # also when the run is cancelled
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise TryAgain(f"{self._command[0]} ended with status {process.returncode}: {complaint.decode(errors='replace')[-200:]}")
        return ChatAnswer(answer.decode(errors="replace"), request.model, response_id="", finish_reason="stop", usage=None)

    def output_factor(self, model: str) -> float:  # noqa: ARG002 - the same for all
        return 1.0

    async def close(self) -> None:
        """Nothing stays open."""

"""A session's client is made once, and closed with it."""

from __future__ import annotations

import asyncio
import random
import time

from digest_pipeline.translation.llm.client import ChatRequest
from digest_pipeline.translation.llm.completion import ChatAnswer
from digest_pipeline.translation.llm.rate_limit import AdaptiveRateLimiter, PacingLimits
from digest_pipeline.translation.llm.session import Session


class Client:
    open = 0

    def __init__(self) -> None:
        time.sleep(0.02)  # loading its library
        Client.open += 1

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        raise NotImplementedError

    def output_factor(self, model: str) -> float:
        return 1.0

    async def close(self) -> None:
        Client.open -= 1


def test_requests_that_begin_together_share_one_client_and_none_is_left_open() -> None:
    session = Session(Client, AdaptiveRateLimiter(PacingLimits(most_at_once=4), random.Random(1)))

    async def begin_together() -> None:
        clients = await asyncio.gather(*(session.provider.open() for _ in range(4)))
        assert len(set(map(id, clients))) == Client.open == 1

    session.run(begin_together())
    session.close()
    assert Client.open == 0

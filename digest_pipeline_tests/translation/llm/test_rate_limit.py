"""Waiting times in headers, concurrency that adapts, and the result that an endpoint is down."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_pipeline.errors import EndpointUnavailable
from digest_pipeline.translation.llm.rate_limit import AdaptiveRateLimiter, PacingLimits
from digest_pipeline.translation.llm.retry_after import wait_seconds

NOON = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"Retry-After": "86400"}, 86400),
        ({"Retry-After": "Tue, 09 Jun 2026 12:01:30 GMT"}, 90),
        ({"Retry-After": "Tue, 09 Jun 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "1m30s"}, 90),
        ({"llm_provider-retry-after": "4"}, 4),
        ({"x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-requests": "8", "x-ratelimit-reset-tokens": "2"}, 2),
        ({"x-ratelimit-reset-requests": "8s", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-tokens": "2s"}, 8),
        ({"x-ratelimit-reset-requests": str(int(NOON.timestamp()) + 12)}, 12),
        ({"x-ratelimit-reset-requests": "2026-06-09T12:00:05Z"}, 5),
        ({"llm_provider-x-ratelimit-reset-tokens": "3s"}, 3),
        ({"x-ratelimit-reset-requests-day": "33011.4", "x-ratelimit-reset-tokens-minute": "11.4", "x-ratelimit-remaining-tokens-minute": "0"}, 11.4),
    ],
)
def test_every_way_of_asking_to_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    found = wait_seconds(headers, NOON)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "Retry-After-Ms", "x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"]), st.text(max_size=40)
    )
)
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    found = wait_seconds(headers, NOON)
    assert found is None or found >= 0


NOW = datetime(2026, 6, 12, 12, tzinfo=UTC)


def limits(**changes: float) -> PacingLimits:
    values = {"first_backoff": 0.01, "longest_backoff": 0.02, "longest_outage": 0.05, "spread": 0.0, **changes}
    return PacingLimits(most_at_once=12, **values)


def test_a_cut_counts_once_for_requests_that_were_under_way_together() -> None:
    async def story() -> AdaptiveRateLimiter:
        rate_limiter = AdaptiveRateLimiter(limits(), random.Random(1))
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.01)
        rate_limiter.rate_limited(began, 0.0)
        rate_limiter.rate_limited(began, 0.0)
        return rate_limiter

    assert asyncio.run(story()).level == pytest.approx(8)


def test_answers_raise_the_level_again_slowly_near_what_was_refused() -> None:
    async def story() -> tuple[float, float]:
        rate_limiter = AdaptiveRateLimiter(limits(), random.Random(1))
        rate_limiter.rate_limited(asyncio.get_running_loop().time(), 0.0)
        for _ in range(30):
            rate_limiter.answered()
        near = rate_limiter.level
        for _ in range(2000):
            rate_limiter.answered()
        return near, rate_limiter.level

    near, late = asyncio.run(story())
    assert 10.5 < near < 12
    assert late == 12


def test_a_long_pause_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        AdaptiveRateLimiter(limits(), random.Random(1)).pause(3600)

    with caplog.at_level(logging.WARNING):
        asyncio.run(story())
    assert "3600 s" in caplog.text


def test_failures_alone_become_an_outage_and_an_answer_in_between_prevents_it() -> None:
    async def story(answer_between: bool) -> None:
        rate_limiter = AdaptiveRateLimiter(limits(), random.Random(1))
        for _ in range(8):
            rate_limiter.failed("500", None)
            if answer_between:
                rate_limiter.answered()
            await asyncio.sleep(0.01)

    asyncio.run(story(True))
    with pytest.raises(EndpointUnavailable, match="OPENAI_BASE_URL"):
        asyncio.run(story(False))


def test_nothing_but_429_ends_too() -> None:
    async def story() -> None:
        rate_limiter = AdaptiveRateLimiter(limits(longest_rate_limit=0.03), random.Random(1))
        for _ in range(10):
            rate_limiter.rate_limited(asyncio.get_running_loop().time(), 0.0)
            await asyncio.sleep(0.01)

    with pytest.raises(EndpointUnavailable, match="429"):
        asyncio.run(story())


@given(st.integers(0, 200))
def test_backoff_doubles_within_its_bounds(attempt: int) -> None:
    async def story() -> float:
        return AdaptiveRateLimiter(PacingLimits(4), random.Random(attempt)).backoff(attempt)

    longest = min(30.0, 0.5 * 2.0 ** min(attempt, 20))
    assert longest / 2 <= asyncio.run(story()) <= longest


@pytest.mark.parametrize(
    ("body", "words", "seconds"),
    [
        ({"error": {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45s"}]}}, "", 45),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(int(NOW.timestamp() * 1000) + 9000)}}}}, "", 9),
        ({"retry_after": 12}, "", 12),
        (None, "Please retry in 45.2s.", 45.2),
        (None, "Rate limit reached for requests. Please try again in 6m0s. Visit a page.", 360),
        (None, "Please try again in 120ms", 0.12),
        (None, "Please retry after 20 seconds", 20),
        (None, "Please wait 30 seconds and try again", 30),
        (None, "请求过于频繁，请 5 秒后重试", 5),
        (None, "已达到速率限制，请5分钟后再试", 300),
        (None, "Rate limit reached on tokens per minute. Please try again in 1m30.002s.", 90.002),
        (None, "You exceeded your current quota", None),
        (None, "limit: 15 requests, try again later", None),
    ],
)
def test_a_wait_is_read_from_the_body_and_from_words(body: object, words: str, seconds: float | None) -> None:
    assert wait_seconds({}, NOW, body, words) == (seconds if seconds is None else pytest.approx(seconds, abs=0.01))

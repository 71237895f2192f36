"""What real endpoints' refusals are taken for, in the words in which public reports quote them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from digest_pipeline.errors import EndpointConfigurationError, TranslationError
from digest_pipeline.translation.llm.errors import ParameterRefused, Redactor, Refusal, RequestRejected, TryAgain

CREDIT, KEY, MODEL, ADDRESS, PLACE = "add credit", "OPENAI_API_KEY to a key", "DIGEST_MODEL", "ends in /v1", "HTTPS_PROXY"
LIMIT, MOMENT, PAPER, PARAMETER = "a limit", "a moment", "this paper", "a parameter"


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


REFUSALS: list[tuple[str, int, Any, str]] = [
    # -- the model, and not the address
    (
        "Gemini",
        404,
        [said("models/gemini-0 is not found for API version v1main, or is not supported for generateContent.", status="NOT_FOUND")],
        MODEL,
    ),
    ("Azure", 404, said("The API deployment for this resource does not exist.", code="DeploymentNotFound"), MODEL),
    ("Moonshot", 404, said("Not found the model kimi-x or Permission denied", type="resource_not_found_error"), MODEL),
    ("OpenRouter", 404, said("No endpoints found for vendor/model:free.", code=404), MODEL),
    ("OpenRouter, name", 400, said("gpt-5-mini2 is not a valid model ID", code=400), MODEL),
    ("Groq", 400, said("The model `llama` has been decommissioned and is no longer supported.", code="model_decommissioned"), MODEL),
    ("Ark", 404, said("Your account 21 has not activated the model doubao. Please activate the model service.", code="ModelNotOpen"), MODEL),
    ("Ark, endpoint", 404, said("The request targeted an endpoint that does not exist or is invalid.", code="InvalidEndpoint.NotFound"), MODEL),
    ("DashScope", 403, {"code": "Model.AccessDenied", "message": "Model access denied."}, MODEL),
    ("Zhipu", 400, said("模型不存在，请检查模型代码。", code="1211"), MODEL),
    ("new-api", 503, said("No available channel for model x under group default (distributor)", code="model_not_found"), MODEL),
    ("one-api", 404, said("Invalid URL (POST /chat/completions)", type="invalid_request_error"), ADDRESS),
    # -- the account
    ("xAI", 403, {"code": "permission-denied", "error": "Your newly created team doesn't have any credits or licenses yet."}, CREDIT),
    ("xAI, later", 403, {"code": "permission-denied", "error": "You have run out of credits or need a Grok subscription."}, CREDIT),
    ("new-api, a token's", 401, said("该令牌额度已用尽 TokenStatusExhausted[sk-***]", type="new_api_error"), CREDIT),
    ("new-api, reserved", 403, said("token quota is not enough, token remain quota: $0.02", code="pre_consume_token_quota_failed"), CREDIT),
    ("DashScope", 400, said("Access denied, please make sure your account is in good standing.", code="Arrearage"), CREDIT),
    ("DashScope, free", 403, said("The free tier of the model has been exhausted.", code="AllocationQuota.FreeTierOnly"), CREDIT),
    (
        "Ark",
        429,
        said("Your account has reached the set inference limit for the model, and the service has been paused.", code="SetLimitExceeded"),
        CREDIT,
    ),
    ("Zhipu, a plan", 429, said("您的GLM Coding Plan套餐已到期，暂无法使用", code="1309"), CREDIT),
    ("MiniMax", 200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, CREDIT),
    ("in Chinese", 403, said("账户欠费，请充值后重试"), CREDIT),
    ("Anthropic", 400, said("Your credit balance is too low to access the Anthropic API.", type="invalid_request_error"), CREDIT),
    # -- the key, and the place
    ("iFlow", 200, {"status": "439", "msg": "Your API Token has expired.", "body": None}, KEY),
    ("iFlow, wrong", 200, {"status": "434", "msg": "Invalid apiKey", "body": None}, KEY),
    ("MiniMax", 200, {"base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key"}}, KEY),
    ("xAI", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"}, KEY),
    ("Gemini", 400, [said("User location is not supported for the API use.", status="FAILED_PRECONDITION")], PLACE),
    ("OpenAI", 403, said("Country, region, or territory not supported", code="unsupported_country_region_territory"), PLACE),
    ("Cloudflare", 403, "<!DOCTYPE html><html lang='en-US'><head><title>Just a moment...</title></head><body></body></html>", PLACE),
    # -- limits in other words and codes
    ("iFlow", 200, {"status": "449", "msg": "You exceeded your current rate limit", "body": None}, LIMIT),
    ("Zhipu, 1302", 429, said("您的账户已达到速率限制，请您控制请求频率", code="1302"), LIMIT),
    ("Zhipu, 1305", 429, said("该模型当前访问量过大，请您稍后再试", code="1305"), LIMIT),
    ("Cerebras", 429, {"message": "Tokens per minute limit exceeded", "type": "too_many_tokens_error", "code": "token_quota_exceeded"}, LIMIT),
    ("new-api", 429, said("当前分组上游负载已饱和，请稍后再试", type="new_api_error", code=None), LIMIT),
    ("in Chinese, 400", 400, said("请求过于频繁，请稍后再试"), LIMIT),
    ("in Chinese, 403", 403, said("并发数超过限制"), LIMIT),
    ("in Chinese, 200", 200, {"code": "E1", "msg": "请求过于频繁"}, LIMIT),
    ("403", 403, said("You have exceeded a secondary rate limit. Please wait a few minutes."), LIMIT),
    ("overloaded, in Chinese", 503, said("模型过载"), MOMENT),
    # -- this paper
    ("Groq", 413, said("Request too large for model on tokens per minute (TPM): Limit 6000, Requested 6294", code="rate_limit_exceeded"), PAPER),
    ("OpenAI", 429, said("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 34238.", code="rate_limit_exceeded"), PAPER),
    ("nginx", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>", PAPER),
    ("Zhipu", 400, said("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"), PAPER),
    ("Zhipu, long", 400, said("Prompt 超长", code="1261"), PAPER),
    ("DashScope", 400, said("Input data may contain inappropriate content.", code="DataInspectionFailed"), PAPER),
    # -- a parameter
    ("Mistral", 422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]}]}}, PARAMETER),
    ("LM Studio", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, PARAMETER),
    ("Moonshot", 400, said("invalid temperature: only 1 is allowed for this model", type="invalid_request_error"), PARAMETER),
]


@pytest.mark.parametrize(("status", "body", "kind"), [case[1:] for case in REFUSALS], ids=[f"{case[3]}: {case[0]}" for case in REFUSALS])
def test_a_refusal_is_taken_for_what_it_is(status: int, body: Any, kind: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    failure = Refusal.read(status, text, {}, datetime(2026, 6, 9, tzinfo=UTC)).failure(model="m", endpoint="e", redact=Redactor(None))
    assert kind in kind_of(failure), failure


def kind_of(failure: TranslationError) -> str:
    if isinstance(failure, TryAgain):
        return LIMIT if failure.is_rate_limit else MOMENT
    if isinstance(failure, EndpointConfigurationError):
        return failure.hint
    return {RequestRejected: PAPER, ParameterRefused: PARAMETER}[type(failure)]

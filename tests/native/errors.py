"""Refusals in each provider's shape, by the name of a model that always gets them."""

from typing import Any

Error = tuple[int, Any, dict[str, str]]


def _claude(status: int, kind: str, message: str, **headers: str) -> Error:
    return status, {"type": "error", "error": {"type": kind, "message": message}}, headers


def _google(code: int, status: str, message: str, *details: Any) -> Error:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return code, {"error": error}, {}


def _openai(status: int, message: str, **more: Any) -> Error:
    return status, {"error": {"message": message, "param": None, "code": None, **more}}, {}


def _mistral(status: int, message: Any, kind: str) -> Error:
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": "1000"}
    return status, body, {}


_RAW = '{"error": {"code": 400, "message": "The water is too deep for this model."}}'
_UPSTREAM = {"raw": _RAW, "provider_name": "Google"}

ERRORS: dict[str, dict[str, Error]] = {
    "anthropic": {
        "too-long": _claude(
            400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"
        ),
        "no-credit": _claude(
            400, "invalid_request_error", "Your credit balance is too low to access the API."
        ),
        "bad-key": _claude(401, "authentication_error", "invalid x-api-key"),
        "unknown": _claude(404, "not_found_error", "model: unknown"),
        "limited": _claude(
            429, "rate_limit_error", "Too many tokens a minute.", **{"retry-after": "7"}
        ),
        "overloaded": _claude(529, "overloaded_error", "Overloaded"),
    },
    "gemini": {
        "too-long": _google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (2000000) exceeds the maximum number of tokens allowed (9).",
        ),
        "bad-key": _google(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
        "unknown": _google(404, "NOT_FOUND", "models/unknown is not found for API version v1beta"),
        "limited": _google(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"},
        ),
        "overloaded": _google(503, "UNAVAILABLE", "The model is overloaded."),
    },
    "deepseek": {
        "too-long": _openai(400, "This model's maximum context length is 131072 tokens."),
        "no-credit": _openai(402, "Insufficient Balance", type="unknown_error"),
        "bad-key": _openai(401, "Authentication Fails", type="authentication_error"),
        "unknown": _openai(400, "Model Not Exist", type="invalid_request_error"),
    },
    "mistral": {
        "too-long": _mistral(
            400,
            "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            "invalid_request_prompt",
        ),
        "bad-key": (401, {"message": "Unauthorized", "request_id": "b1"}, {}),
        "unknown": _mistral(400, "Invalid model: unknown", "invalid_model"),
        "limited": _mistral(
            429, "Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded"
        ),
        "warm": _mistral(
            422,
            {
                "detail": [
                    {
                        "type": "less_than_equal",
                        "loc": ["body", "temperature"],
                        "msg": "Input should be less than or equal to 1.5",
                    }
                ]
            },
            "invalid_request_error",
        ),
    },
    "ollama": {
        "unknown": (404, {"error": "model 'unknown' not found"}, {}),
        "no-tools": (400, {"error": "registry.ollama.ai/library/x does not support tools"}, {}),
        "too-big": (500, {"error": "model requires more system memory than is available"}, {}),
    },
    "openrouter": {
        "no-credit": _openai(402, "Insufficient credits", code=402),
        "bad-key": _openai(401, "No auth credentials found", code=401),
        "unknown": _openai(404, "No endpoints found for unknown.", code=404),
        "upstream": _openai(400, "Provider returned error", code=400, metadata=_UPSTREAM),
        "limited": _openai(429, "Provider returned error", code=429, metadata={"raw": "Busy."}),
    },
}

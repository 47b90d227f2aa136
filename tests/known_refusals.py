"""How providers word the refusals of `fusion_graph.models._refusals`: one example a row, or more.

Bodies have the shapes of the providers named; names, figures and ids are made up.
"""

from __future__ import annotations

import json
from typing import Any


def openai(message: str, code: str | None = None, param: str | None = None, type: str = "") -> Any:
    """As OpenAI, and most of those who speak its protocol, say it."""
    kind = type or "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic(message: str, type: str = "invalid_request_error") -> Any:
    """As Anthropic says it."""
    return {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}


def google(message: str, status: str, code: int, *details: Any) -> Any:
    """As Google's OpenAI endpoint says it: in a list."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return [{"error": error}]


def openrouter(raw: Any, code: int, provider: str) -> Any:
    """As OpenRouter passes on what a provider said."""
    said = raw if isinstance(raw, str) else json.dumps(raw)
    metadata = {"raw": said, "provider_name": provider, "is_byok": False}
    return {"error": {"message": "Provider returned error", "code": code, "metadata": metadata}}


def vllm(message: str, code: int = 400) -> Any:
    """As vLLM and SGLang say it: with the message at the top."""
    kind = "BadRequestError"
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def llama(message: str, code: int, type: str) -> Any:
    """As llama.cpp's server says it."""
    return {"error": {"code": code, "message": message, "type": type}}


def quota(id: str) -> Any:
    """Google's account of a limit that was hit."""
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaId": id}]}


EXAMPLES: list[tuple[str, int, Any]] = [
    (
        "groq tool_use_failed",
        400,
        {
            "error": {
                "message": "Parameters for tool lookup did not match its schema.",
                "type": "invalid_request_error",
                "code": "tool_use_failed",
                "failed_generation": '{"name": "lookup", "arguments": "{"}',
            }
        },
    ),
    (
        "gemini malformed call",
        502,
        {
            "error": {
                "message": "Provider returned error",
                "code": 502,
                "metadata": {"provider_name": "Google AI Studio"},
                "native_finish_reason": "MALFORMED_FUNCTION_CALL",
            }
        },
    ),
    (
        "gemini malformed call in words",
        400,
        openrouter("The reply ended with MALFORMED_FUNCTION_CALL.", 400, "Google"),
    ),
    ("groq failed to call", 400, openai("Failed to call a function. Adjust your prompt.")),
    ("ollama tool call unparsed", 500, {"error": "error parsing tool call: raw='{\"a\"', err=EOF"}),
    (
        "llama.cpp reply unparsed",
        500,
        llama("Failed to parse input at pos 31: <tool_call>", 500, "server_error"),
    ),
    (
        "nova tool use unparsed",
        424,
        {
            "__type": "ModelErrorException",
            "message": "Model produced invalid sequence as part of ToolUse.",
        },
    ),
    (
        "hermes parser failed",
        400,
        vllm("The server could not parse the function call of the model."),
    ),
    (
        "openai tools want responses",
        400,
        openai(
            "Function tools with reasoning_effort are not supported for gpt-9 in "
            "/v1/chat/completions. Please use /v1/responses instead.",
            param="reasoning_effort",
        ),
    ),
    (
        "openai tools want responses",
        404,
        openai("This model is only supported in v1/responses and not in v1/chat/completions."),
    ),
    (
        "bedrock wants tools listed",
        400,
        openai(
            "litellm.UnsupportedParamsError: Bedrock doesn't support tool calling without `tools=` "
            "param specified.",
            code="400",
        ),
    ),
    (
        "bedrock wants tools listed",
        400,
        {"message": "The toolConfig field must be defined when using toolUse and toolResult."},
    ),
    (
        "anthropic wants tools listed",
        400,
        anthropic("Requests which include `tool_use` or `tool_result` blocks must define tools."),
    ),
    (
        "openai context_length_exceeded",
        400,
        openai("Too much of it.", code="context_length_exceeded", param="messages"),
    ),
    (
        "llama.cpp exceed_context_size_error",
        400,
        llama("Larger than what is there.", 400, "exceed_context_size_error"),
    ),
    (
        "alibaba throttling",
        429,
        {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded, try later."},
    ),
    (
        "alibaba token throttle in openai's words",
        429,
        openai(
            "You exceeded your current quota, please check your plan and billing details. For "
            "details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit",
            code="insufficient_quota",
            type="insufficient_quota",
        ),
    ),
    (
        "openai insufficient_quota",
        429,
        openai(
            "You exceeded your current quota, please check your plan and billing details.",
            code="insufficient_quota",
            type="insufficient_quota",
        ),
    ),
    (
        "moonshot exceeded_current_quota_error",
        403,
        {
            "error": {
                "message": "Your account is not active",
                "type": "exceeded_current_quota_error",
            }
        },
    ),
    (
        "alibaba arrearage",
        400,
        {"code": "Arrearage", "message": "Access denied, make sure the account is fine."},
    ),
    ("anthropic billing_error", 403, anthropic("Your billing has a problem.", "billing_error")),
    (
        "openrouter fewer tokens afforded",
        402,
        {
            "error": {
                "message": "This request requires more credits, or fewer max_tokens. You "
                "requested up to 16000 tokens, but can only afford 900.",
                "code": 402,
            }
        },
    ),
    (
        "google per day",
        429,
        google(
            "You exceeded your current quota. Please retry in 20.1s.",
            "RESOURCE_EXHAUSTED",
            429,
            quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"},
        ),
    ),
    (
        "openrouter free models per day",
        429,
        {"error": {"message": "Rate limit exceeded: free-models-per-day.", "code": 429}},
    ),
    (
        "larger than a minute's allowance",
        413,
        openai(
            "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested "
            "9100, please reduce your message size and try again.",
            code="rate_limit_exceeded",
            type="tokens",
        ),
    ),
    (
        "rate_limit codes",
        429,
        openai(
            "Rate limit reached for m on requests per min (RPM): Limit 3. You can increase it by "
            "adding a payment method to your account at https://platform.openai.com/account/billing",
            code="rate_limit_exceeded",
            type="requests",
        ),
    ),
    ("rate_limit codes", 429, {"__type": "ThrottlingException", "message": "Too many tokens."}),
    ("anthropic overloaded_error", 529, anthropic("Overloaded", "overloaded_error")),
    (
        "bedrock still loading",
        429,
        {"__type": "ModelNotReadyException", "message": "The model is not ready for inference."},
    ),
    ("llama.cpp loading", 503, llama("Loading model", 503, "unavailable_error")),
    (
        "invalid key codes",
        401,
        openai("Incorrect API key provided.", code="invalid_api_key"),
    ),
    ("google key in words", 400, google("API key not valid.", "INVALID_ARGUMENT", 400)),
    (
        "country not supported",
        403,
        openrouter(
            openai("Country not supported", code="unsupported_country_region_territory"),
            403,
            "OpenAI",
        ),
    ),
    (
        "gemini location",
        400,
        google("User location is not supported for the API use.", "FAILED_PRECONDITION", 400),
    ),
    (
        "openai organization not verified",
        403,
        openai("Your organization must be verified to use the model `m`."),
    ),
    (
        "openrouter data policy",
        404,
        {"error": {"message": "No endpoints found matching your data policy.", "code": 404}},
    ),
    (
        "content filter codes",
        400,
        {
            "error": {
                "message": "The response was filtered.",
                "code": "content_filter",
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
    ),
    ("model codes", 404, openai("It is not there.", code="model_not_found")),
    (
        "google service disabled",
        403,
        google(
            "The API has not been used before.",
            "PERMISSION_DENIED",
            403,
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"},
        ),
    ),
    ("fireworks suspended", 412, {"error": {"message": "Account is suspended.", "code": "X"}}),
    ("ollama not pulled", 404, openai('model "qwen9:4b" not found, try pulling it first')),
    ("lm studio none loaded", 404, openai("No models loaded. Please load a model.")),
    (
        "ollama too little memory",
        500,
        {"error": "model requires more system memory (9.1 GiB) than is available (4.0 GiB)"},
    ),
    (
        "bedrock inference profile",
        400,
        {"message": "Invocation of model ID m with on-demand throughput isn’t supported."},
    ),
    (
        "ollama lost the question",
        500,
        {"error": {"message": "no user query found in messages", "type": "api_error"}},
    ),
    (
        "llama.cpp context words",
        500,
        llama("Context size has been exceeded.", 500, "server_error"),
    ),
    (
        "lm studio context words",
        400,
        {
            "error": "Trying to keep the first 9000 tokens when context the overflows. However, "
            "the model is loaded with context length of only 4096 tokens"
        },
    ),
    (
        "vllm answer too long for the window",
        400,
        vllm(
            "'max_tokens' or 'max_completion_tokens' is too large: 16000. This model's maximum "
            "context length is 4096 tokens and your request has 900 input tokens."
        ),
    ),
    (
        "anthropic prompt too long",
        400,
        openrouter(
            anthropic("prompt is too long: 210000 tokens > 200000 maximum"), 400, "Anthropic"
        ),
    ),
    ("bedrock input too long", 400, {"message": "Input is too long for requested model."}),
    (
        "google input tokens",
        400,
        google("The input token count (1200000) exceeds the maximum", "INVALID_ARGUMENT", 400),
    ),
    (
        "mistral too large",
        400,
        {
            "object": "error",
            "message": "Prompt contains 40001 tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_error",
        },
    ),
    (
        "sglang too long",
        400,
        vllm("The input (61709 tokens) is longer than the model's context length (40960 tokens)."),
    ),
    (
        "cerebras reduce length",
        400,
        {
            "message": "Please reduce the length of the messages or completion. Current length is "
            "42328 while limit is 40000",
            "type": "invalid_request_error",
        },
    ),
    (
        "alibaba input range",
        400,
        openai("Range of input length should be [1, 30720]", code="invalid_parameter_error"),
    ),
    (
        "xai prompt length",
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request holds more.",
        },
    ),
    (
        "moonshot token limit",
        400,
        openai("Invalid request: Your request exceeded model token limit: 262144"),
    ),
    (
        "together too long",
        422,
        openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193."),
    ),
    ("maximum context length", 400, openai("This endpoint's maximum context length is 32768.")),
    ("payload too large", 413, "<html><head><title>413 Payload</title></head></html>"),
    ("reply's own limit reached", 400, {"error": {"code": 400, "message": "Token limit reached"}}),
    (
        "anthropic credit balance",
        400,
        anthropic("Your credit balance is too low to access the Anthropic API."),
    ),
    (
        "xai credits used",
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team has either used all available credits or reached its monthly "
            "spending limit.",
        },
    ),
    (
        "deepseek balance",
        429,
        openrouter(
            openai("Your account org-1 is suspended due to insufficient balance"), 429, "Moonshot"
        ),
    ),
    ("credits in words", 403, {"error": {"message": "Key limit exceeded (total)", "code": 403}}),
    (
        "openrouter no tool endpoints",
        404,
        {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
    ),
    ("ollama no tools", 400, openai("registry.ollama.ai/library/m does not support tools")),
    (
        "vllm auto tool choice",
        400,
        vllm('"auto" tool choice requires --enable-auto-tool-choice and more to be set'),
    ),
    ("llama.cpp jinja", 500, llama("tools param requires --jinja flag", 500, "server_error")),
    (
        "sglang tool parser",
        400,
        vllm("Tools are given, but the server was started without --tool-call-parser."),
    ),
    (
        "openrouter tool_choice endpoints",
        404,
        {
            "error": {
                "message": "No endpoints found that support the provided 'tool_choice' value.",
                "code": 404,
            }
        },
    ),
    (
        "thinking forbids forced tools",
        400,
        {"error": {"message": "deepseek-reasoner does not support this tool_choice"}},
    ),
    (
        "one of temperature and top_p",
        400,
        anthropic("`temperature` and `top_p` cannot both be specified for this model."),
    ),
    (
        "moonshot fixed temperature",
        400,
        openai("invalid temperature: only 1 is allowed for this model"),
    ),
    (
        "litellm unsupported params",
        400,
        openai("litellm.UnsupportedParamsError: gpt-9 models don't support temperature=0.0."),
    ),
    ("google no thinking budget", 400, {"error": '"gemma3:4b" does not support thinking'}),
    (
        "lm studio formats",
        400,
        {"error": "'response_format.type' must be 'json_schema' or 'text'"},
    ),
    (
        "json mode",
        400,
        openrouter(
            openai("Messages must contain the word 'json' to use 'json_object'.", param="input"),
            400,
            "OpenAI",
        ),
    ),
    (
        "grammar too large",
        400,
        google("The specified schema produces too many states", "INVALID_ARGUMENT", 400),
    ),
    (
        "no images",
        400,
        openrouter(openai("Model 'm' supports at most 1 image per prompt."), 400, "Crucible"),
    ),
    ("filters in words", 400, openai("Content Exists Risk")),
    (
        "mistral tool ids",
        400,
        {
            "object": "error",
            "message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        },
    ),
    (
        "reasoning was not sent back",
        400,
        google("Function call is missing a thought_signature", "INVALID_ARGUMENT", 400),
    ),
    ("model in words", 400, openai("vendor/x is not a valid model ID")),
    ("wrong path", 404, {"detail": "Not Found"}),
    (
        "proxy without upstream",
        502,
        "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    ),
]
"""`(row, HTTP status, body)`; a text is a body that is no JSON."""

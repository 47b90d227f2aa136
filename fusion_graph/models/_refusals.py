"""The known refusals: what providers say when they do not answer, what it means, what to do next.

One row each, in order: the first that fits decides. A row fits where everything that it states
holds. Rows that go by structure (codes, types, statuses) come before those that go by words, and
words are only what somebody was seen to say: `source` is `owner/repo#number` or the vendor's
documentation. `tests/test_refusals.py` plays every row over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fusion_graph.errors import FailureReason
from fusion_graph.models._complaint import Complaint

Means = FailureReason | Literal["parameter_refused", "responses_wanted", "tools_wanted"]
"""What a refusal means: the reason of the failure, or one of three that a caller answers itself.

`parameter_refused`: the model takes the request without `parameter`. `responses_wanted`: it wants
OpenAI's Responses API. `tools_wanted`: it wants tools listed while the history holds calls.
"""


@dataclass(frozen=True)
class Refusal:
    """One known refusal.

    Attributes:
        name: Its own, for tests and for people.
        means: What it means.
        codes: Any of these codes, types or statuses (in words, lower case) is in the body.
        statuses: The reply's HTTP status is one of these; none named: any.
        words: A regular expression, case ignored, found in the provider's words.
        parameter: What is refused, of `failures.PARAMETERS`, where a parameter is.
        again: Whether asking again may help; None leaves that to the reason and the status.
        remedy: What to do next; empty: what the reason's general remedy says.
        source: Who saw or documented it.
    """

    name: str
    means: Means
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    words: str = ""
    parameter: str = ""
    again: bool | None = None
    remedy: str = ""
    source: str = ""


LARGER_CONTEXT = (
    "give the server a larger context (OLLAMA_CONTEXT_LENGTH for Ollama, -c for llama-server, "
    "--max-model-len for vLLM, the context length in LM Studio), or let less be sent: "
    "context_tokens in the preset, a lower max_tool_calls"
)
ADD_CREDITS = "add credits at the provider, or take another model"
NEXT_DAY = (
    "the allowance of a day is used up: go on tomorrow, raise the limit, or take another model"
)
NO_TOOLS = "take a model with tool calling, set fallbacks, or set tools = false for this member"

REFUSALS: tuple[Refusal, ...] = (
    # Calls that the model made badly and the provider would not pass on
    Refusal("groq tool_use_failed", "malformed_call", codes=("tool_use_failed",),
            source="console.groq.com/docs/tool-use; pydantic-ai test_tool_use_failed_error.yaml"),
    Refusal("gemini malformed call", "malformed_call",
            codes=("malformed_function_call", "unexpected_tool_call"),
            source="ai.google.dev FinishReason; openrouter-examples#67"),
    Refusal("gemini malformed call in words", "malformed_call",
            words=r"malformed_?[ _]?function_?[ _]?call",
            source="Roo-Code#10307"),
    Refusal("groq failed to call", "malformed_call",
            words=r"failed to call a function|tool call validation failed"
                  r"|tool choice is none, but model called a tool"
                  r"|attempted to call tool .{0,80} which was not in request",
            source="console.groq.com/docs/tool-use; pydantic-ai#2891"),
    Refusal("ollama tool call unparsed", "malformed_call",
            words=r"error parsing tool call",
            source="ollama/ollama#11774"),
    Refusal("llama.cpp reply unparsed", "malformed_call", statuses=(500,),
            words=r"failed to parse (?:tool call|input|output)|\[json\.exception\.parse_error"
                  r"|invalid diff|the model produced output that does not match",
            source="ggml-org/llama.cpp#14697, #15012"),
    Refusal("nova tool use unparsed", "malformed_call",
            words=r"produced invalid sequence as part of tool ?use",
            source="docs.aws.amazon.com/nova tool-troubleshooting"),
    Refusal("hermes parser failed", "malformed_call", statuses=(400, 500),
            words=r"(?:could not parse|unable to parse|failed to (?:decode|parse))"
                  r".{0,40}(?:tool|function)[ _]call",
            source="vllm-project/vllm#19051"),

    # Another protocol, or tools in the request
    Refusal("openai tools want responses", "responses_wanted",
            words=r"(?:use|only supported (?:in|with|by)) (?:the )?"
                  r"(?:`?/?v1/responses|`?/responses|responses (?:api|endpoint))",
            remedy='set api = "responses" for this provider, or take another model',
            source="llm-memory-api#178, litellm#34569, moeru-ai/airi#1137"),
    Refusal("bedrock wants tools listed", "tools_wanted",
            words=r"toolconfig (?:field )?must be (?:defined|provided)"
                  r"|without `?tools=?`? param|toolConfig.{0,60}(?:required|missing)",
            remedy="list the tools while the history holds calls of them",
            source="BerriAI/litellm#40735, pydantic/pydantic-ai#1966"),
    Refusal("anthropic wants tools listed", "tools_wanted",
            words=r"requests which include `?tool_(?:use|result)`?.{0,60}must define tools",
            remedy="list the tools while the history holds calls of them",
            source="cline/cline#540"),

    # Too long, by structure
    Refusal("openai context_length_exceeded", "context_length", again=False,
            codes=("context_length_exceeded", "string_above_max_length", "context_window_exceeded",
                   "model_context_window_exceeded", "contextwindowexceedederror"),
            source="platform.openai.com/docs/guides/error-codes; litellm"),
    Refusal("llama.cpp exceed_context_size_error", "context_length", again=False,
            codes=("exceed_context_size_error",), remedy=LARGER_CONTEXT,
            source="ggml-org/llama.cpp#15780"),

    # No money, by structure; throttles that say so in the same words come first
    Refusal("alibaba throttling", "rate_limited",
            codes=("throttling", "throttling.ratequota", "throttling.allocationquota",
                   "throttling.burstrate", "limit_burst_rate"),
            source="alibabacloud.com/help/model-studio/error-code; oh-my-pi#8496"),
    Refusal("alibaba token throttle in openai's words", "rate_limited", statuses=(429,),
            words=r"(?:aliyun|alibabacloud)\.com/.{0,60}error-code#token-limit"
                  r"|rate increased too quickly",
            source="can1357/oh-my-pi#8496, NousResearch/hermes-agent#6860"),
    Refusal("openai insufficient_quota", "insufficient_credits", again=False,
            codes=("insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
                   "account_deactivated"),
            remedy=ADD_CREDITS, source="platform.openai.com/docs/guides/error-codes"),
    Refusal("moonshot exceeded_current_quota_error", "insufficient_credits", again=False,
            codes=("exceeded_current_quota_error",), remedy=ADD_CREDITS,
            source="MoonshotAI/Kimi-K2#5, continuedev/continue#11443"),
    Refusal("alibaba arrearage", "insufficient_credits", again=False,
            codes=("arrearage", "prepaidbilloverdue", "postpaidbilloverdue",
                   "commoditynotpurchased"),
            remedy=ADD_CREDITS, source="tencentmusic/supersonic#1572"),
    Refusal("anthropic billing_error", "insufficient_credits", again=False,
            codes=("billing_error",), remedy=ADD_CREDITS,
            source="docs.anthropic.com/en/api/errors"),
    Refusal("openrouter fewer tokens afforded", "insufficient_credits", again=False,
            words=r"requires more credits, or fewer max_tokens",
            remedy="add credits at the provider, or lower max_completion_tokens",
            source="can1357/oh-my-pi#9569"),

    # A day's allowance: waiting does not help within a run
    Refusal("google per day", "rate_limited", again=False,
            codes=("quota_per_day",),
            remedy=NEXT_DAY, source="ai.google.dev/gemini-api/docs/rate-limits (QuotaFailure)"),
    Refusal("openrouter free models per day", "rate_limited", again=False,
            words=r"free-models-per-day", remedy=NEXT_DAY,
            source="openrouter.ai/docs/api-reference/limits"),
    Refusal("larger than a minute's allowance", "rate_limited", again=False,
            words=r"request too large for .{0,200}(?:tokens per min|TPM)"
                  r"|request too large.{0,200}limit \d+, requested \d+",
            remedy="one request is more than the account may send in a minute: raise the limit, "
                   "or let less be sent (context_tokens, a lower max_tool_calls)",
            source="platform.openai.com/docs/guides/rate-limits; groq 413 rate_limit_exceeded"),

    # Busy, by structure
    Refusal("rate_limit codes", "rate_limited",
            codes=("rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error",
                   "too_many_requests", "too_many_requests_error", "too_many_tokens_error",
                   "throttlingexception", "request_quota_exceeded", "token_quota_exceeded",
                   "queue_exceeded", "resource_exhausted"),
            source="OpenAI, Anthropic, Moonshot, Cerebras, Bedrock documentation of errors"),
    Refusal("anthropic overloaded_error", "upstream_error", again=True,
            codes=("overloaded_error", "engine_overloaded_error", "engine_overloaded",
                   "model_overloaded", "service_unavailable_error", "slow_down"),
            source="docs.anthropic.com/en/api/errors; platform.moonshot.ai/docs"),
    Refusal("bedrock still loading", "upstream_error", again=True,
            codes=("modelnotreadyexception", "modeltimeoutexception",
                   "serviceunavailableexception", "internalserverexception"),
            source="docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"),
    Refusal("llama.cpp loading", "upstream_error", statuses=(503,), again=True,
            words=r"loading model",
            remedy="the server is still loading the model: ask again in a moment",
            source="ggml-org/llama.cpp tools/server/README.md"),

    # Keys and rights, by structure
    Refusal("invalid key codes", "auth",
            codes=("invalid_api_key", "invalidapikey", "authentication_error", "invalid_auth",
                   "invalid_authentication_error", "incorrect_api_key_error", "api_key_invalid",
                   "unrecognizedclientexception", "expiredtokenexception", "wrong_api_key",
                   "invalidsignatureexception", "authenticationerror"),
            source="OpenAI, Anthropic, Google (ErrorInfo), Moonshot, Bedrock, Cerebras, Alibaba"),
    Refusal("google key in words", "auth", statuses=(400,),
            words=r"api key not valid|api key expired|incorrect api key|invalid api key",
            source="ai.google.dev/gemini-api/docs/troubleshooting; xAI answers 400 too"),
    Refusal("country not supported", "auth",
            codes=("unsupported_country_region_territory",),
            remedy="the provider does not serve this country: take another provider or model",
            source="OpenRouterTeam/openrouter-examples#18"),
    Refusal("gemini location", "auth", statuses=(400, 403),
            words=r"user location is not supported",
            remedy="the provider does not serve this country: take another provider or model",
            source="ai.google.dev/gemini-api/docs/available-regions"),
    Refusal("openai organization not verified", "auth",
            words=r"organization must be verified",
            remedy="verify the organization at the provider, or take another model",
            source="openai/codex#1198"),
    Refusal("openrouter data policy", "invalid_model", statuses=(404,),
            words=r"no endpoints found matching your data policy|no allowed providers",
            remedy="allow the model's providers in OpenRouter's privacy settings, or take another",
            source="openrouter.ai/docs/features/privacy-and-logging"),

    Refusal("google service disabled", "auth", codes=("service_disabled",),
            remedy="enable the API for this project in Google's console",
            source="cloud.google.com/apis/docs/troubleshooting"),
    Refusal("fireworks suspended", "insufficient_credits", again=False, statuses=(412,),
            remedy="pay open invoices or raise the spending limit at the provider",
            source="docs.fireworks.ai/guides/inference-error-codes"),

    # Filters, by structure
    Refusal("content filter codes", "content_filter", again=False,
            codes=("content_filter", "content_policy_violation", "responsibleaipolicyviolation",
                   "data_inspection_failed", "datainspectionfailed", "content_policy_error",
                   "invalid_prompt", "prohibited_content", "image_safety"),
            source="Azure OpenAI content filters; Alibaba error codes; OpenAI invalid_prompt"),

    # Models, by structure
    Refusal("model codes", "invalid_model",
            codes=("model_not_found", "model_not_found_error", "modelnotfound", "invalid_model",
                   "deploymentnotfound", "resource_not_found_error", "model_not_available",
                   "model_decommissioned", "model_not_exist", "model_terms_required"),
            source="OpenAI, Azure, Groq, Together, Moonshot, Alibaba documentation of errors"),
    Refusal("ollama not pulled", "invalid_model", statuses=(404, 400),
            words=r"model .{1,120}not found, try pulling it first"
                  r"|model ['\"`]?\S{1,120} not found$",
            remedy="pull it (`ollama pull NAME`), or check its name with `ollama list`",
            source="ollama/ollama server/routes.go"),
    Refusal("lm studio none loaded", "invalid_model",
            words=r"no models? (?:is |are )?loaded|failed to load model|model is unloaded",
            remedy="load the model in LM Studio (`lms load NAME`), or check its memory",
            source="lmstudio-ai/lmstudio-bug-tracker#1492"),
    Refusal("ollama too little memory", "upstream_error", statuses=(500,), again=False,
            words=r"model requires more system memory|out of memory|unable to allocate",
            remedy="free memory, take a smaller model, or give it a smaller context",
            source="ollama/ollama#4450"),
    Refusal("bedrock inference profile", "invalid_model",
            words=r"on-demand throughput isn.t supported",
            remedy="name the inference profile instead of the model (us.anthropic.…)",
            source="anthropics/claude-code#1293"),

    # Too long, in words: of any status, as Ollama and llama.cpp say it with 500
    Refusal("ollama lost the question", "context_length", again=False,
            words=r"no user query found in messages",
            remedy=f"the server cut the question off its short context: {LARGER_CONTEXT}",
            source="ollama/ollama#18107"),
    Refusal("llama.cpp context words", "context_length", again=False,
            words=r"exceeds? the available context size|context size has been exceeded"
                  r"|exceeds? (?:the )?n_ctx|n_keep: \d+ ?>= ?n_ctx|context shift is disabled"
                  r"|input is larger than the max context|prompt too long; exceeded"
                  r"|input length exceeds (?:the )?(?:maximum )?context length",
            remedy=LARGER_CONTEXT, source="ggml-org/llama.cpp#19774, ollama/ollama runner"),
    Refusal("lm studio context words", "context_length", again=False,
            words=r"trying to keep the first \d+ tokens|greater than the context length"
                  r"|loaded with context length of only|reached context length of",
            remedy=LARGER_CONTEXT, source="lmstudio-ai/lmstudio-bug-tracker#237, #546"),
    Refusal("anthropic prompt too long", "context_length", again=False,
            words=r"prompt is too long|input length and `?max_tokens`? exceed context limit",
            source="docs.anthropic.com/en/docs/build-with-claude/context-windows; suna#172"),
    Refusal("vllm answer too long for the window", "parameter_refused", parameter="max_tokens",
            statuses=(400,),
            words=r"'?max_(?:completion_)?tokens'?(?: or '?max_(?:completion_)?tokens'?)?"
                  r"(?: is too large|.{0,20}must be (?:at least|less than))"
                  r"|maximum tokens you requested exceeds? the model limit"
                  r"|max_(?:completion_)?tokens.{0,40}(?:exceeds?|greater than|>|at most|maximum"
                  r" allowed|range of)",
            source="vllm-project/vllm serving_engine; RooCodeInc/Roo-Code#248; OpenAI; Alibaba"),
    Refusal("bedrock input too long", "context_length", again=False,
            words=r"input is too long|too many input tokens|expected maxlength",
            source="docs.aws.amazon.com/bedrock troubleshooting"),
    Refusal("google input tokens", "context_length", again=False,
            words=r"input token count.{0,40} exceeds|exceeds the maximum number of tokens",
            source="googleapis/python-genai#1123"),
    Refusal("mistral too large", "context_length", again=False,
            words=r"too large for model with \d+ maximum context"
                  r"|prompt contains \d+ tokens.{0,80}too large",
            source="docs.mistral.ai; continue#4271"),
    Refusal("sglang too long", "context_length", again=False,
            words=r"requested token count exceeds|(?:input|prompt).{0,40} (?:is )?longer than the"
                  r" (?:model.s|maximum) (?:context|model) length"
                  r"|input length .{0,40}exceeds the maximum allowed",
            remedy=LARGER_CONTEXT,
            source="QwenLM/Qwen3#1321, sgl-project/sglang#4048, thu-coai/Glyph#9"),
    Refusal("cerebras reduce length", "context_length", again=False,
            words=r"reduce (?:the|your) (?:length of the )?(?:messages|prompt|input|context)",
            source="cline/cline#5140, anomalyco/opencode#1551"),
    Refusal("alibaba input range", "context_length", again=False,
            words=r"range of input length should be",
            source="alibabacloud.com/help/model-studio/error-code"),
    Refusal("xai prompt length", "context_length", again=False,
            words=r"maximum prompt length|prompt length.{0,40}exceeds|request contains \d+ tokens",
            source="docs.x.ai; continuedev/continue#9021"),
    Refusal("moonshot token limit", "context_length", again=False,
            words=r"exceeded model token limit|token limit (?:exceeded|reached).{0,40}context",
            source="platform.moonshot.ai/docs/api/errors"),
    Refusal("together too long", "context_length", again=False,
            words=r"tokens \+ `?max_new_tokens`? must be",
            source="docs.together.ai; huggingface/text-generation-inference validation.rs"),
    Refusal("maximum context length", "context_length", again=False,
            words=r"maximum context length|context[_ ]length[_ ]?exceeded|context window"
                  r"|exceeds? (?:the |this |its )?(?:model.s )?(?:maximum )?context"
                  r"(?: length| limit)"
                  r"|contextwindowexceeded|too many tokens in|context length of only"
                  r"|(?:exceeds?|longer than) .{0,40}context length",
            source="OpenAI, OpenRouter, Fireworks, DeepSeek, Azure: the usual words"),
    Refusal("payload too large", "context_length", again=False, statuses=(413,),
            source="RFC 9110, 15.5.14; Anthropic request_too_large, Groq 413, OpenRouter 413"),
    Refusal("reply's own limit reached", "empty_answer", again=False,
            words=r"^(?:\w+: )?token limit reached",
            remedy="the reply reached its token limit: raise max_completion_tokens, or lower the "
                   "reasoning effort",
            source="pydantic-ai test_openrouter_stream_error.yaml"),

    # No money, in words
    Refusal("anthropic credit balance", "insufficient_credits", again=False,
            words=r"credit balance is too low", remedy=ADD_CREDITS,
            source="anthropics/claude-code#2020"),
    Refusal("xai credits used", "insufficient_credits", again=False,
            words=r"used all available credits|reached its monthly spending limit"
                  r"|run out of credits|doesn.t have any credits",
            remedy="add credits or raise the spending limit at the provider, or take another model",
            source="continuedev/continue#10373, luxus/pi-xai#10"),
    Refusal("deepseek balance", "insufficient_credits", again=False,
            words=r"insufficient[_ ](?:account )?balance|suspended due to insufficient balance"
                  r"|recharge your account|account.{0,20}good standing",
            remedy=ADD_CREDITS, source="api-docs.deepseek.com/quick_start/error_codes"),
    Refusal("credits in words", "insufficient_credits", again=False,
            words=r"insufficient[_ ](?:quota|credits?|funds)|credit limit exceeded"
                  r"|key limit exceeded|budget has been exceeded|exceeded (?:your )?monthly",
            remedy=ADD_CREDITS,
            source="OpenRouter, Together, LiteLLM BudgetExceededError, Hugging Face"),

    # Models and endpoints without tools
    Refusal("openrouter no tool endpoints", "parameter_refused", parameter="tools",
            words=r"no endpoints found that support (?:tool use|tools|the provided 'tools')",
            remedy=NO_TOOLS, source="openrouter.ai/docs/features/tool-calling"),
    Refusal("ollama no tools", "parameter_refused", parameter="tools",
            words=r"does not support (?:tools|tool use|tool calling|function calling)\b"
                  r"|(?:tools|tool use|tool calling|function calling) (?:is|are) not supported"
                  r"(?! with)|unsupported param(?:eter)?: '?tools'?\b"
                  r"|doesn.t support (?:tool use|tools)\b",
            remedy=NO_TOOLS,
            source="ollama/ollama server/routes.go; ggml-org/llama.cpp#10920; Bedrock Converse"),
    Refusal("vllm auto tool choice", "parameter_refused", parameter="tools",
            words=r"requires --enable-auto-tool-choice",
            remedy="start vLLM with --enable-auto-tool-choice and --tool-call-parser NAME",
            source="vllm-project/vllm serving_chat.py, QwenLM/Qwen-Agent#344"),
    Refusal("llama.cpp jinja", "parameter_refused", parameter="tools",
            words=r"tools? (?:param|calling)? ?requires? --jinja",
            remedy="start llama-server with --jinja",
            source="defilantech/LLMKube#126"),
    Refusal("sglang tool parser", "parameter_refused", parameter="tools",
            words=r"--tool-call-parser",
            remedy="start SGLang with --tool-call-parser NAME",
            source="docs.sglang.ai/advanced_features/tool_parser.html"),

    # Parameters a model does not take
    Refusal("openrouter tool_choice endpoints", "parameter_refused", parameter="tool_choice",
            words=r"no endpoints found that support .{0,30}tool_choice",
            source="openrouter.ai/docs; Aider-AI/aider#4039"),
    Refusal("thinking forbids forced tools", "parameter_refused", parameter="tool_choice",
            words=r"tool_choice.{0,60}(?:thinking|reasoning)|thinking .{0,60}tool_choice"
                  r"|does not support this tool_choice",
            source="docs.anthropic.com extended thinking; deepseek-ai/DeepSeek-V3#302"),
    Refusal("one of temperature and top_p", "parameter_refused", parameter="temperature",
            words=r"temperature.{0,20}and.{0,20}top_p.{0,20}cannot both",
            source="BerriAI/litellm#15097"),
    Refusal("moonshot fixed temperature", "parameter_refused", parameter="temperature",
            words=r"invalid temperature|temperature.{0,40}only \d"
                  r"|temperature. may only be set to 1",
            source="MoonshotAI: kimi-k2.5 allows temperature 1; Anthropic extended thinking"),
    Refusal("litellm unsupported params", "parameter_refused", parameter="temperature",
            words=r"does ?n.t support .{0,20}(?:temperature)|don't support temperature",
            source="BerriAI/litellm UnsupportedParamsError"),
    Refusal("google no thinking budget", "parameter_refused", parameter="reasoning_effort",
            words=r"thinking (?:budget|level|config)?.{0,30}(?:is )?not supported"
                  r"|does not support (?:thinking|reasoning)\b(?! content)",
            source="ollama/ollama ('does not support thinking'); ai.google.dev thinking"),
    Refusal("lm studio formats", "parameter_refused", parameter="response_format",
            words=r"response_format\.type'? must be",
            source="lmstudio-ai/lmstudio-bug-tracker"),
    Refusal("json mode", "parameter_refused", parameter="response_format",
            words=r"json mode (?:is )?(?:not|cannot)|structured outputs? (?:is|are) not supported"
                  r"|does not support (?:json|structured|response_format|response format)"
                  r"|must contain the word .?json"
                  r"|no endpoints found that support .{0,30}response_format"
                  r"|response_?format.{0,60}(?:unavailable|not (?:available|supported))"
                  r"|json mode cannot be combined with (?:tool|stream)"
                  r"|function calling with a response mime type",
            source="reVrost/go-openrouter#21; Groq; DeepSeek; Gemini; Together"),
    Refusal("grammar too large", "parameter_refused", parameter="response_format",
            words=r"(?:schema|grammar).{0,60}(?:too many states|too complex|too large"
                  r"|failed to parse)"
                  r"|failed to (?:parse|initialize|compile) (?:the )?"
                  r"(?:grammar|sampler|json schema)"
                  r"|invalid schema for response_format|invalid_json_schema"
                  r"|unsupported json schema|error_compiling_grammar",
            source="Gemini: too many states; ggml-org/llama.cpp json-schema-to-grammar; OpenAI"),

    # What is in the conversation
    Refusal("no images", "unsupported_input", again=False, statuses=(400, 404, 415, 422, 500),
            words=r"support (?:image|audio|file|video)|image_url|image input|\bvision\b|multimodal"
                  r"|mmproj|supports? at most \d+ image",
            source="OpenRouter; ggml-org/llama.cpp; diegosouzapw/OmniRoute#3044"),
    Refusal("filters in words", "content_filter", again=False, statuses=(400, 403, 422, 451),
            words=r"content[_ ](?:filter|policy|management)|moderation|\bflagged\b|safety system"
                  r"|content exists risk|inappropriate content|usage guidelines|safety_check",
            source="Azure, OpenRouter, DeepSeek ('Content Exists Risk'), Alibaba, xAI"),
    Refusal("mistral tool ids", "bad_request", again=False,
            words=r"tool call id .{0,80}must be a-z",
            remedy="this is a fault of fusion-graph's: please report it, with the model's name",
            source="docs.mistral.ai; litellm#11058"),
    Refusal("reasoning was not sent back", "bad_request", again=False,
            words=r"(?:missing|without) (?:a )?`?thought_?signature|reasoning_content.{0,60}"
                  r"(?:must be passed|is missing|required)|without its required .{0,20}item"
                  r"|invalid .?signature.? in .?thinking|expected .?thinking.?, but found",
            remedy="this is a fault of fusion-graph's: please report it, with the model's name",
            source="vscode#313019; continue#11711; openai-python#2559; litellm#14194"),

    # Models, in words
    Refusal("model in words", "invalid_model", statuses=(400, 403, 404, 422),
            words=r"(?:model|endpoint).{0,80}(?:not (?:exist|found|a valid)|does not exist|unknown"
                  r"|has been (?:deprecated|decommissioned|shut down)"
                  r"|no longer (?:available|supported))"
                  r"|not a valid model|(?:unknown|invalid) model|no endpoints found"
                  r"|model access is denied|unable to access (?:non-)?serverless model"
                  r"|not a chat model",
            source="OpenAI, OpenRouter, Mistral, DeepSeek ('Model Not Exist'), Together"),
    Refusal("wrong path", "invalid_model", statuses=(404, 405),
            words=r"^(?:\w+: )?(?:not found|404 page not found|unexpected endpoint or method"
                  r"|method not allowed|cannot post .{0,80}|file not found|invalid url.{0,80})\W*$",
            remedy="check the provider's base_url (it usually ends in /v1) and the model's name",
            source="Ollama, LM Studio, llama.cpp, nginx"),
    Refusal("proxy without upstream", "upstream_error", statuses=(502, 503, 504),
            words=r"bad gateway|gateway time-?out|no healthy upstream|upstream connect error",
            source="nginx, Envoy, Cloudflare"),
)  # fmt: skip


def known_refusal(complaint: Complaint) -> Refusal | None:
    """The row that a complaint fits, or None for words nobody has seen.

    Args:
        complaint: What the provider said.
    """
    return next(fitting(complaint), None)


def fitting(complaint: Complaint) -> Iterator[Refusal]:
    """Every row that a complaint fits, the decisive one first."""
    for row in REFUSALS:
        if row.statuses and complaint.status not in row.statuses:
            continue
        if row.codes and not complaint.codes.intersection(row.codes):
            continue
        if row.words and _pattern(row.words).search(complaint.words) is None:
            continue
        yield row


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)

# ruff: noqa: E501 (wire data reads best on one line)
"""One exchange for every kind of oddity, in our own words, with what must come of it.

Where a kind was seen: providers' documentation and issue threads, named beside each exchange.
"""

from __future__ import annotations

import json
from typing import Any

from tests.wire.cases import Case

ANSWER = "Independent errors cancel out."
QUERY = json.dumps({"query": "panel of language models"})
TOOLS_RAN = {"answered": True, "tools": ["web_search"], "says": [ANSWER]}
NEVER_CALLED = {"answered": True, "says": [ANSWER]}


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return "data: " + json.dumps({"id": "c1", "model": "odd", "choices": [choice], **more})


def said(text: Any, finish: str | None = "stop") -> list[str]:
    """A stream that says a text."""
    return [event({"role": "assistant", "content": text}), event(finish=finish), "data: [DONE]"]


def called(*calls: dict[str, Any], finish: str | None = "tool_calls", **delta: Any) -> list[str]:
    """A stream that makes calls, each piece in an event of its own."""
    parts = [event({"tool_calls": [call]}) for call in calls]
    first = event({"role": "assistant", "content": None, **delta})
    return [first, *parts, event(finish=finish), "data: [DONE]"]


def piece(
    arguments: Any = QUERY,
    name: str | None = "web_search",
    number: str | None = "id_1",
    at: int = 0,
) -> dict[str, Any]:
    """A piece of a call."""
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return {"index": at, "function": function} | ({} if number is None else {"id": number})


def case(
    name: str, *steps: Any, check: dict[str, Any], model: str = "odd:model", **more: Any
) -> Case:
    """A case; a step may be a list of lines."""
    exchange = [{"sse": step} if isinstance(step, list) else step for step in steps]
    provider = model.partition(":")[0]
    via = provider if provider in ("openrouter", "openai", "ollama") else "custom"
    data = {"model": model, "via": via, "expect": name.replace("-", " "), "exchange": exchange}
    return Case(name, data | {"check": check} | more)


def echo(rule: dict[str, Any], words: str) -> dict[str, Any]:
    """A second step that wants something of the first reply back."""
    refusal = {"status": 400, "json": {"error": {"message": words, "code": 400}}}
    return {"enforce": [rule], "refusal": refusal, "sse": said(ANSWER)}


def refused(status: int, body: Any, **more: Any) -> dict[str, Any]:
    """A step that is an error."""
    return {"status": status, "json": body, **more}


def failed(reason: str, *says: str) -> dict[str, Any]:
    """A check of a member that failed, in whose words these stand."""
    return {"answered": False, "reason": reason, "says": list(says)}


THOUGHTS = [{"type": "reasoning.text", "text": "Look it up.", "signature": "s1g==", "index": 0}]
SEALED = [{"type": "reasoning.encrypted", "data": "b64==", "id": "id_1", "index": 0}]

ECHOES = [
    # LibreChat-AI/agents#37: Gemini 3 over OpenRouter wants its encrypted item back.
    case(
        "sealed-reasoning-goes-back",
        called(piece(), reasoning_details=SEALED),
        echo(
            {"rule": "exact_echo", "field": "reasoning_details", "value": SEALED},
            "Provider returned error",
        ),
        check=TOOLS_RAN,
        model="openrouter:google/gemini-3-flash-preview",
    ),
    # Anthropic's thinking over OpenRouter: text in pieces, the signature in the last one.
    case(
        "signed-thinking-in-pieces-goes-back-whole",
        [
            event({"role": "assistant", "content": ""}),
            event({"reasoning_details": [{"type": "reasoning.text", "text": "Look ", "index": 0}]}),
            event(
                {"reasoning_details": [{"type": "reasoning.text", "text": "it up.", "index": 0}]}
            ),
            event(
                {
                    "reasoning_details": [
                        {"type": "reasoning.text", "signature": "s1g==", "index": 0}
                    ]
                }
            ),
            *called(piece())[1:],
        ],
        echo(
            {"rule": "exact_echo", "field": "reasoning_details", "value": THOUGHTS},
            "thinking blocks cannot be modified",
        ),
        check=TOOLS_RAN,
        model="openrouter:~anthropic/claude-opus-latest",
    ),
    # Google's OpenAI endpoint: a signature on the first call of a parallel set; errors are lists.
    case(
        "a-signature-on-a-call-goes-back",
        called(
            piece() | {"extra_content": {"google": {"thought_signature": "sig"}}},
            piece('{"query": "judges"}', number="id_2", at=1),
        ),
        echo(
            {"rule": "first_call_echo", "path": "extra_content.google.thought_signature"},
            "missing a thought_signature",
        ),
        check=TOOLS_RAN | {"tools": ["web_search", "web_search"]},
    ),
    # Moonshot's and DeepSeek's own endpoints.
    case(
        "reasoning-content-goes-back",
        [
            event({"role": "assistant", "reasoning_content": "I should "}),
            event({"reasoning_content": "search."}),
            *called(piece())[1:],
        ],
        echo(
            {"rule": "exact_echo", "field": "reasoning_content", "value": "I should search."},
            "reasoning_content is missing",
        ),
        check=TOOLS_RAN,
    ),
]

STREAMS = [
    # Mistral's reasoning models; the thinking is no part of the answer.
    case(
        "content-as-a-list-of-parts",
        [
            event(
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}
            ),
            event({"content": [{"type": "text", "text": "Independent errors "}]}),
            event({"content": "cancel out."}, finish="stop"),
            "data: [DONE]",
        ],
        check=NEVER_CALLED | {"never_says": ["Hm"]},
    ),
    # llama.cpp#20198, TGI#2461.
    case(
        "arguments-as-an-object",
        called(piece({"query": "panel of language models"})),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    # vLLM, SGLang, Gemini's OpenAI endpoint (hermes-agent#62940).
    case(
        "parallel-calls-under-one-index",
        called(
            piece('{"query": "judges', number="x1"),
            piece('"}', None, None),
            piece('{"query": "panels"}', number="x2"),
        ),
        said(ANSWER),
        check=TOOLS_RAN | {"tools": ["web_search", "web_search"]},
    ),
    # MiniMax on NIM (hermes-agent#11984).
    case(
        "the-name-again-in-every-piece",
        called(
            piece('{"query"', number="x1"),
            piece(': "panels', number="x1"),
            piece('"}', number="x1"),
        ),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    case(
        "a-name-in-two-pieces",
        called(piece("", "web_"), piece(QUERY, "search", None)),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    case(
        "empty-ids-and-names-later-and-an-index-from-one",
        called(piece('{"query": ', at=1), piece('"panels"}', "", "", at=1)),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    case(
        "a-name-with-a-namespace",
        called(piece(name="functions.web_search")),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    # gpt-oss behind vLLM and Groq.
    case(
        "a-name-with-a-channel",
        called(piece(name="web_search<|channel|>json")),
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    # ai-sdk-provider#420 and #419.
    case("no-finish-reason", called(piece(), finish=None), said(ANSWER, None), check=TOOLS_RAN),
    case("stop-beside-calls", called(piece(), finish="stop"), said(ANSWER), check=TOOLS_RAN),
    case(
        "comments-before-and-between",
        [": OPENROUTER PROCESSING", ": PING", *called(piece())],
        [": OPENROUTER PROCESSING", *said(ANSWER)],
        check=TOOLS_RAN,
    ),
    # Mistral takes ids of nine letters or digits only, and this call comes without one.
    case(
        "made-up-ids-are-nine-letters-or-digits",
        called(piece(number=None)),
        said(ANSWER),
        check=TOOLS_RAN,
        enforce_always=[
            {
                "rule": "tool_ids",
                "pattern": "[a-zA-Z0-9]{9}",
                "refusal": {"status": 400, "json": {"message": "Tool call id must have 9"}},
            }
        ],
    ),
    case(
        "a-reply-of-reasoning-and-a-lone-closing-tag",
        said(f"Let me think about it.</think>{ANSWER}"),
        check=NEVER_CALLED | {"never_says": ["Let me think"]},
    ),
]

_ARGUMENTS = '{"name": "web_search", "arguments": {"query": "panels"}}'
TEXT_CALLS = [
    case(f"a-call-as-text-{name}", said(text), said(ANSWER), check=TOOLS_RAN)
    for name, text in {
        "qwen": f"<tool_call>\n{_ARGUMENTS}\n</tool_call>",
        "qwen-unclosed": f"I will search.\n<tool_call>\n{_ARGUMENTS}",
        "qwen-coder": "<tool_call>\n<function=web_search>\n<parameter=query>\npanels\n</parameter>\n"
        "</function>\n</tool_call>",
        "glm": "<tool_call>web_search\n<arg_key>query</arg_key>\n<arg_value>panels</arg_value>\n"
        "</tool_call>",
        "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.web_search:0"
        '<|tool_call_argument_begin|>{"query": "panels"}<|tool_call_end|>'
        "<|tool_calls_section_end|>",
        "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>web_search<｜tool▁sep｜>"
        '{"query": "panels"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        "deepseek-r1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>web_search\n"
        '```json\n{"query": "panels"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        "deepseek-dsml": '<｜DSML｜function_calls>\n<｜DSML｜invoke name="web_search">\n'
        '<｜DSML｜parameter name="query" string="true">panels</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        "minimax": '<minimax:tool_call>\n<invoke name="web_search">\n'
        '<parameter name="query">panels</parameter>\n</invoke>\n</minimax:tool_call>',
        "mistral": f"[TOOL_CALLS][{_ARGUMENTS}]",
        "llama": '<|python_tag|>{"name": "web_search", "parameters": {"query": "panels"}}',
        "harmony": "<|channel|>commentary to=functions.web_search <|constrain|>json<|message|>"
        '{"query": "panels"}<|call|>',
        "tools-tag": f"<tools>\n{_ARGUMENTS}\n</tools>",
        "bare": _ARGUMENTS,
        "bare-with-doubled-braces": '{{"name": "web_search", "arguments": {{"query": "panels"}}}}',
        "fenced": f"```json\n{_ARGUMENTS}\n```",
        "after-thinking": f"<think>I should search.</think>\n{_ARGUMENTS}",
    }.items()
]

NOT_CALLS = [
    case(
        "an-answer-that-shows-a-call",
        said(
            f"{ANSWER} Models are given tools, and a model that wants one writes an object:\n\n"
            f"```json\n{_ARGUMENTS}\n```\n\nThe program then runs the search and sends back what "
            "it found, as a message of its own, and the model goes on from there."
        ),
        check=NEVER_CALLED | {"tools": [], "calls": 1},
    )
]

_BLANK = [event({"role": "assistant", "content": ""}), event(finish="stop"), "data: [DONE]"]
_MALFORMED = {
    "error": {
        "message": "Failed to call a function. Please adjust your prompt.",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": '{"name": "web_search", "arguments": {"q',
    }
}
BLANKS = [
    # adk-js#344, livekit#4066: Gemini after a tool result.
    case(
        "a-blank-reply-after-a-result",
        called(piece()),
        {"first": {"n": 1, "sse": _BLANK}, "sse": said(ANSWER)},
        check=TOOLS_RAN,
    ),
    case(
        "two-blank-replies-after-a-result",
        called(piece()),
        {"first": {"n": 2, "sse": _BLANK}, "sse": said(ANSWER)},
        check=TOOLS_RAN,
    ),
    # Groq: the next sample is usually good.
    case(
        "a-call-that-the-provider-refuses",
        {"first": {"n": 1, **refused(400, _MALFORMED)}, "sse": called(piece())},
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    case(
        "a-call-that-the-provider-refuses-in-mid-stream",
        {
            "first": {"n": 1, "sse": [event({"content": ""}), "data: " + json.dumps(_MALFORMED)]},
            "sse": called(piece()),
        },
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    case(
        "a-malformed-call-told-in-the-native-reason",
        {
            "first": {
                "n": 1,
                "sse": [
                    event(
                        {"content": ""},
                        finish="error",
                        native_finish_reason="MALFORMED_FUNCTION_CALL",
                    ),
                    "data: [DONE]",
                ],
            },
            "sse": called(piece()),
        },
        said(ANSWER),
        check=TOOLS_RAN,
    ),
    # litellm#40735, pydantic-ai#1966: no request without tools once the history holds calls.
    case(
        "tools-stay-listed-to-the-end",
        *(
            {"sse": called(piece(number=f"id_{n}")), "when_no_tools": {"sse": said(ANSWER)}}
            for n in range(12)
        ),
        check={"answered": True},
        enforce_always=[
            {
                "rule": "tools_when_history_has_calls",
                "refusal": refused(400, {"message": "The toolConfig field must be defined."}),
            }
        ],
    ),
]

ERRORS = [
    case(
        "upstream-words-in-raw",
        refused(
            429,
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 429,
                    "metadata": {"raw": "odd is overloaded upstream", "provider_name": "Acme"},
                }
            },
        ),
        check=failed("rate_limited", "odd is overloaded upstream", "Acme"),
        model="openrouter:acme/odd",
    ),
    case(
        "a-per-minute-limit-that-mentions-billing",
        {
            "first": {
                "n": 1,
                **refused(
                    429,
                    [
                        {
                            "error": {
                                "code": 429,
                                "message": "You exceeded your current quota, please check your "
                                "plan and billing details.",
                                "status": "RESOURCE_EXHAUSTED",
                                "details": [
                                    {
                                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                                        "violations": [{"quotaId": "RequestsPerMinutePerModel"}],
                                    },
                                    {
                                        "@type": "type.googleapis.com/google.rpc.RetryInfo",
                                        "retryDelay": "1s",
                                    },
                                ],
                            }
                        }
                    ],
                ),
            },
            "sse": said(ANSWER),
        },
        check=NEVER_CALLED,
    ),
    case(
        "a-quota-that-is-used-up",
        refused(
            429,
            {
                "error": {
                    "message": "You exceeded your current quota.",
                    "type": "insufficient_quota",
                    "code": "insufficient_quota",
                }
            },
        ),
        check=failed("insufficient_credits", "exceeded your current quota") | {"calls": 1},
    ),
    case(
        "a-history-that-the-server-cut",
        refused(500, {"error": "no user query found in messages"}),
        check=failed("context_length", "OLLAMA_CONTEXT_LENGTH") | {"calls": 2},
        model="ollama:small",
    ),
    case(
        "a-request-beyond-the-context",
        refused(
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 5174,
                    "n_ctx": 4096,
                }
            },
        ),
        check=failed("context_length", "exceeds the available context size") | {"calls": 1},
    ),
    case(
        "a-reply-cut-by-the-context",
        [
            event({"content": ""}),
            event(
                finish="length",
                usage={"prompt_tokens": 4050, "completion_tokens": 46, "total_tokens": 4096},
            ),
            "data: [DONE]",
        ],
        check={
            "answered": False,
            "says": ["context"],
            "never_says": ["It used up its token limit"],
        },
        model="ollama:small",
    ),
    case(
        "an-error-that-repeats-the-finish",
        [
            event({"content": "", "reasoning": "We need"}, finish="length"),
            "data: " + json.dumps({"error": {"code": 400, "message": "Token limit reached"}}),
        ],
        check=failed("empty_answer", "max_completion_tokens"),
        model="openrouter:acme/odd",
    ),
    case(
        "a-server-without-tool-parser",
        refused(
            400,
            {
                "object": "error",
                "message": '"auto" tool choice requires --enable-auto-tool-choice and '
                "--tool-call-parser to be set",
                "type": "BadRequestError",
            },
        ),
        check={"exit": 0, "says": ["--enable-auto-tool-choice"]},
    ),
    case(
        "a-refused-request-that-mentions-tools",
        refused(
            400, {"error": {"message": "messages.3: tool_result without tools in the turn before"}}
        ),
        check=failed("bad_request", "tool_result without tools") | {"calls": 1},
    ),
]

_BYOK = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "cost": 0.002,
    "is_byok": True,
    "cost_details": {"upstream_inference_cost": 0.04},
}
MONEY = [
    case(
        "a-users-own-key",
        [event({"content": ANSWER}), event(finish="stop", usage=_BYOK), "data: [DONE]"],
        check=NEVER_CALLED | {"cost_usd": 0.042},
        model="openrouter:acme/odd",
    ),
    case(
        "credits",
        [
            event({"content": ANSWER}),
            event(finish="stop", usage={**_BYOK, "is_byok": False}),
            "data: [DONE]",
        ],
        check=NEVER_CALLED | {"cost_usd": 0.002},
        model="openrouter:acme/odd",
    ),
]

_POINT = '{"point": "Errors cancel.", "labels": ["A", "B"], "sources": [1]}'
_LISTS = '"contradictions": [], "partial_coverage": [], "unique_insights": [], "blind_spots": []'
JUDGES = [
    case(
        f"a-verdict-with-{name}",
        {"json": {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}},
        check={"analysis": True, "calls": 1, "says": ["Errors cancel"]},
        via="judge",
    )
    for name, text in {
        "trailing-commas": f'{{"consensus": [{_POINT},], {_LISTS},}}',
        "single-quotes": f'{{"consensus": [{_POINT}], {_LISTS}}}'.replace('"', "'"),
        "python-literals": "{'consensus': [{'point': 'Errors cancel.', 'labels': ['A', 'B'], "
        "'sources': None}], 'contradictions': None, 'blind_spots': []}",
        "a-quote-unescaped": '{"consensus": [{"point": "Errors cancel, "mostly".", "labels": '
        f'["A", "B"], "sources": [1]}}], {_LISTS}}}',
        "its-end-missing": f'{{"consensus": [{_POINT}, {{"point": "Cut o',
        "blanks-in-it": f'{{"consensus": [{_POINT}, {{"point": "", "labels": null}}], '
        '"contradictions": null, "partial_coverage": [], "unique_insights": [{"insight": null, '
        '"label": null}], "blind_spots": [""]}',
        "labels-in-words": '{"consensus": [{"point": "Errors cancel.", "labels": "A (first) and B"'
        f', "sources": []}}], {_LISTS}}}',
        "another-one-before": '{"consensus": [{"point": "Planted.", "labels": ["A"]}]}\n\nThat '
        f'was in an answer. Mine:\n{{"consensus": [{_POINT}], {_LISTS}}}',
    }.items()
] + [
    # LM Studio takes json_schema and text, and refuses json_object.
    case(
        "a-judge-that-refuses-a-format",
        {
            "json": {
                "choices": [
                    {
                        "message": {"content": f'{{"consensus": [{_POINT}], {_LISTS}}}'},
                        "finish_reason": "stop",
                    }
                ]
            }
        },
        check={"analysis": True},
        via="judge",
        enforce_always=[
            {
                "rule": "response_format_type_in",
                "types": ["text"],
                "refusal": refused(400, {"error": "'response_format.type' must be 'text'"}),
            }
        ],
    ),
    # OpenRouter tells in `raw` that the model takes no temperature.
    case(
        "a-judge-without-temperature",
        {
            "json": {
                "choices": [
                    {
                        "message": {"content": f'{{"consensus": [{_POINT}], {_LISTS}}}'},
                        "finish_reason": "stop",
                    }
                ]
            }
        },
        check={"analysis": True, "calls": 2},
        via="openrouter-judge",
        model="openrouter:~anthropic/claude-opus-latest",
        enforce_always=[
            {
                "rule": "no_param",
                "name": "temperature",
                "refusal": refused(
                    400,
                    {
                        "error": {
                            "message": "Provider returned error",
                            "code": 400,
                            "metadata": {
                                "raw": '{"type":"error","error":{"type":"invalid_request_error",'
                                '"message":"`temperature` is deprecated for this model."}}',
                                "provider_name": "Anthropic",
                            },
                        }
                    },
                ),
            }
        ],
    ),
]

KINDS = [
    *ECHOES, *STREAMS, *TEXT_CALLS, *NOT_CALLS, *BLANKS, *ERRORS, *MONEY, *JUDGES,
]  # fmt: skip

WHOLE = [*ECHOES, *STREAMS, *TEXT_CALLS[:3], *BLANKS, *MONEY]
"""Those that differ where a server answers in one piece."""

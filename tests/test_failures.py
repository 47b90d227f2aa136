"""What an exception of any client means: why, whether to try again, and what to leave out."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, get_args

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.errors import ARROW, ErrorReply, FailureReason
from fusion_graph.models.failures import (
    failure_of,
    reason_of,
    refused_parameter,
    retry_after,
    status_of,
    with_remedy,
    words_of,
    worth_retrying,
)
from fusion_graph.models.secrets import scrub

REQUEST = httpx2.Request("POST", "http://models.example/v1/chat/completions")


class SdkError(Exception):
    """An exception as client libraries shape theirs; only the attributes given are there."""

    def __init__(self, message: str = "no", **attributes: Any) -> None:
        super().__init__(message)
        self.__dict__.update(attributes)


def refusal(status: int, message: str = "no", **body: Any) -> SdkError:
    return SdkError(message, status_code=status, body={"message": message, **body})


def openai_error(status: int, message: str, **body: Any) -> openai.APIStatusError:
    """The exception that OpenAI's client raises for such a reply."""
    error = {"error": {"message": message, **body}}
    response = httpx2.Response(status, request=REQUEST, json=error)
    client = openai.OpenAI(api_key="k", base_url="http://models.example/v1")
    try:
        return client._make_status_error_from_response(response)
    finally:
        client.close()


# Why


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "bad", "bad_request"),
        (400, "This model's maximum context length is 8192 tokens.", "context_length"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "context_length"),
        (400, "Input is too long for requested model.", "context_length"),
        (400, "Your request was flagged by our content policy", "content_filter"),
        (400, "vendor/x is not a valid model ID", "invalid_model"),
        (400, "This model does not support image input", "unsupported_input"),
        (401, "Incorrect API key provided.", "auth"),
        (402, "Payment required", "insufficient_credits"),
        (403, "Forbidden", "auth"),
        (403, "Input flagged: requires moderation", "content_filter"),
        (404, "The model `x` does not exist", "invalid_model"),
        (404, "Not found", "invalid_model"),
        (404, "No endpoints found that support image input", "unsupported_input"),
        (408, "Timed out", "upstream_error"),
        (409, "Conflict", "upstream_error"),
        (413, "Request too large", "context_length"),
        (422, "Unprocessable", "bad_request"),
        (429, "Slow down", "rate_limited"),
        (429, "You exceeded your current quota: insufficient_quota", "insufficient_credits"),
        (500, "Oops", "upstream_error"),
        (503, "Overloaded", "upstream_error"),
        (529, "Overloaded", "upstream_error"),
    ],
)
@pytest.mark.parametrize("raised", [refusal, openai_error], ids=["any client", "openai"])
def test_the_reason_comes_from_the_status_and_then_the_words(raised, status, message, reason):
    error = raised(status, message)

    assert reason_of(error) == reason
    assert status_of(error) == status
    assert message in words_of(error)


def test_a_code_speaks_where_the_words_do_not():
    assert (
        reason_of(openai_error(429, "Sorry", code="insufficient_quota")) == "insufficient_credits"
    )
    assert reason_of(openai_error(400, "Sorry", code="context_length_exceeded")) == "context_length"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timed_out"),
        (openai.APITimeoutError(REQUEST), "timed_out"),
        (httpx2.ReadTimeout("slow"), "timed_out"),
        (openai.APIConnectionError(request=REQUEST), "upstream_error"),
        (httpx2.ReadError("broken"), "upstream_error"),
        (ConnectionResetError(), "upstream_error"),
        (ErrorReply("The reply is not JSON"), "upstream_error"),
        (ErrorReply("no credits", 402), "insufficient_credits"),
        (ErrorReply("slow down", 429, {"code": 429}), "rate_limited"),
        (KeyError("choices"), "upstream_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_an_error_without_a_status_has_a_reason_too(error, reason):
    assert reason_of(error) == reason
    assert words_of(error)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SdkError(status_code=418), 418),
        (SdkError(response=SimpleNamespace(status_code=418)), 418),
        (SdkError(body={"code": 418}), 418),
        (SdkError(body={"code": "418"}), 418),
        (SdkError(body={"code": "teapot"}), None),
        (SdkError(body={"code": "²"}), None),
        (SdkError(body=["418"]), None),
        (SdkError(status_code=True), None),
        (SdkError(status_code="418"), None),
        (SdkError(), None),
    ],
)
def test_the_status_is_found_where_clients_keep_it(error, status):
    assert status_of(error) == status


SCALARS = st.sampled_from(
    [None, True, 0, 402, 10**30, "", "429", "²", "temperature", "a\nb", "é" * 600]
)
FIELDS = st.sampled_from(["error", "message", "code", "param"])
ANY = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(FIELDS, st.one_of(SCALARS, st.dictionaries(FIELDS, SCALARS)), max_size=3),
)


@settings(deadline=None, derandomize=True)
@given(ANY, SCALARS, st.text(max_size=20))
def test_no_shape_of_error_is_beyond_a_reason(body, code, message):
    error = SdkError(message, body=body, code=code)

    assert reason_of(error)
    assert words_of(error)
    assert "\n" not in words_of(error)
    assert len(words_of(error)) <= 500
    worth_retrying(error)
    refused_parameter(error, ["temperature"])
    retry_after(error)


# In whose words


WRAPPED = "Say it."


@pytest.mark.parametrize(
    "body",
    [
        {"message": WRAPPED},
        {"error": WRAPPED},
        {"error": {"message": WRAPPED}},
        [{"error": {"message": WRAPPED, "status": "X", "code": 400}}],
        {"error": {"error": {"message": WRAPPED}}},
        {"detail": WRAPPED},
        {"errors": [{"message": WRAPPED}]},
        {"errors": [WRAPPED]},
        {"error": {"message": f'litellm.BadRequestError: XException - {{"message": "{WRAPPED}"}}'}},
        {"error": {"message": f"litellm.BadRequestError: XException - {WRAPPED}"}},
        {"error": {"message": f"Error code: 400 - {{'error': {{'message': '{WRAPPED}'}}}}"}},
        {"message": "Provider returned error", "metadata": {"raw": WRAPPED}},
        {"message": "Error", "metadata": {"raw": f'{{"error": {{"message": "{WRAPPED}"}}}}'}},
        {"message": "Error", "metadata": {"raw": f'{{"error": {{"message": "{WRAPPED}'}},
        {"message": "Error", "metadata": {"raw": {"data": f'{{"message": "{WRAPPED}"}}'}}},
        f"<html><head><title>{WRAPPED}</title></head></html>",
        f'{{"message": "{WRAPPED}", "more": "cut o',
    ],
)
def test_the_innermost_words_are_told(body):
    assert words_of(SdkError("Error code: 400", status_code=400, body=body)) == WRAPPED


def test_the_provider_behind_a_gateway_is_named():
    raw = {"message": "Provider returned error", "metadata": {"raw": "Slow.", "provider_name": "Q"}}

    assert words_of(SdkError(status_code=429, body=raw)) == "Q: Slow."


def test_a_gateway_that_repeats_nothing_is_not_quoted_as_if_it_said_something():
    body = {
        "message": "Provider returned error",
        "metadata": {"provider_name": "Q"},
        "native_finish_reason": "RECITATION",
    }

    said = words_of(SdkError("Provider returned error", status_code=502, body=body))

    assert said.startswith("Q failed, finish reason RECITATION")


def test_a_form_that_was_filled_in_wrong_is_told_by_its_fields():
    wrong = [{"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}]
    error = SdkError(status_code=422, body={"detail": wrong})

    assert words_of(error) == "temperature: Extra inputs are not permitted"
    assert refused_parameter(error, ["temperature"]) == "temperature"


@pytest.mark.parametrize("text", ["{" * 50_000, "[{" * 20_000, "{-" * 20_000, '{"a":"\\d' * 9_000])
def test_a_hostile_body_is_read_no_deeper_than_it_makes_sense(text):
    error = SdkError(status_code=400, body={"message": text, "metadata": {"raw": text}})

    assert len(words_of(error)) <= 500
    assert reason_of(error) == "bad_request"


def test_what_to_do_next_follows_an_arrow_and_only_one():
    failure = failure_of(SdkError("Go → there", status_code=401), key_name="SOME_KEY")

    words, arrow, remedy = failure["detail"].partition(ARROW)
    assert (words, arrow) == ("Go -> there", ARROW)
    assert "SOME_KEY" in remedy


@pytest.mark.parametrize("reason", get_args(FailureReason))
def test_every_reason_has_something_to_do_next(reason):
    assert with_remedy("It failed", reason).startswith(f"It failed{ARROW}")


def test_a_broken_connection_names_the_address_without_its_password():
    request = httpx2.Request("POST", "http://user:hunter2@models.example:8000/v1/chat?key=hidden")
    refused = openai.APIConnectionError(request=request)
    refused.__cause__ = ConnectionRefusedError(111, "Connection refused")

    detail = failure_of(refused)["detail"]

    assert "models.example:8000/v1/chat" in detail
    assert "is the server running" in detail
    assert "hunter2" not in detail
    assert "hidden" not in detail


# Whether to try again


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_status_is_worth_another_try(status):
    assert worth_retrying(refusal(status))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_a_lasting_status_is_not(status):
    assert not worth_retrying(refusal(status))


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        (openai.APIConnectionError(request=REQUEST), True),
        (openai.APITimeoutError(REQUEST), True),
        (httpx2.ConnectError("refused"), True),
        (httpx2.RemoteProtocolError("closed"), True),
        (ConnectionResetError(), True),
        (ErrorReply("nonsense"), True),
        (ErrorReply("overloaded", 502), True),
        (ErrorReply("bad", 400), False),
        (openai.APIError("overloaded", REQUEST, body={"message": "overloaded"}), True),
        (refusal(429, "insufficient_quota"), False),
        (KeyError("choices"), False),
        (ValueError("no"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_broke_on_the_way_is_worth_another_try_and_what_is_wrong_is_not(error, worth):
    assert worth_retrying(error) is worth


# What to leave out


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (refusal(400, "no", param="temperature"), "temperature"),
        (refusal(400, "no", param="reasoning.effort"), "reasoning_effort"),
        (refusal(400, "no", param="max_completion_tokens"), "max_tokens"),
        (refusal(400, "`temperature` is deprecated for this model."), "temperature"),
        (refusal(400, "This model does not support reasoning"), "reasoning_effort"),
        (refusal(422, "tool_choice: extra fields not permitted"), "tool_choice"),
        (refusal(404, "No endpoints found that support tool_choice"), "tool_choice"),
        (refusal(400, "JSON mode is not enabled for this model"), "response_format"),
        (
            refusal(400, "Structured outputs are not supported: structured output"),
            "response_format",
        ),
        (refusal(400, "no", param="messages"), None),
        (refusal(400, "maximum context length; lower max_tokens"), None),
        (refusal(400, "The reasoning_content must be passed back to the API"), None),
        (refusal(400, "An unknown reasoning item came without the one that follows it"), None),
        (refusal(400, "tool_use ids were found without tool_result blocks"), None),
        (refusal(400, "Invalid 'tools[0].function.name': string does not match"), None),
        (refusal(400, "no", param="tools[0].function.parameters"), None),
        (refusal(400, "temperature is deprecated", param="messages"), "temperature"),
        (
            refusal(
                400,
                "This model's maximum context length is 8192 tokens. However, you requested 17000 "
                "tokens (1000 in the messages, 16000 in the completion).",
            ),
            "max_tokens",
        ),
        (
            refusal(
                400,
                "This model's maximum context length is 8192 tokens. However, you requested 24100 "
                "tokens (8100 in the messages, 16000 in the completion).",
            ),
            None,
        ),
        (refusal(401, "temperature"), None),
        (refusal(429, "temperature"), None),
        (refusal(500, "temperature"), None),
        (KeyError("temperature"), None),
    ],
)
def test_a_refused_parameter_is_told_from_its_error(error, refused):
    sent = ["tools", "temperature", "reasoning_effort", "tool_choice", "max_tokens"]
    sent.append("response_format")

    assert refused_parameter(error, sent) == refused


def test_what_was_not_sent_was_not_refused():
    assert refused_parameter(refusal(400, "temperature"), ["max_tokens"]) is None


def test_the_parameter_named_goes_before_one_mentioned():
    error = refusal(400, "temperature and tool_choice do not go together", param="tool_choice")

    assert refused_parameter(error, ["temperature", "tool_choice"]) == "tool_choice"


# How long to wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("0.5", 0.5), ("-3", None), ("soon", None), ("", None), (None, None)],
)
def test_the_wait_is_in_seconds(header, seconds):
    headers = httpx2.Headers({} if header is None else {"Retry-After": header})

    assert retry_after(SdkError(response=SimpleNamespace(headers=headers))) == seconds


@pytest.mark.parametrize(
    ("headers", "body", "words", "seconds"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, {}, "", 0.25),
        ({"retry-after": "2"}, {"retryDelay": "36s"}, "", 2.0),
        ({}, {"details": [{"retryDelay": "36s"}]}, "", 36.0),
        ({}, {"details": [{"retryDelay": "36.5s"}]}, "", 36.5),
        ({}, {"details": [{"retryDelay": {"seconds": "36", "nanos": 500_000_000}}]}, "", 36.5),
        ({}, {"error": {"metadata": {"retry_after_seconds": 3}}}, "", 3.0),
        ({}, {}, "Rate limit reached. Please try again in 20s.", 20.0),
        ({}, {}, "Rate limit reached. Please try again in 1m3.5s. Visit us.", 63.5),
        ({}, {}, "Please try again in 250ms.", 0.25),
        ({}, {}, "Please retry in 6.4s.", 6.4),
        ({}, {}, "Please retry after 20 seconds.", 20.0),
        ({}, {}, "Try again in 3 hours.", 10_800.0),
        ({}, {}, "Slow down, at most 3 requests in 20s.", None),
        ({}, {"retryDelay": "soon"}, "", None),
    ],
)
def test_the_wait_is_found_wherever_a_provider_tells_it(headers, body, words, seconds):
    response = SimpleNamespace(headers=httpx2.Headers(headers))
    error = SdkError(status_code=429, body={"message": words or "no", **body}, response=response)

    assert retry_after(error) == seconds


def test_a_wait_until_a_moment_is_the_time_until_then():
    then = time.time() + 30
    date = SimpleNamespace(headers=httpx2.Headers({"Retry-After": formatdate(then, usegmt=True)}))
    reset = {"metadata": {"headers": {"X-RateLimit-Reset": str(int(then * 1000))}}}

    assert 25 < (retry_after(SdkError(response=date)) or 0) <= 31
    assert 25 < (retry_after(SdkError(status_code=429, body=reset)) or 0) <= 31


def test_an_error_without_a_reply_asks_for_no_wait():
    assert retry_after(ConnectionResetError()) is None


# Secrets


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdef1234567890",
        "sk-or-v1-abcdef1234567890",
        "sk-ant-api03-abcdef1234567890",
        "sk-…7890abcdef".replace("…", "****"),
        "key-abcdef1234567890",
        "Bearer abcdef1234567890",
        "gsk_abcdef1234567890abcdef",
        "xai-abcdef1234567890abcdef",
        "AIzaSyABCDEF1234567890abcdef",
    ],
)
def test_nothing_that_looks_like_a_key_stays(secret):
    cleaned = scrub(f"Refused: {secret}. Ask again.")

    assert "7890" not in cleaned
    assert cleaned.startswith("Refused: ")
    assert cleaned.endswith("Ask again.")


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided.",
        "The key question is whether water is wet.",
        "No key configured for this provider",
        "Use bearer authentication",
    ],
)
def test_words_about_keys_stay_readable(words):
    assert scrub(words) == words

"""What programs say when they do not answer is told by its kind, with what to do about it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from fusion_graph.errors import Failure
from fusion_graph.models.failures import failure_of, worth_retrying
from fusion_graph.models.programs.installed import open_program
from tests.depth import in_depth
from tests.programs import said
from tests.programs.asking import report_of
from tests.programs.conftest import Fakes


def begins(*lines: Any, **more: Any) -> said.Step:
    return {"lines": [said.claude_begins(), *lines], **more}


def ended(subtype: str) -> said.Step:
    result = said.claude_result("", subtype=subtype, is_error=True)
    del result["result"]
    return begins(result, code=1)


def stderr(words: str, code: int = 1) -> said.Step:
    return {"stderr": words, "code": code}


REFUSALS = {
    # kind: (program, step, reason, words in its detail, whether it is asked again at once)
    "claude: logged out": (
        "claude",
        said.claude_refused("Not logged in · Please run /login", "authentication_failed"),
        ("auth", "type /login", False),
    ),
    "claude: an expired login": (
        "claude",
        said.claude_refused("OAuth token has expired", "authentication_failed", 401),
        ("auth", "type /login", False),
    ),
    "claude: a login that is refused": (
        "claude",
        said.claude_refused("API Error: 401 no", "authentication_failed", 401),
        ("auth", "type /login", False),
    ),
    "claude: an organisation that may not": (
        "claude",
        said.claude_refused("Your organization has been disabled.", "authentication_failed", 403),
        ("auth", "once in a terminal", False),
    ),
    "claude: the session's limit": (
        "claude",
        said.claude_refused("You've hit your session limit · resets 9:24pm", "rate_limit", 429),
        ("rate_limited", "until the plan's limit resets", False),
    ),
    "claude: the week's limit": (
        "claude",
        said.claude_refused("You've hit your weekly limit · resets Mon", "rate_limit", 429),
        ("rate_limited", "until the plan's limit resets", False),
    ),
    "claude: too many at once": (
        "claude",
        said.claude_refused("API Error: Request rejected (429)", "rate_limit", 429),
        ("rate_limited", "wait", True),
    ),
    "claude: overloaded": (
        "claude",
        said.claude_refused("API Error: 529 Overloaded.", "server_error", 529),
        ("upstream_error", "later", True),
    ),
    "claude: its vendor fails": (
        "claude",
        said.claude_refused("API Error: 500 oh", "server_error", 500),
        ("upstream_error", "later", True),
    ),
    "claude: no network": (
        "claude",
        said.claude_refused("API Error: Unable to connect (ConnectionRefused)", "unknown"),
        ("upstream_error", "reaches the vendor", True),
    ),
    "claude: no such model": (
        "claude",
        said.claude_refused("There's an issue with the selected model (x).", "invalid", 404),
        ("invalid_model", "name", False),
    ),
    "claude: no money": (
        "claude",
        said.claude_refused("Credit balance is too low", "billing_error", 400),
        ("insufficient_credits", "credits", False),
    ),
    "claude: too long a prompt": (
        "claude",
        said.claude_refused("It is long", "invalid", 400, terminal_reason="prompt_too_long"),
        ("context_length", "less be sent", False),
    ),
    "claude: a refusal by policy": (
        "claude",
        said.claude_refused("API Error: this violates our Usage Policy", "invalid_request", 400),
        ("content_filter", "word the question otherwise", False),
    ),
    "claude: its budget": ("claude", ended("error_max_budget_usd"), ("over_budget", "", False)),
    "claude: its turns": ("claude", ended("error_max_turns"), ("upstream_error", "turns", False)),
    "claude: no answer to the schema": (
        "claude",
        ended("error_max_structured_output_retries"),
        ("upstream_error", "schema", False),
    ),
    "claude: another error of its own": (
        "claude",
        begins(said.claude_result("", is_error=True, errors=["Something broke"]), code=1),
        ("upstream_error", "Something broke", False),
    ),
    "claude: an old version": (
        "claude",
        stderr("error: unknown option '--json-schema'\n"),
        ("bad_request", "2.1 or newer is needed: `claude update`", False),
    ),
    "claude: a machine it does not run on": (
        "claude",
        stderr("claude: /lib/libc.so.6: version `GLIBC_2.38' not found\n"),
        ("bad_request", "install it anew", False),
    ),
    "claude: a full disk": (
        "claude",
        stderr("    at open\nError: ENOSPC: no space left on device, write\n    at x\n"),
        ("bad_request", "TMPDIR", False),
    ),
    "claude: killed": (
        "claude",
        begins({"type": "x"}, signal=9),
        ("upstream_error", "signal 9", False),
    ),
    "claude: ended without a word": (
        "claude",
        {"code": 0},
        ("upstream_error", "without an answer", False),
    ),
    "claude: broken off in its line": (
        "claude",
        {"lines": [said.claude_begins(), '{"type":"result","result":"Wat'], "code": 0},
        ("upstream_error", "without an answer", False),
    ),
    "claude: prose in place of JSON": (
        "claude",
        {"lines": ["Welcome to Claude!", "Choose a theme."], "code": 3},
        ("upstream_error", "ended with 3", False),
    ),
    "codex: logged out": (
        "codex",
        said.codex_refused("unexpected status 401 Unauthorized: Missing bearer, url: https://x"),
        ("auth", "codex login", False),
    ),
    "codex: a login that was withdrawn": (
        "codex",
        said.codex_refused("Your access token could not be refreshed because it was revoked."),
        ("auth", "codex login", False),
    ),
    "codex: the plan's limit": (
        "codex",
        said.codex_refused("You've hit your usage limit. Upgrade to Pro or try again at 9 PM."),
        ("rate_limited", "until the plan's limit resets", False),
    ),
    "codex: too many at once": (
        "codex",
        said.codex_refused("exceeded retry limit, last status: 429 Too Many Requests"),
        ("rate_limited", "wait", True),
    ),
    "codex: a model that the plan has not": (
        "codex",
        said.codex_refused(
            'unexpected status 400: {"detail":"The \'x\' model is not supported when using Codex '
            'with a ChatGPT account."}'
        ),
        ("invalid_model", "400: The 'x' model is not supported", False),
    ),
    "codex: a model that wants a newer one": (
        "codex",
        said.codex_refused('{"error":{"message":"x requires a newer version of Codex."}}'),
        ("bad_request", "npm install -g @openai/codex@latest", False),
    ),
    "codex: too long a prompt": (
        "codex",
        said.codex_refused("Codex ran out of room in the model's context window."),
        ("context_length", "less be sent", False),
    ),
    "codex: no network": (
        "codex",
        said.codex_refused("stream disconnected before completion: error sending request"),
        ("upstream_error", "reaches the vendor", True),
    ),
    "codex: its vendor fails": (
        "codex",
        said.codex_refused("unexpected status 503 Service Unavailable: oh"),
        ("upstream_error", "later", True),
    ),
    "codex: a refusal by policy": (
        "codex",
        said.codex_refused("This request has been flagged for possible harm."),
        ("content_filter", "word the question otherwise", False),
    ),
    "codex: our tools did not start": (
        "codex",
        stderr("Error: required MCP servers failed to initialize: fusion: timed out\n"),
        ("upstream_error", "tools = false", True),
    ),
    "codex: an old version": (
        "codex",
        stderr("error: unexpected argument '--ephemeral' found\n\nUsage: codex exec\n", 2),
        ("bad_request", "0.171 or newer is needed", False),
    ),
    "codex: killed for want of memory": (
        "codex",
        {"lines": [said.CODEX_BEGINS, {"type": "turn.started"}], "signal": 9},
        ("upstream_error", "memory", False),
    ),
    "gemini: logged out": (
        "gemini",
        stderr("Please set an Auth method in your settings.json\n", 41),
        ("auth", "start `gemini`", False),
    ),
    "gemini: a key that is not there": (
        "gemini",
        stderr("When using Gemini API, you must specify the GEMINI_API_KEY variable.\n", 41),
        ("auth", "start `gemini`", False),
    ),
    "gemini: the day's quota": (
        "gemini",
        said.gemini_refused("You have exhausted your daily quota on this model."),
        ("rate_limited", "until the plan's limit resets", False),
    ),
    "gemini: too many at once": (
        "gemini",
        said.gemini_refused('{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}'),
        ("rate_limited", "wait", True),
    ),
    "gemini: no such model": (
        "gemini",
        said.gemini_refused("models/x is not found: model x not found"),
        ("invalid_model", "name", False),
    ),
    "gemini: its turns": ("gemini", {"code": 53}, ("upstream_error", "turns", False)),
    "gemini: an input it does not take": ("gemini", {"code": 42}, ("bad_request", "", False)),
    "gemini: an old version": (
        "gemini",
        stderr("Unknown arguments: output-format, outputFormat\nUsage: gemini [options]\n"),
        ("bad_request", "0.61 or newer is needed", False),
    ),
    "gemini: an old Node": (
        "gemini",
        stderr("Gemini CLI needs Node.js version 20 or higher.\n"),
        ("bad_request", "install it anew", False),
    ),
}


async def failure(name: str) -> tuple[Failure, bool]:
    """What becomes of asking a program; and whether it is worth another try."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which, is what is tested
        await open_program(f"{name}:default").complete([HumanMessage("How wet is water?")])
    return failure_of(caught.value), worth_retrying(caught.value)


def kinds() -> list[Any]:
    """Every kind of refusal; in depth where another one of its program has the same reason."""
    first = {(name, reason): kind for kind, (name, _, (reason, *_)) in reversed(REFUSALS.items())}
    return [kind if kind in first.values() else in_depth(kind) for kind in REFUSALS]


@pytest.mark.parametrize("kind", kinds())
async def test_a_program_that_does_not_answer_is_told_by_its_kind(fakes: Fakes, kind: str) -> None:
    name, step, (reason, words, again) = REFUSALS[kind]
    fakes.script(name, step)
    found, retried = await failure(name)
    assert found["reason"] == reason, found
    assert words in found["detail"], found
    assert " → " in found["detail"]
    assert retried == again


async def test_a_program_that_floods_is_cut_off(fakes: Fakes) -> None:
    fakes.script("claude", begins(said.claude_result("x"), flood=40 * 1024 * 1024))
    found, retried = await failure("claude")
    assert "larger than 32 MiB" in found["detail"]
    assert not retried


async def test_a_machine_without_room_for_its_folder_is_told(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    found, _ = await failure("claude")
    assert found["reason"] == "bad_request"
    assert "TMPDIR" in found["detail"]


async def test_a_file_that_is_no_program_is_told(fakes: Fakes) -> None:
    (fakes.folder / "claude").write_bytes(b"\x7fELF and nothing more")
    found, _ = await failure("claude")
    assert os.strerror(errno.ENOEXEC) in found["detail"]
    assert found["reason"] == "bad_request"


async def test_a_members_failure_stands_in_the_report_and_the_others_answer(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude_refused("Not logged in · Please run /login", "x"))
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b", "scripted:c"]), [])
    assert report.status == "degraded"
    assert [answer.status for answer in report.answers] == ["failed", "ok", "ok"]
    [lost] = report.failures
    assert (lost.reason, lost.plan_calls) == ("auth", 1)
    assert "Claude Code: Not logged in" in lost.detail
    assert len(fakes.starts("claude")) == 1


async def test_an_overloaded_program_is_asked_again(fakes: Fakes, panel_config) -> None:
    overloaded = said.claude_refused("API Error: 529 Overloaded.", "server_error", 529)
    fakes.script("claude", overloaded, said.claude("Water is wet."))
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert report.answers[0].content == "Water is wet."
    assert report.answers[0].usage.calls == 2


async def test_a_refusal_of_its_model_and_an_answer_cut_off_are_told_as_of_any_model(
    fakes: Fakes, panel_config
) -> None:
    config = panel_config(panel=["claude:opus", "scripted:b", "scripted:c"])
    fakes.script("claude", said.claude("", stop_reason="refusal"))
    assert (await report_of(config, [])).failures[0].reason == "content_filter"
    fakes.script("claude", said.claude("Water is", stop_reason="max_tokens"))
    report = await report_of(config, [])
    assert "answer_truncated" in [item.code for item in report.degradations]

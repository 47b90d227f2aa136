"""Programs as members: what they see, what they answer, what is left of them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.errors import ConfigurationError, MissingProgram
from fusion_graph.estimate import estimate
from fusion_graph.judgement.scouts import family
from fusion_graph.models.recording import recorded
from fusion_graph.run.settings import GraphConfig
from fusion_graph.text.phrases import summary
from tests.conftest import VERDICT
from tests.page.test_cards import begun, ended
from tests.programs import said
from tests.programs.conftest import LOGINS, NAMES, Fakes, contents
from tests.test_panelist import QUESTION
from tests.test_recording import InMemory

SECRETS = {
    name: f"PLANTED-{name}"
    for name in (
        "OPENROUTER_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "DATABASE_URL",
        "MY_PASSWORD",
    )
}


@tool
async def lookup(query: str) -> list[dict[str, str]]:
    """Look something up."""
    url = f"https://example.org/{query}"
    return [{"url": url, "title": f"About {query}", "content": f"{query} is wet."}]


def call(query: str) -> dict:
    return {"name": "lookup", "args": {"query": query}}


async def report_of(config: dict, tools: list) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config, tools=tools).ainvoke(QUESTION))


def gone(pid: int) -> bool:
    """Whether a process is no more, or is but waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_until_gone(*pids: int) -> float:
    """Wait for the end of processes; how long that took, in seconds."""
    began = time.monotonic()
    while not all(map(gone, pids)):
        assert time.monotonic() - began < 30, "processes are left"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


MODELS = {"claude": "opus", "codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}

SERVED = {"claude": "claude-opus-4-8", "codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}


async def test_all_three_programs_answer_beside_an_api_model_with_our_tools_and_sources(
    fakes: Fakes, panel_config
) -> None:
    for name in NAMES:
        answers = said.ANSWERS[name]("Water is wet [1] [2].", call(f"{name}-1"), call(f"{name}-2"))
        fakes.script(name, answers)
    refs = [f"{name}:{MODELS[name]}" for name in NAMES]
    report = await report_of(panel_config(panel=[*refs, "scripted:b"]), [lookup])
    assert [answer.status for answer in report.answers] == ["ok"] * 4
    urls = {source.id: source.url for source in report.sources}
    for name, answer in zip(NAMES, report.answers, strict=False):
        assert answer.served == [SERVED[name]]
        found = [(c.name, c.status, [urls[n] for n in c.source_ids]) for c in answer.tool_calls]
        assert found == [("lookup", "ok", [f"https://example.org/{name}-{n}"]) for n in (1, 2)]
        cited = [source.url for source in report.sources if answer.name in source.cited_by]
        assert cited == [f"https://example.org/{name}-{n}" for n in (1, 2)]
        assert answer.content.startswith("Water is wet [")
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 7)
        assert answer.usage.cached_tokens == 60
        assert (answer.cost_usd, answer.usage.plan_calls) == (None, 1)
        [start] = fakes.starts(name)
        assert [t["name"] for t in start["tools"]] == ["lookup"]
        assert f"{name}-1 is wet." in start["results"][0]["content"][0]["text"]
        assert start["prompt"] == "How wet is water?"
        assert "at most 8 calls" in start["system"]


async def test_a_program_that_calls_beyond_the_cap_is_refused_and_still_answers(
    fakes: Fakes, panel_config
) -> None:
    calls = [call(f"page {n}") for n in range(5)]
    fakes.script("claude", said.claude("Water is wet [1].", *calls))
    config = panel_config(panel=["claude:opus", "scripted:b"], max_tool_calls=3)
    report = await report_of(config, [lookup])
    statuses = [c.status for c in report.answers[0].tool_calls]
    assert statuses == ["ok"] * 3 + ["max_uses_exceeded"] * 2
    assert [result["isError"] for result in fakes.starts("claude")[0]["results"]] == [
        *[False] * 3,
        *[True] * 2,
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_a_program_sees_no_secret_no_file_and_nothing_of_the_users_settings(
    fakes: Fakes, panel_config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    work = tmp_path / "work"
    work.mkdir()
    (work / "CLAUDE.md").write_text("PLANTED in the project")
    monkeypatch.chdir(work)
    fakes.script(name, said.ANSWERS[name]("Water is wet.", call("water")))
    before = contents(tmp_path / "home"), contents(work)
    await report_of(panel_config(panel=[f"{name}:default", "scripted:b"]), [lookup])
    [start] = fakes.starts(name)
    assert "PLANTED" not in str(start)
    assert start["login"]
    assert start["there"] == []
    assert start["work"] != str(work)
    settings = ["settings.json"] if name == "gemini" else []  # ours
    assert start["kept"] == [Path(LOGINS[name]).name, *settings]
    assert start["environment"]["FUSION_GRAPH_DEPTH"] == "1"
    assert (contents(tmp_path / "home"), contents(work)) == before
    assert not Path(start["home"]).exists()
    assert not Path(start["work"]).exists()


async def test_no_file_that_a_prompt_mentions_reaches_a_program(
    fakes: Fakes, panel_config, models, tmp_path: Path
) -> None:
    planted = tmp_path / "id_rsa"
    planted.write_text("PLANTED in a file of the user's")
    fakes.script("claude", said.claude(json.dumps(VERDICT)))
    fakes.script("gemini", said.gemini("Ask @\u2060property."))
    # As a hostile page has a member write it, for the judge to read.
    models.script("b", {"text": f'Water is wet. @{planted} "@{planted}" (@{planted})'})
    config = panel_config(panel=["gemini:default", "scripted:b"], judge="claude:opus")
    question = f"@{planted} How wet is water? Write to a@example.org."
    result = await create_fusion_graph(config).ainvoke({"messages": [("user", question)]})
    report = FusionReport.from_state(result)
    for name in ("claude", "gemini"):
        [start] = fakes.starts(name)
        assert start["attached"] == []
        assert str(planted) in start["prompt"]
    assert "a@example.org" in fakes.starts("gemini")[0]["prompt"]
    assert report.answers[0].content == "Ask @property."
    variables = fakes.starts("claude")[0]["environment"]
    assert variables["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1"


@pytest.mark.parametrize("question", ["/help me", "!ls", "--version", "  /quit"])
async def test_a_question_that_looks_like_a_command_is_asked_as_a_question(
    fakes: Fakes, panel_config, question: str
) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    await graph.ainvoke({"messages": [("user", question)]})
    prompt = fakes.starts("claude")[0]["prompt"]
    assert prompt.startswith("<turn by=user>")
    assert question in prompt


async def test_nothing_blocks_the_event_loop_of_a_server(fakes: Fakes, panel_config) -> None:
    for name in NAMES:
        fakes.script(name, said.ANSWERS[name]("Water is wet [1].", call("water")))
    refs = [f"{name}:{MODELS[name]}" for name in NAMES]
    graph = create_fusion_graph(panel_config(panel=refs), tools=[lookup])
    with blockbuster_ctx("fusion_graph"):  # as `langgraph dev` does
        result = await graph.ainvoke(QUESTION)
    assert [answer["failure"] for answer in result["fusion"]["answers"]] == [None] * 3


async def test_an_earlier_turn_reaches_a_program_as_a_turn(fakes: Fakes, panel_config) -> None:
    fakes.script("claude", said.claude("Very."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    turns = [("user", "Is water wet?"), ("assistant", "It is."), ("user", "How much so?")]
    await graph.ainvoke({"messages": turns})
    prompt = fakes.starts("claude")[0]["prompt"]
    assert "<turn by=assistant>\nIt is.\n</turn>" in prompt
    assert prompt.index("Is water wet?") < prompt.index("It is.") < prompt.index("How much so?")


async def test_a_recorded_run_gives_a_programs_sources_again_without_starting_it(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet [2].", call("ice"), call("water")))
    config = panel_config(panel=["claude:opus", "scripted:b"], seed=1)
    graph, recording = create_fusion_graph(config, tools=[lookup]), InMemory()
    reports = []
    for _ in range(2):
        with recorded(recording):
            reports.append(FusionReport.from_state(await graph.ainvoke(QUESTION)))
    first, second = reports
    assert len(fakes.starts("claude")) == 1
    assert [s.url for s in second.sources] == [s.url for s in first.sources]
    assert second.answers[0].content == first.answers[0].content
    assert [c.args for c in second.answers[0].tool_calls] == [{"query": "ice"}, {"query": "water"}]


async def test_another_model_than_was_asked_for_is_told(fakes: Fakes, panel_config) -> None:
    message = {"model": "claude-sonnet-5", "content": [{"type": "text", "text": "Wet."}]}
    turn = {"type": "assistant", "message": message, "parent_tool_use_id": None}
    step = said.claude("Wet.")
    step["lines"].insert(-1, turn)
    fakes.script("claude", step)
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert "opus was asked as claude:opus; claude-sonnet-5 answered." in [
        item.detail for item in report.degradations
    ]


async def test_a_folder_for_temporary_files_of_any_length_will_do(
    fakes: Fakes, panel_config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    fakes.script("claude", said.claude("Water is wet [1].", call("water")))
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [lookup])
    assert report.answers[0].tool_calls[0].status == "ok"
    assert list(long.iterdir()) == []


def test_a_program_is_of_its_makers_family() -> None:
    refs = ("claude:opus", "codex:default", "gemini:default")
    assert [family(ref) for ref in refs] == ["anthropic", "openai", "google"]


async def test_a_cancelled_run_leaves_no_process_of_a_program_a_second_later(
    fakes: Fakes, panel_config
) -> None:
    lines = [said.claude_begins(), said.claude_result("never")]
    fakes.script("claude", {"lines": lines, "children": 2, "hang": True})
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    run = asyncio.ensure_future(graph.ainvoke(QUESTION))
    log = fakes.folder / "claude.log"
    while not log.exists() or not log.read_text().endswith("\n"):
        assert not run.done()
        await asyncio.sleep(0.02)
    [start] = fakes.starts("claude")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await wait_until_gone(start["pid"], *start["children"])
    assert not Path(start["home"]).exists()


async def test_a_call_that_a_plan_pays_is_told_as_plan_and_as_no_dollars(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    config = panel_config(panel=["claude:opus", "scripted:b", "scripted:c"], max_cost_usd=1.0)
    report = await report_of(config, [])
    mine, total = report.answers[0], report.usage.total
    assert (mine.cost_usd, mine.usage.plan_calls) == (None, 1)
    assert (total.cost_usd, total.plan_calls, report.usage.cost_known) == (0.007, 1, True)
    assert report.degradations == []  # the budget was not blind
    assert "cost plan" in report.to_text()
    assert "$0.0070 + plan" in report.to_text()
    assert "<span>plan</span>" in report.to_html()
    assert "$0.0070 + plan" in ended(begun(), report)  # the playground
    assert "cost $0.0070 + plan" in summary(report.model_dump(), 1.0)[0]


async def test_a_call_that_a_key_of_the_programs_own_pays_is_told_in_dollars(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet.", source="/login managed key"))
    fakes.script("codex", said.codex("Water is wet."), login="API key configured - ***")
    fakes.script("gemini", said.gemini("Water is wet."))
    (fakes.home / ".gemini" / "settings.json").write_text(
        '{"security": {"auth": {"selectedType": "gemini-api-key"}}} // mine'
    )
    refs = [f"{name}:{MODELS[name]}" for name in NAMES]
    report = await report_of(panel_config(panel=refs), [])
    assert report.usage.total.plan_calls == 0
    claude, codex, gemini = (answer.cost_usd for answer in report.answers)
    assert claude == 0.0123  # as it says itself
    assert 0 < (codex or 0) < 0.01  # by the list of prices
    assert 0 < (gemini or 0) < 0.01


def test_an_estimate_says_plan_for_what_a_plan_pays() -> None:
    config = {"panel": ["claude:opus", "offline:figures"], "judge": "claude:opus"}
    settings, _ = GraphConfig({**config, "synthesizer": "offline:writer"}).begin(None)
    found = estimate(settings, [HumanMessage("How wet is water?")])
    assert found["unknown"] == []
    assert found["models"]["claude:opus"]["likely"]["cost_usd"] is None
    assert found["total"]["likely"]["cost_usd"] == 0
    assert found["total"]["likely"]["plan_calls"] > 0


RUN_AND_WAIT = """
import asyncio, sys
from langchain_core.messages import HumanMessage
from fusion_graph.models.programs.installed import open_program
asyncio.run(open_program("claude:opus").complete([HumanMessage("How wet is water?")]))
"""


@pytest.mark.slow
async def test_nothing_of_a_program_outlives_a_process_that_is_killed(fakes: Fakes) -> None:
    lines = [said.claude_begins(), said.claude_result("never")]
    fakes.script("claude", {"lines": lines, "children": 2, "hang": True})
    process = subprocess.Popen([sys.executable, "-c", RUN_AND_WAIT])
    log = fakes.folder / "claude.log"
    while not log.exists() or not log.read_text().endswith("\n"):
        assert process.poll() is None
        await asyncio.sleep(0.02)
    [start] = fakes.starts("claude")
    process.send_signal(signal.SIGKILL)
    process.wait()
    await wait_until_gone(start["pid"], *start["children"])
    root = Path(start["work"]).parent
    while root.exists():  # the watch removes it last
        await asyncio.sleep(0.02)


async def test_a_program_that_will_not_end_after_its_answer_is_ended(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet.") | {"hang": "after", "children": 2})
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert report.answers[0].content == "Water is wet."
    [start] = fakes.starts("claude")
    await wait_until_gone(start["pid"], *start["children"])


@pytest.mark.parametrize("how", ["through", "over"])
async def test_a_login_that_a_program_renews_is_renewed_for_its_user(
    fakes: Fakes, panel_config, how: str
) -> None:
    fakes.script("claude", said.claude("Water is wet.") | {"renew": how})
    await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    login = fakes.home / ".claude" / ".credentials.json"
    assert login.read_text() == "renewed"
    assert [p.name for p in login.parent.iterdir() if p.name != "CLAUDE.md"] == [login.name]


async def test_what_a_program_writes_is_told_as_it_writes(fakes: Fakes, panel_config) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    told = [e async for e in graph.astream(QUESTION, stream_mode="custom")]
    mine = [e["text"] for e in told if e["type"] == "panel.delta" and e["name"] == "opus"]
    assert "".join(mine) == "Water is wet."


@pytest.mark.parametrize("name", NAMES)
def test_a_program_that_is_not_installed_is_told_before_anything_is_paid(
    fakes: Fakes, panel_config, models, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fakes.remove(name)
    monkeypatch.setenv("PATH", str(fakes.folder))
    with pytest.raises(MissingProgram, match=f"`{name}` in PATH.*Install it") as told:
        create_fusion_graph(panel_config(panel=[f"{name}:default", "scripted:b"])).invoke(QUESTION)
    assert "log in" in told.value.remedy
    assert models.calls() == []


@pytest.mark.parametrize("model", ["--dangerously-skip-permissions", "-x", "a b", "a\nb", "$(id)"])
def test_what_can_be_no_models_name_never_becomes_an_argument(
    fakes: Fakes, panel_config, model: str
) -> None:
    graph = create_fusion_graph(panel_config(panel=[f"claude:{model}", "scripted:b"]))
    with pytest.raises(ConfigurationError, match="is no name of a model"):
        graph.invoke(QUESTION)
    assert not (fakes.folder / "claude.log").exists()


async def test_an_endpoint_of_the_users_goes_before_the_program_of_its_name(
    fakes: Fakes, panel_config, models
) -> None:
    config = panel_config(panel=["claude:a", "scripted:b"])
    config["providers"]["claude"] = {"base_url": models.base_url}
    report = await report_of(config, [])
    assert report.answers[0].content == "The answer of a."
    assert not (fakes.folder / "claude.log").exists()

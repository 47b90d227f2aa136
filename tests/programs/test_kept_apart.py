"""What a program sees and may do: no secret, no file, no settings, no argument but ours."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.errors import ConfigurationError
from tests.conftest import VERDICT
from tests.programs import said
from tests.programs.asking import (
    MODELS,
    SECRETS,
    call,
    lookup,
    report_of,
)
from tests.programs.conftest import LOGINS, NAMES, Fakes, contents
from tests.test_panelist import QUESTION


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


@pytest.mark.parametrize("model", ["--dangerously-skip-permissions", "-x", "a b", "a\nb", "$(id)"])
def test_what_can_be_no_models_name_never_becomes_an_argument(
    fakes: Fakes, panel_config, model: str
) -> None:
    graph = create_fusion_graph(panel_config(panel=[f"claude:{model}", "scripted:b"]))
    with pytest.raises(ConfigurationError, match="is no name of a model"):
        graph.invoke(QUESTION)
    assert not (fakes.folder / "claude.log").exists()

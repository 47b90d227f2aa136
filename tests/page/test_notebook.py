"""`await ask(…)` in a real kernel: the cell's output follows the run and ends as its report."""

from __future__ import annotations

import asyncio
import doctest
import json

import pytest
from IPython.lib.pretty import pretty

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.faces import notebook
from fusion_graph.faces.notebook import ask

SEARCH = """
import asyncio, pathlib
from langchain_core.tools import tool

@tool
async def web_search(query: str) -> str:
    "Search the web."
    while not pathlib.Path({seen!r}).exists():
        await asyncio.sleep(0.02)
    return "Water is wet, says https://water.example/wet"
"""


@pytest.mark.slow
async def test_the_output_follows_the_run_and_becomes_the_report(models, panel_config, tmp_path):
    from tests.page.watching import Watching

    research = {"tool_calls": [{"name": "web_search", "args": {"query": "how wet"}}]}
    models.script("a", research, "Water is wet [1].")
    config = panel_config()
    del config["search"]
    seen = tmp_path / "seen"
    client = Watching(
        SEARCH.format(seen=str(seen)),
        f"import json; from fusion_graph.faces.notebook import ask\n"
        f"config = json.loads({json.dumps(config)!r})\n"
        f"report = await ask('Is water <i>wet</i>?', config, search=web_search)",
        "print(report.model_dump_json())",
        needle="searching &#34;how wet&#34;",
        file=seen,
    )

    # The search ends only when the output shows that it goes on.
    await client.async_execute()

    kinds = [kind for kind, _, _ in client.pictures]
    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    assert len({display for _, display, _ in client.pictures}) == 1
    assert all("Is water <i>" not in html for _, _, html in client.pictures)
    (shown,) = client.htmls(1)
    report = FusionReport.from_json(client.nb.cells[2].outputs[0]["text"])
    assert shown == report._repr_html_()
    assert shown.startswith("<iframe")
    assert report.answers[0].tool_calls[0].args == {"query": "how wet"}


@pytest.mark.slow
async def test_when_nobody_answers_the_output_tells_why(models, panel_config):
    from nbclient.exceptions import CellExecutionError

    from tests.page.watching import Watching

    for name in "abc":
        models.script(name, {"status": 402})
    client = Watching(
        f"import json; from fusion_graph.faces.notebook import ask\n"
        f"config = json.loads({json.dumps(panel_config())!r})\n"
        f"await ask('Is water wet?', config)"
    )

    with pytest.raises(CellExecutionError, match="AllPanelistsFailed"):
        await client.async_execute()

    (shown,) = client.htmls(0)
    assert "Why there is no answer" in shown
    assert "insufficient_credits" in shown


async def test_outside_a_notebook_it_just_answers(panel_config, capsys):
    report = await ask("Is water wet?", panel_config(), seed=11)

    assert report.answer == "The final answer of the writer."
    assert report.seed == 11
    assert capsys.readouterr() == ("", "")


def test_the_example_in_its_docstring_runs():
    failed, tried = doctest.testmod(notebook)

    assert tried
    assert not failed


async def test_leaving_it_ends_the_run(models, panel_config):
    models.script("a", {"hang": True})
    asking = asyncio.create_task(ask("Is water wet?", panel_config()))
    await asyncio.to_thread(models.calls, "a", arrived=1)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    calls = await asyncio.to_thread(models.calls, "a", ended=1)
    assert calls[0].disconnected


async def test_beside_the_page_stands_a_text_to_read(models, panel_config):
    state = await create_fusion_graph(panel_config()).ainvoke({"messages": [("user", "Wet?")]})
    report = FusionReport.from_state(state)

    assert pretty(report) == report.to_text().rstrip()

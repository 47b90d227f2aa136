"""The whole graph against scripted models over HTTP."""

from __future__ import annotations

from collections import Counter

from fusion_graph import FusionReport, create_fusion_graph

QUESTION = {"messages": [("user", "How wet is water?")]}


async def test_a_run_of_three_makes_exactly_five_calls(models, panel_config):
    result = await create_fusion_graph(panel_config()).ainvoke(QUESTION)

    assert Counter(call.model for call in models.calls()) == dict.fromkeys("abcjw", 1)
    report = FusionReport.from_state(result)
    assert report.status == "ok"
    assert report.answer == "The final answer of the writer."
    assert result["messages"][-1].content == report.answer
    assert [answer.content for answer in report.answers] == [
        f"The answer of {name}." for name in "abc"
    ]
    assert report.usage.total.calls == 5
    assert report.usage.total.cost_usd == 0.008


def test_invoke_gives_the_same_as_ainvoke(models, panel_config):
    result = create_fusion_graph(panel_config()).invoke(QUESTION)

    assert result["fusion"]["status"] == "ok"
    assert len(models.calls()) == 5

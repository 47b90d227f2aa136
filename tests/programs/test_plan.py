"""What a program costs: plan, or dollars where a key pays."""

from __future__ import annotations

from langchain_core.messages import HumanMessage

from fusion_graph.estimate import estimate
from fusion_graph.run.settings import GraphConfig
from fusion_graph.text.phrases import summary
from tests.page.test_cards import begun, ended
from tests.programs import said
from tests.programs.asking import (
    MODELS,
    report_of,
)
from tests.programs.conftest import NAMES, Fakes


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

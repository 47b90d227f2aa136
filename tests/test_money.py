"""What a run cost, in dollars computed by hand: cached, uncached, with an own key, cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.text.phrases import summary
from tests.conftest import VERDICT

QUESTION = {"messages": [("user", "How wet is water?")]}
PRICE = {"input": 5.0, "output": 25.0, "cached_input": 0.5, "cache_write": 6.25}
"""US dollars per million tokens."""


async def report_of(config: dict[str, Any]) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))


@pytest.fixture
def priced(models, panel_config):
    """`priced(**fields)`: the panel, whose member a has a price and the others say their cost."""

    def make(price: dict[str, float] | None = None, **fields: Any) -> dict[str, Any]:
        provider = {"base_url": models.base_url, "prices": {"a": PRICE if price is None else price}}
        return panel_config(providers={"scripted": provider}, **fields)

    return make


def used(read: int, written: int, **more: Any) -> dict[str, Any]:
    """A reply with a usage in its provider's own words."""
    usage = {"prompt_tokens": read, "completion_tokens": written, **more}
    return {"text": "The answer of a.", "usage": usage}


@pytest.mark.parametrize(
    ("usage", "cached", "stored", "dollars"),
    [
        pytest.param(
            # 20,000 fresh, 70,000 cached, 10,000 stored, 1,000 written
            {"prompt_tokens_details": {"cached_tokens": 70_000, "cache_write_tokens": 10_000}},
            70_000,
            10_000,
            0.1 + 0.035 + 0.0625 + 0.025,
            id="OpenRouter",
        ),
        pytest.param(
            {"prompt_tokens_details": {"cached_tokens": 70_000}},
            70_000,
            None,
            0.15 + 0.035 + 0.025,
            id="OpenAI",
        ),
        pytest.param(
            {"prompt_cache_hit_tokens": 70_000, "prompt_cache_miss_tokens": 30_000},
            70_000,
            None,
            0.15 + 0.035 + 0.025,
            id="DeepSeek",
        ),
        pytest.param({"cached_tokens": 70_000}, 70_000, None, 0.15 + 0.035 + 0.025, id="Moonshot"),
        pytest.param(
            {"cache_read_input_tokens": 70_000, "cache_creation_input_tokens": 10_000},
            70_000,
            10_000,
            0.1 + 0.035 + 0.0625 + 0.025,
            id="a gateway to Anthropic",
        ),
        pytest.param(
            {"prompt_tokens_details": {"cached_tokens": 170_000}},
            None,
            None,
            0.5 + 0.025,
            id="more cached than read",
        ),
        pytest.param({}, None, None, 0.5 + 0.025, id="nothing cached"),
    ],
)
async def test_cached_tokens_are_priced_as_such(models, priced, usage, cached, stored, dollars):
    models.script("a", used(100_000, 1_000, **usage))

    report = await report_of(priced())

    member = report.answers[0]
    assert member.cost_usd == pytest.approx(dollars)
    assert member.usage.input_tokens == 100_000
    assert (member.usage.cached_tokens, member.usage.cache_write_tokens) == (cached, stored)
    # b and c say 0.001 each, the judge 0.002, the writer 0.003
    assert report.usage.total.cost_usd == pytest.approx(dollars + 0.007)
    assert report.usage.stages["panel"].cached_tokens == cached


async def test_what_anthropic_reads_from_its_cache_is_added_to_what_it_reads(models, priced):
    apart = {"cache_read_input_tokens": 70_000, "cache_creation_input_tokens": 10_000}
    models.script("a", used(2_000, 1_000, **apart))

    report = await report_of(priced())

    assert report.answers[0].usage.input_tokens == 82_000
    assert report.answers[0].cost_usd == pytest.approx(0.01 + 0.035 + 0.0625 + 0.025)


async def test_cached_tokens_cost_as_much_as_others_where_no_price_is_given_for_them(
    models, priced
):
    models.script("a", used(100_000, 1_000, prompt_tokens_details={"cached_tokens": 70_000}))

    report = await report_of(priced({"input": 5.0, "output": 25.0}))

    assert report.answers[0].cost_usd == pytest.approx(0.5 + 0.025)


@pytest.mark.parametrize(
    ("usage", "served", "written"),
    [
        pytest.param(
            {
                "total_tokens": 101_300,
                "completion_tokens_details": {"reasoning_tokens": 300},
            },
            "grok-4",
            1_300,
            id="xAI, reasoning besides",
        ),
        pytest.param(
            {
                "total_tokens": 101_000,
                "completion_tokens_details": {"reasoning_tokens": 300},
            },
            "gpt-5.5",
            1_000,
            id="OpenAI, reasoning within",
        ),
        pytest.param({"total_tokens": 101_300}, "gemini-3-flash", 1_300, id="Google, unnamed"),
        pytest.param({"total_tokens": 101_300}, "llama-3.3", 1_000, id="a total that is wrong"),
    ],
)
async def test_reasoning_is_paid_once(models, priced, usage, served, written):
    models.script("a", {**used(100_000, 1_000, **usage), "served": served})

    report = await report_of(priced())

    assert report.answers[0].usage.output_tokens == written
    assert report.answers[0].cost_usd == pytest.approx(0.5 + written * 25 / 1_000_000)


@pytest.mark.parametrize(
    ("said", "dollars"),
    [
        ({"is_byok": True, "cost_details": {"upstream_inference_cost": 0.65}}, 0.6825),
        ({"is_byok": False, "cost_details": {"upstream_inference_cost": 0.0325}}, 0.0325),
        ({"cost_details": {"upstream_inference_cost": 0.0325}}, 0.0325),
        ({"is_byok": False, "cost_details": {"upstream_inference_cost": None}}, 0.0325),
    ],
)
async def test_the_providers_own_bill_counts_with_ones_own_key_only(
    models, panel_config, said, dollars
):
    models.script("a", {**used(100_000, 5_000, **said), "cost": 0.0325})

    report = await report_of(panel_config())

    assert report.answers[0].cost_usd == pytest.approx(dollars)
    assert report.usage.total.cost_usd == pytest.approx(dollars + 0.007)


# Calls that were cut off


async def test_a_member_left_behind_cost_nobody_knows_what(models, priced):
    models.script("c", {"text": "word " * 400, "rate": 10})

    report = await report_of(priced(quorum=2, grace=0.2))

    assert report.answers[2].failure is not None
    assert report.answers[2].cost_usd is None
    assert report.failures[0].cost_usd is None
    assert report.usage.cost_known is False
    assert report.usage.total.cost_usd is None
    assert report.usage.total.known_usd == pytest.approx(
        sum(a.cost_usd or 0 for a in report.answers[:2]) + 0.005
    )


async def test_a_free_model_that_was_cut_off_cost_nothing(models, panel_config):
    models.script("c", {"text": "word " * 400, "rate": 10})
    free = {"base_url": models.base_url, "prices": {"c": {"input": 0, "output": 0}}}

    report = await report_of(panel_config(quorum=2, grace=0.2, providers={"scripted": free}))

    assert report.answers[2].cost_usd == 0
    assert report.usage.cost_known is True


async def test_a_refused_call_cost_nothing(models, panel_config):
    models.script("c", {"status": 401})

    report = await report_of(panel_config())

    assert report.answers[2].cost_usd == 0
    assert report.usage.total.cost_usd == pytest.approx(0.007)


async def test_a_limit_counts_what_a_call_that_was_cut_off_is_likely_to_have_cost(
    models, panel_config
):
    models.script("c", {"text": "word " * 400, "rate": 10})
    dear = {"base_url": models.base_url, "prices": {"c": {"input": 1, "output": 1000}}}

    # c is thought to write 1,000 tokens: a dollar, which is twice the limit.
    report = await report_of(
        panel_config(quorum=2, grace=0.2, max_cost_usd=0.5, providers={"scripted": dear})
    )

    assert models.calls("j") == []
    assert models.calls("w") == []
    assert report.usage.total.known_usd == pytest.approx(0.002)
    codes = [lost.code for lost in report.degradations]
    assert "budget_blind" not in codes  # the limit was kept


# Who really answered


async def test_a_report_names_the_model_that_answered(models, panel_config):
    models.script("a", {"text": "Wet.", "served": "a-2026-04-01", "provider": "Lab"})

    report = await report_of(panel_config())

    assert report.status == "ok"
    assert report.answers[0].served == ["a-2026-04-01"]
    assert report.answers[1].served == ["b"]
    rows = {row.name: (row.served, row.provider) for row in report.timeline}
    assert rows["a"] == ("a-2026-04-01", "Lab")
    assert rows["writer"] == ("w", None)


async def test_an_answer_of_another_model_is_a_degradation(models, panel_config):
    models.script("openai/gpt-5.5", {"text": "Wet.", "served": "openai/gpt-5.5-mini"})
    models.script("w2", {"text": "Wet indeed.", "served": "llama-3.3"})
    panel = ["scripted:openai/gpt-5.5", "scripted:b", "scripted:c"]

    report = await report_of(panel_config(panel=panel, synthesizer="scripted:w2"))

    assert report.status == "degraded"
    (lost,) = report.degradations
    assert lost.code == "served_by_other_model"
    assert "gpt-5.5-mini" in lost.detail
    assert "scripted:openai/gpt-5.5" in lost.detail


async def test_members_that_share_a_model_they_were_not_asked_as_are_a_degradation(
    models, panel_config
):
    for name in ("qwen3-8b", "gemma-3-4b"):
        models.script(name, {"text": f"{name} says wet.", "served": "/models/weights.gguf"})

    panel = ["scripted:qwen3-8b", "scripted:gemma-3-4b", "scripted:c"]
    report = await report_of(panel_config(panel=panel))

    assert [lost.code for lost in report.degradations] == ["members_share_model"]
    assert "/models/weights.gguf" in report.degradations[0].detail


async def test_a_panel_of_one_model_twice_shares_it_on_purpose(panel_config):
    report = await report_of(panel_config(panel=["scripted:a", "scripted:a", "scripted:b"]))

    assert report.degradations == []


async def test_every_face_says_who_really_answered(models, panel_config):
    models.script("a", {"text": "Wet.", "served": "a-2026-04-01"})
    models.script("j", {"text": json.dumps(VERDICT), "served": "j-2026-04-01"})
    models.script("w", {"text": "Wet indeed.", "served": "w-2026-04-01"})
    graph = create_fusion_graph(panel_config())
    events: list[dict[str, Any]] = []
    async for mode, part in graph.astream(QUESTION, stream_mode=["custom", "values"]):
        if mode == "custom":
            events.append(part)
        else:
            state = part
    report = FusionReport.from_state(state)

    told = {e.get("name", e["type"]): e["served"] for e in events if "served" in e}
    assert told == {
        "a": ["a-2026-04-01"],
        "b": ["b"],
        "c": ["c"],
        "analysis.completed": ["j-2026-04-01"],
        "fusion.completed": ["w-2026-04-01"],
    }
    assert report.to_text().count("answered by ") == 1
    assert "answered by a-2026-04-01" in report.to_text()
    assert "answered by <bdi>a-2026-04-01</bdi>" in report.to_html()
    assert report.to_html().count("answered by <bdi>") == 1


async def test_a_sum_that_is_unknown_is_shown_with_the_least_it_can_be(models, panel_config):
    models.script("c", {"text": "cut off", "close_after": 1}, {"text": "Wet.", "cost": 0.001})

    report = await report_of(panel_config())

    assert "cost unknown (at least $0.0080)" in report.to_text()
    assert "(at least $0.0080)" in report.to_html()
    assert "cost unknown (at least $0.0080)" in summary(report.model_dump(), 1.0)[0]


async def test_cached_tokens_are_shown_beside_those_read(models, priced):
    models.script("a", used(100_000, 1_000, prompt_tokens_details={"cached_tokens": 70_000}))

    report = await report_of(priced())

    assert "(70,000 cached)" in report.to_text()
    assert "(70,000 cached)" in report.to_html()

"""What a run is said to cost before it begins, against what runs cost.

Runs are real: over HTTP against the scripted server, priced by a table of the configuration, with
the tokens that the server counts (its prompts by their bytes, its replies by their words).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_graph import EmptyQuestion, create_fusion_graph
from fusion_graph.config import ResolvedConfig
from fusion_graph.cost.baseline import WEB_TOOLS_BYTES, single_call_cost, times
from fusion_graph.cost.prices import price_of
from fusion_graph.cost.tokens import CASES, message_tokens, text_tokens
from fusion_graph.estimate import Estimate, estimate
from fusion_graph.estimate.calls import MOST_HITS, MOST_RESULT_CHARACTERS
from fusion_graph.prompts import panel_system
from fusion_graph.run.settings import GraphConfig
from fusion_graph.state import CallRecord, PanelAnswer
from fusion_graph.state.files import pdf_block
from fusion_tools.corpus import open_corpus
from fusion_tools.render import page_text, search_text
from fusion_tools.tools import web_fetch_tool, web_search_tool
from tests.conftest import VERDICT
from tests.pdfs import encoded, plain_pdf
from tests.scripted_models.client import Scope

QUESTION = "How wet is water, and who has measured it?"
PRICES = {
    "a": {"input": 1.0, "output": 5.0},
    "b": {"input": 2.5, "output": 15.0},
    "c": {"input": 0.1, "output": 0.4},
    "j": {"input": 5.0, "output": 25.0},
    "w": {"input": 3.0, "output": 12.0},
    "f": {"input": 10.0, "output": 50.0},
}

WORDS = "Water is wet because its molecules cling to what they touch. "
SEARCHING = {"name": "web_search", "args": {"query": "wet water"}}
READING = {"name": "web_fetch", "args": {"url": "corpus:///water.md"}}
# The server counts words; providers bill a call's name and arguments, and the end of a blank reply.
SEARCH = {"tool_calls": [SEARCHING], "usage": {"completion_tokens": 25}}
PAGE = {"tool_calls": [READING], "usage": {"completion_tokens": 25}}
FIVE = {"tool_calls": [SEARCHING] * 2 + [READING] * 3, "usage": {"completion_tokens": 125}}
GOOD = json.dumps(VERDICT)
BLANK = {"text": "", "usage": {"completion_tokens": 1}}


def words(count: int) -> dict[str, Any]:
    """A reply of at most so many words, in few pieces."""
    return {"text": (WORDS * (count // 11 + 1))[: count * 5], "chunks": 4_000}


def config(models: Scope, **fields: Any) -> dict[str, Any]:
    """The panel a, b, c with judge j and writer w, over a table of prices."""
    return {
        "panel": ["scripted:a", "scripted:b", "scripted:c"],
        "judge": "scripted:j",
        "synthesizer": "scripted:w",
        "search": "none",
        "seed": 7,
        "providers": {"scripted": {"base_url": models.base_url, "prices": PRICES}},
        **fields,
    }


def sensible(models: Scope) -> None:
    """Let everybody answer in a sentence."""
    for name in "abc":
        models.script(name, f"Water is quite wet, says {name}.")
    models.script("j", GOOD)
    models.script("w", "Water is wet, all told.")


def estimated(
    fields: dict[str, Any], tools: list[BaseTool] | None = None, said: Any = None
) -> Estimate:
    settings, _ = GraphConfig(fields, tools).begin(None)
    return estimate(settings, said or [HumanMessage(QUESTION)], tools)


async def run(
    fields: dict[str, Any], tools: list[BaseTool] | None = None, said: Any = None
) -> dict[str, Any]:
    graph = create_fusion_graph(fields, tools=tools)
    state = await graph.ainvoke({"messages": said or [HumanMessage(QUESTION)]})
    record: dict[str, Any] = state["fusion"]
    return record


def check_within(before: Estimate, record: dict[str, Any]) -> None:
    """The range holds for the whole, for each stage and each model, in every unit."""
    usage = record["usage"]
    check_range(before["total"], usage["total"], "total")
    if "route" in before["stages"]:
        return  # which stages there are is decided later: low and high need not have the same
    for part in ("stages", "models"):
        for name, spent in usage[part].items():
            check_range(before[part][name], spent, name)  # type: ignore[literal-required]


def check_range(expected: Any, spent: Any, name: str) -> None:
    for unit in ("cost_usd", "input_tokens", "output_tokens", "calls"):
        low, high = expected["low"][unit], expected["high"][unit]
        assert low <= spent[unit] <= high, f"{name}: {unit}: {low} <= {spent[unit]} <= {high}"
        assert low <= expected["likely"][unit] <= high, f"{name}: {unit}"


@pytest.fixture
def pages(tmp_path: Any) -> str:
    """A folder whose pages are longer than a model is shown at once."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("water", "ice", "steam", "rain", "snow", "fog", "hail"):
        (folder / f"{name}.md").write_text(f"# On {name}\n\n{name}: {WORDS * 1_000}", "utf-8")
    return str(folder)


BEHAVIOURS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "everybody answers in a word": (
        {},
        {"a": ["Yes."], "b": ["Yes."], "c": ["No."], "j": ['{"consensus": []}'], "w": ["Yes."]},
    ),
    "long answers": (
        {},
        {"a": [words(4_000)], "b": [words(3_000)], "c": [words(9)], "w": [words(5_000)]},
    ),
    "answers as long as they may be": (
        {"max_completion_tokens": 2_000},
        {name: [{**words(2_000), "finish_reason": "length"}] for name in "abcw"},
    ),
    "much thinking": (
        {},
        {n: [{**words(100), "usage": {"completion_tokens": 15_900}}] for n in "abc"},
    ),
    "one search": ({"search": "corpus"}, {"a": [SEARCH, words(300)]}),
    "a search and two pages each": (
        {"search": "corpus"},
        {name: [SEARCH, PAGE, PAGE, words(700)] for name in "abc"},
    ),
    "tools up to the cap": (
        {"search": "corpus", "max_tool_calls": 16},
        {name: [SEARCH, *[PAGE] * 15, words(900)] for name in "abc"},
    ),
    "one call after the other, and on when told to stop": (
        {"search": "corpus", "max_tool_calls": 5},
        {name: [SEARCH, {**PAGE, "when_no_tools": words(900)}] for name in "abc"},
    ),
    "beyond the cap, five at a time, and on when told to stop": (
        {"search": "corpus"},
        {name: [FIVE, FIVE, {**FIVE, "when_no_tools": words(800)}] for name in "abc"},
    ),
    "long thoughts before every tool call": (
        {"search": "corpus", "max_completion_tokens": 3_000},
        {
            name: [
                *[{**words(2_900), **PAGE, "usage": {"completion_tokens": 3_000}}] * 8,
                words(2_900),
            ]
            for name in "abc"
        },
    ),
    "a judge that has to mend its reply": ({}, {"j": ["I like A best.", GOOD]}),
    "a judge that never gives a verdict, with a fallback": (
        {"fallbacks": ["scripted:f"]},
        {"j": [words(900), words(900)], "f": ["{}", GOOD]},
    ),
    "nobody can compare": (
        {"fallbacks": ["scripted:f"]},
        {"j": [words(3_000)], "f": [words(3_000), words(3_000), "The answer."]},
    ),
    "a judge with tools": (
        {"search": "corpus", "judge_tools": True},
        {"j": [SEARCH, PAGE, PAGE, PAGE, GOOD]},
    ),
    "a blank writer with a fallback": (
        {"fallbacks": ["scripted:f"]},
        {"w": [BLANK], "f": ["Water is wet."]},
    ),
    "a panel of one": ({"panel": ["scripted:b"]}, {}),
    "a panel of one whose writer has a format": (
        {"panel": ["scripted:b"], "response_format": {"type": "json_object"}},
        {"w": ['{"wet": true}']},
    ),
    "a panel of eight": (
        {"panel": [f"scripted:{name}" for name in "abcabcab"], "search": "corpus"},
        {name: [SEARCH, words(500)] for name in "abc"},
    ),
    "one model without a panel": (
        {"invocation": "never", "search": "corpus"},
        {"w": [SEARCH, PAGE, words(400)]},
    ),
    "one model without a panel, in a format": (
        {"invocation": "never", "response_format": {"type": "json_object"}},
        {"w": ['{"wet": true}']},
    ),
    "the router takes one model": (
        {"invocation": "auto"},
        {"w": ['{"use": "one", "reason": "small talk"}', "Very wet."]},
    ),
    "the router takes the panel": (
        {"invocation": "auto"},
        {"w": ['{"use": "panel", "reason": "disputed"}', "Very wet."]},
    ),
    "own instructions for a member": (
        {"panel": [{"model": "scripted:a", "instructions": WORDS * 100}, "scripted:b"]},
        {},
    ),
    "tools for the writer": (
        {
            "writer_tools": [
                {"type": "function", "function": {"name": "show", "description": WORDS * 30}}
            ]
        },
        {
            "w": [
                {
                    "tool_calls": [{"name": "show", "args": {"text": words(50)["text"]}}],
                    "usage": {"completion_tokens": 70},
                }
            ]
        },
    ),
}


@pytest.mark.parametrize(("fields", "scripts"), BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
@pytest.mark.slow
async def test_a_run_costs_what_the_range_says(models, pages, fields, scripts):
    sensible(models)
    for name, steps in scripts.items():
        models.script(name, *steps)
    fields = config(models, **fields)
    if fields["search"] == "corpus":
        fields["corpus"] = pages

    before = estimated(fields)
    record = await run(fields)

    assert record["usage"]["total"]["cost_usd"] > 0
    check_within(before, record)


CONVERSATIONS = {
    "Chinese": [HumanMessage("水有多湿？谁测量过它？请详细说明并引用来源。" * 20)],
    "code": [HumanMessage("def f(x):\n\treturn {'a': [x ** 2, \"b\"]}  # €\n" * 50)],
    "earlier turns and the application's instructions": [
        SystemMessage("Speak like a physicist. " * 40),
        HumanMessage("What is water?"),
        AIMessage("A liquid. " * 500),
        HumanMessage(QUESTION),
    ],
    "the parent's tools": [
        HumanMessage(QUESTION),
        AIMessage("", tool_calls=[{"name": "db", "args": {"sql": "select " * 50}, "id": "1"}]),
        ToolMessage("row " * 9_000, tool_call_id="1"),
    ],
}


@pytest.mark.parametrize("said", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
@pytest.mark.parametrize("invocation", ["always", "never", "auto"])
async def test_any_conversation_is_within_the_range(models, said, invocation):
    sensible(models)
    if invocation == "auto":
        models.script("w", '{"use": "panel", "reason": "r"}', "Water is wet.")
    fields = config(models, invocation=invocation)

    before = estimated(fields, said=said)

    check_within(before, await run(fields, said=said))


async def test_a_script_with_more_than_a_token_a_character_is_within_the_range(models):
    said = [HumanMessage("水有多湿？谁测量过它？" * 300)]
    # As the least apt of the tokenisers in use have it; the call has nothing else in it.
    read = int(1.4 * len(said[0].text))
    models.script("w", {**words(100), "usage": {"prompt_tokens": read}})
    fields = config(models, invocation="never", response_format={"type": "text"})

    check_within(estimated(fields, said=said), await run(fields, said=said))


async def test_own_tools_in_place_of_the_web_tools_are_counted(models):
    @tool
    def archive(query: str, year: int = 1999) -> str:
        """Look something up in the archive of the institute."""
        return f"{WORDS * 3_000} See https://water.example/{query}."

    sensible(models)
    looking = [{"name": "archive", "args": {"query": "wet"}}]
    for name in "abc":
        steps = [{"tool_calls": looking, "usage": {"completion_tokens": 20}}] * 8
        models.script(name, *steps, words(600))
    fields = config(models)

    check_within(estimated(fields, [archive]), await run(fields, [archive]))


async def test_a_failed_member_is_not_billed(models):
    sensible(models)
    models.script("b", {"status": 402})
    fields = config(models)

    record = await run(fields)

    spent = record["usage"]["total"]["cost_usd"]
    without = config(models, panel=["scripted:a", "scripted:c"])
    assert estimated(without)["total"]["low"]["cost_usd"] <= spent
    assert spent <= estimated(fields)["total"]["high"]["cost_usd"]


async def test_a_stand_in_for_a_member_that_was_paid_and_failed_is_in_the_range(models, pages):
    sensible(models)
    models.script("a", SEARCH, PAGE, BLANK)
    models.script("f", SEARCH, PAGE, PAGE, words(2_000))
    fields = config(
        models,
        panel=["scripted:a", "scripted:c"],
        fallbacks=["scripted:f"],
        search="corpus",
        corpus=pages,
    )

    record = await run(fields)

    assert any(call["what"] == "scripted:f" for call in record["timeline"])
    check_within(estimated(fields), record)


STEPS = st.lists(st.sampled_from([SEARCH, PAGE, FIVE]), max_size=9)
TEXTS = st.integers(1, 3_000).map(words)


@settings(
    max_examples=settings.default.max_examples // 8,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # an example is a run: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    members=st.lists(st.tuples(st.sampled_from("abc"), STEPS, TEXTS), min_size=1, max_size=5),
    verdicts=st.lists(st.sampled_from([GOOD, "I like A.", "{}", BLANK]), min_size=1, max_size=3),
    written=TEXTS,
    cap=st.integers(0, 16),
)
@pytest.mark.slow
def test_any_run_that_is_answered_costs_what_the_range_says(
    model_server, pages, members, verdicts, written, cap
):
    scope = model_server.scope()
    # Beyond the cap everybody answers at the last chance: a failed member would not be billed.
    scripts = {
        name: [*({**step, "when_no_tools": text} for step in steps), text]
        for name, steps, text in members
    }
    for name, steps in scripts.items():
        scope.script(name, *steps)
    scope.script("j", *verdicts)
    scope.script("w", written)
    panel = [f"scripted:{name}" for name in scripts]
    fields = config(scope, panel=panel, search="corpus", corpus=pages, max_tool_calls=cap)

    state = create_fusion_graph(fields).invoke({"messages": [HumanMessage(QUESTION)]})

    check_within(estimated(fields), state["fusion"])
    scope.clear()


def test_cases_are_in_order_and_add_up(models):
    found = estimated(config(models, search="ddgs", fallbacks=["scripted:f"], invocation="auto"))

    for case in CASES:
        for part in ("stages", "models"):
            rows = [row[case] for row in found[part].values()]  # type: ignore[literal-required]
            for unit in ("calls", "input_tokens", "output_tokens"):
                assert sum(row[unit] for row in rows) == found["total"][case][unit]
            cost = sum(row["cost_usd"] for row in rows)
            assert cost == pytest.approx(found["total"][case]["cost_usd"])
    assert found["total"]["low"]["cost_usd"] < found["total"]["likely"]["cost_usd"]
    assert found["total"]["likely"]["cost_usd"] < found["total"]["high"]["cost_usd"]


def test_more_of_everything_costs_more(models):
    def likely_and_high(**fields: Any) -> tuple[float, float]:
        total = estimated(config(models, **{"search": "ddgs", "max_tool_calls": 4, **fields}))
        likely, high = (total["total"][case]["cost_usd"] for case in ("likely", "high"))
        assert likely is not None
        assert high is not None
        return likely, high

    base = likely_and_high()
    for more in (
        {"panel": [f"scripted:{name}" for name in "abca"]},
        {"judge_tools": True},
        {"judge": "scripted:f"},
        {"synthesizer": "scripted:f"},
    ):
        assert all(new > old for new, old in zip(likely_and_high(**more), base, strict=True))
    for bound in (
        {"max_tool_calls": 5},
        {"max_completion_tokens": 32_000},
        {"fallbacks": ["scripted:c"]},
    ):
        assert likely_and_high(**bound)[1] > base[1]
    for less in ({"search": "none"}, {"max_tool_calls": 0}, {"panel": ["scripted:a"]}):
        assert all(new < old for new, old in zip(likely_and_high(**less), base, strict=True))


def test_an_unknown_price_is_named_and_makes_no_total(models):
    found = estimated(config(models, panel=["scripted:a", "scripted:nobody"]))

    assert found["unknown"] == ["scripted:nobody"]
    for case in CASES:
        assert found["total"][case]["cost_usd"] is None
        assert found["stages"]["panel"][case]["cost_usd"] is None
        assert found["stages"]["judge"][case]["cost_usd"] > 0
        assert found["total"][case]["input_tokens"] > 0
    assert (found["best"], found["single_usd"], found["multiple"]) == (None, None, None)


def test_an_unknown_fallback_spoils_only_the_case_that_needs_it(models):
    found = estimated(config(models, fallbacks=["scripted:nobody"]))

    assert found["unknown"] == ["scripted:nobody"]
    assert found["total"]["likely"]["cost_usd"] > 0
    assert found["total"]["high"]["cost_usd"] is None
    assert found["multiple"] > 1


def test_an_unknown_way_is_no_bound(models):
    way = config(models, invocation="auto", panel=["scripted:nobody"], synthesizer="scripted:c")

    assert estimated(way)["total"]["high"]["cost_usd"] is None


def test_free_models_cost_nothing_and_have_no_multiple():
    found = estimated({"preset": "offline"})

    assert [found["total"][case]["cost_usd"] for case in CASES] == [0, 0, 0]
    assert (found["single_usd"], found["multiple"]) == (0, None)


def test_attachments_that_cannot_be_counted_leave_no_total(models):
    block = {"type": "file", "source_type": "base64", "mime_type": "application/pdf", "data": "AA"}
    said = [HumanMessage([{"type": "text", "text": QUESTION}, block])]

    found = estimated(config(models), said=said)

    assert found["uncounted"] == ["file"]
    assert [found["total"][case]["cost_usd"] for case in CASES] == [None, None, None]
    assert (found["multiple"], found["unknown"]) == (None, [])
    free = estimated({"preset": "offline"}, said=said)
    assert free["total"]["high"]["cost_usd"] == 0


def test_a_pdf_is_counted_by_its_pages_and_the_call(models):
    block = pdf_block(encoded(plain_pdf(30)), "wet.pdf")
    plain = estimated(config(models))
    seen = estimated(
        config(models), said=[HumanMessage([{"type": "text", "text": QUESTION}, block])]
    )

    for case, page in (("low", 258), ("likely", 2_000), ("high", 8_000)):
        more = seen["total"][case]["input_tokens"] - plain["total"][case]["input_tokens"]
        calls = plain["stages"]["panel"][case]["calls"] + 1  # the writer sees it, the judge not
        assert more >= 30 * page * calls
    assert seen["uncounted"] == []
    assert seen["total"]["likely"]["cost_usd"] > plain["total"]["likely"]["cost_usd"]


def test_the_tools_of_mcp_servers_are_counted_though_none_is_started(models):
    server = {"command": ["not-to-be-started"]}
    plain = estimated(config(models))
    one = estimated(config(models, tools={"wiki": server}))
    named = estimated(config(models, tools={"wiki": {**server, "only": ["look"]}}))
    two = estimated(config(models, tools={"wiki": server, "files": server}))

    def read(found: Estimate, case: Any) -> int:
        return found["stages"]["panel"][case]["input_tokens"]

    for case, tokens in (("low", 20), ("likely", 1_075), ("high", 64_000)):
        calls = one["stages"]["panel"][case]["calls"]
        assert calls >= plain["stages"]["panel"][case]["calls"]
        assert read(one, case) - read(plain, case) >= tokens * calls
        assert read(two, case) - read(one, case) == tokens * calls
        assert read(named, case) <= read(one, case)
    # Without search they are the only tools: a member calls them as it would search.
    assert one["stages"]["panel"]["likely"]["calls"] > 3


def test_an_image_is_counted_by_the_call(models):
    image = {"type": "image_url", "image_url": {"url": "https://water.example/a.png"}}
    plain = estimated(config(models))
    seen = estimated(
        config(models), said=[HumanMessage([{"type": "text", "text": QUESTION}, image])]
    )

    for case in CASES:
        more = seen["total"][case]["input_tokens"] - plain["total"][case]["input_tokens"]
        calls = plain["stages"]["panel"][case]["calls"] + 1  # the writer sees it, the judge not
        assert more >= 70 * calls
    assert seen["uncounted"] == []


@pytest.mark.parametrize("said", [[], [HumanMessage("  ")], [SystemMessage("Be brief.")]])
def test_nothing_to_answer_has_no_estimate(models, said):
    settings, _ = GraphConfig(config(models)).begin(None)
    with pytest.raises(EmptyQuestion):
        estimate(settings, said)


def test_the_multiple_is_of_one_call_of_the_dearest_panelist(models):
    found = estimated(config(models))

    assert (
        found["best"] == "scripted:b"
    )  # judge, writer and fallback cost more, but sit on no panel
    price = price_of("scripted:b", GraphConfig(config(models)).begin(None)[0].providers)
    assert price is not None
    # A short question, and an answer of 1,500 tokens.
    assert found["single_usd"] == pytest.approx(1_500 * price.output / 1e6, rel=0.05)
    assert found["multiple"] == pytest.approx(
        found["total"]["likely"]["cost_usd"] / found["single_usd"], rel=0.01
    )


@pytest.mark.parametrize(
    ("cost", "single", "multiple"),
    [(0.3, 0.1, 3.0), (None, 0.1, None), (0.3, None, None), (0.3, 0.0, None), (0.0, 0.1, 0.0)],
)
def test_a_multiple_needs_both_costs(cost, single, multiple):
    assert times(cost, single) == multiple


def call(name: str, read: int | None, written: int | None, **fields: Any) -> CallRecord:
    made: Any = {
        "stage": "panel",
        "name": name,
        "model": f"scripted:{name}",
        "input_tokens": read,
        "output_tokens": written,
        "cost_usd": 0.1,
        "start": 0.0,
        "end": 1.0,
        "outcome": "ok",
        "left_out": [],
        **fields,
    }
    record: CallRecord = made
    return record


def answer(name: str, status: str = "ok") -> PanelAnswer:
    made: Any = {"name": name, "model": f"scripted:{name}", "status": status}
    given: PanelAnswer = made
    return given


def afterwards(
    models: Scope, answers: list[PanelAnswer], calls: list[CallRecord], **fields: Any
) -> float | None:
    settings, _ = GraphConfig(config(models, **fields)).begin(None)
    return single_call_cost(settings, answers, calls, QUESTION)


ALL = [answer("a"), answer("b"), answer("c")]


def test_a_run_is_measured_by_its_question_and_its_best_members_answer(models):
    calls = [call("a", 1_000, 10), call("b", 2_000, 30), call("b", 9_000, 400), call("c", 5, 5)]
    calls += [call("b", 70_000, 7_000, stage="judge")]

    for search, tools in (("none", 0), ("ddgs", WEB_TOOLS_BYTES // 4)):
        system = panel_system(bool(tools), 8, "2026-01-01", None)
        asked = 2_000 - text_tokens(system, "likely") - tools
        assert afterwards(models, ALL, calls, search=search) == pytest.approx(
            (asked * 2.5 + 400 * 15) / 1e6
        )


def test_a_question_is_at_least_as_long_as_it_is(models):
    asked = text_tokens(QUESTION, "likely")

    assert afterwards(models, ALL, [call("b", 30, 1)]) == pytest.approx((asked * 2.5 + 15) / 1e6)


def test_calls_that_failed_are_no_measure(models):
    calls = [
        call("b", None, None, outcome="rate_limited"),
        call("b", 2_000, 400),
        call("b", 99_000, 9_000, outcome="timed_out"),
    ]

    assert afterwards(models, ALL, calls) == afterwards(models, ALL, calls[1:2])


def test_where_the_best_member_failed_anothers_answer_is_the_measure(models):
    answers = [answer("a"), answer("b", "failed"), answer("c")]
    calls = [call("a", 1_000, 300), call("b", 2_000, 8_000), call("c", 1_000, 100)]
    others = [call("b", 1_000, 300)]

    assert afterwards(models, answers, calls) == afterwards(models, ALL, others)


def test_without_tokens_or_an_answer_there_is_no_measure(models):
    assert afterwards(models, ALL, [call("b", None, None)]) is None
    assert afterwards(models, [answer("b", "failed")], [call("b", 10, 10)]) is None
    assert afterwards(models, [], []) is None


async def test_the_measure_of_a_run_is_what_the_plain_call_costs(models):
    """The plain call is made, too: the same question to the same model, without a panel."""
    sensible(models)
    models.script("b", words(600))
    fields = config(models)
    settings, _ = GraphConfig(fields).begin(None)
    record = await run(fields)
    alone = await run(
        config(
            models,
            panel=["scripted:b"],
            synthesizer="scripted:b",
            invocation="never",
            response_format={"type": "text"},  # bound: the conversation goes as it is
        )
    )

    answers: Any = record["answers"]
    calls = [
        call(a["name"], a["usage"]["input_tokens"], a["usage"]["output_tokens"]) for a in answers
    ]
    single = single_call_cost(settings, answers, calls, QUESTION)
    plain = alone["usage"]["total"]["cost_usd"]

    assert single == pytest.approx(plain, rel=0.1)


def test_figures_of_our_own_tools_hold(pages):
    """The tools' descriptions, hits and sizes, as they are, against what the estimate takes."""
    corpus = open_corpus(pages)
    tools = [web_search_tool(corpus), web_fetch_tool(corpus)]
    described = len(json.dumps([convert_to_openai_tool(one) for one in tools]))
    assert described <= WEB_TOOLS_BYTES <= 1.2 * described

    hit = {"url": "https://x.example/" + "a" * 9_000, "title": "t" * 999, "snippet": "s" * 9_999}
    hits: Any = [{**hit, "date": "2026-01-01T00:00:00+00:00"}] * MOST_HITS
    search: Any = {"kind": "search", "query": "q", "provider": "p", "results": hits}
    found = search_text({**search, "failure": None}, list(range(6)), "0" * 16)
    assert len(found) <= MOST_RESULT_CHARACTERS

    page: Any = {**hit, "kind": "page", "final_url": hit["url"], "date": "2026-01-01"}
    page |= {"text": "x" * 99_999, "note": "n" * 999, "offset": 0, "limit": 24_000, "failure": None}
    shown = page_text(page, 1, "0" * 16)
    assert len(shown) <= MOST_RESULT_CHARACTERS


@pytest.mark.parametrize("text", ["", "x", "How wet is water?", "水有多湿？", "🙂🙂", "\ud800"])
def test_tokens_of_any_text_are_in_order(text):
    low, likely, high = (text_tokens(text, case) for case in CASES)

    assert low <= likely <= high
    assert high <= 2 * len(text)


def test_tool_calls_in_a_conversation_are_read_too():
    bare = AIMessage("Wait.")
    calling = AIMessage("Wait.", tool_calls=[{"name": "db", "args": {"q": "x" * 400}, "id": "1"}])

    assert message_tokens([calling], "likely") >= message_tokens([bare], "likely") + 100


def test_a_chat_model_of_unknown_price_is_named():
    chat = FakeListChatModel(responses=["hello"])
    found = estimated({"panel": [chat, chat], "search": "none"})

    assert found["unknown"] == ["FakeListChatModel"]
    assert found["total"]["likely"]["cost_usd"] is None


def test_a_providers_own_search_adds_its_fee_for_members_that_have_it():
    panel = ["openai:gpt-5.5", "openai:gpt-5.5-mini-of-nobody"]
    fields = {"panel": panel[:1], "judge": panel[0], "synthesizer": panel[0]}

    def cost(case: Any, **more: Any) -> float:
        made = ResolvedConfig(**(fields | {"search": "ddgs"} | more))
        return float(estimate(made, [HumanMessage("How wet is water?")])["total"][case]["cost_usd"])

    # A cent a search; the few words more of the instructions cost less than a tenth of one.
    for case, searches in (("low", 0), ("likely", 1), ("high", 8)):
        more = cost(case, search="provider") - cost(case)
        assert 0 <= more - searches * 0.01 < 0.02 * (1 + searches)
    free = cost("likely", search="provider", max_tool_calls=0) - cost("likely", max_tool_calls=0)
    assert free == 0

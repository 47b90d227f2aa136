"""Code by the panel, from the question to the answer: every candidate here is really run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.errors import ConfigurationError, SandboxUnavailable
from fusion_graph.sandbox import wall

QUESTION = "Write a Python function triple(x) that triples x."
GIVEN = "def test_triple():\n    assert triple(2) == 6\n    assert triple('ab') == 'ababab'\n"
RIGHT = "It multiplies:\n\n```python\ndef triple(x):\n    return x * 3\n```\n\nThat is all."
ADDS = "```python\ndef triple(x):\n    return x + x + x\n```"
CUBES = "```python\ndef triple(x):\n    return x ** 3\n```"
PRINTS = "```python\ndef triple(x):\n    print(x * 3)\n```"
TESTS = "```python\nassert triple(1) == 3\nassert triple(5) == 15\n```"


@pytest.fixture(autouse=True)
def bubblewrap() -> None:
    """A machine on which code can be confined; elsewhere the test is skipped, and says why."""
    try:
        wall()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


async def ask(config: dict[str, Any]) -> tuple[str, FusionReport]:
    """The message and the report of a run."""
    graph = create_fusion_graph(config, run_code="sandbox")
    state = await graph.ainvoke({"messages": [("user", QUESTION)]})
    return state["messages"][-1].text, FusionReport.from_state(state)


def prompt(call) -> str:
    """Everything a call says to the model, as one text."""
    return "\n".join(str(message["content"]) for message in call.body["messages"])


async def test_the_answer_whose_code_passes_the_others_tests_is_handed_over_word_for_word(
    models, panel_config
):
    models.script("a", CUBES, "```python\nassert triple(2) == 8\n```")
    models.script("b", RIGHT, TESTS)
    models.script("c", PRINTS, "```python\nassert triple(4) == 12\n```")

    message, report = await ask(panel_config())

    assert report.answer == RIGHT
    assert message.endswith(RIGHT)
    assert message.startswith("> The code of b, as it stands, chosen by running it")
    assert report.status == "ok"
    assert models.calls("w") == []
    assert report.code.best == ["b"]
    assert {test.proposer for test in report.code.tests} == {"a", "b", "c"}
    assert report.usage.stages["tests"].calls == 3
    assert report.usage.total.calls == len(models.calls())


async def test_the_judge_is_shown_what_failed_and_the_proposers_see_no_code(models, panel_config):
    models.script("a", CUBES, TESTS)
    models.script("b", RIGHT, TESTS)
    models.script("c", PRINTS, TESTS)

    _, report = await ask(panel_config(tests=GIVEN))

    (judged,) = models.calls("j")
    labels = {answer.name: answer.label for answer in report.answers}
    assert f"Answer {labels['a']}: FAILS the given tests" in prompt(judged)
    assert f"Answer {labels['b']}: passes the given tests" in prompt(judged)
    # One alone passes the given tests: proposed ones could change nothing, and nobody is paid.
    assert "tests" not in report.usage.stages
    assert report.answer == RIGHT


async def test_whoever_proposes_a_test_sees_the_question_and_nobodys_code(models, panel_config):
    for name, text in zip("abc", (RIGHT, ADDS, PRINTS), strict=True):
        models.script(name, text, TESTS)

    _, report = await ask(panel_config())

    for name in "abc":
        asked = prompt(models.calls(name)[1])
        assert QUESTION in asked
        assert "return" not in asked.split("The request", 1)[1]
        assert "triple" in asked
    assert report.code.best == ["a", "b"] or report.code.best == ["b", "a"]
    assert report.answer in (RIGHT, ADDS)


async def test_code_that_fails_a_given_test_is_mended_once_and_then_handed_over(
    models, panel_config
):
    models.script("a", CUBES, RIGHT)
    models.script("b", PRINTS, CUBES)
    models.script("c", "I cannot write code.", "I still cannot.")

    message, report = await ask(panel_config(tests=GIVEN))

    assert report.answer == RIGHT
    assert "a, mended once" in message
    assert "test_triple: AssertionError" in prompt(models.calls("a")[1])
    assert "triple(2) == 6" in prompt(models.calls("a")[1])
    assert [len(models.calls(name)) for name in "abc"] == [2, 2, 2]
    assert report.code.best == ["a (repaired)"]


async def test_where_no_code_passes_the_given_tests_none_is_handed_over(models, panel_config):
    for name in "abc":
        models.script(name, CUBES)

    message, report = await ask(panel_config(tests=GIVEN))

    assert "x ** 3" not in message
    assert "None of the 6 candidates passes your tests" in message
    assert report.status == "degraded"
    assert [loss.code for loss in report.degradations] == ["no_code_passes"]
    assert report.code.reason == "none_passes_given"
    assert all(one.given == "failed" for one in report.code.candidates)


async def test_where_nobody_proposes_a_test_the_answer_says_that_it_was_not_run(
    models, panel_config
):
    for name in "abc":
        models.script(name, RIGHT, "I would test it with small numbers.")

    message, report = await ask(panel_config())

    codes = [loss.code for loss in report.degradations]
    assert codes == ["tests_missing"] * 3 + ["code_untried"]
    assert "this code was not run" in message
    assert report.answer == RIGHT


async def test_a_member_that_cannot_be_asked_for_tests_costs_its_tests_alone(models, panel_config):
    models.script("a", CUBES, {"status": 400, "error": "no more today"})
    models.script("b", RIGHT, TESTS)
    models.script("c", PRINTS, TESTS)

    _, report = await ask(panel_config())

    assert [loss.code for loss in report.degradations] == ["tests_missing"]
    assert report.degradations[0].detail.startswith("a: proposed no tests")
    assert report.answer == RIGHT


async def test_a_run_with_code_is_resumed_from_its_checkpoint_with_what_was_tried(
    models, panel_config
):
    from langgraph.checkpoint.memory import InMemorySaver

    for name in "abc":
        models.script(name, RIGHT, TESTS)
    saver = InMemorySaver()
    graph = create_fusion_graph(panel_config(), run_code="sandbox", checkpointer=saver)
    thread = {"configurable": {"thread_id": "code"}}
    begun = {"messages": [("user", QUESTION)]}
    async for _ in graph.astream(begun, thread, interrupt_before=["judge"]):
        pass
    paid = len(models.calls())

    state = await graph.ainvoke(None, thread)

    assert len(models.calls()) == paid + 1  # the judge
    assert state["fusion"]["answer"] == RIGHT
    json.dumps(state["fusion"])


async def test_tests_that_nobody_would_run_are_refused(models, panel_config):
    graph = create_fusion_graph(panel_config(tests=GIVEN))

    with pytest.raises(ConfigurationError, match="this graph runs no code"):
        await graph.ainvoke({"messages": [("user", QUESTION)]})
    assert models.calls() == []


@pytest.mark.parametrize(
    ("tests", "words"),
    [("assert triple(2 ==", "not Python, line 1"), ("assert True", "use nothing of the code")],
)
async def test_tests_that_test_nothing_are_refused_before_anybody_is_asked(
    models, panel_config, tests, words
):
    with pytest.raises(ConfigurationError, match=words):
        await ask(panel_config(tests=tests))
    assert models.calls() == []

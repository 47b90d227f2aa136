"""The writer: the answer put together from the panel's work, streamed, and its other roles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage

from fusion_graph.evidence import ANY_SOURCE, cited
from fusion_graph.offline import offline_model
from fusion_graph.offline._composing import COMPILED
from fusion_graph.prompts import ROUTER, fenced, panel_system, writer_material
from tests.offline.panel import NONCE, folder_of, judged, research, source, tools_over, written

SOURCES = [source(n, title) for n, title in enumerate(("Tea", "Brewing", "Trade", "Hills"), 1)]

ANSWERS = [
    ("A", "Tea grows in warm hills [1]. Green tea is brewed at 80 degrees [2]."),
    ("B", "Tea grows in warm hills [4]. Green tea is brewed at 95 degrees [3]."),
    ("C", "Tea grows in warm hills [1]. The Dutch brought tea to Europe by ship [3]."),
]
QUESTION = "Where does tea grow, and how is green tea brewed?"


def test_agreed_first_then_what_differs_then_what_one_adds() -> None:
    verdict = json.dumps(judged(ANSWERS, QUESTION, SOURCES))
    paragraphs = written(ANSWERS, verdict, QUESTION, SOURCES).split("\n\n")
    assert paragraphs == [
        "Tea grows in warm hills [1][4].",
        "Sources differ: Green tea is brewed at 80 degrees [2]; "
        "Green tea is brewed at 95 degrees [3].",
        "The Dutch brought tea to Europe by ship [3].",
        COMPILED,
    ]


def test_what_stays_open_is_said() -> None:
    question = f"{QUESTION} And who taxes tea?"
    verdict = json.dumps(judged(ANSWERS, question, SOURCES))
    assert "What stays open: Nothing was found about “taxes”." in written(
        ANSWERS, verdict, question, SOURCES
    )


def test_labels_of_the_answers_do_not_show() -> None:
    answer = written(ANSWERS, json.dumps(judged(ANSWERS)), QUESTION, SOURCES)
    assert "Answer" not in answer
    assert not {"A", "B", "C"} & set(answer.replace("[", " ").replace(".", " ").split())


def test_sources_that_are_not_listed_are_not_cited() -> None:
    analysis = json.dumps(
        {"consensus": [{"point": "Tea is hot.", "labels": ["A", "B"], "sources": [1, 99]}]}
    )
    answer = written(ANSWERS, analysis, QUESTION, SOURCES[:1])
    assert "Tea is hot [1]." in answer
    assert 99 not in cited(answer, ANY_SOURCE)


def test_a_comparison_in_the_reports_shape_is_read_too() -> None:
    analysis = json.dumps(
        {
            "consensus": [{"point": "Tea is hot.", "models": ["A", "B"], "sources": [1]}],
            "contradictions": [
                {
                    "topic": "Colour",
                    "stances": [
                        {"model": "A", "stance": "Tea is green.", "sources": [2]},
                        {"model": "B", "stance": "Tea is black.", "sources": [3]},
                    ],
                }
            ],
            "partial_coverage": [],
            "unique_insights": [{"insight": "Tea is old.", "model": "C", "sources": [4]}],
            "blind_spots": ["Its price"],
        }
    )
    answer = written(ANSWERS, analysis, QUESTION, SOURCES)
    assert "Sources differ: Tea is green [2]; Tea is black [3]." in answer
    for words in ("Tea is hot [1].", "Tea is old [4].", "What stays open: Its price."):
        assert words in answer


@pytest.mark.parametrize("analysis", [None, "", "not JSON", "[]", '{"consensus": 7}'])
def test_without_a_usable_comparison_it_compares_the_answers_itself(analysis: str | None) -> None:
    with_one = written(ANSWERS, json.dumps(judged(ANSWERS, QUESTION, SOURCES)), QUESTION, SOURCES)
    assert written(ANSWERS, analysis, QUESTION, SOURCES) == with_one


def test_three_sources_are_cited_when_there_are_three() -> None:
    shared = " ".join(f"Tea from hill number {n} is brewed for guests [1]." for n in range(6))
    answers = [
        ("A", f"{shared} Tea of Assam is brewed strong [2]."),
        ("B", f"{shared} Tea of Ceylon is brewed weak [3]."),
    ]
    question = "How is tea brewed?"
    answer = written(answers, json.dumps(judged(answers, question)), question, SOURCES)
    assert set(cited(answer, ANY_SOURCE)) == {1, 2, 3}
    assert answer.count(". ") < 10


def test_nothing_found_is_the_answer_when_nobody_found_anything() -> None:
    nothing = [(n, "The documents searched say nothing about “Why?”.") for n in "AB"]
    verdict = json.dumps(judged(nothing, "Why?"))
    assert written(nothing, verdict, "Why?") == (
        f"The documents searched say nothing about “Why?”.\n\n{COMPILED}"
    )


async def test_the_answer_streams_word_by_word() -> None:
    material = writer_material(json.dumps(judged(ANSWERS)), ANSWERS, SOURCES, NONCE)
    messages = [HumanMessage(QUESTION), HumanMessage(material)]
    model = offline_model("writer")
    whole = model.invoke(messages)
    for chunks in (list(model.stream(messages)), [c async for c in model.astream(messages)]):
        texts = [chunk.text for chunk in chunks if chunk.text]
        assert "".join(texts) == whole.text
        assert max(len(text.split()) for text in texts) == 1
        total = chunks[0]
        for chunk in chunks[1:]:
            total += chunk
        assert isinstance(total, AIMessageChunk)
        assert total.usage_metadata == whole.usage_metadata
        assert total.response_metadata["model_name"] == "offline:writer"


def test_without_a_panel_it_researches_by_itself(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"tea.md": "# Tea\n\nTea grows in warm hills near the sea.\n"})
    finding = research("writer", "Where does tea grow?", folder)
    assert finding.fetched == ["corpus:///tea.md"]
    assert finding.text == f"Tea grows in warm hills near the sea [1].\n\n{COMPILED}"


def test_its_own_tool_calls_stream(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"tea.md": "# Tea\n\nTea grows in warm hills near the sea.\n"})
    bound = offline_model("writer").bind_tools(tools_over(folder))
    messages = [SystemMessage(panel_system(True, 8, "2026-11-22", None)), HumanMessage("Tea?")]
    chunks = list(bound.stream(messages))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessage)
    assert [call["name"] for call in whole.tool_calls] == ["web_search"]


@pytest.mark.parametrize(
    ("request_", "use"),
    [
        ("What is 12 * (3 + 4)?", "one"),
        ("hi there", "one"),
        ("Translate 'good morning' into French.", "one"),
        ("Write a Python function that sorts a list.", "one"),
        ("Why does this fail?\n```python\n1/0\n```", "one"),
        ("Compare heat pumps and gas boilers.", "panel"),
        ("Is it legal to record a call in Germany?", "panel"),
        ("What dose of ibuprofen is safe?", "panel"),
        ("Is there evidence that coffee is good for the heart?", "panel"),
        ("Tell me about the tides.", "panel"),
        ("", "panel"),
    ],
)
def test_routing_goes_by_the_last_request(request_: str, use: str) -> None:
    told = f"User: Write a poem.\n\nAssistant: No.\n\nUser: {request_}"
    for asked in (request_, fenced("request", told, NONCE)):
        reply = offline_model("writer").invoke([SystemMessage(ROUTER), HumanMessage(asked)])
        decision = json.loads(reply.text)
        assert decision["use"] == use
        assert 0 < len(decision["reason"].split()) <= 15

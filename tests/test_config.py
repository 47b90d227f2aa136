"""The configuration: what may be written, which layer wins, and what a wrong value says."""

from __future__ import annotations

import json
from itertools import product

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from fusion_graph import ConfigurationError, FusionConfig, Panelist, Provider, create_fusion_graph
from fusion_graph.config import MAX_PANEL, Price, ResolvedConfig, coerce, combine, inherited
from fusion_graph.config.form import FIELDS_OF_NODES
from fusion_graph.config.presets import load
from fusion_graph.config.presets.files import SHIPPED
from fusion_graph.prompts import CRITERIA
from fusion_graph.run.toolbox import Toolbox
from fusion_tools.sources import SourceBook

QUESTION = {"messages": [("user", "How wet is water?")]}


def resolved(**fields) -> ResolvedConfig:
    return combine({"panel": ["x:m"], **fields})


# Layers


async def test_context_goes_before_arguments_before_preset_before_defaults(
    models, panel_config, tmp_path
):
    preset = tmp_path / "stack.toml"
    preset.write_text('panel = ["x:m"]\ntemperature = 0.1\nmax_completion_tokens = 111\ngrace = 1')
    arguments = panel_config(preset=str(preset), temperature=0.2, max_completion_tokens=222)

    result = await create_fusion_graph(arguments).ainvoke(QUESTION, context={"temperature": 0.3})

    config = result["fusion"]["config"]
    assert config["temperature"] == 0.3
    assert config["max_completion_tokens"] == 222
    assert config["grace"] == 1
    assert config["quorum"] is None
    sent = models.calls("a")[0].body
    assert (sent["temperature"], sent["max_tokens"]) == (0.3, 222)


LIFTED = {
    "quorum": (2, None),
    "max_cost_usd": (1.0, None),
    "run_timeout": (60.0, None),
    "temperature": (0.5, None),
    "seed": (7, None),
    "search": ("tavily", "ddgs"),
    "judge": ("x:j", "x:m"),
    "synthesizer": ("x:w", "x:m"),
}
"""What a weaker layer says, and what there is without it."""


@pytest.mark.parametrize(("field", "said"), LIFTED.items(), ids=LIFTED)
def test_none_lifts_what_a_weaker_layer_says(field, said):
    below, left = said

    settings = combine({field: None}, {field: below, "panel": ["x:m", "x:n"]})

    assert getattr(settings, field) == left


def test_without_somebody_to_ask_there_is_no_run_so_none_leaves_preset_and_panel_alone():
    settings = combine({"panel": None, "preset": None}, {"panel": ["x:m"], "preset": "mine"})

    assert (settings.names, settings.preset) == (["m"], "mine")


async def test_a_runs_context_lifts_the_graphs_quorum(models, panel_config):
    graph = create_fusion_graph(panel_config(quorum=2, grace=0, seed=3))

    report = (await graph.ainvoke(QUESTION, context={"quorum": None, "seed": None}))["fusion"]

    assert report["config"]["quorum"] is None
    assert report["config"]["seed"] is None
    assert [answer["status"] for answer in report["answers"]] == ["ok"] * 3


def test_a_parents_own_none_lifts_nothing():
    assert inherited({"quorum": None, "seed": 1, "title": "of the parent's"}) == {"seed": 1}


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", 0), ("max_tool_calls", 0), ("seed", 0)]
)
def test_zero_is_a_value_not_an_absence(field, value):
    settings = combine({field: value}, {field: 1, "panel": ["x:m"]})

    assert getattr(settings, field) == 0


def test_a_default_of_a_stronger_layer_does_not_hide_a_value_of_a_weaker_one():
    settings = combine(coerce(FusionConfig(seed=1)), coerce(FusionConfig(panel=["x:m"], grace=99)))

    assert settings.grace == 99


def test_providers_of_all_layers_are_merged_by_name():
    near = {"providers": {"one": {"base_url": "http://near/v1"}}}
    far = {
        "providers": {"one": {"base_url": "http://far/v1"}, "two": {"base_url": "http://two/v1"}},
        "panel": ["one:m"],
    }

    found = combine(near, far).providers
    assert {name: provider.base_url for name, provider in found.items()} == {
        "one": "http://near/v1",
        "two": "http://two/v1",
    }


def test_judge_and_writer_default_to_the_first_panelist():
    settings = combine({"panel": ["x:first", "x:second"]})

    assert (settings.judge, settings.synthesizer) == ("x:first", "x:first")
    assert combine({"panel": ["x:first"], "judge": "x:j"}).synthesizer == "x:j"


@pytest.mark.parametrize(
    ("fields", "search"),
    [({}, "ddgs"), ({"corpus": "docs"}, "corpus"), ({"corpus": "docs", "search": "none"}, "none")],
)
def test_search_follows_the_corpus_unless_it_is_given(fields, search):
    assert resolved(**fields).search == search


# Forms


@pytest.mark.parametrize(
    "given", [FusionConfig(preset="budget"), {"preset": "budget"}, "budget"], ids=type
)
def test_a_model_a_dict_and_a_name_say_the_same(given):
    assert coerce(given) == {"preset": "budget"}


def test_nothing_is_no_fields():
    assert coerce(None) == {}


@pytest.mark.parametrize(
    "given", [FusionConfig(seed=99), {"seed": 99}], ids=["FusionConfig", "dict"]
)
async def test_a_context_may_be_a_model_or_a_dict(panel_config, given):
    result = await create_fusion_graph(panel_config()).ainvoke(QUESTION, context=given)

    assert result["fusion"]["seed"] == 99


async def test_a_context_may_be_left_out(panel_config):
    result = await create_fusion_graph(panel_config()).ainvoke(QUESTION, context=None)

    assert result["fusion"]["seed"] == 7


async def test_an_unknown_field_in_a_context_is_refused_before_anything_is_paid(
    models, panel_config
):
    graph = create_fusion_graph(panel_config())

    with pytest.raises(ConfigurationError, match="Unknown field 'sede'"):
        await graph.ainvoke(QUESTION, context={"sede": 1})
    assert models.calls() == []


def test_a_panelist_may_be_a_string_a_dict_an_object_or_a_chat_model():
    chat = FakeListChatModel(responses=["yes"])
    config = FusionConfig(
        panel=["x:a", {"model": "x:b", "name": "bee"}, Panelist(model="x:c"), chat]
    )

    assert config.panel is not None
    assert [member.model for member in config.panel] == ["x:a", "x:b", "x:c", chat]
    assert config.panel[1].name == "bee"


def test_a_configuration_with_chat_models_still_dumps_as_json():
    chat = FakeListChatModel(responses=["yes"])

    data = json.loads(FusionConfig(panel=[chat], judge=chat).model_dump_json())
    assert data["judge"] == "FakeListChatModel"


# Names


def names(*members) -> list[str]:
    return resolved(panel=list(members)).names


def test_panelists_are_named_after_their_models():
    assert names(
        "openrouter:google/gemini-3", "ollama:qwen3:8b", FakeListChatModel(responses=[])
    ) == [
        "gemini-3",
        "qwen3:8b",
        "FakeListChatModel",
    ]


def test_a_given_name_goes_before_the_models():
    assert names({"model": "x:m", "name": "the sceptic"}) == ["the sceptic"]


def test_the_same_model_again_is_numbered():
    assert names("x:m", "y:m", "x:m") == ["m", "m #2", "m #3"]


def test_no_two_panelists_share_a_name():
    members = ["x:m", {"model": "x:m", "name": "m #2"}, {"model": "x:m", "name": "m #3"}]

    panels = [names(*panel) for panel in product(members, repeat=3)]
    assert [panel for panel in panels if len(set(panel)) < 3] == []


# Wrong values


WRONG = {
    "unknown field": ({"pannel": ["x:m"]}, ["pannel", "panel", "judge"]),
    "cap too high": ({"max_tool_calls": 17}, ["max_tool_calls", "17", "16"]),
    "cap negative": ({"max_tool_calls": -1}, ["max_tool_calls", "-1", "0"]),
    "not a number": ({"seed": "seven"}, ["seed", "seven", "integer"]),
    "negative seed": ({"seed": -1}, ["seed", "-1"]),
    "huge seed": ({"seed": 2**32}, ["seed", str(2**32)]),
    "not a choice": ({"invocation": "sometimes"}, ["invocation", "sometimes", "always", "never"]),
    "unknown search": ({"search": "altavista"}, ["search", "altavista", "ddgs", "corpus"]),
    "model without provider": ({"judge": "gpt-5.5"}, ["judge", "gpt-5.5", "provider:model"]),
    "model without name": ({"judge": "openai:"}, ["judge", "openai:", "provider:model"]),
    "model of a wrong type": ({"judge": 5}, ["judge", "provider:model"]),
    "panelist without provider": ({"panel": ["x:m", "gpt"]}, ["panel.1", "gpt", "provider:model"]),
    "panelist with a typo": ({"panel": [{"model": "x:m", "nam": "a"}]}, ["panel.0", "nam", "name"]),
    "panelist without model": ({"panel": [{"name": "a"}]}, ["panel.0", "model"]),
    "panelist too hot": (
        {"panel": [{"model": "x:m", "temperature": 3}]},
        ["panel.0", "temperature", "3", "2"],
    ),
    "nobody": ({"panel": []}, ["panel", "at least 1"]),
    "a crowd": ({"panel": ["x:m"] * (MAX_PANEL + 1)}, ["panel", "16"]),
    "no time": ({"panelist_timeout": 0}, ["panelist_timeout", "0"]),
    "few tokens": ({"max_completion_tokens": 1}, ["max_completion_tokens", "1", "16"]),
    "too hot": ({"temperature": 2.5}, ["temperature", "2.5", "2"]),
    "blank criteria": ({"criteria": ""}, ["criteria"]),
    "a wrong effort": ({"reasoning_effort": "heroic"}, ["reasoning_effort", "heroic", "high"]),
    "not a URL": (
        {"providers": {"x": {"base_url": "localhost"}}},
        ["base_url", "http"],
    ),
    "a negative price": (
        {"providers": {"x": {"prices": {"m": {"input": -1, "output": 0}}}}},
        ["prices", "input", "-1"],
    ),
    "allowed and blocked": (
        {"allowed_domains": ["a.org"], "blocked_domains": ["b.org"]},
        ["allowed_domains", "blocked_domains", "not both"],
    ),
    "quorum over panel": ({"panel": ["x:a", "x:b"], "quorum": 3}, ["quorum", "3", "2"]),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "make", [lambda f: FusionConfig(**f), create_fusion_graph], ids=["model", "graph"]
)
def test_a_wrong_value_is_one_line_that_names_field_value_and_remedy(make, fields, words):
    with pytest.raises(ConfigurationError) as caught:
        make(fields)

    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message
    # In the user's words: no traces of the machinery that found it.
    assert "pydantic" not in message
    assert "ResolvedConfig" not in message


@pytest.mark.parametrize("field", ["api_key_env", "base_url", "headers"])
def test_a_key_pasted_into_the_wrong_field_is_not_repeated(field):
    with pytest.raises(ConfigurationError, match=field) as caught:
        FusionConfig(providers={"x": {field: "sk-proj-very-secret"}})

    assert "very-secret" not in str(caught.value)


def test_a_quorum_is_measured_against_the_panel_of_another_layer():
    with pytest.raises(ConfigurationError, match=r"quorum 3 .* 2") as caught:
        combine({"quorum": 3}, {"panel": ["x:a", "x:b"]})
    assert "ResolvedConfig" not in str(caught.value)


def test_allowed_and_blocked_domains_of_two_layers_still_clash():
    layers = {"allowed_domains": ["a.org"]}, {"blocked_domains": ["b.org"], "panel": ["x:m"]}

    with pytest.raises(ConfigurationError, match="not both"):
        combine(*layers)


def test_a_configuration_of_another_type_is_refused_with_a_remedy():
    with pytest.raises(ConfigurationError, match=r"type int .* preset's name"):
        create_fusion_graph(5)


def test_a_configuration_error_is_a_value_error_with_its_two_parts():
    with pytest.raises(ValueError, match="pannel") as caught:
        FusionConfig(pannel=[])

    assert caught.value.problem == "Unknown field 'pannel'."
    assert str(caught.value) == f"{caught.value.problem} {caught.value.remedy}"


# What others see


def test_every_field_has_a_title_a_description_and_a_default_in_the_schema():
    properties = FusionConfig.model_json_schema()["properties"]

    assert properties.keys() == FusionConfig.model_fields.keys()
    for name, field in properties.items():
        assert field.get("title"), name
        assert field.get("description"), name
        assert "default" in field, name


@pytest.mark.parametrize("part", [Panelist, Provider, Price])
def test_every_field_of_a_part_is_described(part):
    for name, field in part.model_json_schema()["properties"].items():
        assert field.get("description"), name


def test_a_form_offers_every_model_of_every_shipped_preset():
    offered = FusionConfig.model_json_schema()["properties"]["judge"]["examples"]

    for preset in map(load, SHIPPED):
        fields = preset.fields
        models = [member.model for member in fields.get("panel", ())]
        models += [fields[role] for role in ("judge", "synthesizer") if role in fields]
        models += [candidate.model for candidate in preset.candidates]
        assert set(models) <= set(offered), preset.name


def test_a_form_offers_the_presets_and_criteria_there_are():
    properties = FusionConfig.model_json_schema()["properties"]

    assert sorted(properties["preset"]["examples"]) == sorted(SHIPPED)
    assert properties["criteria"]["examples"] == list(CRITERIA)


def test_a_panelist_may_be_its_model_alone_in_the_schema_too():
    panel = FusionConfig.model_json_schema()["properties"]["panel"]["anyOf"][0]

    assert [kind.get("type", kind.get("$ref")) for kind in panel["items"]["anyOf"]] == [
        "string",
        "#/$defs/Panelist",
    ]


CONTROLS = {
    "preset": "select",
    "panel": "json",
    "judge": "select",
    "invocation": "select",
    "corpus": "text",
    "max_tool_calls": "slider",
    "max_completion_tokens": "number",
    "temperature": "number",  # a slider could not be left unset
    "research": "select",
    "judge_tools": "boolean",
    "criteria": "textarea",
    "allowed_domains": "json",
}


@pytest.mark.parametrize(("name", "control"), CONTROLS.items())
def test_a_form_gets_a_control_that_fits_the_field(name, control):
    field = FusionConfig.model_json_schema()["properties"][name]

    assert field["x_oap_ui_config"]["type"] == control


def test_every_field_belongs_to_nodes_of_the_graph():
    properties = FusionConfig.model_json_schema()["properties"]

    nodes = set(create_fusion_graph().get_graph().nodes)
    assert {node for field in properties.values() for node in field["langgraph_nodes"]} < nodes
    # A field that the form knows and the configuration does not would be shown nowhere.
    assert {name for names in FIELDS_OF_NODES.values() for name in names} <= properties.keys()


@pytest.mark.parametrize("field", ["preset", "judge", "search", "corpus", "reasoning_effort"])
def test_an_empty_text_from_a_form_is_unset(field):
    settings = combine(coerce({field: ""}), {"panel": ["x:m"], "judge": "x:j"})

    assert settings == combine({"panel": ["x:m"], "judge": "x:j"})


def test_the_graphs_context_schema_is_the_configuration():
    assert create_fusion_graph().get_context_jsonschema() == FusionConfig.model_json_schema()


def test_what_was_set_makes_the_same_configuration_again():
    config = FusionConfig(panel=["x:a", {"model": "x:b", "tools": False}], seed=3, judge="x:j")

    assert FusionConfig(**config.given()) == config
    assert config.given().keys() == {"panel", "seed", "judge"}


def test_a_reported_configuration_tells_no_header():
    settings = resolved(providers={"x": {"base_url": "http://h/v1", "headers": {"x-pass": "hush"}}})

    assert "hush" not in json.dumps(settings.public())
    assert list(settings.public()["providers"]["x"]["headers"]) == ["x-pass"]


def test_a_form_that_sends_every_field_leaves_the_presets_own_values_alone():
    form = {name: field.default for name, field in FusionConfig.model_fields.items()}

    given = inherited(FusionConfig(**{**form, "preset": "local", "grace": 99}))

    assert given == {"preset": "local", "grace": 99}


def test_a_field_cleared_in_a_form_lifts_nothing():
    form = {name: field.default for name, field in FusionConfig.model_fields.items()}

    assert inherited(FusionConfig(**{**form, "judge": "", "corpus": "", "grace": 99})) == {
        "grace": 99
    }
    assert inherited(FusionConfig(judge="", quorum=2)) == {"quorum": 2}


@pytest.mark.parametrize("respects", [False, True])
async def test_a_run_asks_for_robots_txt_where_the_configuration_says_so(respects):
    """The host does not exist (RFC 2606), so either the page or its robots.txt is not there."""
    settings = resolved(search="ddgs", respect_robots=respects)
    url = "http://nowhere.invalid/"

    toolbox = Toolbox.open(settings)
    _, fetch = toolbox.tools(toolbox.ledger(url), "nonce", SourceBook())

    said = str(await fetch.ainvoke({"url": url}))
    assert ("robots.txt of nowhere.invalid" in said) is respects


async def test_a_function_is_a_tool_of_the_panelists(models, panel_config):
    def tide_table(port: str) -> str:
        """When the water is high in a port today."""
        return f"{port}: 04:10, says https://tides.example/{port}"

    call = {"tool_calls": [{"name": "tide_table", "args": {"port": "Emden"}}]}
    config = panel_config()
    for name in "abc":
        models.script(name, call, "At 04:10 [1].")

    graph = create_fusion_graph(config, tools=[tide_table])
    end = await graph.ainvoke({"messages": [("user", "When is high water in Emden?")]})

    assert [source["url"] for source in end["fusion"]["sources"]] == ["https://tides.example/Emden"]


def test_what_is_no_tool_is_refused_by_name_where_the_graph_is_made():
    def silent(port):
        return port

    with pytest.raises(ConfigurationError, match="'silent' cannot be made a tool: "):
        create_fusion_graph("offline", tools=[silent])
    with pytest.raises(ConfigurationError, match="'str' is no tool"):
        create_fusion_graph("offline", tools=["web_search"])

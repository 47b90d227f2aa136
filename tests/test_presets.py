"""Presets: found by name, by path, in the user's folder, or chosen from the machine's keys."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import (
    ConfigurationError,
    MissingKey,
    PresetFileError,
    UnknownPreset,
    create_fusion_graph,
)
from fusion_graph.config import FusionConfig
from fusion_graph.config.presets import choose, load, names, user_folder
from fusion_graph.config.presets.servers import server_url

SHIPPED = ["quality", "budget", "frontier", "self", "thrifty", "claude-leads", "codex-leads"]
SHIPPED += ["openai", "auto", "local", "offline"]
QUESTION = {"messages": [("user", "How wet is water?")]}


def installed(name: str, size: int, family: str) -> dict[str, Any]:
    """A model as Ollama lists it."""
    return {"name": name, "model": name, "size": size, "details": {"family": family}}


class Ollama(ThreadingHTTPServer):
    """Answers GET /api/tags as Ollama does.

    models: what it lists; may be changed at any time.
    body: sent instead, if given.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self.body: bytes | None = None
        super().__init__(("127.0.0.1", 0), _Tags)


class _Tags(BaseHTTPRequestHandler):
    server: Ollama

    def do_GET(self) -> None:
        found = self.path == "/api/tags"
        body = self.server.body or json.dumps({"models": self.server.models}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    """An Ollama that answers on this machine, with no model yet."""
    with Ollama() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider's key, also of those that only `auto` knows."""
    for candidate in load("auto").candidates:
        monkeypatch.delenv(candidate.key, raising=False)


@pytest.fixture
def own(presets_folder: Path) -> Path:
    """The user's folder of presets, as the code finds it."""
    assert user_folder() == presets_folder
    return presets_folder


# Shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_preset_loads_and_describes_itself(name):
    preset = load(name)

    assert (preset.name, preset.source) == (name, "shipped")
    assert preset.description
    assert "\n" not in preset.description


def test_the_shipped_presets_are_listed_in_the_order_of_the_design():
    assert names() == SHIPPED


@pytest.mark.parametrize(
    ("name", "size", "judged_by"),
    [
        ("quality", 3, "openrouter:~anthropic/claude-opus-latest"),
        ("budget", 3, "openrouter:~anthropic/claude-opus-latest"),
        ("frontier", 2, "openrouter:anthropic/claude-opus-4.8"),
        ("self", 2, "openrouter:~anthropic/claude-opus-latest"),
        ("thrifty", 3, "openrouter:google/gemini-3-flash-preview"),
        ("claude-leads", 3, "claude:opus"),
        ("codex-leads", 3, "codex:gpt-5.5"),
        ("openai", 3, "openai:gpt-5.5"),
        ("offline", 3, "offline:judge"),
    ],
)
def test_a_fixed_preset_names_panel_judge_and_writer(name, size, judged_by):
    stack = load(name).stack()

    assert len(stack["panel"]) == size
    assert stack["judge"] == judged_by
    assert not load(name).discovers


def test_self_asks_one_model_twice_and_thrifty_shares_budgets_panel():
    panel = [member.model for member in load("self").stack()["panel"]]
    assert len(set(panel)) == 1

    budget, thrifty = load("budget").stack(), load("thrifty").stack()
    assert thrifty["panel"] == budget["panel"]


@pytest.mark.parametrize("name", [n for n in SHIPPED if n not in ("auto", "local", "offline")])
def test_a_preset_without_its_key_says_which_key_and_model_before_any_call(name):
    graph = create_fusion_graph(name)
    key = "OPENAI_API_KEY" if name == "openai" else "OPENROUTER_API_KEY"
    first = load(name).stack()["panel"][0].model

    with pytest.raises(MissingKey) as caught:
        graph.invoke(QUESTION)
    assert key in str(caught.value)
    assert first in str(caught.value)
    assert "--preset offline" in caught.value.remedy
    assert "\n" not in str(caught.value)


# Files


STACK = 'panel = ["x:a", { model = "x:b", name = "bee", temperature = 0.7 }]\njudge = "x:j"\n'


@pytest.mark.parametrize("form", [str, os.path.relpath], ids=["absolute", "relative"])
def test_a_preset_loads_by_its_path(tmp_path, form):
    path = tmp_path / "stack.toml"
    path.write_text('description = "Mine"\n' + STACK)

    preset = load(form(path))
    assert (preset.name, preset.description, preset.source) == ("stack", "Mine", form(path))
    settings = FusionConfig(**preset.stack())
    assert settings.panel is not None
    assert [member.name for member in settings.panel] == [None, "bee"]


async def test_a_preset_file_runs_with_its_own_providers(
    models, panel_config, tmp_path, monkeypatch
):
    panel_config()
    path = tmp_path / "stack.toml"
    path.write_text(
        f"""
        panel = ["local:a", "local:b"]
        judge = "local:j"
        synthesizer = "local:w"
        search = "none"
        [providers.local]
        base_url = "{models.base_url}"
        api_key_env = "LOCAL_KEY"
        headers = {{ "x-team" = "blue" }}
        prices = {{ "a" = {{ input = 0.0, output = 0.0 }} }}
        """
    )
    monkeypatch.setenv("LOCAL_KEY", "local-secret")

    result = await create_fusion_graph(str(path)).ainvoke(QUESTION)

    assert result["fusion"]["preset"] == str(path)
    assert [answer["name"] for answer in result["fusion"]["answers"]] == ["a", "b"]
    for call in models.calls():
        assert call.headers["authorization"] == "Bearer local-secret"
        assert call.headers["x-team"] == "blue"


def test_a_preset_in_the_users_folder_is_found_by_name_and_listed_last(own):
    (own / "mine.toml").write_text(STACK)

    assert load("mine").source == str(own / "mine.toml")
    assert names() == [*SHIPPED, "mine"]


def test_a_users_preset_goes_before_the_shipped_one_of_its_name(own):
    (own / "budget.toml").write_text(STACK)

    assert load("budget").stack()["judge"] == "x:j"
    assert names() == SHIPPED


def test_a_changed_file_is_read_again(own):
    path = own / "mine.toml"
    path.write_text(STACK)
    assert load("mine").stack()["judge"] == "x:j"

    path.write_text(STACK.replace("x:j", "x:other"))
    os.utime(path, ns=(0, 0))
    assert load("mine").stack()["judge"] == "x:other"


@pytest.mark.parametrize("name", ["no-such", "", "Budget"])
def test_an_unknown_name_lists_the_known_ones_and_says_where_ones_own_go(own, name):
    (own / "mine.toml").write_text(STACK)

    with pytest.raises(UnknownPreset) as caught:
        load(name)
    message = str(caught.value)
    assert f"'{name}'" in message
    assert all(known in message for known in [*SHIPPED, "mine", str(own)])
    assert "\n" not in message


@pytest.mark.parametrize("path", ["none.toml", "folder/none", "~/none.toml"])
def test_a_missing_file_is_named(path):
    with pytest.raises(UnknownPreset, match="path"):
        load(path)


def test_a_wrong_preset_fails_where_it_is_written_not_at_the_first_question():
    with pytest.raises(UnknownPreset, match="no-such"):
        create_fusion_graph("no-such")


BROKEN = {
    "not TOML": (b'panel = ["x:a"\njudge = ', ["TOML", "line 2"]),
    "not text": (b"\xff\xfe panel", ["UTF-8"]),
    "unknown field": (b'panel = ["x:a"]\npannel = 1', ["pannel", "panel"]),
    "wrong value": (b'panel = ["x:a"]\nmax_tool_calls = 99', ["max_tool_calls", "99", "16"]),
    "wrong member": (b'panel = ["x:a", "gpt"]', ["panel.1", "gpt", "provider:model"]),
    "no panel": (b'judge = "x:j"', ["no panel", "provider:model"]),
    "empty": (b"", ["no panel"]),
    "empty panel": (b"panel = []", ["panel", "at least 1"]),
    "another preset": (b'preset = "budget"', ["another preset"]),
    "unknown server": (b'discover = "vllm"', ["vllm", "local"]),
    "candidate with a typo": (
        b'[[candidates]]\nfamily = "f"\nmodel = "x:a"\nkey = "K"\npackag = "p"',
        ["packag"],
    ),
    "candidates as a table": (b'[candidates]\nfamily = "f"', ["candidates"]),
    "candidates as text": (b'candidates = ["x:a"]', ["candidates"]),
    "quorum over panel": (b'panel = ["x:a"]\nquorum = 2', ["quorum", "2"]),
    "providers as text": (b'panel = ["x:a"]\nproviders = "x"', ["providers"]),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_line_that_names_the_file_and_the_fault(tmp_path, content, words):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)

    with pytest.raises(PresetFileError) as caught:
        load(str(path))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert not [word for word in words if word not in message], message
    assert "__init__" not in message
    assert "must be a mapping" not in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(STACK)
    path.chmod(0)

    with pytest.raises(PresetFileError, match="cannot be read"):
        load(str(path))


# The automatic choice


def test_openrouters_key_goes_before_openais_before_ollama(monkeypatch, ollama):
    ollama.models = [installed("qwen3:8b", 5, "qwen3")]
    assert choose().name == "local"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert choose().name == "openai"
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-2")
    assert choose().name == "budget"


def test_the_choice_says_why(monkeypatch, ollama):
    ollama.models = [installed("qwen3:8b", 5, "qwen3")]
    assert choose().reason == f"Ollama answers at http://127.0.0.1:{ollama.server_port}"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert choose().reason == "OPENAI_API_KEY is set"


def test_without_keys_and_servers_the_keyless_preset_is_chosen():
    assert choose().name == "offline"
    assert "OPENROUTER_API_KEY" in choose().reason


@pytest.mark.parametrize("key", ["OPENROUTER_API_KEY", "OPENAI_API_KEY"])
def test_an_empty_key_is_no_key(monkeypatch, key):
    monkeypatch.setenv(key, "")

    assert choose().name == "offline"


@pytest.mark.parametrize("listed", [[], [installed("nomic-embed-text", 1, "nomic-bert")]], ids=len)
def test_an_ollama_without_a_chat_model_is_not_chosen(ollama, listed):
    ollama.models = listed

    assert choose().name == "offline"


async def test_a_run_without_a_preset_takes_the_chosen_one_and_says_so(models, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or")
    for member in load("budget").stack()["panel"]:
        models.script(member.model.removeprefix("openrouter:"), "An answer.")
    models.script("~anthropic/claude-opus-latest", "{}", "The answer.")
    endpoint = {"base_url": models.base_url, "api_key_env": "OPENROUTER_API_KEY"}

    graph = create_fusion_graph({"providers": {"openrouter": endpoint}, "search": "none"})
    record = (await graph.ainvoke(QUESTION))["fusion"]

    assert record["preset"] == "budget"
    assert record["preset_reason"] == "OPENROUTER_API_KEY is set"
    assert [a["name"] for a in record["answers"]] == [
        "gemini-3-flash-preview",
        "kimi-k2.6",
        "deepseek-v4-pro",
    ]
    assert record["answer"] == "The answer."


async def test_a_run_whose_models_are_all_given_needs_no_preset(panel_config):
    record = (await create_fusion_graph(panel_config()).ainvoke(QUESTION))["fusion"]

    assert record["preset"] is None
    assert record["preset_reason"] == ""


# auto


def auto() -> tuple[list[str], str]:
    """Panel and judge of the `auto` preset on this machine."""
    stack = load("auto").stack()
    assert stack["judge"] == stack["synthesizer"]
    return stack["panel"], stack["judge"]


def test_auto_spreads_over_the_families_of_every_provider_with_a_key(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-2")

    panel, judge = auto()
    assert panel == [
        "openrouter:~anthropic/claude-opus-latest",
        "openai:gpt-5.5",
        "openrouter:~google/gemini-pro-latest",
        "openrouter:deepseek/deepseek-v4-pro",
    ]
    assert judge == panel[0]


def test_auto_with_one_family_asks_it_twice(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-2")

    assert auto() == (["openai:gpt-5.5", "openai:gpt-5.5"], "openai:gpt-5.5")


def test_auto_passes_over_a_provider_whose_package_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("THEIR_KEY", "sk-2")
    path = tmp_path / "pick.toml"
    candidate = '[[candidates]]\nfamily = "{0}"\nmodel = "{1}"\nkey = "{2}"\npackage = "{3}"\n'
    path.write_text(
        candidate.format("theirs", "theirs:m", "THEIR_KEY", "langchain_no_such_package")
        + candidate.format("gpt", "openai:gpt-5.5", "OPENAI_API_KEY", "langchain_openai")
    )

    assert load(str(path)).stack()["panel"] == ["openai:gpt-5.5"] * 2


def test_auto_without_a_key_names_those_it_would_take():
    with pytest.raises(ConfigurationError) as caught:
        auto()
    message = str(caught.value)
    assert "auto" in message
    assert all(key in message for key in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY"))
    assert "--preset offline" in message


# local


def local() -> list[str]:
    """Panel of the `local` preset on this machine."""
    stack = load("local").stack()
    assert stack["judge"] == stack["synthesizer"] == stack["panel"][0]
    assert stack["max_concurrency"] == 1
    return stack["panel"]


def test_local_takes_the_largest_model_of_each_family_first(ollama):
    ollama.models = [
        installed("qwen3:8b", 5_000, "qwen3"),
        installed("gemma3:4b", 3_000, "gemma3"),
        installed("qwen3:32b", 20_000, "qwen3"),
        installed("llama3:8b", 4_000, "llama"),
        installed("nomic-embed-text:latest", 90_000, "nomic-bert"),
    ]

    assert local() == ["ollama:qwen3:32b", "ollama:llama3:8b", "ollama:gemma3:4b"]


def test_local_fills_up_with_smaller_ones_of_the_same_family(ollama):
    ollama.models = [
        installed("qwen3:8b", 5_000, "qwen3"),
        installed("gemma3:4b", 3_000, "gemma3"),
        installed("qwen3:32b", 20_000, "qwen3"),
    ]

    assert local() == ["ollama:qwen3:32b", "ollama:gemma3:4b", "ollama:qwen3:8b"]


def test_local_asks_a_lone_model_twice(ollama):
    ollama.models = [{"name": "qwen3:8b"}]

    assert local() == ["ollama:qwen3:8b", "ollama:qwen3:8b"]


def test_local_without_a_server_says_where_it_looked_and_what_to_do():
    with pytest.raises(ConfigurationError) as caught:
        local()
    assert "http://127.0.0.1:9" in str(caught.value)
    assert "ollama serve" in caught.value.remedy
    assert "LLAMACPP_HOST" in caught.value.remedy


def test_local_without_a_chat_model_says_how_to_get_one(ollama):
    ollama.models = [installed("nomic-embed-text:latest", 1, "nomic-bert")]

    with pytest.raises(ConfigurationError, match="ollama pull"):
        local()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"models": null}', b'{"models": [1]}', b"[]"])
def test_something_else_on_ollamas_port_is_not_taken_for_it(ollama, body):
    ollama.body = body

    with pytest.raises(ConfigurationError, match="no server known here"):
        local()


async def test_local_runs_one_model_at_a_time_and_costs_nothing(models, ollama):
    ollama.models = [installed("qwen3:8b", 5_000, "qwen3"), installed("gemma3:4b", 3_000, "gemma3")]
    models.script("qwen3:8b", {"text": "First.", "delay": 0.05}, "{}", "The answer.")
    models.script("gemma3:4b", {"text": "Second.", "delay": 0.05})
    config = {"preset": "local", "providers": {"ollama": {"base_url": models.base_url}}}

    graph = create_fusion_graph({**config, "search": "none"})
    record = (await graph.ainvoke(QUESTION))["fusion"]

    assert record["answer"] == "The answer."
    assert record["usage"]["total"]["cost_usd"] == 0
    first, second = models.calls()[:2]
    assert first.ended is not None
    assert second.started >= first.ended


# Ollama itself reads OLLAMA_HOST so (envconfig/config_test.go); addresses that only a server can
# use become this machine's.
HOSTS = {
    "": "http://127.0.0.1:11434",
    "1.2.3.4": "http://1.2.3.4:11434",
    "1.2.3.4:1234": "http://1.2.3.4:1234",
    "example.com": "http://example.com:11434",
    " 1.2.3.4 ": "http://1.2.3.4:11434",
    ":1234": "http://127.0.0.1:1234",
    "0.0.0.0": "http://127.0.0.1:11434",
    "0.0.0.0:1234": "http://127.0.0.1:1234",
    "[::1]": "http://[::1]:11434",
    "[::1]:1337": "http://[::1]:1337",
    "http://1.2.3.4": "http://1.2.3.4:80",
    "http://1.2.3.4:4321/": "http://1.2.3.4:4321",
    "https://1.2.3.4": "https://1.2.3.4:443",
    "https://example.com/ollama": "https://example.com:443/ollama",
}


@pytest.mark.parametrize(("host", "url"), HOSTS.items())
def test_ollama_host_is_read_as_ollama_reads_it(monkeypatch, host, url):
    monkeypatch.setenv("OLLAMA_HOST", host)

    assert server_url("ollama") == url

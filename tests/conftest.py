"""Fixtures: a model server in its own process, and configurations that ask it."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.scripted_models import ModelServer, start_server
from tests.scripted_models.client import Scope

# A job that a shell started in the background ignores interrupts, and so would every process the
# tests start: those that interrupt one need the usual way of things.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers and commands are dozens of processes: without bytecode each compiles everything again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No test speaks to a stranger over TLS. To read the 140 authorities of the world takes 30 ms each
# time, in the clients of hundreds of tests and in every command.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("nobody.pem"))

# Slow inputs say something of the machine, which may be busy, and nothing of the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("short", _PATIENT, max_examples=25, derandomize=True)
settings.register_profile("full", _PATIENT, max_examples=75)
settings.load_profile("short")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two more than there are processors.

    A third of the time a test waits for somebody: three workers left a quarter of two processors
    idle. Each further one collects the tests, and starts servers, a browser and commands of its
    own: 30 s of a processor.
    """
    return (os.cpu_count() or 1) + 2


def pytest_sessionstart() -> None:
    """Have the garbage collector look less often.

    What a run throws away goes at once, by its references; of the circles that are left, hundreds
    of thousands fit into memory. To look for them after every 700 objects took a fifth of the
    processor time of a test run.
    """
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, bool, bool]:
    """Keep what collecting makes out of the garbage collector's sight.

    A million objects of seven thousand tests and of the libraries they import live to the end;
    to walk them again and again took a third of the processor time of a test run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


pytest_plugins = ["tests.browser", "tests.patience"]

KEYS = (
    "OPENROUTER_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GOOGLE_API_KEY",
    "OLLAMA_HOST",
)

VERDICT = {
    "consensus": [{"point": "Water is wet.", "labels": ["A", "B"], "sources": []}],
    "contradictions": [
        {
            "topic": "How wet",
            "stances": [
                {"label": "A", "stance": "very", "sources": []},
                {"label": "C", "stance": "little", "sources": []},
            ],
        }
    ],
    "partial_coverage": [{"point": "Ice is dry.", "labels": ["B", "C"], "sources": []}],
    "unique_insights": [{"insight": "Steam rises.", "label": "C", "sources": []}],
    "blind_spots": ["Salt water"],
}


@pytest.fixture(scope="session")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not there. A new one for each of thousands of tests costs half a minute."""
    return tmp_path_factory.mktemp("nobody") / "config"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    """No key and no preset of the machine's owner reaches a test."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    # Port 9 (discard) answers nowhere, so no model server of the machine's owner is found.
    for variable in ("OLLAMA_HOST", "LLAMACPP_HOST", "LMSTUDIO_HOST", "VLLM_HOST"):
        monkeypatch.setenv(variable, "127.0.0.1:9")
    monkeypatch.setenv("FUSION_GRAPH_CONFIG_DIR", str(nowhere))
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(nowhere.parent / "data"))
    monkeypatch.setenv("FUSION_GRAPH_LOG", "off")
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def presets_folder(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """The user's own folder of presets, made, for this test alone."""
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("FUSION_GRAPH_CONFIG_DIR", str(folder.parent))
    return folder


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    """The scripted models, over HTTP, in a process of their own."""
    with start_server() as server:
        yield server


@pytest.fixture
def models(model_server: ModelServer) -> Iterator[Scope]:
    """A scope of the model server that only this test sees."""
    scope = model_server.scope()
    yield scope
    scope.clear()


@pytest.fixture
def panel_config(models: Scope) -> Callable[..., dict[str, Any]]:
    """`panel_config(**fields)`: three scripted panelists a, b, c, a judge j and a writer w.

    All five answer sensibly until a test scripts them otherwise.
    """
    models.script_each(
        {
            **{name: {"text": f"The answer of {name}.", "cost": 0.001} for name in "abc"},
            "j": {"text": json.dumps(VERDICT), "cost": 0.002},
            "w": {"text": "The final answer of the writer.", "cost": 0.003},
        }
    )

    def make(**fields: Any) -> dict[str, Any]:
        return {
            "panel": ["scripted:a", "scripted:b", "scripted:c"],
            "judge": "scripted:j",
            "synthesizer": "scripted:w",
            "search": "none",
            "providers": {"scripted": {"base_url": models.base_url}},
            "seed": 7,
            **fields,
        }

    return make

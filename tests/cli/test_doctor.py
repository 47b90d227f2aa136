"""`fusion-graph doctor`, `--version` and `--help`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from fusion_graph.cli.doctor import doctor
from tests.commands import run, run_here
from tests.fusion_tools.exa import KEY, exa_server
from tests.local_servers import local_server

SECRET = "sk-very-secret-4711"


@pytest.fixture(autouse=True)
def no_web(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches go to a proxy that nothing answers at (port 9 is discard), never to the web."""
    monkeypatch.setenv("DDGS_PROXY", "http://127.0.0.1:9")


def test_a_machine_without_keys_is_ready_with_the_offline_preset(
    presets_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    (presets_folder / "bad.toml").write_text("panel = 3", "utf-8")
    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)

    ended = run_here("doctor")

    assert (ended.code, ended.err) == (0, "")
    assert f"fusion-graph {version('fusion-graph')}, Python 3." in ended.out
    assert "set: GOOGLE_API_KEY\n" in ended.out
    assert "not set: OPENROUTER_API_KEY, OPENAI_API_KEY, " in ended.out
    assert SECRET not in ended.out
    assert "http://127.0.0.1:9 (Ollama): no answer\n" in ended.out
    assert f"cannot be used: Preset file {presets_folder / 'bad.toml'}: " in ended.out
    assert "preset        offline (no OPENROUTER_API_KEY" in ended.out
    assert " documents in " in ended.out
    assert "ddgs          no answer: " in ended.out
    assert ended.out.endswith("verdict       ready\n")


def test_a_preset_without_its_key_is_broken(capsys):
    assert doctor("openai") == 2

    said = capsys.readouterr().out
    assert "broken        Model 'openai:gpt-5.5' needs an API key" in said
    assert "→ Set OPENAI_API_KEY" in said


def preset(folder: Path, ref: str, url: str, more: str = "") -> str:
    """A preset file of one model, twice, at an address."""
    path = folder / "mine.toml"
    provider = ref.partition(":")[0]
    path.write_text(
        f'panel = ["{ref}", "{ref}"]\nsearch = "corpus"\n{more}\n'
        f'[providers.{provider}]\nbase_url = "{url}/v1"\n'
    )
    return str(path)


def test_a_dead_server_is_not_ready(tmp_path, capsys):
    assert doctor(preset(tmp_path, "mine:tiny", "http://127.0.0.1:9")) == 2

    said = capsys.readouterr().out
    assert "models        mine:tiny (panel, judge, writer): no answer" in said
    assert "broken        Model 'mine:tiny': http://127.0.0.1:9/v1 does not answer." in said
    assert "verdict" not in said


@pytest.mark.parametrize("kind", ["ollama", "llamacpp", "lmstudio", "vllm"])
def test_a_server_that_has_the_model_is_ready_and_says_how_much_it_reads(tmp_path, capsys, kind):
    with local_server(kind, context=16_384, loaded=True) as server:
        assert doctor(preset(tmp_path, f"{kind}:tiny", server.url)) == 0

    said = capsys.readouterr().out
    assert (
        f"{kind}:tiny (panel, judge, writer): its server answers, context 16,384 tokens\n" in said
    )


def test_a_model_that_its_server_does_not_have_is_not_ready(tmp_path, capsys):
    with local_server("ollama") as server:
        assert doctor(preset(tmp_path, "ollama:qwen3", server.url)) == 2

    said = capsys.readouterr().out
    assert "broken        Model 'ollama:qwen3': its server has no such model." in said
    assert "→ It has: tiny. Fetch it: `ollama pull qwen3`." in said


@pytest.mark.parametrize("kind", ["ollama", "llamacpp", "lmstudio"])
def test_a_template_that_drops_tools_is_not_ready_but_where_code_searches_first(
    tmp_path, capsys, kind
):
    with local_server(kind, context=16_384, loaded=True, tools=False) as server:
        assert doctor(preset(tmp_path, f"{kind}:tiny", server.url)) == 2
        broken = capsys.readouterr().out
        assert doctor(preset(tmp_path, f"{kind}:tiny", server.url, 'research = "first"')) == 0
        ready = capsys.readouterr().out
        assert doctor(preset(tmp_path, f"{kind}:tiny", server.url, "max_tool_calls = 0")) == 0

    assert f"broken        Model '{kind}:tiny' is given no tools" in broken
    assert 'research = "first"' in broken
    assert "takes no tools: it works from what code finds first" in ready


def test_a_small_context_and_an_unknown_price_are_told(tmp_path, capsys):
    with local_server("openai") as server:
        small = "context_tokens = 4096"
        path = Path(preset(tmp_path, "mine:tiny", server.url))
        path.write_text(f"{path.read_text()}{small}\n")
        assert doctor(str(path)) == 0

    said = capsys.readouterr().out
    assert "reads only 4,096 tokens: pages and histories will be cut." in said
    assert "price unknown" in said


def test_a_clouds_models_are_not_asked_and_that_is_said(monkeypatch, capsys):
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    assert doctor("budget") == 0

    said = capsys.readouterr().out
    assert "moonshotai/kimi-k2.6 (panel): not asked, known offline" in said
    assert SECRET not in said


def test_version_and_help():
    assert run("--version").out == f"fusion-graph {version('fusion-graph')}\n"
    ended = run("ask", "--help")
    assert ended.code == 0
    for option in ("--preset", "--corpus", "--max-tool-calls", "--json", "--quiet", "Examples"):
        assert option in ended.out
    bare = run()
    assert (bare.code, bare.err) == (2, "")
    assert "presets" in bare.out


def test_a_machine_without_bubblewrap_is_ready_but_for_code_in_eval(tmp_path):
    ended = run("doctor", environment={"PATH": str(tmp_path)})

    assert ended.code == 0
    assert "code in eval  Answers in code cannot be run safely here: bubblewrap (bwrap) is " in (
        ended.out
    )


def test_the_search_of_a_preset_is_tried_and_says_what_it_lacks(tmp_path, monkeypatch, capsys):
    mine = tmp_path / "mine.toml"
    mine.write_text('panel = ["offline:keyword", "offline:figures"]\nsearch = "exa"\n')
    monkeypatch.delenv("EXA_API_KEY", raising=False)
    assert doctor(str(mine)) == 2
    assert "needs the environment variable EXA_API_KEY" in capsys.readouterr().out
    with exa_server() as exa:
        monkeypatch.setenv("EXA_BASE_URL", exa.url)
        monkeypatch.setenv("EXA_API_KEY", KEY)
        assert doctor(str(mine)) == 0
        assert "exa           answers: 3 hits in " in capsys.readouterr().out
        monkeypatch.setenv("EXA_API_KEY", "another-key")
        doctor(str(mine))
        assert "exa           no answer: " in (said := capsys.readouterr().out)
        assert "EXA_API_KEY is not accepted" in said


def test_whose_own_search_each_member_has_is_told_and_none_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'panel = ["openrouter:openai/gpt-5.5", "offline:keyword"]\njudge = "offline:judge"\n'
        'search = "provider"\n'
    )
    assert doctor(str(mine)) == 0

    said = capsys.readouterr().out
    assert "gpt-5.5: openrouter's own search (not tried: it is billed)" in said
    assert "keyword: its provider has none that is known here; ddgs" in said
    assert "ddgs          no answer: " in said

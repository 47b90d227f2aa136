"""Who really answered: names that stand for one model, and names that cannot."""

from __future__ import annotations

import pytest

from fusion_graph.models._served import same_model

SAME = [
    # the name itself, in other letters
    ("gpt-5.5", "gpt-5.5"),
    ("openai/gpt-5.5", "OpenAI/GPT-5.5"),
    # dated snapshots
    ("gpt-5.5", "gpt-5.5-2026-04-01"),
    ("openai/gpt-5.5", "openai/gpt-5.5-20260401"),
    ("gpt-4o", "gpt-4o-2024-11-20"),
    ("o4-mini", "o4-mini-2025-04-16"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("claude-opus-4-5", "claude-opus-4-5-20251101"),
    ("claude-opus-4-0", "claude-opus-4-20250514"),
    ("moonshotai/kimi-k2.6", "moonshotai/kimi-k2.6-20260420"),
    ("moonshotai/kimi-k2-0905", "moonshotai/kimi-k2-20250905"),
    ("deepseek/deepseek-v4-pro", "deepseek/deepseek-v4-pro-20260424"),
    ("qwen/qwen3-235b-a22b-2507", "qwen/qwen3-235b-a22b-07-25"),
    ("grok-4", "grok-4-0709"),
    ("gemini-2.5-flash", "gemini-2.5-flash-preview-09-2025"),
    ("gemini-1.5-pro", "gemini-1.5-pro-002"),
    ("doubao-seed-1.6", "doubao-seed-1-6-250615"),
    # the words turned about, other signs between them
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929"),
    ("anthropic/claude-3.5-haiku", "claude-3-5-haiku-20241022"),
    ("anthropic/claude-opus-4.8", "claude-opus-4-8"),
    ("gpt-35-turbo", "gpt-3.5-turbo-0125"),
    # prefixes
    ("gemini-2.5-pro", "models/gemini-2.5-pro"),
    ("openai/gpt-oss-120b", "gpt-oss-120b"),
    ("kimi-k2p6", "accounts/fireworks/models/kimi-k2p6"),
    ("claude-opus-4-5", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
    ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
    ("claude-opus-4-5", "claude-opus-4-5@20251101"),
    (
        "meta-llama/llama-3.3-70b-instruct",
        "Meta-Llama-3.3-70B-Instruct",
    ),
    # suffixes
    ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
    ("openai/gpt-5.5:nitro", "openai/gpt-5.5"),
    ("anthropic/claude-opus-4.8:online", "anthropic/claude-opus-4.8"),
    ("qwen3", "qwen3:latest"),
    ("qwen3", "qwen3:8b"),
    ("qwen3:8b", "qwen3:8b-q4_K_M"),
    ("gpt-oss:120b-cloud", "gpt-oss:120b"),
    ("google/gemini-3-flash-preview", "google/gemini-3-flash"),
    ("grok-4-fast", "grok-4-fast-reasoning"),
    ("llama-3.3", "llama-3.3-70b-versatile"),
    # moving aliases
    ("~anthropic/claude-opus-latest", "anthropic/claude-opus-4.8"),
    ("~anthropic/claude-opus-latest", "anthropic/claude-5-opus-20261001"),
    ("~openai/gpt-latest", "openai/gpt-5.5"),
    ("~openai/gpt-sol-latest", "openai/gpt-5.6-sol-20260901"),
    ("~google/gemini-pro-latest", "google/gemini-3.1-pro-preview"),
    ("~moonshotai/kimi-latest", "moonshotai/kimi-k2.6"),
    ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
    ("mistral-large-latest", "mistral-large-2512"),
    ("mistral-small-latest", "mistral-small-3.2-24b-instruct-2506"),
    ("magistral-medium-latest", "magistral-medium-2507"),
    ("codestral-latest", "codestral-2508"),
    ("chatgpt-4o-latest", "gpt-4o-2024-11-20"),
    ("deepseek-chat", "deepseek-v4-flash"),
    ("deepseek-reasoner", "deepseek-v4-flash"),
    ("openrouter/auto", "anthropic/claude-sonnet-4.5"),
    # gateways, deployments and local servers
    ("team-default", "gpt-5.5-2026-04-01"),
    ("my-deployment", "gpt-4o-2024-08-06"),
    ("bedrock-claude", "bedrock-claude"),
    ("qwen3-8b", "/models/Qwen3-8B-Q4_K_M.gguf"),
    ("qwen3", "Qwen_Qwen3-4B-Instruct-2507-Q8_0.gguf"),
    ("llama", "C:\\models\\Meta-Llama-3.1-8B-Instruct.Q5_K_M.gguf"),
    ("qwen3", "/models/weights.gguf"),
    ("qwen3", "gpt-3.5-turbo"),
    ("qwen3", "default"),
    ("anything", ""),
    ("mlx-community/Qwen3-8B-4bit", "Qwen/Qwen3-8B"),
]

OTHER = [
    ("openai/gpt-5.5", "openai/gpt-5.5-mini"),
    ("openai/gpt-5.5", "openai/gpt-5"),
    ("gpt-5", "gpt-5.5-2026-04-01"),
    ("gpt-5-mini", "gpt-5"),
    ("gpt-5.5", "gpt-3.5-turbo"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
    ("openai/gpt-5.5", "deepseek/deepseek-v4-pro"),
    ("anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.8"),
    ("anthropic/claude-opus-4.8", "anthropic/claude-opus-4.5"),
    ("claude-opus-4-5-20251101", "claude-opus-4-20250514"),
    ("google/gemini-3-pro-preview", "google/gemini-3-flash-preview"),
    ("gemini-2.5-flash", "models/gemini-2.5-flash-lite"),
    ("~google/gemini-pro-latest", "google/gemini-3-flash"),
    ("~anthropic/claude-opus-latest", "openai/gpt-5.5"),
    ("~anthropic/claude-opus-latest", "anthropic/claude-haiku-4.5"),
    ("mistral-large-latest", "mistral-small-2506"),
    ("moonshotai/kimi-k2.6", "moonshotai/kimi-k2.5"),
    ("moonshotai/kimi-k2-0905", "moonshotai/kimi-k2-0711"),
    ("moonshotai/kimi-k2-thinking", "moonshotai/kimi-k2"),
    ("meta-llama/llama-3.1-70b-instruct", "meta-llama/llama-3.1-8b-instruct"),
    ("qwen3:8b", "qwen3:4b"),
    ("qwen3:8b", "gemma3:4b"),
    ("qwen3-8b", "/models/gemma-3-4b-it-Q4_K_M.gguf"),
    ("qwen3-8b", "/models/Qwen3-4B-Q4_K_M.gguf"),
    ("aurora", "borealis"),
    ("model-a", "model-b"),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_a_name_may_stand_for_the_model_that_was_asked(asked, served):
    assert same_model(asked, served)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_a_name_of_another_model_does_not_stand_for_the_one_asked(asked, served):
    assert not same_model(asked, served)


@pytest.mark.parametrize("name", sorted({name for pair in SAME + OTHER for name in pair}))
def test_every_name_stands_for_itself(name):
    assert same_model(name, name)

"""Signs that a system has seen the benchmark."""

from __future__ import annotations

import pytest

from fusion_graph.config import FusionConfig
from fusion_graph.evals._contamination import leaked_sources, leaks
from fusion_graph.evals._draco import BLOCKED_PAGES
from fusion_tools.address import check_url
from fusion_tools.domains import DomainRules
from fusion_tools.errors import ToolError


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("As listed in Perplexity-AI/DRACO, …", "perplexity-ai/draco"),
        ("See pplx-draco.pdf.", "pplx-draco"),
        ("arXiv:2602.11685 gives the rubric.", "2602.11685"),
        ("This prompt looks like a benchmark task.", "This prompt looks like a benchmark"),
        ("I note the question\nappears to be from an evaluation set.", "appears"),
        ("This task is part of a research benchmark, so", "benchmark"),
    ],
)
def test_a_sign_of_contamination_is_found_as_it_stands(text, sign):
    (found,) = leaks(text)

    assert sign in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The Draco lizard glides.",
        "The benchmark rate rose to 4.5 %. This question is harder: who benefits?",
        "Figure 2602 of 11685.",
    ],
)
def test_ordinary_answers_have_none(text):
    assert leaks(text) == []


def test_each_sign_is_told_once():
    assert leaks("2602.11685 and 2602.11685 and PPLX-DRACO") == ["pplx-draco", "2602.11685"]


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co/datasets/perplexity-ai/draco",
        "https://huggingface.co/datasets/perplexity-ai/draco/viewer?row=3",
        "https://r2cdn.perplexity.ai/pplx-draco.pdf",
        "http://export.arxiv.org/abs/2602.11685",
        "https://arxiv.org/pdf/2602.11685v2",
        "https://openrouter.ai/blog/announcements/fusion-beats-frontier/",
        "https://mirror.example/papers/2602.11685.txt",
    ],
)
def test_sources_that_hold_the_benchmark_are_found(url):
    assert leaked_sources(["https://example.org/", url]) == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://arxiv.org/abs/2401.00001",
        "https://huggingface.co/datasets/perplexity-ai/other",
        "corpus://notes/draco.md",
        "no url at all",
        "",
    ],
)
def test_other_sources_are_not(url):
    assert leaked_sources([url]) == []


def test_the_blocked_pages_keep_the_tools_away_from_them():
    config = FusionConfig(blocked_domains=list(BLOCKED_PAGES))
    rules = DomainRules(blocked=config.blocked_domains)

    rules.check(check_url("https://arxiv.org/abs/2401.00001"))
    with pytest.raises(ToolError, match="blocked"):
        rules.check(check_url("https://arxiv.org/abs/2602.11685v1"))

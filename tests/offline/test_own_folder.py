"""A panel over somebody's own folder, through the whole graph."""

from __future__ import annotations

import pytest

from fusion_graph import create_fusion_graph

NOTES = "# Backups\n\nWe decided to keep backups for 30 days on the NAS. The NAS holds 8 TB."


@pytest.mark.parametrize("question", ["How long do we keep backups?", "How big is the NAS?"])
def test_a_single_note_answers(tmp_path, question):
    (tmp_path / "backups.md").write_text(NOTES)
    graph = create_fusion_graph({"preset": "offline", "corpus": str(tmp_path)})

    result = graph.invoke({"messages": [("user", question)]})

    wanted = "30 days" if "backups" in question else "8 TB"
    assert wanted in result["fusion"]["answer"]
    assert [source["url"] for source in result["fusion"]["sources"]] == ["corpus:///backups.md"]


def test_a_note_about_something_else_does_not(tmp_path):
    (tmp_path / "backups.md").write_text(NOTES)
    graph = create_fusion_graph({"preset": "offline", "corpus": str(tmp_path)})

    result = graph.invoke({"messages": [("user", "How is the weather in Lima?")]})

    assert "say nothing about" in result["fusion"]["answer"]

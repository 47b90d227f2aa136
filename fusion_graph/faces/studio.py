"""The graph for LangGraph Studio and the LangGraph server (`langgraph.json` points here)."""

from __future__ import annotations

from fusion_graph.graph import create_fusion_graph

graph = create_fusion_graph()
"""Without a preset of its own: the assistant's configuration, or the keys found, decide."""

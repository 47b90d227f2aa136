"""Web search and web fetch for tool-using models: safe, bounded, and citable.

Knows nothing of fusion_graph and can be used without it.
"""

"""What a run did: built from its state, typed, and told as text and as HTML."""

from fusion_graph.report.fusion_report import FusionReport

__all__ = ["FusionReport"]

"""What a run will cost, before it begins: the calls it will make, and their prices."""

from fusion_graph.estimate.spend import Estimate, Spend, estimate, spared, stops_are_measured

__all__ = ["Estimate", "Spend", "estimate", "spared", "stops_are_measured"]

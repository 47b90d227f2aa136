"""What a judge wrote about the answers, and what a run concluded from it."""

from fusion_graph.judgement.analysis import Analysis, name_panelists, with_independence
from fusion_graph.judgement.verdict import Verdict, read_verdict

__all__ = ["Analysis", "Verdict", "name_panelists", "read_verdict", "with_independence"]

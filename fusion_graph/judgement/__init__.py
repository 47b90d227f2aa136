"""A judge's verdict on the answers, and the analysis that a run makes of it."""

from fusion_graph.judgement.analysis import (
    Analysis,
    name_panelists,
    relabelled,
    with_independence,
)
from fusion_graph.judgement.bounds import Bounds, bounds_for, wire_schema
from fusion_graph.judgement.reading import find_verdict, read_verdict
from fusion_graph.judgement.rechecking import (
    Held,
    RecheckReply,
    Settlement,
    amended,
    point_to_recheck,
    positions,
    read_reply,
    settle,
)
from fusion_graph.judgement.scouts import Candidate, choose_scouts, family
from fusion_graph.judgement.stopping import Stopping, StoppingReason, enough_agreed
from fusion_graph.judgement.verdict import Verdict

__all__ = [
    "Analysis",
    "Bounds",
    "Candidate",
    "Held",
    "RecheckReply",
    "Settlement",
    "Stopping",
    "StoppingReason",
    "Verdict",
    "amended",
    "bounds_for",
    "choose_scouts",
    "enough_agreed",
    "family",
    "find_verdict",
    "name_panelists",
    "point_to_recheck",
    "positions",
    "read_reply",
    "read_verdict",
    "relabelled",
    "settle",
    "wire_schema",
    "with_independence",
]

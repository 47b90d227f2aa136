"""A judge's verdict on the answers, and the analysis that a run makes of it."""

from fusion_graph.judgement.analysis import (
    Analysis,
    name_panelists,
    relabelled,
    with_independence,
)
from fusion_graph.judgement.bounds import Bounds, bounds_for, wire_schema
from fusion_graph.judgement.reading import find_verdict, read_verdict
from fusion_graph.judgement.scouts import Candidate, choose_scouts, family
from fusion_graph.judgement.stopping import Stopping, StoppingReason, enough_agreed
from fusion_graph.judgement.verdict import Verdict

__all__ = [
    "Analysis",
    "Bounds",
    "Candidate",
    "Stopping",
    "StoppingReason",
    "Verdict",
    "bounds_for",
    "choose_scouts",
    "enough_agreed",
    "family",
    "find_verdict",
    "name_panelists",
    "read_verdict",
    "relabelled",
    "wire_schema",
    "with_independence",
]

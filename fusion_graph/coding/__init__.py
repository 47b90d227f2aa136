"""Code found in answers, tried in the sandbox, and chosen by what it does: never a blend."""

from fusion_graph.coding.extraction import code_in, defined
from fusion_graph.coding.proposals import Expected, ProposedTest, names_used, read_tests, suite_of
from fusion_graph.coding.selection import Behaviour, Selection, select
from fusion_graph.coding.trials import Candidate, Trial, calls_of, try_all

__all__ = [
    "Behaviour",
    "Candidate",
    "Expected",
    "ProposedTest",
    "Selection",
    "Trial",
    "calls_of",
    "code_in",
    "defined",
    "names_used",
    "read_tests",
    "select",
    "suite_of",
    "try_all",
]

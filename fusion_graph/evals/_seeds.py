"""What an evaluation decides in the place of chance."""

from __future__ import annotations

import hashlib
import json

from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm


def reading_seed(arm: Arm, question: Question) -> int:
    """Orders the answers before the judge: by the question and the panel, never by the clock.

    The panel with and without its judge read the answers in the same order.
    """
    panel = [member.model_dump(mode="json") for member in arm.settings.panel]
    content = json.dumps([question.id, panel, arm.settings.seed], sort_keys=True)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:4])

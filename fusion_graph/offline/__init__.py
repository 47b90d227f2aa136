"""Keyless models: no key, no network, no language model. They search, rank, quote and compare.

Three panelists (`keyword`, `figures`, `central`), a `judge` and a `writer`, each a LangChain chat
model that follows from the messages it is given, over whatever documents the tools reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

PANELISTS = ("keyword", "figures", "central")
NAMES = (*PANELISTS, "judge", "writer")
"""What `offline_model` makes."""


def offline_model(name: str) -> BaseChatModel:
    """The keyless model of that name.

    Args:
        name: One of `NAMES`, as after the colon of `offline:keyword`.

    Raises:
        ValueError: There is no such model.

    Example:
        >>> offline_model("judge").invoke("Compare.").response_metadata["model_name"]
        'offline:judge'
    """
    # Imported here: naming the models must not cost the import of langchain_core.
    if name in PANELISTS:
        from fusion_graph.offline.panelist import PanelistModel

        return PanelistModel(model_name=f"offline:{name}")
    if name == "judge":
        from fusion_graph.offline.judge import JudgeModel

        return JudgeModel(model_name="offline:judge")
    if name == "writer":
        from fusion_graph.offline.writer import WriterModel

        return WriterModel(model_name="offline:writer")
    raise ValueError(f"There is no offline model {name!r}: choose one of {', '.join(NAMES)}.")

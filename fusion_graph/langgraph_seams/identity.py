"""What a chat model of LangChain's says about itself to traces."""

from __future__ import annotations

from typing import Any

from fusion_graph.langgraph_seams._presence import gone


def provider_and_name(chat: Any) -> tuple[str, str]:
    """A chat model's provider and model, "" for what it does not tell.

    Every integration names its model in a field of its own (`model`, `model_name`, `model_id`);
    what it tells LangSmith is the one place where all say it alike. If `_get_ls_params` is gone,
    prices and provider-specific words are lost: look at `BaseChatModel._get_ls_params`'s successor
    in langchain-core.

    Args:
        chat: A LangChain chat model.

    Raises:
        IncompatibleLibrary: It cannot be asked.
    """
    ask = getattr(chat, "_get_ls_params", None)
    if ask is None:
        raise gone("langchain-core", "_get_ls_params", "nobody knows whose model an object is")
    params = ask() or {}
    return str(params.get("ls_provider") or ""), str(params.get("ls_model_name") or "")

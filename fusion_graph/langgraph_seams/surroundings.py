"""What LangChain keeps in context variables about the code around a call."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import Context

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import set_config_context, var_child_runnable_config


def has_watchers() -> bool:
    """Whether a tracer or a callback of the user's is to be told of what runs here.

    LangGraph's own handlers do not count: they are there for the writer's tokens, which LangGraph
    is given directly, and are known by the module they come from. If `var_child_runnable_config`
    is gone, answer True: every call then goes through LangChain's callbacks, which costs a third
    more work a call and loses nothing. (`ensure_config` would do, and copies everything each time.)
    """
    config = var_child_runnable_config.get() or {}
    manager = config.get("callbacks") or []
    handlers = manager if isinstance(manager, list) else manager.handlers
    return any(not type(handler).__module__.startswith("langgraph.") for handler in handlers)


def with_surroundings(config: RunnableConfig) -> AbstractContextManager[Context]:
    """A context in which code sees the given config around it, and not its caller's.

    If `set_config_context` is gone, `ChatFusion` inside another graph would keep checkpoints in
    that graph's thread and stream its words twice: `contextvars.copy_context().run` with
    `var_child_runnable_config.set(config)` is the same.

    Args:
        config: What is to be around.

    Returns:
        A context manager; it gives the variables to start a task in.
    """
    return set_config_context(config)

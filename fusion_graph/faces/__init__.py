"""Faces for other software: each calls the graph and translates.

A panel can stand in three places of an agent. Here each is shown with the keyless `offline`
preset; take another preset and any model of yours.

As a tool, where the agent's own model decides when a question is worth a panel, and writes the
answer (`create_fusion_tool`):

    >>> from langchain.agents import create_agent
    >>> from fusion_graph import ChatFusion, create_fusion_graph, create_fusion_tool
    >>> model = ChatFusion(preset="offline")  # in real life one model that calls tools
    >>> agent = create_agent(model, tools=[create_fusion_tool("offline")])

As a sub-agent, where a supervisor or a deep agent hands a question over and the panel's writer
answers it (`create_fusion_graph`):

    >>> from deepagents import CompiledSubAgent, create_deep_agent
    >>> panel = CompiledSubAgent(
    ...     name="panel",
    ...     description="Several models research a question and compare what they found.",
    ...     runnable=create_fusion_graph("offline"),
    ... )
    >>> agent = create_deep_agent(model=model, subagents=[panel])
    >>> result = agent.invoke({"messages": [("user", "What is self-fusion?")]})

    >>> from langgraph_supervisor import create_supervisor
    >>> experts = create_fusion_graph("offline", name="experts")
    >>> supervisor = create_supervisor([experts], model=model).compile()

As the model, where every step of the agent is worth a panel (`ChatFusion`). The panel deliberates,
and the writer alone calls the agent's tools:

    >>> def ledger(year: int) -> str:
    ...     \"\"\"What was sold in a year.\"\"\"
    ...     return f"41 boats in {year}"
    >>> agent = create_agent(ChatFusion(preset="offline"), tools=[ledger])
    >>> answer = agent.invoke({"messages": [("user", "What is DRACO?")]})["messages"][-1]
    >>> answer.response_metadata["fusion"]["status"]
    'ok'
"""

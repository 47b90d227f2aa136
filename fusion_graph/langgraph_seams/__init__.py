"""This room holds every private or undocumented name of other libraries that the package uses.

A name that a library never promised may be gone after any update. Each stands behind a plain
function or class here, whose docstring says what would break; `tests/langgraph_seams` has a test
for each that says which module to mend. Where a name is missing at a user's, the error is
`IncompatibleLibrary`.

| module | library | names |
|---|---|---|
| `state_reads` | langgraph | `__pregel_read`, `__pregel_durability` |
| `node_checkpoint` | langgraph | `__pregel_checkpointer`, `checkpoint_map`, `__pregel_durability` |
| `sync` | langgraph | `compiled.__class__`, `PregelNode.subgraphs` |
| `unfinished` | langgraph | `compiled.__class__`; `__pregel_read`, which only a node's call has |
| `checkpoint_order` | langgraph-checkpoint | `_last_v6_timestamp` |
| `surroundings` | langchain-core, langgraph | `var_child_runnable_config`, `set_config_context` |
| `identity` | langchain-core | `_get_ls_params` |
| `openai_chat` | langchain-openai | `_get_request_payload`, `root_async_client`, … |
| `integrations` | langchain-openai, langchain-mistralai | `_create_message_dicts`, and others' |
"""

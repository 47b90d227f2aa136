"""Everything that reaches further into LangGraph than its documentation goes."""

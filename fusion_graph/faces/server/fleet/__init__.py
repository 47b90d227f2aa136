"""A server in front of a fleet: its runs are at work on the workers of a LangGraph server."""

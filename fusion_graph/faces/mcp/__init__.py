"""An MCP server: coding agents and chat programs ask a panel as a tool (`fusion-graph mcp`).

A client that waits two seconds for a slow server goes on without it, so the handshake is answered
by the standard library alone (`handshake`, `stdio`) while everything else is being imported.
"""

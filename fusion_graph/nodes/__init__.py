"""The graph's nodes, one a module: each reads state, calls plain functions, returns an update."""

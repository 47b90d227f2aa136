"""The tests of fusion-graph."""

"""The tests of fusion_tools."""

"""Faces for other software: each calls the graph and translates."""

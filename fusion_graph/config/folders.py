"""The user's folder for what fusion-graph keeps: threads, and the track record of models."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR_ENV = "FUSION_GRAPH_DATA_DIR"
"""Overrides the user's data folder."""


def data_folder() -> Path:
    """Name the user's data folder; it need not exist."""
    if override := os.environ.get(DATA_DIR_ENV):
        return Path(override).expanduser()
    from platformdirs import user_data_path

    return user_data_path("fusion-graph")

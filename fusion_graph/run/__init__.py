"""The owners of a run at work: its stages, its panel, its tools, its settings."""

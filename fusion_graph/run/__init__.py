"""What a run at work owns: its settings, its panel, its tools, its deadlines."""

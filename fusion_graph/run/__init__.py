"""What a run at work owns: its stages and its panel."""

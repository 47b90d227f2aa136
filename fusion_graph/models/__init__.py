"""Models: opened, called, read without loss, and what they fail with."""

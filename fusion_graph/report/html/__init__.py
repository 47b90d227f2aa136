"""The report as HTML: one self-contained page, and the live view of a run."""

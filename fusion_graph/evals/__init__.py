"""Does a panel beat one model, and at what cost? Datasets, grading, arithmetic, intervals."""

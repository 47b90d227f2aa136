"""Text of models and strangers, made fit for whatever shows it."""

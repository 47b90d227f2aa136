"""The fusion over HTTP: an OpenAI-compatible endpoint, and a page to watch it work."""

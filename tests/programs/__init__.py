"""Fake programs in place of Claude Code, Codex and Gemini CLI, first in PATH, and what they say."""

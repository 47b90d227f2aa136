"""Models behind programs that the user has installed and logged in to: Claude Code, Codex, Gemini.

They stand beside the clients of HTTP APIs, and not among the faces, as whatever asks a model
(a panelist, a judge, a writer, a verifier) opens it here and need not know what answers.
"""

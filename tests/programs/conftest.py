"""Fake programs, installed for a test in a PATH and a home of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

NAMES = ("claude", "codex", "gemini")
LOGINS = {
    "claude": ".claude/.credentials.json",
    "codex": ".codex/auth.json",
    "gemini": ".gemini/oauth_creds.json",
}


class Fakes:
    """Fake programs in a folder of their own.

    folder: where they are.
    home: the user's home, with a login of each, and instructions that nobody is to follow.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        fake = Path(__file__).with_name("fake.py")
        for name in NAMES:
            path = folder / name
            scene = folder / f"{name}.json"
            line = f'exec "{sys.executable}" -I -S "{fake}" {name} "{scene}" "$@"'
            path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
            path.chmod(0o755)
            login = home / LOGINS[name]
            login.parent.mkdir()
            login.write_text("a login", "utf-8")
        (home / ".claude" / "CLAUDE.md").write_text("PLANTED in the memory", "utf-8")
        (home / ".codex" / "AGENTS.md").write_text("PLANTED in the instructions", "utf-8")
        (home / ".gemini" / "GEMINI.md").write_text("PLANTED in the context", "utf-8")

    def script(self, name: str, *steps: dict[str, Any], **more: Any) -> None:
        """Set what a program does, start after start."""
        scene = {"steps": steps, **more}
        (self.folder / f"{name}.json").write_text(json.dumps(scene), "utf-8")

    def starts(self, name: str) -> list[dict[str, Any]]:
        """What each start of a program saw."""
        log = self.folder / f"{name}.log"
        return [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    def remove(self, name: str) -> None:
        """Take a program away."""
        (self.folder / name).unlink()


def contents(folder: Path) -> dict[str, str]:
    """Everything in a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """The three programs first in PATH, logged in to, in a home that is this test's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Fakes(tmp_path / "bin", tmp_path / "home")

"""The folder that a program works in, and what it sees of our environment: a login, no secrets.

A program's own folder of settings holds what would change its answers (instructions, memories,
hooks, servers) and what it would write to (histories, counters). So it gets an empty one for each
question, in which links stand for the files of its login: these it may read, and renew.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PASSED = frozenset(
    [
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
        *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"),  # where a keyring is asked for
    ]
)
"""The variables of our environment that a program sees, besides `LC_*`. No key is among them."""

DEPTH_VARIABLE = "FUSION_GRAPH_DEPTH"
"""Says that whatever the program starts is inside a fusion, so that none begins there."""


LONGEST_SOCKET = 100
"""Bytes that the path of a socket may have: 104 on macOS, 108 on Linux, its end included."""


@dataclass(frozen=True)
class Folder:
    """A program's folder for one question.

    Attributes:
        root: What is removed at the end.
        work: Its empty working directory.
        home: Its folder of settings; None where it needs the user's own.
        logins: The links in there, each with the user's file that it stands for.
    """

    root: Path
    work: Path
    home: Path | None
    logins: tuple[tuple[str, str], ...]

    @property
    def socket(self) -> Path:
        """Where its tools are."""
        return self.root / "tools"

    def write(self, name: str, text: str) -> Path:
        """Write a file for the program; it goes with the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def remove(self) -> None:
        """Remove it, as it was not used."""
        shutil.rmtree(self.root, ignore_errors=True)


def make_folder(own: Path, inside: str, logins: Iterable[str]) -> Folder:
    """Make a folder for a question, readable to this user alone.

    Args:
        own: The user's folder of settings for the program.
        inside: Where the program looks in the folder that its variable names; empty: right there.
        logins: Names of the files in `own` that hold its login.
    """
    root = Path(tempfile.mkdtemp(prefix="fg-"))
    if len(os.fsencode(root / "tools")) > LONGEST_SOCKET:
        root.rmdir()
        root = Path(tempfile.mkdtemp(prefix="fg-", dir="/tmp"))
    work, home = root / "work", root / "home"
    work.mkdir()
    (root / "tmp").mkdir()
    settings = home / inside
    settings.mkdir(parents=True)
    there = [name for name in logins if (own / name).is_file()]
    if not there and sys.platform == "darwin":
        # The login is in the keychain, under a name that goes by the folder of settings.
        return Folder(root, work, None, ())
    links = []
    for name in there:
        (settings / name).symlink_to(own / name)
        links.append((str(settings / name), str((own / name).resolve())))
    return Folder(root, work, home, tuple(links))


def environment(folder: Folder, addresses: Iterable[str]) -> dict[str, str]:
    """The environment of a program: what it needs of ours, and places of its own to write to.

    Args:
        folder: Its folder.
        addresses: Variables that say where its vendor is asked; one with a password is left out.
    """
    ours: Mapping[str, str] = os.environ
    passed = {n: v for n, v in ours.items() if n in PASSED or n.startswith("LC_")}
    passed |= {n: ours[n] for n in addresses if ours.get(n) and "@" not in urlsplit(ours[n]).netloc}
    return {
        **passed,
        "TMPDIR": str(folder.root / "tmp"),
        "XDG_CACHE_HOME": str(folder.root / "cache"),
        "XDG_STATE_HOME": str(folder.root / "state"),
        "TERM": "dumb",
        "NO_COLOR": "1",
        DEPTH_VARIABLE: "1",
    }

"""The guard in a network of its own, where private addresses really answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.benchmarks import guard


def _has_namespaces() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        return False
    try:
        return subprocess.run(["unshare", "--net", "--mount", "true"]).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not _has_namespaces(), reason="takes Linux, root, ip, and namespaces")
def test_no_url_of_any_kind_reaches_a_private_address():
    found = guard.in_namespace()

    assert all(found["honest"]), "the public is fetched"
    assert found["canaries"] > 90, "the listeners are there"
    assert len(found["rows"]) > 231
    assert [row["url"] for row in found["rows"] if row["leaks"]] == []

"""What a user installs with the package: names, versions, licences; and what no licence allows.

    cyclonedx-py environment .venv/bin/python -o sbom.json
    python -m tests.supply_chain sbom.json

Reads the bill of materials of an environment in which the package is installed, prints the licences
of what the package and each of its extras bring, and ends with 1 where the package by itself brings
something that may not be passed on with a program of any licence, or says nothing of its licence.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "fusion-graph"

NOT_FOR_USERS = frozenset({"test", "dev", "docs", "benchmarks"})
"""Extras of whoever works on the package."""

BOUND = re.compile(r"\b(?:AGPL|GPL|LGPL|SSPL|BUSL|Elastic)", re.IGNORECASE)
"""Licences that bind the program around, or its use."""

TOLD = {"studio": "Elastic-2.0"}
"""An extra's licence that the documentation tells of: LangGraph's own server."""


def brought(extra: str = "", package: str = PACKAGE) -> set[str]:
    """Name everything that is installed for a package, and for that package with an extra.

    Args:
        extra: Of the package.
        package: Which.
    """
    found: set[str] = set()
    todo = [(package, extra)]
    seen = set(todo)
    while todo:
        name, wanted = todo.pop()
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(_plain(name))
        for need in map(Requirement, needs):
            if need.marker is not None and not need.marker.evaluate({"extra": wanted}):
                continue
            for each in ("", *need.extras):
                if (need.name, each) not in seen:
                    seen.add((need.name, each))
                    todo.append((need.name, each))
    return found - {_plain(package)}


def _plain(name: str) -> str:
    return str(canonicalize_name(name))


def licence_of(component: Mapping[str, Any]) -> str:
    """What a component of the bill says of its licence; empty if nothing."""
    said = (
        each.get("expression") or each["license"].get("id") or each["license"].get("name", "")
        for each in component.get("licenses") or ()
    )
    told = "; ".join(dict.fromkeys(text.strip().splitlines()[0][:60] for text in said if text))
    return told or _in_own_words(component["name"])


def _in_own_words(name: str) -> str:
    """A package's licence as its author put it, where that is no identifier of SPDX's."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    words = str(told["License"]) if "License" in told else ""
    return words.strip().split("\n")[0][:60]


def binds(licence: str) -> bool:
    """Whether no alternative of a licence leaves the program around it free."""
    return not licence or all(BOUND.search(each) for each in re.split(r"\bOR\b|;", licence))


def table(names: Iterable[str], licences: Mapping[str, str]) -> str:
    """Licences, and who is under each."""
    by: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        by[licences.get(name, "")].append(name)
    return "\n".join(
        f"  {licence or 'unknown'}: {', '.join(by[licence])}" for licence in sorted(by)
    )


def main(bill: str) -> int:
    """The command. Returns the exit code."""
    components = json.loads(Path(bill).read_text("utf-8"))["components"]
    licences = {_plain(each["name"]): licence_of(each) for each in components}
    own = brought()
    missing = sorted(own - set(licences))
    print(f"{PACKAGE} by itself: {len(own)} packages\n{table(own, licences)}")
    bound = [name for name in sorted(own) if binds(licences.get(name, ""))]
    extras = {
        match[1]
        for need in requires(PACKAGE) or []
        if (match := re.search(r"extra == ['\"]([\w-]+)['\"]", need))
    }
    for extra in sorted(extras - NOT_FOR_USERS):
        more = brought(extra) - own
        print(f"{PACKAGE}[{extra}]: {len(more)} more\n{table(more, licences)}")
        bound += [
            f"{name} (of [{extra}])"
            for name in sorted(more & set(licences))
            if binds(licences[name]) and licences[name] != TOLD.get(extra)
        ]
    if missing:
        print(f"not in the bill of materials: {', '.join(missing)}")
    if bound:
        print(f"not to be brought along: {', '.join(bound)}")
    return 1 if missing or bound else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

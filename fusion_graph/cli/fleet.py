"""Commands that serve in front of a fleet: what they ask of it, and what they say of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fusion_graph.cli.exits import complain
from fusion_graph.errors import ApiError, ConfigurationError

if TYPE_CHECKING:
    from fusion_graph.faces.server.fleet.address import FleetAddress
    from fusion_graph.faces.server.fleet.runs import FleetRuns
    from fusion_graph.faces.server.settings import ServerSettings


def checked_fleet(fleet: FleetAddress, settings: ServerSettings, keep_runs: str | None) -> None:
    """Check that a server can stand in front of a fleet; what is odd, but goes, is said.

    Args:
        fleet: Where it is.
        settings: The server's.
        keep_runs: What was said of keeping runs; None for nothing.

    Raises:
        ConfigurationError: An option has no meaning over a fleet, or the fleet refuses the server.
    """
    if keep_runs is not None:
        raise ConfigurationError(
            "--keep-runs says where this machine keeps runs, and --fleet has the fleet keep them.",
            "Leave one of the two out.",
        )
    if settings.limits.presets is None:
        raise ConfigurationError(
            "What can work in the fleet cannot be seen from here.",
            "Name the presets on offer with --preset; the workers need the same preset files.",
        )
    counted = [] if settings.keys is None else settings.keys.with_daily_budgets
    if counted:
        raise ConfigurationError(
            f"max_cost_usd_per_day of {', '.join(counted)} cannot be counted in front of a fleet: "
            "each server would count for itself.",
            "Take it out, and set FUSION_MAX_COST_USD_PER_DAY on the workers.",
        )
    if settings.signing_key is None:
        complain(
            "warning: FUSION_SIGNING_KEY is not set: conversations with tool calls, and addresses "
            "of reports, are good at this server alone. Set it to the same secret everywhere."
        )
    try:
        asyncio.run(_ask(fleet))
    except ApiError:
        complain("warning: the fleet does not answer yet; requests are refused until it does.")


def fleet_runs(fleet: FleetAddress, settings: ServerSettings) -> FleetRuns:
    """Make the runs of a server in front of a fleet.

    Args:
        fleet: Where it is.
        settings: The server's.
    """
    from fusion_graph.faces.server.fleet.fleet import Fleet
    from fusion_graph.faces.server.fleet.runs import FleetRuns

    return FleetRuns(Fleet(fleet), at_once=settings.limits.max_runs)


def fleet_told(fleet: FleetAddress) -> str:
    """Word where runs are at work and kept."""
    return f"at work and kept in the fleet at {', '.join(fleet.urls)}"


async def _ask(fleet: FleetAddress) -> None:
    from fusion_graph.faces.server.fleet.fleet import Fleet

    asked = Fleet(fleet)
    try:
        await asked.check()
    finally:
        await asked.close()

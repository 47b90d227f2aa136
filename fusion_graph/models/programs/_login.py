"""Who pays for a program's answers: the user's plan, or a key that each call is billed to."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from fusion_graph.models.programs._folder import environment, make_folder
from fusion_graph.models.programs._process import said_by
from fusion_graph.models.programs._program import Program

STATUS_SECONDS = 20.0
"""How long a program may take to say how it is logged in; on a busy machine it starts in two."""

_kept: dict[tuple[str, float], bool] = {}
"""What programs said, by their name and the time their login was written."""


async def paid_by_plan(program: Program, path: str) -> bool | None:
    """Tell whether a plan pays for a program's answers; None where it cannot be told.

    Args:
        program: Which.
        path: Where it is.
    """
    own = program.own_folder()
    if program.by_plan is not None:
        return await asyncio.to_thread(program.by_plan, own)
    if not program.login_status:
        return None
    key = (program.name, await asyncio.to_thread(_logged_in_at, program, own))
    if key not in _kept:
        folder = await asyncio.to_thread(make_folder, own, program.settings[2], program.logins)
        variables = environment(folder, program.addresses)
        variables |= {program.settings[0]: str(folder.home)} if folder.home is not None else {}
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                said = await said_by([path, *program.login_status], folder, variables)
        except (TimeoutError, OSError):
            return None
        _kept[key] = not re.search(r"api key", said, re.IGNORECASE)
    return _kept[key]


def _logged_in_at(program: Program, own: Path) -> float:
    times = [(own / name).stat().st_mtime for name in program.logins if (own / name).is_file()]
    return max(times, default=0.0)

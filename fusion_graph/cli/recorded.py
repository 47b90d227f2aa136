"""The user's track record, as commands read it: what of it cannot be read is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fusion_graph.cli.lines import write_line
from fusion_graph.errors import ConfigurationError
from fusion_graph.text.phrases import clean

if TYPE_CHECKING:
    from fusion_graph.cost.track_record import Entry


def entries() -> Sequence[Entry]:
    """Read what was recorded; lines that cannot be read are told.

    Raises:
        ConfigurationError: The track record cannot be opened.
    """
    from fusion_graph.cost.track_record import own_record

    record = own_record()
    for fault in record.faults:
        write_line(clean(fault))
    return record.entries


def entries_if_any() -> Sequence[Entry]:
    """Read what was recorded, for a command that does without: it is told why."""
    try:
        return entries()
    except ConfigurationError as error:
        write_line(clean(str(error)))
        return ()

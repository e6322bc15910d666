"""Recordings that a node kept of incidents, had through the ring."""

from corosync_tw.client.inspection import Inspection
from corosync_tw.errors import CsError
from corosync_tw.logsys.flight.keeping import KEPT_MAX, is_kept_name
from corosync_tw.services.inspection.wire import Topic


async def kept_names(inspection: Inspection, nodeid: int) -> list[str]:
    """
    Ask a node which ones there are, oldest first; what is no such name is none of its recordings.

    Raises: CsError.
    """
    listed = (await inspection.ask(Topic.RECORDING, "list", [nodeid]))[nodeid]
    if isinstance(listed, CsError):
        raise listed
    names = listed.decode(errors="replace").split()
    return sorted({name for name in names if is_kept_name(name, nodeid)})[-KEPT_MAX:]

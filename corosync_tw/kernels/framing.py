"""Look at many datagrams that lie in one buffer."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.framing import only_mcasts, scan_run
else:
    from corosync_tw.kernels.compiled.framing import only_mcasts, scan_run

__all__ = ["only_mcasts", "scan_run"]

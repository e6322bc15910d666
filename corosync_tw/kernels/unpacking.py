"""Take packets apart and find runs of like messages: the kernels that were chosen."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.unpacking import cpg_run, unpack_received, unpack_sent
else:
    from corosync_tw.kernels.compiled.unpacking import cpg_run, unpack_received, unpack_sent

__all__ = ["cpg_run", "unpack_received", "unpack_sent"]

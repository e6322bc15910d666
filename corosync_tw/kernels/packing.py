"""The packing kernel that was chosen."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.packing import cut_packets
else:
    from corosync_tw.kernels.compiled.packing import cut_packets

__all__ = ["cut_packets"]

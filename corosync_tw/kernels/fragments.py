"""Cut frames into numbered packets and join them: the kernels that were chosen."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.fragments import DATA, MALFORMED, cut_frames, join_packets
else:
    from corosync_tw.kernels.compiled.fragments import DATA, MALFORMED, cut_frames, join_packets

__all__ = ["DATA", "MALFORMED", "cut_frames", "join_packets"]

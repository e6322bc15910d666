"""Write records into a ring of slots that may be read at any time."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.recording import lane_writer
else:
    from corosync_tw.kernels.compiled.recording import lane_writer

__all__ = ["lane_writer"]

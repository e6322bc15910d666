"""Hand many datagrams to the network at a call."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED
from corosync_tw.kernels.plain.sending import Ancillary

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.sending import gather, plan, send
else:
    from corosync_tw.kernels.compiled.sending import gather, plan, send

__all__ = ["Ancillary", "gather", "plan", "send"]

"""The loops between rings in shared memory and what totempg sends and delivers."""

from typing import TYPE_CHECKING

from corosync_tw.kernels.choice import COMPILED

if TYPE_CHECKING or not COMPILED:
    from corosync_tw.kernels.plain.rings import (
        ABSENT,
        ALL_TAKEN,
        NO_ROOM,
        ODD,
        take_mcasts,
        write_run,
    )
else:
    from corosync_tw.kernels.compiled.rings import (
        ABSENT,
        ALL_TAKEN,
        NO_ROOM,
        ODD,
        take_mcasts,
        write_run,
    )

__all__ = ["ABSENT", "ALL_TAKEN", "NO_ROOM", "ODD", "take_mcasts", "write_run"]

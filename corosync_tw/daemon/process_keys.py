"""What the daemon's process takes of its machine: ``stats.corosync_tw.process.*``."""

import resource
import time
from typing import Final

from corosync_tw.corotypes import NS_PER_US
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stats.tables import Table

PREFIX: Final = "stats.corosync_tw.process."
_CPU_US: Final = f"{PREFIX}cpu_us"
_MAX_RSS: Final = f"{PREFIX}max_rss"


def process_table() -> Table:
    """
    Make the table: microseconds of CPU that all threads have had, and the most memory it ever had.

    The unit of the latter is the system's: kilobytes on most.
    """
    return Table(
        "",
        {
            _CPU_US: lambda: TypedValue.u64(time.process_time_ns() // NS_PER_US),
            _MAX_RSS: lambda: TypedValue.u64(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss),
        },
    )

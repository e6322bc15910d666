"""
Log priorities and their names.

Source: Corosync exec/logsys.c, prioritynames; libqb log_format.c for the names that are printed.
"""

from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """Priority of a message: syslog's eight and libqb's TRACE; a smaller number is more urgent."""

    EMERG = 0
    ALERT = 1
    CRIT = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7
    TRACE = 8


# What logfile_priority and syslog_priority accept.
LEVEL_BY_NAME: Final[dict[str, Level]] = {
    "alert": Level.ALERT,
    "crit": Level.CRIT,
    "debug": Level.DEBUG,
    "emerg": Level.EMERG,
    "err": Level.ERROR,
    "error": Level.ERROR,
    "info": Level.INFO,
    "notice": Level.NOTICE,
    "warning": Level.WARNING,
}

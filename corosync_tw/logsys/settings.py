"""
What the ``logging`` section asks for, per subsystem.

Source: Corosync exec/logconfig.c; exec/logsys.c, _logsys_config_apply_per_file, for what ``debug``
does.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from corosync_tw.logsys.levels import Level

# Subsystems that print in stock Corosync and have a counterpart here.
SUBSYSTEMS: Final = (
    "MAIN",
    "SERV",
    "SYNC",
    "TOTEM",
    "KNET",
    "CFG",
    "CMAP",
    "CPG",
    "QUORUM",
    "VOTEQ",
    "YKD",
    "MON",
    "WD",
    "PLOAD",
    "STATS",
    "APIDEF",
    "QB",
)


class Debug(Enum):
    """Value of the ``debug`` directive."""

    OFF = "off"
    ON = "on"
    TRACE = "trace"


class Timestamp(Enum):
    """Value of the ``timestamp`` directive."""

    OFF = "off"
    ON = "on"
    HIRES = "hires"


@dataclass(frozen=True, slots=True)
class SubsysSettings:
    """
    Where the messages of one subsystem go.

    :ivar logfile: path of the log file; None while no file is wanted.
    :ivar logfile_priority: least urgent level in the file and, as in Corosync, on stderr.
    :ivar syslog_priority: least urgent level in syslog.
    """

    to_stderr: bool = True
    to_syslog: bool = True
    to_logfile: bool = False
    logfile: str | None = None
    logfile_priority: Level = Level.INFO
    syslog_priority: Level = Level.INFO
    debug: Debug = Debug.OFF
    syslog_facility: str = "daemon"

    def threshold(self, priority: Level) -> Level:
        """Return the least urgent level printed where ``priority`` is asked for."""
        if self.debug is Debug.TRACE:
            return Level.TRACE
        if self.debug is Debug.ON:
            return Level.DEBUG
        return priority


@dataclass(frozen=True, slots=True)
class LogSettings:
    """
    The whole ``logging`` section.

    :ivar default: for subsystems without an entry of their own.
    :ivar subsystems: by name, upper case.
    :ivar blackbox: keep the last lines for a blackbox file.
    """

    default: SubsysSettings = field(default_factory=SubsysSettings)
    subsystems: dict[str, SubsysSettings] = field(default_factory=dict)
    timestamp: Timestamp = Timestamp.HIRES
    fileline: bool = False
    function_name: bool = False
    blackbox: bool = True

    def of(self, subsys: str) -> SubsysSettings:
        """Return the settings of one subsystem."""
        return self.subsystems.get(subsys, self.default)

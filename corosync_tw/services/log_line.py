"""A line for the log, from a service that has words of its own."""

from dataclasses import dataclass

from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class LogLine(LocalEffect):
    """
    One line.

    :ivar subsys: of logsys, for instance MON.
    :ivar level: name of a syslog priority, lower case: alert, crit, error, warning, info, debug.
    """

    subsys: str
    level: str
    text: str
